"""An attempt of a gang that was given up has no effect any more, also when its processes live on: the server withholds its kills here,
so that nothing but fencing protects. DEUTERON_FENCING_TRIALS sets how often it is tried."""

import os
import signal
import threading

import pytest
from deuteron_server import DeuteronServer, wait_until
from gang_programs import events_of, gang, publish, rows_of

TRIALS = int(os.environ.get("DEUTERON_FENCING_TRIALS", "1"))

pytestmark = pytest.mark.deuteron


@pytest.fixture(scope="module")
def careless_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("careless")
    with DeuteronServer(folder, "--slots", "2", "--event-log", str(folder / "log"), "--fault-withhold-kills") as server:
        yield server


def rank_that_comes_back(folder):
    """Rank 1 of attempt 0 is stopped. When it goes on, attempt 1 runs, which lets it do all it can before it ends itself."""

    def stale_effects(context, connection):
        """What became of the barrier, of a message and of the socket that was open."""
        found = []
        for call in (context.barrier, lambda: context.allGather("stale"), lambda: connection.recv(1)):
            try:
                found.append(repr(call()))
            except Exception as error:
                found.append(type(error).__name__)
        return found + [str(os.path.exists(context._conn_info))]

    def run(batches):
        import os
        import signal
        import socket
        import time

        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        attempt, rank = context.attemptNumber(), context.partitionId()
        context.barrier()
        publish(folder, f"{attempt}-{rank}")
        if attempt == 0 and rank == 1:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(context._conn_info)
            os.kill(os.getpid(), signal.SIGSTOP)
            effects = stale_effects(context, connection)
            yield rows_of({"attempt": [0] * 100_000, "told": ["stale" * 20] * 100_000})
            publish(folder, "stale", "\n".join(effects))
            return
        if attempt == 1:
            yield rows_of({"attempt": [1], "told": ["written before the other writes"]})
            deadline = time.monotonic() + 60
            while not os.path.exists(os.path.join(folder, "stale")) and time.monotonic() < deadline:
                time.sleep(0.01)
        told = context.allGather(f"{attempt}:{rank}")
        yield rows_of({"attempt": [attempt], "told": ["|".join(told)]})

    return run


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_rank_that_comes_back_has_no_effect(careless_server, new_session, tmp_path, trial):
    spark = new_session(careless_server.remote)
    spark.conf.set("spark.deuteron.gang.hang.timeout", "200ms")
    spark.conf.set("spark.deuteron.gang.hang.policy", "relaunch")
    log = careless_server.folder / "log"
    before = len(events_of(log, "BarrierReleased"))

    def wake():
        wait_until(lambda: (tmp_path / "1-0").exists() and (tmp_path / "1-1").exists(), 60, "the second attempt")
        os.kill(int((tmp_path / "0-1").read_text()), signal.SIGCONT)

    thread = threading.Thread(target=wake)
    thread.start()
    answer = gang(spark, 2, rank_that_comes_back(str(tmp_path)), "attempt long, told string").collect()
    thread.join(60)
    assert [tuple(row) for row in answer] == [(1, "written before the other writes"), (1, "1:0|1:1")] * 2
    barrier, message, received, socket_is_there = (tmp_path / "stale").read_text().split("\n")
    assert (received, socket_is_there) == ("b''", "False")
    assert "Error" in barrier and "Error" in message
    wait_until(lambda: len(events_of(log, "BarrierReleased")) >= before + 3, 30, "the barriers in the event log")
    released = events_of(log, "BarrierReleased")[before:]
    assert [(event["attempt"], event["epoch"]) for event in released] == [(0, 0), (1, 0), (1, 1)]


def test_the_process_that_was_not_killed_ends_with_its_task(careless_server, new_session, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        import os
        import time

        from pyspark import BarrierTaskContext

        list(batches)
        attempt = BarrierTaskContext.get().attemptNumber()
        publish(folder, f"{attempt}-{BarrierTaskContext.get().partitionId()}")
        deadline = time.monotonic() + 60
        while attempt == 0 and not os.path.exists(folder + "/end") and time.monotonic() < deadline:
            if BarrierTaskContext.get().partitionId() == 1 and os.path.exists(folder + "/0-0"):
                raise ValueError("rank 1 fails")
            time.sleep(0.01)
        yield rows_of({"attempt": [attempt]})

    spark = new_session(careless_server.remote)
    assert [row.attempt for row in gang(spark, 2, run, "attempt long").collect()] == [1, 1]
    survivor = f"/proc/{(tmp_path / '0-0').read_text()}"
    assert os.path.exists(survivor)
    publish(str(tmp_path), "end")
    wait_until(lambda: not os.path.exists(survivor), 30, "the end of the rank that was given up")
