"""Writes pickled functions and an Arrow stream into a folder, for the tests of the worker pool in C++.

    python tests/worker/write_functions.py FOLDER

NAME.command is what a client sends of the mapInArrow function NAME; `input.stream` has a struct column of 3 batches of 1000
rows with the one column a.
"""

import io
import sys
from pathlib import Path

import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql.types import LongType, StructType


def identity(batches):
    yield from batches


def sum_of_column(batches):
    total = sum(sum(batch.column(0).to_pylist()) for batch in batches)
    yield pa.record_batch({"a": pa.array([total])})


def failing(batches):
    yield next(batches)
    raise ValueError("seven is not a prime")


def sys_exit(batches):
    sys.exit(3)
    yield


def os_exit(batches):
    import os

    print("about to leave")
    os._exit(9)
    yield


def crashing(batches):
    import ctypes

    ctypes.string_at(0)
    yield


def sleeping(batches):
    import time

    time.sleep(1000)
    yield


def allocating(batches):
    blocks = []
    while True:
        blocks.append(bytearray(16 << 20))
    yield


def growing(batches):
    """Takes memory slowly enough to be watched."""
    import time

    rows = []
    while True:
        rows.append(b"x" * (1 << 20))
        time.sleep(0.001)
    yield


def keeping(batches):
    import builtins

    builtins.kept_batches = list(batches)
    yield from builtins.kept_batches


def process_id(batches):
    import os

    yield pa.record_batch({"a": pa.array([os.getpid()])})


def gang(batches):
    """Gathers the rank, then waits 20 times; says the messages and the seconds of the barriers on its output."""
    import time

    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    print("entered", time.monotonic_ns(), flush=True)
    messages = context.allGather(f"rank {context.partitionId()} of attempt {context.attemptNumber()}")
    begin = time.monotonic()
    for _ in range(20):
        context.barrier()
    print("barriers", (time.monotonic() - begin) * 1e6 / 20, flush=True)
    print("gathered", ", ".join(messages), flush=True)
    yield pa.record_batch({"a": pa.array([len(messages)])})


def first_attempt_hangs(batches):
    import time

    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    print("entered", context.attemptNumber(), time.monotonic_ns(), flush=True)
    if context.attemptNumber() == 0:
        time.sleep(1000)
    context.barrier()
    yield pa.record_batch({"a": pa.array([context.attemptNumber()])})


def variable(batches):
    import os

    print("variable", os.environ.get("DEUTERON_TEST"))
    yield from batches


def importing(batches):
    import sys

    print("found it imported" if "scipy" in sys.modules else "found it missing", flush=True)
    import scipy  # noqa: F401

    yield from batches


FUNCTIONS = (identity, sum_of_column, failing, sys_exit, os_exit, crashing, sleeping, allocating,
             growing, keeping, process_id, gang, first_attempt_hangs, variable, importing)  # fmt: skip


def struct_stream():
    column = pa.StructArray.from_arrays([pa.array(range(1000))], names=["a"])
    batch = pa.RecordBatch.from_arrays([column], ["_0"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        for _ in range(3):
            writer.write_batch(batch)
    return sink.getvalue()


def main():
    folder = Path(sys.argv[1])
    return_type = StructType().add("a", LongType())
    for function in FUNCTIONS:
        (folder / f"{function.__name__}.command").write_bytes(cloudpickle.dumps((function, return_type)))
    (folder / "input.stream").write_bytes(struct_stream())
    (folder / "version").write_text("%d.%d" % sys.version_info[:2])


if __name__ == "__main__":
    main()
