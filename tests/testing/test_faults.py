"""The fixtures of deuteron.testing, used as a program's own tests use them. What is in the page docs/testing-failures.md comes first."""

import os
import threading
import time

import pyarrow
import pytest
from pyspark import BarrierTaskContext
from pyspark.errors import PySparkException

from deuteron.testing.faults import Kill
from deuteron.testing.fixtures import make_faults
from tests.pyspark.deuteron_server import wait_until


def train(batches):
    """Four steps; each rank says in which attempt it did them."""
    rows = sum(batch.num_rows for batch in batches)
    context = BarrierTaskContext.get()
    for _ in range(4):
        told = context.allGather(str(rows))
        time.sleep(0.2)
    columns = {"attempt": [context.attemptNumber()], "told": [" ".join(told)], "process": [os.getpid()]}
    yield pyarrow.RecordBatch.from_pydict(columns)


def run(session):
    source = session.range(0, 6, 1, 2)
    return source.mapInArrow(train, "attempt long, told string, process long", barrier=True).collect()


def test_training_survives_a_killed_rank(deuteron_session, kill_rank):
    fault = kill_rank(1, barriers=1)
    rows = run(deuteron_session)
    assert [(row.attempt, row.told) for row in rows] == [(1, "3 3")] * 2
    assert fault.process not in [row.process for row in rows]


def test_training_survives_a_rank_that_is_killed_again(deuteron_session, kill_rank):
    kill_rank(0)
    kill_rank(1, attempt=1, barriers=2)
    assert [row.attempt for row in run(deuteron_session)] == [2, 2]


def test_a_rank_is_killed_when_the_test_says_so(deuteron_session, kill_rank):
    asked = []
    kill_rank(1, when=lambda: asked.append(time.monotonic()) or len(asked) > 3)
    assert [row.attempt for row in run(deuteron_session)] == [1, 1]
    assert len(asked) == 4


def test_a_hanging_rank_is_named(deuteron_session, hang_rank):
    deuteron_session.conf.set("spark.deuteron.gang.hang.policy", "fail")
    deuteron_session.conf.set("spark.deuteron.gang.hang.timeout", "500ms")
    hang_rank(1, barriers=2)
    with pytest.raises(PySparkException) as caught:
        run(deuteron_session)
    assert caught.value.getCondition() == "GANG_HANGS"
    assert "Rank 1, its process is stopped and does not answer" in str(caught.value)
    assert "in train" in str(caught.value).split("Rank 0, ")[1]


def test_a_hanging_rank_goes_on_when_it_is_let_go(deuteron_session, hang_rank):
    fault = hang_rank(0)

    def release():
        fault.wait()
        fault.end()

    thread = threading.Thread(target=release)
    thread.start()
    assert [row.attempt for row in run(deuteron_session)] == [0, 0]
    thread.join()


def test_a_slow_rank_is_waited_for(deuteron_session, slow_rank):
    fault = slow_rank(1, share=0.3)
    rows = run(deuteron_session)
    assert [(row.attempt, row.told) for row in rows] == [(0, "3 3")] * 2
    assert fault.process == rows[1].process
    assert fault.stops > 1


def test_a_fault_that_never_comes_fails_the_test(deuteron_server, deuteron_session):
    faults = make_faults(Kill, deuteron_server)
    fault = next(faults)(1, barriers=100)
    assert [row.attempt for row in run(deuteron_session)] == [0, 0]
    wait_until(lambda: fault.error, 30, "the end of the rank")
    with pytest.raises(pytest.fail.Exception, match="Kill of rank 1, attempt 0, after 100 barriers .rank 1 ended after 4 barriers."):
        next(faults)


def test_processes_of_others_are_not_touched(deuteron_server):
    for other in (os.getpid(), os.getppid()):
        with pytest.raises(ProcessLookupError, match="does not belong to the server"):
            deuteron_server.send_signal(other, 0)
