"""Gangs of lower priority make way for others: they are told, write a checkpoint, and go on from it later."""

import os
import threading
import time

import pytest
from deuteron_server import wait_until
from gang_programs import events_of, gang, publish, rows_of

pytestmark = pytest.mark.deuteron


@pytest.fixture
def preemptible(logged_server, new_session):
    spark = new_session(logged_server.remote)
    spark.conf.set("spark.deuteron.gang.preemptible", "true")
    spark.conf.set("spark.deuteron.scheduler.priority", "-1")
    return spark


def in_background(collect):
    """Runs it in a thread; the list gets its rows."""
    rows = []
    thread = threading.Thread(target=lambda: rows.append(collect()))
    thread.start()
    return thread, rows


def quick(batches):
    yield from batches


def train(folder, ends_early=False):
    """Works until it is told to make way, notes that in the gang's folder; the next attempt gives back what it finds there.
    `ends_early`: it does not wait for its end then, but raises."""

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        rank, attempt = context.partitionId(), context.attemptNumber()
        publish(folder, f"{attempt}-{rank}")
        checkpoint = os.path.join(os.environ["DEUTERON_GANG_DIRECTORY"], f"checkpoint-{rank}")
        before = context.getLocalProperty("deuteron.gang.preemption")
        for _ in range(6000 if attempt == 0 else 0):
            left = context.getLocalProperty("deuteron.gang.preemption")
            if left is not None:
                publish(os.path.dirname(checkpoint), os.path.basename(checkpoint), left)
                if ends_early:
                    raise RuntimeError("makes way")
            time.sleep(0.01)
        with open(checkpoint) as file:
            yield rows_of({"attempt": [attempt], "before": [str(before)], "left": [float(file.read())]})

    return run


SCHEMA = "attempt long, before string, left double"


@pytest.mark.parametrize("ends_early", [False, True])
def test_a_gang_is_told_makes_way_and_goes_on_from_its_checkpoint(preemptible, logged_server, new_session, tmp_path, ends_early):
    preemptible.conf.set("spark.deuteron.gang.preemption.notice", "60s" if ends_early else "1s")
    preemptible.conf.set("spark.stage.maxConsecutiveAttempts", "1")
    thread, rows = in_background(gang(preemptible, 2, train(str(tmp_path), ends_early), SCHEMA).collect)
    wait_until(lambda: (tmp_path / "0-0").exists() and (tmp_path / "0-1").exists(), 30, "both ranks run")
    urgent = new_session(logged_server.remote)
    assert urgent.range(0, 2, 1, 2).mapInArrow(quick, "id long", barrier=True).count() == 2
    thread.join(60)
    assert [(row.attempt, row.before) for row in rows[0]] == [(1, "None")] * 2, "it is no failure, and not told again"
    assert all(0 <= row.left <= (60 if ends_early else 1) for row in rows[0])

    log = tmp_path / "log"
    wait_until(lambda: len(events_of(log, "StageFinished")) == 2, 30, "both ends")
    low, high = [event["stage"] for event in events_of(log, "StageSubmitted")]
    assert [(event["stage"], event["attempt"], event["by"]) for event in events_of(log, "GangNotice")] == [(low, 0, high)]
    (preempted,) = events_of(log, "GangPreempted")
    assert (preempted["stage"], preempted["by"], preempted["rank"] >= 0) == (low, high, ends_early)
    assert events_of(log, "GangAttemptFailed") == []
    reasons = [event["reason"] for event in events_of(log, "GangWaits") if event["stage"] == low]
    assert any(reason.startswith(f"preempted by stage {high}") for reason in reasons)


def test_a_rank_that_ends_in_time_is_done(preemptible, logged_server, new_session, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        publish(folder, str(context.partitionId()))
        for _ in range(6000):
            if context.getLocalProperty("deuteron.gang.preemption") is not None:
                break
            time.sleep(0.01)
        yield rows_of({"attempt": [context.attemptNumber()]})

    thread, rows = in_background(gang(preemptible, 2, run, "attempt long").collect)
    wait_until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists(), 30, "both ranks run")
    assert gang(new_session(logged_server.remote), 2, quick, "id long").count() == 2
    thread.join(60)
    assert [row.attempt for row in rows[0]] == [0, 0]
    assert events_of(tmp_path / "log", "GangPreempted") == []


def test_a_program_without_a_task_context_finds_the_notice_in_a_file(preemptible, logged_server, new_session, tmp_path):
    """As one that a rank has started: the file exists while there is a notice, and goes when nobody needs the slots."""
    folder = str(tmp_path)

    def run(batches):
        import subprocess
        import sys

        list(batches)
        publish(folder, "runs")
        program = ("import os, time\nfile = os.environ['DEUTERON_GANG_NOTICE']\n"
                   "while not os.path.exists(file): time.sleep(0.01)\n"
                   "print(float(open(file).read()) - time.monotonic())\n"
                   "open(os.path.join(os.environ['TOLD'], 'told'), 'w')\n"
                   "while os.path.exists(file): time.sleep(0.01)\n")  # fmt: skip
        environment = {**os.environ, "TOLD": folder}
        ended = subprocess.run([sys.executable, "-c", program], env=environment, timeout=60, stdout=subprocess.PIPE)
        yield rows_of({"left": [float(ended.stdout)]})

    thread, rows = in_background(gang(preemptible, 1, run, "left double").collect)
    wait_until(lambda: (tmp_path / "runs").exists(), 30, "the rank runs")
    urgent = new_session(logged_server.remote)
    waiting, _ = in_background(lambda: pytest.raises(Exception, gang(urgent, 2, quick, "id long").collect))
    wait_until(lambda: (tmp_path / "told").exists(), 30, "the program is told")
    urgent.interruptAll()
    waiting.join(30)
    thread.join(60)
    assert 0 < rows[0][0].left <= 30
    assert [event["notice_ms"] for event in events_of(tmp_path / "log", "GangNotice")] == [30_000, -1]


def test_nobody_makes_way_who_does_not_allow_it(logged_server, new_session, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        publish(folder, "runs")
        for _ in range(6000):
            if os.path.exists(os.path.join(folder, "end")):
                break
            time.sleep(0.01)
        yield rows_of({"told": [BarrierTaskContext.get().getLocalProperty("deuteron.gang.preemption") is not None]})

    spark = new_session(logged_server.remote)
    spark.conf.set("spark.deuteron.scheduler.priority", "-10")
    thread, rows = in_background(gang(spark, 1, run, "told boolean").collect)
    wait_until(lambda: (tmp_path / "runs").exists(), 30, "the rank runs")
    other, _ = in_background(gang(new_session(logged_server.remote), 2, quick, "id long").collect)
    wait_until(lambda: events_of(tmp_path / "log", "GangWaits"), 30, "the other waits")
    publish(folder, "end")
    thread.join(60)
    other.join(60)
    assert [row.told for row in rows[0]] == [False]
