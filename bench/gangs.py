"""Gangs: submit to result, barriers, a killed rank, an impossible gang."""

import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path

import pyarrow
from table import Row


def median_ms(action, repeat, warm=2):
    seconds = []
    for turn in range(warm + repeat):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[warm:]) * 1000


def gang(session, ranks, function, schema):
    return session.range(0, ranks * 4, 1, ranks).mapInArrow(function, schema, barrier=True).collect()


def meet(batches):
    from pyspark import BarrierTaskContext

    rows = sum(batch.num_rows for batch in batches)
    context = BarrierTaskContext.get()
    context.barrier()
    told = context.allGather(str(rows))
    yield pyarrow.RecordBatch.from_pydict({"rows": [sum(map(int, told))]})


def barriers(count):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        context.barrier()
        start = time.perf_counter()
        for _ in range(count):
            context.barrier()
        yield pyarrow.RecordBatch.from_pydict({"ms": [(time.perf_counter() - start) * 1000]})

    return run


def killed(folder):
    def run(batches):
        from pyspark import BarrierTaskContext

        entered = time.time()
        list(batches)
        context = BarrierTaskContext.get()
        if context.attemptNumber() == 0:
            path = os.path.join(folder, f"rank-{context.partitionId()}")
            with open(path + ".part", "w") as file:
                file.write(str(os.getpid()))
            os.rename(path + ".part", path)
            time.sleep(60)
        yield pyarrow.RecordBatch.from_pydict({"entered": [entered]})

    return run


def relaunch_ms(session, ranks):
    """From SIGKILL of a rank until all ranks of the next attempt are in user code."""
    with tempfile.TemporaryDirectory() as folder:
        seen = {}

        def kill():
            paths = [Path(folder) / f"rank-{rank}" for rank in range(ranks)]
            deadline = time.monotonic() + 30
            while not all(path.exists() for path in paths) and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(0.05)
            seen["at"] = time.time()
            os.kill(int(paths[-1].read_text()), signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        rows = gang(session, ranks, killed(folder), "entered double")
        thread.join(60)
        return (max(row.entered for row in rows) - seen["at"]) * 1000


def refusal(session):
    try:
        session.range(0, 1000, 1, 1000).mapInArrow(meet, "rows long", barrier=True).collect()
    except Exception:
        return
    raise AssertionError("a gang of 1,000 ranks should have been refused")


def measure(options, running):
    ours, ranks = running("deuteron").connect(), options.ranks
    spark = running("spark").connect() if options.spark else None
    ours = running("deuteron").connect()
    peers = {"spark": median_ms(lambda: gang(spark, ranks, meet, "rows long"), 2, 1)} if spark else {}
    yield Row(f"gang of {ranks}, warm: submit → result", median_ms(lambda: gang(ours, ranks, meet, "rows long"), 4 * options.repeat),
              "ms", 50, True, peers, "with barrier and allGather")

    def twenty(session):
        return max(row.ms for row in gang(session, ranks, barriers(20), "ms double"))

    peers = {"spark": twenty(spark)} if spark else {}
    yield Row("20 barriers", statistics.median(twenty(ours) for _ in range(options.repeat + 1)), "ms", 10, True, peers)
    yield Row("rank killed → next attempt in user code", statistics.median(relaunch_ms(ours, ranks) for _ in range(options.repeat)),
              "ms", 100, True, {}, "Spark: the job fails")
    yield Row("impossible gang refused", median_ms(lambda: refusal(ours), options.repeat), "ms", 10, True, {}, "Spark: 600 s")
