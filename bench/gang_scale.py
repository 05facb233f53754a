"""Gangs of 2 and of 64 ranks seen from user code: start, barrier, all-gather, many kills, a rank that never arrives."""

import json
import statistics
import tempfile
import time
from pathlib import Path

import gangs
import pyarrow
import servers
from table import Row

LARGE = 64
STARTS = 20
BARRIERS = 200
KILLS = 200


def entered(batches):
    """When the rank was in user code."""
    now = time.time()
    list(batches)
    yield pyarrow.RecordBatch.from_pydict({"entered": [now]})


def repeated(count, text):
    """The median time of a barrier, or, with a text, of an all-gather of it."""

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        context.barrier()
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            context.allGather(text) if text else context.barrier()
            seconds.append(time.perf_counter() - start)
        yield pyarrow.RecordBatch.from_pydict({"ms": [statistics.median(seconds) * 1000]})

    return run


def late(arrival):
    """Rank 1 never comes to the barrier of attempt 0; rank 0 writes down when it did."""

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        if context.attemptNumber() == 0 and context.partitionId() == 1:
            time.sleep(600)
        if context.attemptNumber() == 0:
            with open(arrival, "w") as file:
                file.write(str(time.time()))
        context.barrier()
        yield pyarrow.RecordBatch.from_pydict({"attempt": [context.attemptNumber()]})

    return run


def start_ms(session, ranks):
    """From the call until the last rank is in user code."""
    submitted = time.time()
    return (max(row.entered for row in gangs.gang(session, ranks, entered, "entered double")) - submitted) * 1000


def starts(session, ranks, count):
    """The median, after two starts that nobody counts."""
    return statistics.median([start_ms(session, ranks) for _ in range(2 + count)][2:])


def slowest(session, ranks, text):
    return max(row.ms for row in gangs.gang(session, ranks, repeated(BARRIERS, text), "ms double"))


def flagged_ms(session, folder):
    """From the first rank's arrival at the barrier until the stacks of both ranks were told."""
    arrival = Path(folder) / "arrival"
    session.conf.set("spark.deuteron.gang.hang.policy", "relaunch")
    gangs.gang(session, 2, late(str(arrival)), "attempt long")
    (log,) = Path(folder).glob("*.jsonl")
    told = [event for event in map(json.loads, log.read_text().splitlines()) if event["event"] == "RankStacks"]
    assert {event["rank"] for event in told} == {0, 1}
    return max(event["time"] for event in told) / 1000 - float(arrival.read_text()) * 1000


def measure(options, running):
    with tempfile.TemporaryDirectory(prefix="bench-events-") as folder:
        server = servers.deuteron("--slots", str(LARGE), "--event-log", folder).start()
        try:
            yield from measured(options, server.connect(), folder)
        finally:
            server.stop()


def measured(options, session, folder):
    yield Row("gang of 2, warm: submit → user code, p50", starts(session, 2, STARTS), "ms", 10)
    yield Row(f"gang of {LARGE}: submit → user code, p50", starts(session, LARGE, options.repeat), "ms", 300)
    yield Row("barrier, 2 ranks, p50", slowest(session, 2, ""), "ms", 0.1, note="Spark 1,001")
    yield Row(f"barrier, {LARGE} ranks, p50", slowest(session, LARGE, ""), "ms", 4)
    yield Row(f"allGather 1 KB, {LARGE} ranks, p50", slowest(session, LARGE, "x" * 1024), "ms", 8)
    trials = sorted(gangs.relaunch_ms(session, 2) for _ in range(KILLS))
    yield Row(f"SIGKILL → next attempt in user code, p50 of {KILLS}", statistics.median(trials), "ms", 20)
    yield Row(f"SIGKILL → next attempt in user code, p99 of {KILLS}", trials[int(len(trials) * 0.99) - 1], "ms", 100,
              note=f"worst {trials[-1]:.1f}")
    yield Row("rank that never arrives: told with stacks", flagged_ms(session, folder), "ms", 2000, note="PyTorch 30 min")
