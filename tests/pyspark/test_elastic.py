"""Elastic gangs: an attempt has as many ranks as there is room for, and they share the partitions."""

import os
import threading
import time

import pytest
from deuteron_server import DeuteronServer, wait_until
from gang_programs import events_of, gang, publish, rows_of
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

pytestmark = pytest.mark.deuteron


@pytest.fixture(scope="module")
def two_slots(tmp_path_factory):
    with DeuteronServer(tmp_path_factory.mktemp("server"), "--slots", "2") as server:
        yield server


@pytest.fixture
def elastic(two_slots, new_session):
    spark = new_session(two_slots.remote)
    spark.conf.set("spark.deuteron.gang.minRanks", "1")
    return spark


def show_ids(batches):
    """What a rank sees: its number, how many there are by two ways, and its rows."""
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    ids = [value for batch in batches for value in batch.column("id").to_pylist()]
    told = context.allGather(str(context.partitionId()))
    yield rows_of({"rank": [context.partitionId()], "ranks": [len(context.getTaskInfos())], "told": [",".join(told)],
                   "ids": [str(ids)]})  # fmt: skip


SCHEMA = "rank long, ranks long, told string, ids string"


@pytest.mark.parametrize("partitions", [2, 3, 5])
def test_ranks_share_the_partitions_in_order(elastic, partitions):
    answer = gang(elastic, partitions, show_ids, SCHEMA, rows=10).collect()
    assert [(row["rank"], row.ranks, row.told) for row in answer] == [(0, 2, "0,1"), (1, 2, "0,1")]
    assert sum((eval(row.ids) for row in answer), []) == list(range(10))
    middle = partitions // 2 * 10 // partitions
    assert eval(answer[1].ids)[0] == middle, "rank 0 has the first half of the partitions"


def test_empty_partitions_are_no_end(elastic):
    source = elastic.range(0, 12, 1, 6).filter("id < 2 or id > 7")
    answer = source.mapInArrow(show_ids, SCHEMA, barrier=True).collect()
    assert [eval(row.ids) for row in answer] == [[0, 1], [8, 9, 10, 11]]
    nothing = elastic.range(0, 12, 1, 6).filter("id < 0").mapInArrow(show_ids, SCHEMA, barrier=True).collect()
    assert [row.ids for row in nothing] == ["[]", "[]"]


def test_strings_and_what_follows_the_gang(elastic):
    def count(frames):
        for frame in frames:
            yield frame.groupby("name", as_index=False).size()

    source = elastic.range(0, 100_000, 1, 5).select((F.col("id") % 3).cast("string").alias("name"))
    counted = source.mapInPandas(count, "name string, size long", barrier=True)
    answer = counted.groupBy("name").agg(F.sum("size").alias("n")).orderBy("name").collect()
    assert [tuple(row) for row in answer] == [("0", 33_334), ("1", 33_333), ("2", 33_333)]


def test_the_least_is_what_must_be_there(two_slots, new_session):
    spark = new_session(two_slots.remote)
    spark.conf.set("spark.deuteron.gang.minRanks", "3")
    with pytest.raises(PySparkException, match="its 3 ranks need 3 CPUs, and there are 2 CPUs"):
        gang(spark, 5, show_ids, SCHEMA).collect()
    spark.conf.set("spark.deuteron.gang.minRanks", "2")
    assert gang(spark, 5, show_ids, SCHEMA).count() == 2


def test_a_gang_that_makes_way_goes_on_with_fewer_ranks_at_once(logged_server, new_session, tmp_path):
    folder = str(tmp_path)

    def train(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        ids = [value for batch in batches for value in batch.column("id").to_pylist()]
        rank, attempt, ranks = context.partitionId(), context.attemptNumber(), len(context.getTaskInfos())
        publish(folder, f"{attempt}-{rank}")
        for _ in range(6000 if attempt == 0 else 0):
            if context.getLocalProperty("deuteron.gang.preemption") is not None:
                raise RuntimeError("makes way")
            time.sleep(0.01)
        publish(folder, "goes-on")
        yield rows_of({"attempt": [attempt], "ranks": [ranks], "ids": [str(ids)]})

    def urgent(batches):
        list(batches)
        for _ in range(6000):
            if os.path.exists(os.path.join(folder, "goes-on")):
                break
            time.sleep(0.01)
        yield rows_of({"beside": [os.path.exists(os.path.join(folder, "goes-on"))]})

    low = new_session(logged_server.remote)
    for key, value in {"gang.minRanks": "1", "gang.preemptible": "true", "scheduler.priority": "-1"}.items():
        low.conf.set(f"spark.deuteron.{key}", value)
    rows = []
    thread = threading.Thread(target=lambda: rows.extend(gang(low, 4, train, "attempt long, ranks long, ids string").collect()))
    thread.start()
    wait_until(lambda: (tmp_path / "0-0").exists() and (tmp_path / "0-1").exists(), 30, "both ranks run")
    assert gang(new_session(logged_server.remote), 1, urgent, "beside boolean").first().beside, "both at once"
    thread.join(60)
    assert [(row.attempt, row.ranks, row.ids) for row in rows] == [(1, 1, "[0, 1, 2, 3]")]
    wait_until(lambda: len(events_of(tmp_path / "log", "StageFinished")) == 2, 30, "both ends")
    started = [(event["attempt"], event["ranks"]) for event in events_of(tmp_path / "log", "GangAttemptStarted")]
    assert sorted(started) == [(0, 1), (0, 2), (1, 1)]
