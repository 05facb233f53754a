"""Gangs that hang without a barrier: every rank waits for another, in whatever library, and nobody does anything."""

import os
import signal
import time

import pytest
from deuteron_server import wait_until
from gang_programs import events_of, gang, rows_of
from pyspark.errors import PySparkException

pytestmark = pytest.mark.deuteron


def wait_for_each_other_at_first(batches):
    """Each rank of the first attempt waits for a message that nobody sends."""
    import socket

    from pyspark import BarrierTaskContext

    list(batches)
    context = BarrierTaskContext.get()

    def receive_for_ever():
        _kept, mine = socket.socketpair()
        mine.recv(1)

    if context.attemptNumber() == 0:
        receive_for_ever()
    yield rows_of({"attempt": [context.attemptNumber()]})


def test_a_deadlock_fails_the_gang_and_the_error_shows_where_each_rank_is(new_session):
    spark = new_session()
    spark.conf.set("spark.deuteron.gang.hang.policy", "fail")
    with pytest.raises(PySparkException) as caught:
        gang(spark, 2, wait_for_each_other_at_first, "attempt long").collect()
    told = str(caught.value)
    assert caught.value.getCondition() == "GANG_STALLS"
    assert "The ranks 0, 1 have made no progress" in told and "come to barrier 0" in told
    first, second = told.split("Rank 0, ")[1].split("Rank 1, ")
    assert "in receive_for_ever" in first and "in receive_for_ever" in second


def test_a_deadlock_is_relaunched_and_told(logged_server, new_session, tmp_path):
    spark = new_session(logged_server.remote)
    spark.conf.set("spark.deuteron.gang.hang.policy", "relaunch")
    assert [row.attempt for row in gang(spark, 2, wait_for_each_other_at_first, "attempt long").collect()] == [1, 1]
    (told,) = events_of(tmp_path / "log", "NoProgress")
    assert (told["attempt"], told["epoch"], told["ranks"], told["policy"]) == (0, 0, "0, 1", "relaunch")
    assert told["idle_ms"] >= 1500
    assert all("in receive_for_ever" in event["stacks"] for event in events_of(tmp_path / "log", "RankStacks"))


def test_a_stopped_rank_of_a_collective_is_told(new_session):
    """Rank 0 waits inside Gloo, which polls with epoll, for rank 1, which is stopped."""
    spark = new_session()
    spark.conf.set("spark.deuteron.gang.hang.policy", "relaunch")

    def run(batches):
        import datetime

        import torch
        from pyspark import BarrierTaskContext
        from torch import distributed

        list(batches)
        context = BarrierTaskContext.get()
        rank, attempt = context.partitionId(), context.attemptNumber()
        store = f"file://{os.environ['DEUTERON_GANG_DIRECTORY']}/store-{attempt}"
        distributed.init_process_group("gloo", store, datetime.timedelta(seconds=60), world_size=2, rank=rank)
        total = torch.ones(1)
        distributed.all_reduce(total)
        if attempt == 0 and rank == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        distributed.all_reduce(total)
        yield rows_of({"attempt": [attempt], "total": [total.item()]})

    answer = gang(spark, 2, run, "attempt long, total double").collect()
    assert [(row.attempt, row.total) for row in answer] == [(1, 4.0)] * 2


@pytest.mark.parametrize("where", ["itself", "child"])
def test_who_computes_makes_progress(logged_server, new_session, tmp_path, where):
    spark = new_session(logged_server.remote)
    spark.conf.set("spark.deuteron.gang.hang.timeout", "500ms")

    def run(batches):
        import subprocess
        import sys

        list(batches)
        program = "import time\nend = time.time() + 3\nwhile time.time() < end: pass"
        if where == "itself":
            exec(program)
        else:
            subprocess.run([sys.executable, "-c", program], check=True, start_new_session=True, timeout=60)
        yield rows_of({"x": [1]})

    assert gang(spark, 1, run, "x long").count() == 1
    wait_until(lambda: events_of(tmp_path / "log", "StageFinished"), 30, "the end")
    assert events_of(tmp_path / "log", "NoProgress") == []


def test_who_waits_for_something_else_is_only_warned_of(logged_server, new_session, tmp_path):
    spark = new_session(logged_server.remote)
    log = str(tmp_path / "log")

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        for _ in range(600):
            if any("NoProgress" in open(os.path.join(log, name)).read() for name in os.listdir(log)):
                break
            time.sleep(0.1)
        yield rows_of({"attempt": [BarrierTaskContext.get().attemptNumber()]})

    assert [row.attempt for row in gang(spark, 1, run, "attempt long").collect()] == [0]
    assert [(event["ranks"], event["policy"]) for event in events_of(tmp_path / "log", "NoProgress")] == [("0", "warn")]
