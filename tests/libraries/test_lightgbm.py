"""LightGBM's socket training: each rank trains on its partition, and they meet at ports that they tell each other."""

import socket

import pyarrow
import pytest
from pyspark import BarrierTaskContext

from tests.libraries.telling import tell

pytest.importorskip("lightgbm")

ROUNDS = 20


def train(folder):
    def rank(batches):
        import time

        import lightgbm

        context = BarrierTaskContext.get()
        data = pyarrow.Table.from_batches(batches).to_pandas()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        machines = context.allGather(f"127.0.0.1:{port}")
        parameters = {
            "objective": "regression", "tree_learner": "data", "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5,
            "machines": ",".join(machines), "num_machines": len(machines), "local_listen_port": port,
        }  # fmt: skip

        def wait_to_be_killed(round):
            if round.iteration == ROUNDS // 2:
                tell(folder, context.attemptNumber(), context.partitionId())
                time.sleep(0 if context.attemptNumber() else 600)

        dataset = lightgbm.Dataset(data[["a", "b"]], data["y"])
        booster = lightgbm.train(parameters, dataset, ROUNDS, callbacks=[wait_to_be_killed])
        trees = booster.model_to_string().split("parameters:")[0]  # each rank has its own port among the parameters
        yield pyarrow.RecordBatch.from_pydict({"attempt": [context.attemptNumber()], "trees": [trees]})

    return rank


def test_ranks_train_one_model(deuteron_session, killed_once, tmp_path):
    import lightgbm

    killed_once(1)
    table = deuteron_session.range(0, 2000, 1, 2).selectExpr("id % 50 a", "id % 7 b", "double(id % 50 * 2 + id % 7) y")
    rows = table.mapInArrow(train(str(tmp_path)), "attempt long, trees string", barrier=True).collect()
    assert [row.attempt for row in rows] == [1, 1]
    assert rows[0].trees == rows[1].trees
    model = lightgbm.Booster(model_str=rows[0].trees)
    data = table.toPandas()
    errors = model.predict(data[["a", "b"]]) - data["y"]
    assert model.num_trees() == ROUNDS and (errors**2).mean() < data["y"].var() / 10
