"""Distributed training in a stage of a query: a decorator, on any Spark Connect server.

    from deuteron.gang import gang

    @gang(ranks=4, format="torch", batch_size=256, seed=1)
    def train(context, data, epochs):
        for (epoch, number), batch in data.epochs(epochs):
            ...  # batch["x"], batch["y"]: tensors of 256 rows
        return loss

    losses = train(spark.table("images"), epochs=10)  # one value per rank

docs/gang.md tells the rest. Needs PySpark 4.0 or later with pyarrow and NumPy; PyTorch only for format="torch" and `init_process_group`.
"""

import sys

from pyspark import cloudpickle

from deuteron.gang.context import Context
from deuteron.gang.data import Data
from deuteron.gang.decorator import Gang, gang

__all__ = ["Context", "Data", "Gang", "gang"]

# Ranks need not have this package: it travels with the function.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
