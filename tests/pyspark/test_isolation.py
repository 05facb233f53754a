"""What a function does to its process ends that process: other sessions' queries, and the same session's next one, go on."""

import ctypes
import os
import signal
import threading
import time

import numpy
import pyarrow
import pytest
from pyspark.errors import PySparkException
from pyspark.sql.functions import udf

from deuteron_server import DeuteronServer, descendants, wait_until

MEMORY = 300 << 20


def dereference_null(value):
    return ctypes.string_at(0)


def kill_itself(value):
    os.kill(os.getpid(), signal.SIGKILL)


def abort(value):
    os.abort()


def leave(value):
    os._exit(7)


def exhaust_the_stack(value):
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    import sys

    sys.setrecursionlimit(1 << 30)
    nested = []
    for _ in range(1_000_000):
        nested = [nested]
    return repr(nested)


def leak_bytes(value):
    kept = []
    while True:
        kept.append(b"\1" * (1 << 20))


def leak_arrays(value):
    kept = []
    while True:
        kept.append(numpy.ones(1 << 20))


def leak_arrow(value):
    kept = []
    while True:
        kept.append(pyarrow.array(numpy.ones(1 << 20)).slice(1).take(pyarrow.array(range(1 << 17))))


def leak_slowly(value):
    """Beyond the limit before an allocation fails: the heap is shared out in pieces that are large enough."""
    kept = bytearray(MEMORY // 2)
    while True:
        kept += b"\1" * (1 << 20)


CRASHES = [dereference_null, kill_itself, abort, leave, exhaust_the_stack]
LEAKS = [leak_bytes, leak_arrays, leak_arrow, leak_slowly]


@pytest.fixture(scope="module")
def small_server(tmp_path_factory, request):
    """Its workers may use little memory."""
    with DeuteronServer(tmp_path_factory.mktemp("small"), "--slots", "2", "--worker-memory", str(MEMORY)) as server:
        yield server


class Bystander:
    """A query of another session, which is in the middle of its work until it is let go."""

    def __init__(self, spark, folder):
        self.here, self.go = str(folder / "here"), str(folder / "go")
        self.answer = None
        self.thread = threading.Thread(target=self.run, args=(spark,))
        self.thread.start()
        wait_until(lambda: os.path.exists(self.here), 60, "the other query")

    def run(self, spark):
        here, go = self.here, self.go

        def work(batches):
            open(here, "w").close()
            total = 0
            for batch in batches:
                total += sum(batch.column(0).to_pylist())
            deadline = time.monotonic() + 120
            while not os.path.exists(go) and time.monotonic() < deadline:
                time.sleep(0.01)
            yield pyarrow.RecordBatch.from_pydict({"total": [total]})

        self.answer = spark.range(0, 1000, 1, 1).mapInArrow(work, "total long").collect()

    def finish(self):
        open(self.go, "w").close()
        self.thread.join(60)
        return self.answer


@pytest.mark.deuteron
@pytest.mark.parametrize("harm", CRASHES + LEAKS, ids=lambda harm: harm.__name__)
def test_a_crash_or_a_leak_ends_one_worker_only(new_session, small_server, tmp_path, harm):
    other, spark = new_session(small_server.remote), new_session(small_server.remote)
    spark.conf.set("spark.task.maxFailures", "1")
    bystander = Bystander(other, tmp_path)
    with pytest.raises(PySparkException) as caught:
        spark.range(0, 1, 1, 1).select(udf(harm, "string")("id")).collect()
    told = str(caught.value).lower()
    assert "memory" in told if harm in LEAKS else "worker" in told
    assert spark.range(0, 4, 1, 1).select(udf(lambda value: value + 1, "long")("id").alias("n")).agg({"n": "sum"}).first()[0] == 10
    assert bystander.finish() == [(499_500,)]
    assert small_server.process.poll() is None


@pytest.mark.deuteron
def test_leaking_workers_leave_no_process_behind(new_session, small_server):
    spark = new_session(small_server.remote)
    spark.range(1).select(udf(lambda value: value, "long")("id")).collect()
    for _ in range(3):
        with pytest.raises(PySparkException):
            spark.range(0, 2, 1, 2).select(udf(leak_bytes, "string")("id")).collect()
    wait_until(lambda: all(resident(pid) < MEMORY + (200 << 20) for pid in descendants(small_server.pid)), 30, "the end of what leaked")
    assert spark.range(3).count() == 3


def resident(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@pytest.mark.deuteron
def test_idle_workers_are_capped(new_session, small_server):
    """A burst of tasks leaves no more processes than there are slots, spares and zygotes."""
    spark = new_session(small_server.remote)
    for _ in range(3):
        spark.range(0, 64, 1, 32).select(udf(lambda value: value, "long")("id")).collect()
    count = len(descendants(small_server.pid))
    for _ in range(3):
        spark.range(0, 64, 1, 32).select(udf(lambda value: value, "long")("id")).collect()
    assert len(descendants(small_server.pid)) <= count


def process_id(batches):
    list(batches)
    yield pyarrow.RecordBatch.from_pydict({"pid": [os.getpid()]})


@pytest.mark.deuteron
@pytest.mark.parametrize("reuse", ["true", "false"])
def test_workers_are_kept_unless_that_is_not_wanted(new_session, tmp_path, reuse):
    with DeuteronServer(tmp_path, "--slots", "1", "--conf", f"spark.python.worker.reuse={reuse}") as server:
        spark = new_session(server.remote)
        processes = [spark.range(0, 1, 1, 1).mapInArrow(process_id, "pid long").first()[0] for _ in range(4)]
        assert len(set(processes)) == (1 if reuse == "true" else 4)
        with pytest.raises(PySparkException):
            spark.conf.set("spark.python.worker.reuse", "true")
        spark.stop()


@pytest.mark.parametrize("first", ["arrow", "torch"])
def test_threads_of_libraries_survive_the_fork(new_session, first):
    """Each worker is a fork: libraries that a function uses with many threads work there, in each of many workers."""
    torch = pytest.importorskip("torch")
    assert torch

    def use(batches):
        def by_arrow():
            numbers = pyarrow.array(numpy.arange(1 << 20))
            table = pyarrow.table({"g": pyarrow.compute.bit_wise_and(numbers, 7), "n": numbers})
            return table.group_by("g", use_threads=True).aggregate([("n", "sum")]).num_rows

        def by_torch():
            import torch

            torch.set_num_threads(2)
            return int((torch.ones(512, 512) @ torch.ones(512, 512)).sum().item()) >> 27

        list(batches)
        steps = [by_arrow, by_torch] if first == "arrow" else [by_torch, by_arrow]
        yield pyarrow.RecordBatch.from_pydict({"x": [step() for step in steps for _ in range(2)]})

    spark = new_session()
    expected = [8, 8, 1, 1] if first == "arrow" else [1, 1, 8, 8]
    for _ in range(3):
        assert [row.x for row in spark.range(0, 1, 1, 1).mapInArrow(use, "x long").collect()] == expected
