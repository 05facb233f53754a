"""Large partitions on their way to Python functions: a function that reads slowly holds up whoever makes its input, what it has read
is not kept, and what is missing after a worker was lost is made again. Nothing of that changes an answer."""

import os
import signal
import threading
import time

import pyarrow
import pyarrow.compute
import pytest
from deuteron_server import DeuteronServer, wait_until
from gang_programs import events_of, publish
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

pytestmark = pytest.mark.deuteron

ROWS = 20_000_000  # 160 MB
SUM = ROWS * (ROWS - 1) // 2
BOUND = 200 << 20  # of what the server holds of one: 8 MB that are not read, but slabs of 72 MB are taken whole


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    arguments = ("--slots", "2", "--memory", "1GB", "--event-log", str(folder / "log"), "--conf", "spark.deuteron.python.readAhead=8m")
    with DeuteronServer(folder, *arguments) as server:
        yield server


@pytest.fixture
def spark(small_server, new_session):
    session = new_session(small_server.remote)
    yield session
    assert small_server.process.poll() is None
    assert new_session(small_server.remote).range(7).count() == 7


def slab_bytes(server):
    """The lengths of the files behind the server's shared memory, in memory and on disk."""
    memory = disk = 0
    for number in os.listdir(f"/proc/{server}/fd"):
        path = f"/proc/{server}/fd/{number}"
        try:
            target, size = os.readlink(path), os.stat(path).st_blocks * 512
        except OSError:
            continue
        if target.startswith("/memfd:deuteron-slab"):
            memory += size
        elif target.endswith("(deleted)") and not target.startswith("/memfd"):
            disk += size
    return memory, disk


def total_of(batches):
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({"total": [pyarrow.compute.sum(batch.column(0)).as_py()]})


def held_until(folder, name):
    """Sums up, but reads no more than the first batch before the file `name` is there."""

    def run(batches):
        for number, batch in enumerate(batches):
            if number == 0:
                publish(folder, "reading")
            while not os.path.exists(os.path.join(folder, name)):
                time.sleep(0.01)
            yield pyarrow.RecordBatch.from_pydict({"total": [pyarrow.compute.sum(batch.column(0)).as_py()]})

    return run


def in_background(action):
    answers = []

    def run():
        try:
            answers.append(action())
        except Exception as failure:
            answers.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def steady(measure):
    """What it measures when that has not changed for a second."""
    last, since = measure(), time.monotonic()
    while time.monotonic() < since + 1:
        time.sleep(0.05)
        if measure() != last:
            last, since = measure(), time.monotonic()
    return last



def test_a_function_that_does_not_read_on_holds_up_its_input(small_server, spark, tmp_path):
    folder = str(tmp_path)
    count = 5 * ROWS  # 800 MB
    rows = spark.range(0, count, 1, 1).mapInArrow(held_until(folder, "go"), "total long")
    thread, answers = in_background(lambda: rows.agg(F.sum("total")).collect()[0][0])
    wait_until(lambda: os.path.exists(tmp_path / "reading"), 60, "the function")
    memory, disk = steady(lambda: slab_bytes(small_server.pid))
    (tmp_path / "go").touch()
    thread.join(120)
    assert answers == [count * (count - 1) // 2]
    assert memory <= BOUND
    assert disk == 0


def test_what_was_read_is_not_kept(small_server, spark):
    """Far more than the memory goes through, and nothing is ever on disk."""
    most, ended = [0, 0], threading.Event()

    def watch():
        while not ended.wait(0.02):
            memory, disk = slab_bytes(small_server.pid)
            most[:] = max(most[0], memory), max(most[1], disk)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        rows = 10 * ROWS  # 1.6 GB
        answer = spark.range(0, rows, 1, 2).mapInArrow(total_of, "total long").agg(F.sum("total")).collect()[0][0]
    finally:
        ended.set()
        watcher.join()
    assert answer == rows * (rows - 1) // 2
    assert most[0] < 512 << 20
    assert most[1] == 0


def test_a_lost_worker_in_the_middle_of_a_partition(small_server, spark, tmp_path):
    folder = str(tmp_path)
    before = len(events_of(small_server.folder / "log", "InputLost"))

    def run(batches):
        seen = 0
        for batch in batches:
            seen += batch.num_rows
            if seen > ROWS // 2 and not os.path.exists(os.path.join(folder, "killed")):
                publish(folder, "killed")
                os.kill(os.getpid(), signal.SIGKILL)
            yield pyarrow.RecordBatch.from_pydict({"rows": [batch.num_rows], "total": [pyarrow.compute.sum(batch.column(0)).as_py()]})

    frame = spark.range(0, 2 * ROWS, 1, 2).mapInArrow(run, "rows long, total long")
    total = 2 * ROWS * (2 * ROWS - 1) // 2
    assert tuple(frame.agg(F.sum("rows"), F.sum("total")).collect()[0]) == (2 * ROWS, total)
    assert (tmp_path / "killed").exists()
    wait_until(lambda: len(events_of(small_server.folder / "log", "InputLost")) > before, 30, "the event")
    assert "which was not kept" in events_of(small_server.folder / "log", "InputLost")[before]["error"]


def test_columns_that_wait_for_the_results_are_made_again_too(spark, tmp_path):
    folder = str(tmp_path)

    @F.pandas_udf("long")
    def double(column):
        if column.iloc[-1] > ROWS // 2 and not os.path.exists(os.path.join(folder, "killed")):
            publish(folder, "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return column * 2

    frame = spark.range(0, ROWS, 1, 1).select("id", (F.col("id") + 1).alias("next")).select("next", double("id").alias("d"))
    answer = frame.agg(F.count("*"), F.sum("next"), F.sum("d"), F.sum(F.when(F.col("d") == 2 * (F.col("next") - 1), 0).otherwise(1)))
    assert tuple(answer.collect()[0]) == (ROWS, SUM + ROWS, 2 * SUM, 0)
    assert (tmp_path / "killed").exists()


def test_a_worker_that_is_always_lost_fails_the_query_as_before(spark):
    def run(batches):
        for number, _ in enumerate(batches):
            if number > 10:
                os.kill(os.getpid(), signal.SIGKILL)
        yield from ()

    spark.conf.set("spark.task.maxFailures", "2")
    with pytest.raises(PySparkException, match=r"(?s)crashed.*SIGKILL"):
        spark.range(0, ROWS, 1, 1).mapInArrow(run, "id long").collect()


def test_a_function_that_stops_reading_lets_its_input_go(spark):
    def first(batches):
        yield pyarrow.RecordBatch.from_pydict({"id": next(iter(batches)).column(0).slice(0, 1)})

    def none(batches):
        yield pyarrow.RecordBatch.from_pydict({"id": [7]})

    assert sorted(row.id for row in spark.range(0, 2 * ROWS, 1, 2).mapInArrow(first, "id long").collect()) == [0, ROWS]
    assert [row.id for row in spark.range(0, 2 * ROWS, 1, 2).mapInArrow(none, "id long").collect()] == [7, 7]


def test_a_function_may_keep_all_that_it_reads(spark):
    def backwards(batches):
        for batch in reversed(list(batches)):
            yield pyarrow.RecordBatch.from_pydict({"total": [pyarrow.compute.sum(batch.column(0)).as_py()]})

    assert spark.range(0, ROWS, 1, 1).mapInArrow(backwards, "total long").agg(F.sum("total")).collect()[0][0] == SUM


def test_arrays_that_a_function_keeps_are_not_written_over(spark):
    def run(batches):
        kept = None
        for batch in batches:
            if kept is None:
                kept = batch.column(0).to_numpy(zero_copy_only=True)
        yield pyarrow.RecordBatch.from_pydict({"first": [int(kept[0])], "steps": [int((kept[1:] - kept[:-1]).max())]})

    assert [tuple(row) for row in spark.range(0, ROWS, 1, 1).mapInArrow(run, "first long, steps long").collect()] == [(0, 1)]


def test_a_query_is_cancelled_while_its_input_is_held_up(small_server, spark, tmp_path):
    folder = str(tmp_path)
    spark.addTag("held")
    rows = spark.range(0, ROWS, 1, 1).mapInArrow(held_until(folder, "never"), "total long")
    thread, answers = in_background(rows.collect)
    wait_until(lambda: os.path.exists(tmp_path / "reading"), 60, "the function")
    steady(lambda: slab_bytes(small_server.pid))
    spark.interruptAll()
    thread.join(60)
    assert not thread.is_alive()
    assert isinstance(answers[0], PySparkException)


@pytest.mark.parametrize("cpus", ("1", "2"))
def test_more_partitions_than_slots_in_several_queries(small_server, new_session, cpus):
    """Threads that make input wait for tasks that wait for slots: somebody always goes on."""

    def query(partitions):
        session = new_session(small_server.remote)
        session.conf.set("spark.task.cpus", cpus)
        return session.range(0, 2 * ROWS, 1, partitions).mapInArrow(total_of, "total long").agg(F.sum("total")).collect()[0][0]

    running = [in_background(lambda count=count: query(count)) for count in (2, 3, 9)]
    for thread, _ in running:
        thread.join(180)
        assert not thread.is_alive()
    assert [answers for _, answers in running] == [[2 * ROWS * (2 * ROWS - 1) // 2]] * 3
