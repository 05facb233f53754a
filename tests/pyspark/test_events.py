"""The event log: what a server did, as lines of JSON; and what only it can tell."""

import json
import os
import stat
import threading
import time

import pytest
from deuteron_server import DeuteronServer, wait_until
from pyspark.sql import functions as F
from pyspark.sql.functions import udf

from conftest import close, connect

pytestmark = pytest.mark.deuteron


class Log:
    """A server that writes its events, and a session."""

    def __init__(self, folder, *arguments):
        self.folder = folder / "events"
        self.server = DeuteronServer(folder, "--event-log", str(self.folder), *arguments)
        self.server.start()
        self.spark = connect(self.server.remote)

    def events(self, name=None):
        found = []
        for path in self.folder.glob("*.jsonl"):
            found += [json.loads(line) for line in path.read_text().splitlines()]
        return [event for event in found if name in (None, event["event"])]

    def wait_for(self, name, count=1):
        return wait_until(lambda: events if len(events := self.events(name)) >= count else None, 10, f"{count} × {name}")

    def stop(self):
        close(self.spark)
        self.server.stop()


@pytest.fixture
def log(tmp_path):
    running = Log(tmp_path)
    yield running
    running.stop()


def identity(batches):
    yield from batches


def test_only_argument_columns_travel(log):
    """A function of one narrow column of a table whose other column is a hundred times wider."""
    rows = 20_000
    wide = log.spark.range(0, rows, 1, 2).select("id", F.repeat(F.lit("x"), F.lit(1000)).alias("ballast"))
    double = udf(lambda value: value * 2, "bigint")
    answer = wide.select("ballast", double("id").alias("d")).agg(F.sum("d"), F.sum(F.length("ballast"))).first()
    assert tuple(answer) == (rows * (rows - 1), rows * 1000)
    sent = sum(event["input_bytes"] for event in log.wait_for("TaskFinished", 2))
    assert rows * 8 <= sent < rows * 8 * 3


def test_columns_of_a_file_that_nobody_asks_for_do_not_travel(log, tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = 10_000
    table = pyarrow.table({"x": list(range(rows)), "ballast": ["y" * 500] * rows})
    pyarrow.parquet.write_table(table, tmp_path / "wide.parquet")
    log.spark.read.parquet(str(tmp_path / "wide.parquet")).select("x").mapInArrow(identity, "x long").count()
    assert sum(event["input_bytes"] for event in log.wait_for("TaskFinished")) < rows * 8 * 3


def test_the_story_of_a_gang(log):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        context.barrier()
        if context.attemptNumber() == 0 and context.partitionId() == 1:
            raise ValueError("once")
        context.allGather("x")
        yield from ()

    log.spark.range(0, 2, 1, 2).mapInArrow(run, "id long", barrier=True).collect()
    failed = log.wait_for("GangAttemptFailed")
    started = log.wait_for("GangAttemptStarted", 2)
    log.wait_for("OperationFinished")
    assert [(event["attempt"], event["ranks"]) for event in started] == [(0, 2), (1, 2)]
    assert [(event["attempt"], event["rank"]) for event in failed] == [(0, 1)]
    released = {(event["attempt"], event["epoch"], event["all_gather"]) for event in log.events("BarrierReleased")}
    assert {(0, 0, False), (1, 0, False), (1, 1, True)} <= released


def wait_for_file(path):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        while context.partitionId() == 1 and not os.path.exists(path):
            time.sleep(0.01)
        context.barrier()
        yield from ()

    return run


def in_the_background(spark, function):
    thread = threading.Thread(target=lambda: spark.range(0, 2, 1, 2).mapInArrow(function, "id long", barrier=True).collect())
    thread.start()
    return thread


def test_ranks_that_do_not_come_are_named(log, tmp_path):
    thread = in_the_background(log.spark, wait_for_file(str(tmp_path / "go")))
    missing = log.wait_for("RanksMissing")
    (tmp_path / "go").touch()
    thread.join(30)
    assert [(event["ranks"], event["epoch"], event["policy"]) for event in missing] == [("1", 0, "warn")]
    assert missing[0]["waited_ms"] >= 1500
    released = log.wait_for("BarrierReleased")
    assert released[0]["last_rank"] == 1 and released[0]["skew_ms"] >= 1500


@pytest.mark.parametrize("mode, pool", [("FIFO", "default"), ("FAIR", "research")])
def test_a_gang_that_waits_says_where_and_why(tmp_path, mode, pool):
    log = Log(tmp_path, "--slots", "2", "--conf", f"spark.scheduler.mode={mode}")
    try:
        assert log.spark.conf.get("spark.scheduler.mode") == mode
        log.spark.conf.set("spark.scheduler.pool", "research")
        first = in_the_background(log.spark, wait_for_file(str(tmp_path / "go")))
        log.wait_for("TaskStarted", 2)
        second = in_the_background(log.spark, wait_for_file(str(tmp_path / "go")))
        waits = log.wait_for("GangWaits")[0]
        assert (waits["pool"], waits["position"], waits["expected_ms"]) == (pool, 1, -1)
        assert waits["reason"] == "needs 2 CPUs, free: 0 CPUs"
        (tmp_path / "go").touch()
        for thread in (first, second):
            thread.join(30)
        assert len(log.wait_for("GangAttemptStarted", 2)) == 2
    finally:
        log.stop()


def test_a_short_gang_goes_around_one_that_waits(tmp_path):
    log = Log(tmp_path, "--slots", "2")
    go = str(tmp_path / "go")

    def wait(batches):
        list(batches)
        while not os.path.exists(go):
            time.sleep(0.01)
        yield from ()

    def start(ranks, limit, function):
        log.spark.conf.set("spark.deuteron.gang.timeLimit", limit)
        frame = log.spark.range(0, ranks, 1, ranks).mapInArrow(function, "id long", barrier=True)
        thread = threading.Thread(target=frame.collect)
        thread.start()
        return thread

    try:
        threads = [start(1, "60s", wait)]
        log.wait_for("GangAttemptStarted")
        threads.append(start(2, "60s", identity))
        head = log.wait_for("GangWaits")[0]
        assert 0 < head["expected_ms"] <= 60_000
        assert head["reason"] == "needs 2 CPUs, free: 1 CPU"
        threads.append(start(1, "70s", identity))
        behind = log.wait_for("GangWaits", 2)[1]
        assert behind["position"] == 2 and behind["expected_ms"] > head["expected_ms"], "it might delay the first"
        short = start(1, "20s", identity)
        short.join(30)
        assert len(log.wait_for("GangAttemptStarted", 2)) == 2, "it cannot delay the first"
        open(go, "w").close()
        for thread in threads:
            thread.join(30)
        assert len(log.wait_for("GangAttemptStarted", 4)) == 4
    finally:
        log.stop()


def test_operations_begin_and_end(log):
    log.spark.range(3).count()
    with pytest.raises(Exception):
        log.spark.sql("select 1/0").collect()
    finished = log.wait_for("OperationFinished", 2)
    started = {event["operation"] for event in log.events("OperationStarted")}
    assert {event["operation"] for event in finished} <= started
    assert any("DIVIDE_BY_ZERO" in event["error"] for event in finished)


def test_the_log_is_private(log):
    log.spark.range(3).count()
    log.wait_for("OperationFinished")
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in log.folder.glob("*.jsonl")] == [0]


def test_a_query_without_python_starts_no_task(log):
    log.spark.range(1000).groupBy((F.col("id") % 3).alias("k")).count().collect()
    log.wait_for("OperationFinished")
    assert log.events("TaskStarted") == [] and log.events("WorkerStarted") == []
