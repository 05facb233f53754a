"""What only Deuteron has, and what need not be seen on two servers."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from deuteron.gang import gang
from pyspark import cloudpickle
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.gang import programs
from tests.gang.programs import learner, points
from tests.pyspark.deuteron_server import wait_until

pytest.importorskip("torch")
cloudpickle.register_pickle_by_value(programs)


def test_partitions_that_do_not_fit_the_ranks(deuteron_session):
    @gang(ranks=2, repartition=False)
    def nothing(context, data):
        pass

    assert nothing(deuteron_session.range(0, 4, 1, 2)) == [None, None]
    with pytest.raises(PySparkException, match="the gang is of 2 ranks, and its data has 1 partitions"):
        nothing(deuteron_session.range(0, 4, 1, 1))


def test_columns_without_a_place_in_an_array(deuteron_session):
    @gang(ranks=2, format="numpy")
    def read(context, data):
        return data.rows

    with pytest.raises(TypeError, match="column 'name' is string"):
        read(deuteron_session.range(4).select(F.lit("a").alias("name")))
    with pytest.raises(PySparkException, match="column 'half' has nulls"):
        read(deuteron_session.range(4).select(F.expr("nullif(id, 3)").alias("half")))


def test_padding(deuteron_session):
    @gang(ranks=2, format="numpy", batch_size=3, remainder="pad")
    def numbers(context, data):
        return data.rows, [[int(row) for row in batch["id"]] for _, batch in data.epochs(1)]

    (rows, first), (other_rows, second) = numbers(deuteron_session.range(7))
    assert sorted([rows, other_rows]) == [3, 4]
    assert [len(batch) for batch in first + second] == [3] * 4
    assert {row for batch in first + second for row in batch} == set(range(7))


def test_a_folder_that_is_given_outlives_the_gang(deuteron_session, tmp_path):
    @gang(ranks=2, directory=str(tmp_path))
    def note(context, data):
        before = context.restore()
        context.save(context.rank if before is None else before + 10)
        return before

    assert [note(deuteron_session.range(2)) for _ in range(3)] == [[None, None], [0, 1], [10, 11]]


def test_deuteron_has_a_folder_of_its_own(deuteron_session, kill_rank):
    def linger(context, epoch, number):
        time.sleep(0.1)

    undisturbed = learner()(points(deuteron_session))
    kill_rank(1, barriers=4)
    disturbed = learner()(points(deuteron_session), fail=linger)
    assert [result["attempt"] for result in disturbed] == [1, 1]
    assert disturbed[0]["first"] > (0, 0)
    assert [result["weights"] for result in disturbed] == [result["weights"] for result in undisturbed]


def test_a_gang_that_makes_way_saves_and_goes_on(deuteron_server, deuteron_session, tmp_path):
    @gang(ranks=4)
    def wait(context, data, running):
        before = context.restore()
        if before is not None:
            return before
        open(f"{running}/{context.rank}", "w").close()
        while all(left is None for left in context.all_gather(context.seconds_left)):
            time.sleep(0.01)
        context.save(("saved by", context.rank, context.attempt))
        time.sleep(60)

    @gang(ranks=4)
    def quick(context, data):
        return context.rank

    deuteron_session.conf.set("spark.deuteron.gang.preemptible", "true")
    deuteron_session.conf.set("spark.deuteron.gang.preemption.notice", "1s")
    deuteron_session.conf.set("spark.deuteron.scheduler.priority", "-1")
    urgent = SparkSession.builder.remote(deuteron_server.remote).create()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait, deuteron_session.range(4), str(tmp_path))
        wait_until(lambda: len(os.listdir(tmp_path)) == 4, 60, "all ranks run")
        assert quick(urgent.range(4)) == [0, 1, 2, 3]
        assert waiting.result(120) == [("saved by", rank, 0) for rank in range(4)]
    urgent.stop()


def mapping_of(address):
    """The line of /proc/self/maps in which the address lies."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if begin <= address < end:
                return line


@pytest.mark.parametrize("format", ["arrow", "numpy", "torch"])
def test_on_deuteron_views_lie_in_the_servers_memory(deuteron_session, format):
    @gang(ranks=2, format=format, batch_size=10)
    def where(context, data):
        import warnings

        warnings.simplefilter("error")
        places = []
        for batch in [*data, *data.epoch(0, shuffle=False)]:
            if format == "arrow":
                places += [batch.column("id").buffers()[1].address, batch.column("x").flatten().buffers()[1].address]
            elif format == "numpy":
                places += [batch[name].__array_interface__["data"][0] for name in ("id", "x")]
            else:
                places += [batch[name].data_ptr() for name in ("id", "x")]
        (shuffled, *_) = data.epoch(0)
        return places and [mapping_of(place) for place in places], type(shuffled).__name__

    for lines, kind in where(points(deuteron_session).select("id", "x")):
        assert kind == ("RecordBatch" if format == "arrow" else "dict")
        assert all("memfd:deuteron-slab" in line and line.split()[1].startswith("r--") for line in lines)
