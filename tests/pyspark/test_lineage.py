"""What stages have left is harmed while a query runs: cut off, overwritten, a bit flipped. Only what was lost is made again, and the
answer is right. Everything lies on disk here, as it does when memory is used up. The files have no names that anybody could remove:
they are harmed through the server's own descriptors, by tasks that run in between."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest
from deuteron_server import DeuteronServer, binary, wait_until
from gang_programs import events_of, first_then_all, gang, publish, rows_of, wait_for_file
from pyspark.sql.functions import pandas_udf

pytestmark = pytest.mark.deuteron

HARMS = ("cut off", "overwritten", "one bit")


@pytest.fixture(scope="module")
def disk_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    with DeuteronServer(folder, "--slots", "2", "--event-log", str(folder / "log"), "--fault-spill-all") as server:
        yield server


@pytest.fixture
def spark(disk_server, new_session):
    session = new_session(disk_server.remote)
    yield session
    assert disk_server.process.poll() is None
    assert new_session(disk_server.remote).range(7).count() == 7


def harm(server, marker, how):
    """Does that to every spill file of the server in which the marker stands, and gives back how many there are."""
    harmed = 0
    for number in os.listdir(f"/proc/{server}/fd"):
        path = f"/proc/{server}/fd/{number}"
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if not target.endswith("(deleted)") or target.startswith("/memfd"):
            continue
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue
        content = os.pread(file, os.fstat(file).st_size, 0)
        place = content.find(marker.encode())
        if place >= 0:
            harmed += 1
            if how == "cut off":
                os.ftruncate(file, 0)
            elif how == "overwritten":
                os.pwrite(file, bytes(len(content)), 0)
            else:
                os.pwrite(file, bytes([content[place] ^ 1]), place)
        os.close(file)
    return harmed


def harm_when_there(server, how, *markers):
    """The same with the first marker that is there, and waits for that."""
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for marker in markers:
            harmed = harm(server, marker, how)
            if harmed > 0:
                return harmed
        time.sleep(0.01)
    raise TimeoutError(f"no spill file with {markers}")


def noted(folder, name):
    """The partitions of which `name` tells that they were made, in any order."""
    return Counter(int(line) for line in (folder / name).read_text().split())


def marked_rows(folder, name, rows=1000):
    """A function that gives, for each partition, rows with a marker of it, and notes that it did."""

    def run(batches):
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
        with open(os.path.join(folder, name), "a") as file:
            file.write(f"{partition}\n")
        yield rows_of({"id": numbers, "mark": [f"{name}={partition}."] * len(numbers)})

    return run


SCHEMA = "id long, mark string"


def lost_in(server, name):
    """What the event log tells about losses of this output: partitions, and whether they came out the same."""
    log = server.folder / "log"
    lost = [event["partitions"] for event in events_of(log, "OutputLost") if event["name"] == name]
    made = [(event["partitions"], event["same"]) for event in events_of(log, "OutputMadeAgain") if event["name"] == name]
    return lost, made


@pytest.mark.parametrize("how", HARMS)
def test_a_gang_gets_input_that_was_lost_between_two_attempts(disk_server, spark, tmp_path, how):
    folder, server = str(tmp_path), disk_server.pid
    before = len(events_of(disk_server.folder / "log", "InputLost"))

    def train(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        rows = sum(batch.num_rows for batch in batches)
        context.barrier()
        if context.attemptNumber() == 0 and context.partitionId() == 0:
            publish(folder, "harmed", str(harm(server, "first=1.", how)))
            os._exit(1)
        total = context.allGather(str(rows))
        yield rows_of({"rank": [context.partitionId()], "attempt": [context.attemptNumber()], "total": [sum(map(int, total))]})

    spark.conf.set("spark.stage.maxConsecutiveAttempts", "2")  # the rank that ends itself uses up one
    rows = spark.range(0, 2000, 1, 2).mapInArrow(marked_rows(folder, "first"), SCHEMA)
    answer = rows.mapInArrow(train, "rank long, attempt long, total long", barrier=True).collect()
    assert sorted(map(tuple, answer)) == [(0, 2, 2000), (1, 2, 2000)]
    assert int((tmp_path / "harmed").read_text()) == 2  # what the function left, and the gang's input made from it
    assert noted(tmp_path, "first") == {0: 1, 1: 2}
    wait_until(lambda: len(events_of(disk_server.folder / "log", "InputLost")) > before, 30, "the event")
    assert "What a stage has left was lost" in events_of(disk_server.folder / "log", "InputLost")[before]["error"]
    wait_until(lambda: "1" in lost_in(disk_server, "the input of mapInArrow(train)")[0], 30, "the event")
    assert ("1", True) in lost_in(disk_server, "the input of mapInArrow(train)")[1]


def test_a_rank_that_reads_what_is_being_cut_off_does_not_fail_its_gang(disk_server, spark, tmp_path):
    folder, server = str(tmp_path), disk_server.pid

    def train(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        if context.attemptNumber() == 0 and context.partitionId() == 0:
            harm(server, "first=0.", "cut off")
        rows = sum(len(mark) for batch in batches for mark in batch.column(1).to_pylist())
        yield rows_of({"attempt": [context.attemptNumber()], "length": [rows]})

    rows = spark.range(0, 2000, 1, 2).mapInArrow(marked_rows(folder, "first"), SCHEMA)
    answer = rows.mapInArrow(train, "attempt long, length long", barrier=True).collect()
    assert sorted(map(tuple, answer)) == [(1, 8000), (1, 8000)]


@pytest.mark.parametrize("how", HARMS)
def test_of_a_chain_of_functions_only_the_lost_partition_is_made_again(disk_server, spark, tmp_path, how):
    """first -> second, whose first task harms what first left for partition 19 before the engine reads it; second -> aggregate ->
    third. One task runs at a time, so that the engine cannot be far ahead."""
    folder, server = str(tmp_path), disk_server.pid

    def second(batches):
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        if not os.path.exists(folder + "/harmed"):
            publish(folder, "harmed", str(harm(server, "first=19.", how)))
        with open(folder + "/second", "a") as file:
            file.write(f"{partition}\n")
        for batch in batches:
            yield rows_of({"key": [number % 3 for number in batch.column(0).to_pylist()], "mark": batch.column(1).to_pylist()})

    def third(batches):
        for batch in batches:
            yield rows_of({"told": [f"{key}: {count} {marks}" for key, count, marks in
                                    zip(*(batch.column(place).to_pylist() for place in range(3)))]})

    spark.conf.set("spark.task.cpus", "2")
    rows = spark.range(0, 1000, 1, 20).mapInArrow(marked_rows(folder, "first"), SCHEMA).mapInArrow(second, "key long, mark string")
    groups = rows.groupBy("key").agg({"*": "count", "mark": "max"}).selectExpr("key", "`count(1)` as n", "`max(mark)` as mark")
    answer = groups.mapInArrow(third, "told string").collect()
    assert sorted(row.told for row in answer) == ["0: 334 first=9.", "1: 333 first=9.", "2: 333 first=9."]
    assert int((tmp_path / "harmed").read_text()) == 1
    assert noted(tmp_path, "first") == Counter([19, *range(20)])
    assert noted(tmp_path, "second") == Counter(range(20))
    wait_until(lambda: lost_in(disk_server, "mapInArrow(run)")[1], 30, "the event")
    assert ("19", True) in lost_in(disk_server, "mapInArrow(run)")[1]


@pytest.mark.parametrize("how", HARMS)
def test_the_answer_is_made_from_what_was_made_again(disk_server, spark, tmp_path, how):
    """The last task harms what the first one has left; both were made from one table."""
    folder, server = str(tmp_path), disk_server.pid

    def second(batches):
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        if partition == 5 and not os.path.exists(folder + "/harmed"):
            publish(folder, "harmed", str(harm(server, "second=0.", how)))
        yield from marked_rows(folder, "second")(batches)

    rows = spark.range(0, 600, 1, 6).mapInArrow(marked_rows(folder, "first"), SCHEMA).mapInArrow(second, SCHEMA)
    answer = rows.groupBy("mark").count().orderBy("mark").collect()
    assert [tuple(row) for row in answer] == [(f"second={partition}.", 100) for partition in range(6)]
    assert int((tmp_path / "harmed").read_text()) == 1
    assert noted(tmp_path, "first") == Counter(range(6))
    assert noted(tmp_path, "second") == Counter([0, *range(6)])


def test_a_task_that_finds_its_input_lost_gets_it_again(disk_server, spark, tmp_path):
    """One task runs at a time: the first one harms the input of the other, which lies there and waits."""
    folder, server = str(tmp_path), disk_server.pid

    def run(batches):
        from pyspark import TaskContext

        context = TaskContext.get()
        if not os.path.exists(folder + "/harmed"):
            other = "row 50 " if context.partitionId() == 1 else "row 150 "
            publish(folder, "harmed", str(harm_when_there(server, "cut off", other)))
        numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
        with open(folder + "/run", "a") as file:
            file.write(f"{context.partitionId()}\n")
        yield rows_of({"attempt": [context.attemptNumber()], "rows": [len(numbers)]})

    spark.conf.set("spark.task.cpus", "2")
    rows = spark.range(0, 200, 1, 2).selectExpr("id", "concat('row ', id, ' ') as text")
    answer = rows.mapInArrow(run, "attempt long, rows long").collect()
    assert sorted(map(tuple, answer)) == [(0, 100), (1, 100)]
    assert noted(tmp_path, "run") == Counter(range(2))


def test_rows_that_are_dealt_out_are_all_made_again(disk_server, spark, tmp_path):
    """Which rows a partition of repartition(n) has does not follow from its number: no row may be there twice, or not at all."""
    folder, server = str(tmp_path), disk_server.pid

    def second(batches):
        from pyspark import TaskContext

        if not os.path.exists(folder + "/harmed"):
            publish(folder, "harmed", str(harm(server, "row 150 ", "cut off")))
        yield from batches

    rows = spark.range(0, 1200, 1, 2).selectExpr("id % 400 as id").distinct().selectExpr("id", "concat('row ', id, ' ') as text")
    answer = rows.repartition(4).mapInArrow(second, "id long, text string").orderBy("id").collect()
    assert [row.id for row in answer] == list(range(400))


def test_cached_rows_are_made_again(disk_server, spark, tmp_path):
    rows = spark.range(0, 400, 1, 4).mapInArrow(marked_rows(str(tmp_path), "first"), SCHEMA).cache()
    assert rows.count() == 400
    assert harm(disk_server.pid, "first=2.", "one bit") > 0
    assert [tuple(row) for row in rows.groupBy("mark").count().orderBy("mark").collect()] == [
        (f"first={partition}.", 100) for partition in range(4)]
    assert rows.count() == 400
    rows.unpersist()


def test_nobody_sees_two_versions_of_rows_that_come_out_differently(disk_server, spark, tmp_path):
    """A function gives other rows each time. They are cached, and lost after a second function has read them: both sides of a join
    must tell of the same version."""
    folder, server = str(tmp_path), disk_server.pid

    def random_rows(batches):
        import uuid

        for batch in batches:
            numbers = batch.column(0).to_pylist()
            yield rows_of({"id": numbers, "mark": [f"first.{number // 100} {uuid.uuid4()}" for number in numbers]})

    def second(batches):
        from pyspark import TaskContext

        yield from batches
        if TaskContext.get().partitionId() == 3 and not os.path.exists(folder + "/harmed"):
            publish(folder, "harmed", str(harm(server, "first.0 ", "cut off")))

    first = spark.range(0, 400, 1, 4).mapInArrow(random_rows, SCHEMA).cache()
    assert first.count() == 400
    seen = first.mapInArrow(second, SCHEMA).selectExpr("id", "mark as seen")
    answer = first.join(seen, "id").collect()
    assert int((tmp_path / "harmed").read_text()) > 0
    assert len(answer) == 400
    assert [row for row in answer if row.mark != row.seen] == []
    first.unpersist()


def test_what_is_lost_again_and_again_fails_and_says_what(disk_server, spark, tmp_path):
    folder, server = str(tmp_path), disk_server.pid

    def train(batches):
        from pyspark import BarrierTaskContext

        if BarrierTaskContext.get().partitionId() == 1:
            harm(server, "first=1.", "cut off")
            publish(folder, f"attempt-{BarrierTaskContext.get().attemptNumber()}")
        yield rows_of({"rank": [len(mark) for batch in batches for mark in batch.column(1).to_pylist()][:1]})

    spark.conf.set("spark.stage.maxConsecutiveAttempts", "3")
    rows = spark.range(0, 200, 1, 2).mapInArrow(marked_rows(folder, "first"), SCHEMA)
    with pytest.raises(Exception) as raised:
        rows.mapInArrow(train, "rank long", barrier=True).collect()
    assert "what stage 2 (the input of mapInArrow(train)) has left for partition 1 was lost 3 times" in str(raised.value)
    assert sorted(path.name for path in tmp_path.glob("attempt-*")) == ["attempt-0", "attempt-1", "attempt-2"]


def test_profiles_count_a_partition_once(disk_server, spark, tmp_path):
    """What PySpark's accumulators are given comes from the first time that a partition was made."""
    from pyspark.sql.functions import udf

    folder, server = str(tmp_path), disk_server.pid

    @udf("long")
    def plus(number):
        if number == 350 and not os.path.exists(folder + "/harmed"):
            publish(folder, "harmed", str(harm(server, "row 50 ", "cut off")))
        return number + 1

    spark.conf.set("spark.sql.pyspark.udf.profiler", "perf")
    rows = spark.range(0, 400, 1, 4).selectExpr("id", "concat('row ', id, ' ') as text")
    answer = rows.select(plus("id").alias("next"), "text").selectExpr("sum(next) as total", "count(text) as n").collect()
    assert tuple(answer[0]) == (sum(range(1, 401)), 400)
    assert int((tmp_path / "harmed").read_text()) > 0
    (profile,) = spark.client._profiler_collector._perf_profile_results.values()
    assert [counts[1] for (_, _, name), counts in profile.stats.items() if name == "plus"] == [400]


def test_the_log_tells_what_was_lost(disk_server, spark, tmp_path):
    folder, server = str(tmp_path), disk_server.pid

    def second(batches):
        from pyspark import TaskContext

        if TaskContext.get().partitionId() == 0:
            harm(server, "first=19.", "cut off")
        yield from batches

    spark.conf.set("spark.task.cpus", "2")
    rows = spark.range(0, 1000, 1, 20).mapInArrow(marked_rows(folder, "first"), SCHEMA)
    assert len(rows.mapInArrow(second, SCHEMA).collect()) == 1000
    told = subprocess.run([str(binary()), "logs", "--port", str(disk_server.port)], capture_output=True, text=True, timeout=60)
    assert "what mapInArrow(run) has left for partition 19 is lost: its file was cut off at 0 bytes" in told.stdout, told
    assert "what mapInArrow(run) has left for partition 19 was made again" in told.stdout


# --- after rows of the answer were sent ---------------------------------------------------------------------------------


def is_first_after_rows(folder, partition):
    """Where one task runs at a time, in any order: whether this is the first to follow that of partition 0, which has ended."""
    had_rows = os.path.exists(folder + "/begun-0")
    publish(folder, f"begun-{partition}")
    return had_rows and partition != 0 and not os.path.exists(folder + "/harmed")


@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize("beside", ["nothing", "columns"])
def test_results_that_are_lost_before_they_are_sent_are_made_again(disk_server, spark, tmp_path, how, beside):
    """Partition 1 ends when 2 and 3 wait to be sent and 2 is harmed, after rows of 0 were seen."""
    seen, folder, server, log = str(tmp_path / "seen"), str(tmp_path), disk_server.pid, disk_server.folder / "log"

    @pandas_udf("string")
    def last(several: Iterator[pandas.Series]) -> Iterator[pandas.Series]:
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        for numbers in several:
            if partition == 1:
                wait_for_file(seen)
                if not os.path.exists(folder + "/harmed"):
                    publish(folder, "harmed", str(harm_when_there(server, how, "last=2.")))
            with open(folder + "/last", "a") as file:
                file.write(f"{partition}\n")
            yield pandas.Series([f"last={partition}."] * len(numbers))

    stages = len(events_of(log, "StageSubmitted"))
    columns = ["id", last("id").alias("mark")] if beside == "columns" else [last("id").alias("mark")]
    rows = spark.range(0, 400, 1, 4).select(*columns).toLocalIterator()
    first = next(rows)
    stage = events_of(log, "StageSubmitted")[stages]["stage"]
    # Their checksums are taken when they have ended.
    wait_until(lambda: {event["partition"] for event in events_of(log, "TaskFinished") if event["stage"] == stage} >= {0, 2, 3},
               60, "two that wait")
    Path(seen).touch()
    got = [first, *rows]
    assert [row.mark for row in got] == [f"last={partition}." for partition in range(4) for _ in range(100)]
    if beside == "columns":
        assert [row.id for row in got] == list(range(400))
    assert int((tmp_path / "harmed").read_text()) == 1
    assert noted(tmp_path, "last") == Counter([2, *range(4)])
    name = events_of(log, "StageSubmitted")[stages]["name"]
    wait_until(lambda: lost_in(disk_server, name)[1][-1:] == [("2", True)], 30, "the event")


def test_input_that_is_lost_after_first_rows_is_made_again_where_that_is_sure(disk_server, spark, tmp_path):
    """Of a range each partition can be made again by itself, after all others, of which there are more than wait at once."""
    seen, folder, server = str(tmp_path / "seen"), str(tmp_path), disk_server.pid

    def last(batches):
        from pyspark import TaskContext

        if is_first_after_rows(folder, TaskContext.get().partitionId()):
            wait_for_file(seen)
            later = [number for number in range(40) if not os.path.exists(f"{folder}/begun-{number}")]
            publish(folder, "harmed", str(harm_when_there(server, "cut off", *(f"row {number}5 " for number in later))))
        yield from marked_rows(folder, "last")(batches)

    spark.conf.set("spark.task.cpus", "2")
    rows = spark.range(0, 400, 1, 40).selectExpr("id", "concat('row ', id, ' ') as text").mapInArrow(last, SCHEMA)
    got = first_then_all(rows, seen)
    assert [tuple(row) for row in got] == [(number, f"last={number // 10}.") for number in range(400)]
    assert int((tmp_path / "harmed").read_text()) > 0
    assert noted(tmp_path, "last") == Counter(range(40))


def test_input_that_is_lost_after_first_rows_is_an_error_where_all_of_it_must_be_made_anew(disk_server, spark, tmp_path):
    """Rows that were dealt out lie elsewhere when they are dealt out again."""
    seen, folder, server = str(tmp_path / "seen"), str(tmp_path), disk_server.pid

    def last(batches):
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        rows = [number for batch in batches for number in batch.column(0).to_pylist()]
        publish(folder, f"rows-{partition}", " ".join(map(str, rows)))
        if is_first_after_rows(folder, partition):
            wait_for_file(seen)
            read = {int(number) for path in Path(folder).glob("rows-*") for number in path.read_text().split()}
            later = [number for number in range(400) if number not in read]
            publish(folder, "harmed", str(harm_when_there(server, "cut off", *(f"row {number} " for number in later))))
        yield rows_of({"id": rows})

    spark.conf.set("spark.task.cpus", "2")
    distinct = spark.range(0, 1200, 1, 2).selectExpr("id % 400 as id").distinct()
    rows = distinct.selectExpr("id", "concat('row ', id, ' ') as text").repartition(8).mapInArrow(last, "id long").toLocalIterator()
    got = [next(rows).id]
    Path(seen).touch()
    with pytest.raises(Exception, match="was lost .* after the first rows of the result"):
        got += [row.id for row in rows]
    assert len(set(got)) == len(got) < 400
    assert int((tmp_path / "harmed").read_text()) > 0


@pytest.mark.parametrize("is_same", [True, False], ids=["the same", "another version"])
def test_what_an_earlier_function_left_is_lost_after_first_rows(disk_server, spark, tmp_path, is_same):
    """It is made again; only when other rows come out, of which nobody may see some, the query fails."""
    seen, folder, server = str(tmp_path / "seen"), str(tmp_path), disk_server.pid

    def first(batches):
        import uuid

        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        for batch in batches:
            version = "" if is_same else str(uuid.uuid4())
            yield rows_of({"id": batch.column(0), "mark": [f"first={partition}. {version}"] * batch.num_rows})

    def last(batches):
        from pyspark import TaskContext

        partition = TaskContext.get().partitionId()
        if is_first_after_rows(folder, partition):
            wait_for_file(seen)
            publish(folder, "harmed", str(harm(server, "first=39.", "cut off")))
        with open(folder + "/last", "a") as file:
            file.write(f"{partition}\n")
        yield from batches

    spark.conf.set("spark.task.cpus", "2")  # the engine cannot be far ahead
    rows = spark.range(0, 400, 1, 40).mapInArrow(first, SCHEMA).mapInArrow(last, SCHEMA)
    if is_same:
        assert [row.id for row in first_then_all(rows, seen)] == list(range(400))
        assert noted(tmp_path, "last") == Counter(range(40))
    else:
        with pytest.raises(Exception, match="was lost .* after the first rows of the result"):
            first_then_all(rows, seen)
    assert int((tmp_path / "harmed").read_text()) == 1
