"""Writes pickled mapInArrow functions into a folder, for the tests of execution in C++: NAME.command, and `version`.

    python tests/execution/write_functions.py FOLDER

Each yields one row (rank, attempt, process id, value).
"""

import sys
from pathlib import Path

from pyspark import cloudpickle
from pyspark.sql.types import LongType, StructType


def row(context, value):
    import os

    import pyarrow as pa

    values = (context.partitionId(), context.attemptNumber(), os.getpid(), value)
    return pa.record_batch({name: pa.array([v], pa.int64()) for name, v in zip("abcd", values)})


def gather(batches):
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    context.barrier()
    messages = context.allGather(str(context.partitionId()))
    assert len(context.getTaskInfos()) == len(messages)
    yield row(context, sum(map(int, messages)))


def twenty_barriers(batches):
    """value: microseconds for 20 barriers, after a first one."""
    import time

    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    context.barrier()
    start = time.perf_counter()
    for _ in range(20):
        context.barrier()
    yield row(context, int((time.perf_counter() - start) * 1e6))


def killed_once(batches):
    """Rank 1 of attempt 0 is killed. value: microseconds from the kill to user code in attempt 1."""
    import os
    import signal
    import time

    from pyspark import BarrierTaskContext

    now = int(time.time() * 1e6)
    context = BarrierTaskContext.get()
    path = f"/tmp/deuteron-kill-{os.getppid()}"
    context.barrier()
    if context.attemptNumber() == 0:
        if context.partitionId() == 1:
            with open(path, "w") as file:
                file.write(str(int(time.time() * 1e6)))
            os.kill(os.getpid(), signal.SIGKILL)
        context.barrier()
    with open(path) as file:
        killed = int(file.read())
    context.barrier()
    if context.partitionId() == 0:
        os.unlink(path)
    yield row(context, now - killed)


def raising(batches):
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    if context.partitionId() == 1:
        raise ValueError("rank one gives up in attempt %d" % context.attemptNumber())
    context.barrier()
    yield row(context, 0)


def leaving_early(batches):
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    if context.partitionId() == 0:
        context.barrier()
    yield row(context, 0)


def plain(batches):
    from pyspark import TaskContext

    total = sum(sum(batch.column(0).to_pylist()) for batch in batches)
    yield row(TaskContext.get(), total)


def beginning(folder):
    """Says in a file that it has its first batch, then reads the others. In its first attempt it dies after that, if it
    finds a file that says so. value: rows."""

    def read(batches):
        import os
        import signal

        from pyspark import TaskContext

        context = TaskContext.get()
        rows = next(batches).num_rows
        with open(f"{folder}/begun-{context.attemptNumber()}", "w"):
            pass
        if context.attemptNumber() == 0 and os.path.exists(f"{folder}/dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield row(context, rows + sum(batch.num_rows for batch in batches))

    return read


def exiting(batches):
    import os

    os._exit(3)
    yield


def sleeping(batches):
    import time

    time.sleep(1000)
    yield


def main():
    folder = Path(sys.argv[1])
    cloudpickle.register_pickle_by_value(sys.modules["__main__"])
    schema = StructType()
    for name in "abcd":
        schema = schema.add(name, LongType())
    for name in ("gather", "twenty_barriers", "killed_once", "raising", "leaving_early", "plain", "exiting", "sleeping"):
        (folder / f"{name}.command").write_bytes(cloudpickle.dumps((globals()[name], schema)))
    (folder / "beginning.command").write_bytes(cloudpickle.dumps((beginning(str(folder)), schema)))
    (folder / "version").write_text("%d.%d" % sys.version_info[:2])


if __name__ == "__main__":
    main()
