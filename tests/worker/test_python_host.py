"""The Python host on its own: a real zygote, real workers, PySpark's own worker function."""

import os
import select
import signal
import socket
import struct
import threading

import pyarrow as pa
import pytest
from pyspark.sql.types import LongType, StructType

from deuteron.worker.zygote import worker_that_started
from tests.pyspark.deuteron_server import descendants, wait_until
from tests.worker.driver import Driver, memory_file, read, struct_stream, task_header

SCHEMA = StructType().add("a", LongType())
END_OF_INPUT = -4


@pytest.fixture(scope="module")
def driver():
    driver = Driver()
    yield driver
    assert driver.close() == 0


def batches(*lengths):
    return [pa.record_batch({"a": pa.array(range(length), pa.int64())}) for length in lengths]


def run(worker, function, input_batches, **more):
    """Runs a mapInArrow task; returns (result message, output batches or traceback)."""
    stream = struct_stream(input_batches)
    slabs = {1: memory_file(stream), 2: memory_file()}
    worker.known.clear()
    worker.send({"type": "forget", "forget": [1, 2]})
    worker.run(task_header(function, SCHEMA), [[1, 0, len(stream)], END_OF_INPUT], slabs, [2, 0], **more)
    result = worker.receive("finished")
    if "traceback" in result:
        return result, read(slabs[2], result["traceback"]).decode()
    return result, decode(slabs[2], result)


def decode(descriptor, result):
    if result["kind"] == "none":
        return []
    with pa.ipc.open_stream(read(descriptor, result["data"])) as reader:
        return [batch.column(0) for batch in reader]


def identity(iterator):
    yield from iterator


def wait_for_end(worker):
    assert select.select([worker.pidfd], [], [], 10)[0]


def test_a_task_is_run_and_its_worker_used_again(driver):
    worker = driver.fork()
    for _ in range(3):
        result, output = run(worker, identity, batches(10, 100_000, 0, 3))
        assert result["status"] == "ok" 
        assert [len(column) for column in output] == [10, 100_000, 0, 3]
        assert result["data"][0] % 64 == 0
        assert result["retained"] == []


def test_the_input_is_read_without_a_copy_and_aligned(driver):
    def addresses(iterator):
        for batch in iterator:
            address = batch.column(0).buffers()[1].address
            with open("/proc/self/maps", encoding="ascii") as maps:
                for line in maps:
                    begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                    if begin <= address < end:
                        yield pa.record_batch({"a": pa.array([address % 8, int("memfd:slab" in line)])})

    _, output = run(driver.fork(), addresses, batches(1000))
    assert output[0].field(0).to_pylist() == [0, 1]


def test_no_batch_at_all(driver):
    result, output = run(driver.fork(), lambda iterator: iter(()), batches(5))
    assert (result["status"], result["kind"], output) == ("ok", "none", [])


def test_an_early_stop_is_a_success(driver):
    def first(iterator):
        yield next(iterator)

    worker = driver.fork()
    for _ in range(2):
        result, output = run(worker, first, batches(5, 6))
        assert result["status"] == "ok" and len(output) == 1


@pytest.mark.parametrize("after_first", [False, True])
def test_an_error_of_the_user_comes_with_its_traceback(driver, after_first):
    def failing(iterator):
        if after_first:
            yield next(iterator)
        raise ValueError("seven is not a prime")

    worker = driver.fork()
    result, traceback = run(worker, failing, batches(5))
    assert result["status"] == "failed" and "ValueError: seven is not a prime" in traceback
    wait_for_end(worker)
    assert driver.exited(worker) == (0, 0)


def test_sys_exit_is_an_error_with_a_traceback(driver):
    def leaving(iterator):
        import sys

        sys.exit(3)
        yield

    result, traceback = run(driver.fork(), leaving, batches(5))
    assert result["status"] == "failed" and "SystemExit: 3" in traceback


def test_os_exit_and_signals_are_reported_by_the_zygote(driver):
    def leaving(iterator):
        import os

        print("last words")
        os._exit(9)
        yield

    def crashing(iterator):
        import ctypes

        ctypes.string_at(0)
        yield

    for function, status, number in ((leaving, 9, 0), (crashing, -1, signal.SIGSEGV)):
        worker = driver.fork()
        stream = struct_stream(batches(1))
        worker.run(
            task_header(function, SCHEMA), [[1, 0, len(stream)], END_OF_INPUT],
            {1: memory_file(stream), 2: memory_file()}, [2, 0])  # fmt: skip
        wait_for_end(worker)
        assert driver.exited(worker) == (status, number)
        assert ("last words" if number == 0 else "Segmentation fault") in worker.printed()


def test_kept_arrays_are_reported_and_stay_valid(driver):
    def keeping(iterator):
        import builtins

        builtins.kept_batches = list(iterator)
        yield from builtins.kept_batches

    def releasing(iterator):
        import builtins

        total = sum(sum(batch.column(0).to_pylist()) for batch in builtins.kept_batches)
        del builtins.kept_batches
        yield pa.record_batch({"a": pa.array([total])})

    worker = driver.fork()
    result, _ = run(worker, keeping, batches(100))
    assert result["retained"] == [1]
    result, output = run(worker, releasing, batches(1))
    assert output[0].field(0).to_pylist() == [4950] and result["retained"] == []


def test_input_may_arrive_while_the_task_runs_and_output_is_reported_early(driver):
    worker = driver.fork()
    stream = struct_stream(batches(*[50_000] * 4))
    third = len(stream) // 3  # parts need not end where messages end
    slabs = {1: memory_file(stream), 2: memory_file()}
    worker.run(
        task_header(identity, SCHEMA), [[1, 0, third]], slabs, [2, 4096], complete=False, progress=300_000
    )  # fmt: skip
    progress = worker.receive("output")
    assert progress["data"][0] == 4096 + 64
    schema_and_first = pa.BufferReader(read(slabs[2], progress["data"]))
    assert len(pa.ipc.open_stream(schema_and_first).read_next_batch()) == 50_000
    worker.send({"type": "input", "task": 1, "input": [[1, third, third]], "complete": False})
    worker.receive("output")
    worker.send(
        {"type": "input", "task": 1, "input": [[1, 2 * third, len(stream) - 2 * third], END_OF_INPUT],
         "complete": True})  # fmt: skip
    result = worker.receive("finished")
    assert result["status"] == "ok" and len(decode(slabs[2], result)) == 4


def test_barrier_over_a_unix_socket(driver, tmp_path):
    def gathering(iterator):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        messages = context.allGather(f"rank {context.partitionId()}")
        yield pa.record_batch({"a": pa.array([int(message[-1]) for message in messages])})

    path = str(tmp_path / "barrier")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer():
        connection, _ = listener.accept()
        function, length = struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))
        message = connection.recv(length, socket.MSG_WAITALL)
        connection.sendall(struct.pack("!i", 2) + 2 * (struct.pack("!i", len(message)) + message))
        assert function == 2

    thread = threading.Thread(target=answer)
    thread.start()
    worker = driver.fork()
    slabs = {1: memory_file(struct_stream(batches(1))), 2: memory_file()}
    length = os.fstat(slabs[1]).st_size
    header = task_header(gathering, SCHEMA, connection=path, partition=1)
    worker.run(header, [[1, 0, length], END_OF_INPUT], slabs, [2, 0])
    result = worker.receive("finished")
    thread.join()
    assert decode(slabs[2], result)[0].field(0).to_pylist() == [1, 1]


def test_forks_have_random_numbers_of_their_own(driver):
    def draw(iterator):
        import numpy

        yield pa.record_batch({"a": pa.array([int(numpy.random.randint(1 << 40))])})

    drawn = {run(driver.fork(), draw, batches(1))[1][0].field(0)[0].as_py() for _ in range(3)}
    assert len(drawn) == 3


def test_a_data_limit_gives_a_memory_error(driver):
    def hog(iterator):
        blocks = []
        while True:
            blocks.append(bytearray(64 << 20))
        yield

    result, traceback = run(driver.fork(data_limit=512 << 20), hog, batches(1))
    assert result["status"] == "failed" and "MemoryError" in traceback


@pytest.mark.parametrize("program", ["exec sleep 1000", "exec setsid sleep 1000", "setsid sh -c 'setsid sleep 1000; true'"])
def test_what_a_killed_worker_started_is_ended_too(driver, program):
    other = start_sleeping(driver, "exec setsid sleep 1000")
    worker = start_sleeping(driver, program)
    started = wait_for_programs(driver, worker, program.count("sleep 1000"))
    os.kill(worker.pid, signal.SIGKILL)
    assert driver.exited(worker)[1] == signal.SIGKILL
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in started), 10, f"the end of {started}")
    assert wait_for_programs(driver, other, 1)
    os.kill(other.pid, signal.SIGKILL)
    assert driver.exited(other)[1] == signal.SIGKILL


def start_sleeping(driver, program):
    """A worker whose task starts a program in a shell, and waits."""

    def sleeping(iterator):
        import subprocess
        import time

        subprocess.Popen(["sh", "-c", program])
        time.sleep(1000)
        yield

    worker = driver.fork()

    stream = struct_stream(batches(1))
    worker.run(
        task_header(sleeping, SCHEMA), [[1, 0, len(stream)], END_OF_INPUT],
        {1: memory_file(stream), 2: memory_file()}, [2, 0])  # fmt: skip
    return worker


def wait_for_programs(driver, worker, sleeping):
    """The processes that the worker has started, when so many of them sleep."""
    found = {}

    def as_many():
        found.clear()
        found.update({pid: name_of(pid) for pid in descendants(driver.process.pid) if worker_that_started(pid) == str(worker.number)})
        return list(found.values()).count("sleep") == sleeping

    wait_until(as_many, 10, f"{sleeping} programs")
    return list(found)


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


def test_a_worker_in_which_tensorflow_has_run_ends_with_its_task(driver):
    def using(iterator):
        import sys
        import types

        sys.modules["tensorflow.python.eager.context"] = types.SimpleNamespace(_context="a runtime")
        yield from iterator

    worker = driver.fork()
    assert run(worker, identity, batches(1))[0]["last"] is False
    result, _ = run(worker, using, batches(1))
    assert result["status"] == "ok" and result["last"] is True
    assert driver.exited(worker) == (0, 0)


def test_the_environment_is_per_task(driver):
    def environment(iterator):
        import os

        known = int(os.environ.get("DEUTERON_TEST", "0"))
        os.environ["DEUTERON_LEFT_BEHIND"] = "1"
        yield pa.record_batch({"a": pa.array([known, int("DEUTERON_LEFT_BEHIND" in os.environ)])})

    def left_behind(iterator):
        import os

        yield pa.record_batch({"a": pa.array([int("DEUTERON_LEFT_BEHIND" in os.environ or "DEUTERON_TEST" in os.environ)])})

    worker = driver.fork()

    def consuming(function):
        def consume(iterator):
            list(iterator)
            yield from function(iterator)

        return consume

    _, output = run(worker, consuming(environment), batches(1), environment={"DEUTERON_TEST": "5"})
    assert output[0].field(0).to_pylist() == [5, 1]
    _, output = run(worker, consuming(left_behind), batches(1))
    assert output[0].field(0).to_pylist() == [0]


def test_workers_end_with_the_zygote():
    driver = Driver()
    worker = driver.fork()
    driver.process.kill()
    driver.process.wait(10)
    wait_for_end(worker)


def test_the_server_going_away_ends_all():
    driver = Driver()
    worker = driver.fork()
    assert driver.close() == 0
    wait_for_end(worker)
