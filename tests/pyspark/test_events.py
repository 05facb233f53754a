"""The event log: what a server did, as lines of JSON; and what only it can tell."""

import json
import stat

import pytest
from deuteron_server import DeuteronServer, wait_until
from pyspark.sql import functions as F
from pyspark.sql.functions import udf

from conftest import close, connect

pytestmark = pytest.mark.deuteron


class Log:
    """A server that writes its events, and a session."""

    def __init__(self, folder):
        self.folder = folder / "events"
        self.server = DeuteronServer(folder, "--event-log", str(self.folder))
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
