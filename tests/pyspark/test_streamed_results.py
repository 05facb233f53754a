"""The results of a query's last Python stage reach the client partition by partition while others are still being worked on. Nothing
here is timed: a partition that is held back waits for a file that the client creates when it has seen the first rows."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from deuteron_server import DeuteronServer, client, descendants, wait_until
from gang_programs import events_of, first_then_all, publish, rows_of, wait_for_file
from pyspark.errors import PythonException
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf, udf

pytestmark = pytest.mark.deuteron


def held_back(path, since):
    """A function that gives its rows back, those from `since` on once the file is there."""

    def run(batches):
        for batch in batches:
            if batch.num_rows and batch.column(0)[0].as_py() >= since:
                wait_for_file(path)
            yield batch

    return run


# --- when they arrive --------------------------------------------------------------------------------------------------


def as_map_in_arrow(spark, seen):
    return spark.range(0, 4, 1, 4).mapInArrow(held_back(seen, 3), "id long")


def as_map_in_pandas(spark, seen):
    def run(frames):
        for frame in frames:
            if 3 in frame.id.to_list():
                wait_for_file(seen)
            yield frame

    return spark.range(0, 4, 1, 4).mapInPandas(run, "id long")


def as_pandas_udf(spark, seen):
    """Beside columns that wait in the server, and below a filter and an expression."""

    @pandas_udf("long")
    def same(numbers):
        if 3 in numbers.to_list():
            wait_for_file(seen)
        return numbers

    rows = spark.range(0, 4, 1, 4).select("id", F.concat(F.lit("row "), "id").alias("text"), same("id").alias("same"))
    return rows.filter("same >= 0 and text = concat('row ', same)").selectExpr("same + id - same as id")


def as_udf(spark, seen):
    @udf("long")
    def same(number):
        if number == 3:
            wait_for_file(seen)
        return number

    return spark.range(0, 4, 1, 4).select(same("id").alias("id"))


def as_chain(spark, seen):
    return spark.range(0, 4, 1, 4).mapInArrow(held_back(seen, 99), "id long").mapInArrow(held_back(seen, 3), "id long")


def as_cached_table(spark, seen):
    """Whose columns the function sees where they lie."""
    table = spark.range(0, 4, 1, 4).cache()
    assert table.count() == 4
    return table.mapInArrow(held_back(seen, 3), "id long")


@pytest.mark.parametrize("make", [as_map_in_arrow, as_map_in_pandas, as_pandas_udf, as_udf, as_chain, as_cached_table],
                         ids=lambda make: make.__name__[3:])
def test_first_rows_arrive_while_a_partition_is_held_back(new_session, tmp_path, make):
    seen = str(tmp_path / "seen")
    assert [row.id for row in first_then_all(make(new_session(), seen), seen)] == [0, 1, 2, 3]


def test_groups_arrive_while_one_is_held_back(spark, tmp_path):
    """Of a shuffle, in whose partitions the groups lie as they hash: those of the last partition wait."""
    keys = spark.range(40).select("id", (F.pmod(F.hash("id"), F.lit(4))).alias("part")).collect()
    last = max(row.part for row in keys)
    seen, held = str(tmp_path / "seen"), {row.id for row in keys if row.part == last}

    def run(frame):
        if int(frame.id.iloc[0]) in held:
            wait_for_file(seen)
        return frame

    rows = spark.range(40).repartition(4, "id").groupBy("id").applyInPandas(run, "id long")
    assert sorted(row.id for row in first_then_all(rows, seen)) == list(range(40))


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_the_first_rows_are_all_that_is_waited_for(logged_server, new_session, tmp_path, count):
    """Nobody ever creates the file; the task that waits for it is ended."""
    session = new_session(logged_server.remote)
    folder = str(tmp_path)

    def run(batches):
        for batch in batches:
            if batch.num_rows and batch.column(0)[0].as_py() == 8:
                publish(folder, f"waits-{os.getpid()}")
                wait_for_file(folder + "/never")
            yield batch

    rows = session.range(0, 80, 1, 20).mapInArrow(run, "id long").filter("id != 2")
    wanted = [number for number in range(80) if number != 2][:count]
    assert [row.id for row in rows.limit(count).collect()] == wanted
    assert [row.id for row in rows.take(3)] == [0, 1, 3]
    assert rows.first().id == 0
    waiting = [int(path.read_text()) for path in tmp_path.glob("waits-*")]
    wait_until(lambda: not set(waiting) & set(descendants(logged_server.pid)), 30, "the end of the task that waits")
    assert session.range(0, 8, 1, 4).mapInArrow(run, "id long").count() == 8


def test_answers_without_rows(spark):
    def only(*wanted):
        def keep(batches):
            for batch in batches:
                if batch.num_rows and batch.column(0)[0].as_py() in wanted:
                    yield batch

        return keep

    source = spark.range(0, 6, 1, 6)
    assert [row.id for row in source.mapInArrow(only(1, 4), "id long").collect()] == [1, 4]
    assert [row.id for row in source.mapInArrow(only(1, 4), "id long").limit(7).collect()] == [1, 4]
    for rows in (source.mapInArrow(only(), "id long"), source.filter("id > 5").mapInArrow(only(1), "id long")):
        assert rows.collect() == [] and rows.limit(2).collect() == [] and rows.limit(0).collect() == []
        assert rows.toArrow().schema.names == ["id"]
        assert rows.toPandas().columns.to_list() == ["id"]
    assert source.filter("id > 5").groupBy("id").applyInPandas(lambda frame: frame, "id long").collect() == []


# --- their order, and that nobody waits for ever ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_many_uneven_partitions_come_in_order(spark, seed):
    """Many more than are worked on at once, whose input and results are of very different sizes, also none."""
    sizes = random.Random(seed).choices([0, 0, 1, 10, 1000, 40_000], k=60)

    def grow(batches):
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield rows_of({"n": pyarrow.array([number] * sizes[number], pyarrow.int64())})

    @pandas_udf("long")
    def same(numbers):
        return numbers

    expected = {number: size for number, size in enumerate(sizes) if size}
    rows = spark.range(0, 60, 1, 60).mapInArrow(grow, "n long")
    assert list(Counter(rows.toArrow().column("n").to_pylist()).items()) == list(expected.items())
    exploded = spark.range(0, 60, 1, 60).withColumn("size", F.element_at(F.lit(sizes), F.col("id").cast("int") + 1))
    numbers = exploded.select("id", F.explode(F.sequence(F.lit(0), F.col("size"))).alias("x")).select("id", same("x").alias("x"))
    found = numbers.filter("x > 0").toArrow()
    assert list(Counter(found.column("id").to_pylist()).items()) == list(expected.items())


def test_all_kinds_of_clients_get_all_rows_in_order(spark):
    rows = spark.range(0, 200_000, 1, 25).mapInArrow(held_back("", 200_000), "id long")
    assert rows.toArrow().column("id").to_pylist() == list(range(200_000))
    assert rows.toPandas().id.to_list() == list(range(200_000))
    assert [row.id for row in rows.limit(150_000).collect()] == list(range(150_000))
    assert [row.id for row in rows.toLocalIterator()] == list(range(200_000))
    assert rows.tail(2) == [(199_998,), (199_999,)]
    assert rows.count() == 200_000


# --- a client that is slow, or gone ----------------------------------------------------------------------------------

PARTITIONS, PARTITION_MIB = 160, 16


def large_partitions(folder):
    def run(batches):
        for batch in batches:
            for number in batch.column(0).to_pylist():
                publish(folder, f"begun-{number}")
                for part in range(PARTITION_MIB):
                    yield rows_of({"n": [number], "part": [part], "bytes": [bytes(1 << 20)]})

    return run


def peak_resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) >> 10
    raise AssertionError("no peak")


def test_a_slow_client_holds_the_producers_back(logged_server, new_session, tmp_path):
    """2.5 GiB of results, of which 64 MiB wait for the client, six partitions for their turn, and no more are worked on."""
    session = new_session(logged_server.remote)
    rows = session.range(0, PARTITIONS, 1, PARTITIONS).mapInArrow(large_partitions(str(tmp_path)), "n long, part long, bytes binary")
    got = rows.toLocalIterator()
    first = next(got)
    wait_until(lambda: (tmp_path / "begun-5").exists(), 60, "what may be begun at once")
    time.sleep(2)  # if nothing held them back, most would be through by then
    assert len(list(tmp_path.glob("begun-*"))) < PARTITIONS / 2
    seen = [(first.n, first.part), *((row.n, row.part) for row in got)]
    assert seen == [(number, part) for number in range(PARTITIONS) for part in range(PARTITION_MIB)]
    assert peak_resident_mib(logged_server.pid) < PARTITIONS * PARTITION_MIB / 2


CLIENT = """
import os, sys, time
from pyspark.sql import SparkSession

remote, folder = sys.argv[1:]


def large(batches):
    import pyarrow

    for batch in batches:
        for number in batch.column(0).to_pylist():
            open(f"{folder}/pid-{os.getpid()}", "w").close()
            for part in range(16):
                yield pyarrow.RecordBatch.from_pydict({"n": [number], "bytes": [bytes(1 << 20)]})


spark = SparkSession.builder.remote(remote).getOrCreate()
rows = spark.range(0, 400, 1, 400).mapInArrow(large, "n long, bytes binary").toLocalIterator()
print(next(rows).n, flush=True)
sys.stdin.readline()
"""


def jobs_under_way(folder):
    finished = {event["stage"] for event in events_of(folder, "StageFinished")}
    return [event["stage"] for event in events_of(folder, "StageSubmitted") if event["stage"] not in finished]


def test_a_client_that_is_killed_leaves_nothing(tmp_path, new_session):
    with DeuteronServer(tmp_path, "--slots", "2", "--event-log", str(tmp_path / "log"), "--detach-seconds", "1") as server:
        running = subprocess.Popen(client(tmp_path, CLIENT, server.remote, str(tmp_path)), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        assert running.stdout.readline().strip() == "0"
        assert jobs_under_way(tmp_path / "log")
        running.kill()
        running.wait()
        wait_until(lambda: not jobs_under_way(tmp_path / "log"), 60, "the end of the stage")
        started = len(events_of(tmp_path / "log", "TaskStarted"))
        assert started < 200
        session = new_session(server.remote)
        assert session.range(0, 40, 1, 4).mapInArrow(held_back("", 99), "id long").count() == 40
        session.stop()


@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_who_stops_in_the_middle_ends_the_tasks(logged_server, new_session, tmp_path, how):
    session = new_session(logged_server.remote)
    rows = session.range(0, PARTITIONS, 1, PARTITIONS).mapInArrow(large_partitions(str(tmp_path)), "n long, part long, bytes binary")
    got = rows.toLocalIterator()
    assert next(got).n == 0
    wait_until(lambda: (tmp_path / "begun-5").exists(), 60, "what may be begun at once")
    if how == "interrupt":
        session.interruptAll()
        with pytest.raises(Exception, match="OPERATION_CANCELED"):
            list(got)
    else:
        got.close()
        del got
    wait_until(lambda: not jobs_under_way(tmp_path / "log"), 60, "the end of the stage")
    assert len(list(tmp_path.glob("begun-*"))) < PARTITIONS / 2
    assert session.range(0, 40, 1, 4).mapInArrow(held_back("", 99), "id long").count() == 40


# --- failures in the middle ------------------------------------------------------------------------------------------


def test_a_function_that_raises_after_rows_were_sent(spark, tmp_path):
    seen = str(tmp_path / "seen")

    def run(batches):
        for batch in batches:
            if 2 in batch.column(0).to_pylist():
                wait_for_file(seen)
                raise ValueError("the third partition")
            yield batch

    rows = spark.range(0, 40, 1, 40).mapInArrow(run, "id long").toLocalIterator()
    got = [next(rows).id, next(rows).id]
    Path(seen).touch()
    with pytest.raises(PythonException, match="ValueError: the third partition"):
        got += [row.id for row in rows]
    assert got == [0, 1]
    assert spark.range(0, 4, 1, 2).mapInArrow(held_back("", 99), "id long").count() == 4


def test_the_engine_fails_after_rows_were_sent(spark, tmp_path):
    """What is made for a later task raises; more tasks than wait at once come before it."""
    seen = str(tmp_path / "seen")
    numbers = spark.range(0, 40, 1, 40).selectExpr("id", "6 / (39 - id) as x")
    rows = numbers.mapInArrow(held_back(seen, 20), numbers.schema).select("id").toLocalIterator()
    got = [next(rows).id]
    Path(seen).touch()
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        got += [row.id for row in rows]
    assert got == list(range(len(got)))


def test_an_expression_over_the_results_fails_after_rows_were_sent(spark, tmp_path):
    seen = str(tmp_path / "seen")
    rows = spark.range(0, 4, 1, 4).mapInArrow(held_back(seen, 3), "id long").selectExpr("6 / (3 - id) as x").toLocalIterator()
    got = [next(rows).x]
    Path(seen).touch()
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        got += [row.x for row in rows]
    assert got == [2.0, 3.0, 6.0][: len(got)]


@pytest.mark.parametrize("turn", range(3))
def test_workers_that_are_killed_meanwhile(spark, tmp_path, turn):
    """Once rows were sent, a worker dies in the midst of a partition of which it has given some rows."""
    seen, folder = str(tmp_path / "seen"), str(tmp_path)

    def run(batches):
        for batch in batches:
            yield batch.slice(0, 50)
            number = batch.column(0)[0].as_py() // 100
            if number % 7 == 3:
                wait_for_file(seen)
                if not os.path.exists(f"{folder}/killed-{number}"):
                    publish(folder, f"killed-{number}")
                    os.kill(os.getpid(), signal.SIGKILL)
            yield batch.slice(50)

    rows = spark.range(0, 3000, 1, 30).mapInArrow(run, "id long")
    assert [row.id for row in first_then_all(rows, seen)] == list(range(3000))
    assert len(list(tmp_path.glob("killed-*"))) == 4
