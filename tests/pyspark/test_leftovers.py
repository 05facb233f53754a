"""What a server leaves behind: no process, socket, file or shared memory."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from deuteron_server import DeuteronServer, client, descendants, wait_until

pytestmark = pytest.mark.deuteron

PROGRAM = """
import sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()


def identity(batches):
    yield from batches


def fail(batches):
    raise ValueError("no")
    yield


def attempt(action):
    try:
        action()
    except Exception:
        pass


def work():
    spark.range(0, 100000, 1, 2).mapInArrow(identity, "id long").count()
    spark.range(0, 2, 1, 2).mapInArrow(identity, "id long", barrier=True).collect()
    spark.range(0, 1000).groupBy("id").count().collect()
    attempt(lambda: spark.sql("select 1/0").collect())
    attempt(lambda: spark.range(0, 2, 1, 2).mapInArrow(fail, "id long").collect())


def wait(word):
    print(word, flush=True)
    sys.stdin.readline()


for _ in range(2):
    work()
wait("warm")
for _ in range(int(sys.argv[2])):
    work()
wait("done")
spark.stop()
"""


def start_client(server, turns):
    return subprocess.Popen(client(server.folder, PROGRAM, server.remote, str(turns)), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def expect(running, word):
    assert running.stdout.readline().strip() == word


def go_on(running):
    running.stdin.write("\n")
    running.stdin.flush()


def run_program(server):
    running = start_client(server, 0)
    try:
        for word in ("warm", "done"):
            expect(running, word)
            go_on(running)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait(10)


def alive(processes):
    return [process for process in processes if os.path.exists(f"/proc/{process}/exe")]


def open_files(process):
    return len(os.listdir(f"/proc/{process}/fd"))


def resident_bytes(process):
    with open(f"/proc/{process}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def mine_in_shared_memory(before):
    """New entries of /dev/shm that belong to a server (test processes run side by side, so only ours are named)."""
    return {name for name in set(os.listdir("/dev/shm")) - before if "deuteron" in name.lower()}


@pytest.fixture
def short_folders():
    """Two empty folders whose paths leave room for the name of a socket."""
    folders = [Path(tempfile.mkdtemp(prefix="d-", dir="/tmp")) for _ in range(2)]
    yield folders
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def test_after_a_server_that_was_asked_to_stop(tmp_path, short_folders):
    temporary, runtime = short_folders
    before = set(os.listdir("/dev/shm"))
    environment = {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(runtime)}
    with DeuteronServer(tmp_path, environment=environment) as server:
        run_program(server)
        below = descendants(server.pid)
        port = server.port
        assert server.stop() == 0
    wait_until(lambda: not alive(below), 10, "the workers end")
    assert mine_in_shared_memory(before) == set()
    assert [str(path) for folder in (temporary, runtime) for path in folder.rglob("*")] == []
    with open("/proc/net/unix") as sockets:
        assert not [line for line in sockets if str(temporary) in line or str(runtime) in line]
    with open("/proc/net/tcp") as connections:
        assert not [line for line in connections if f":{port:04X} 00000000:0000 0A" in line]


def test_after_a_server_that_was_killed(tmp_path):
    with DeuteronServer(tmp_path) as server:
        run_program(server)
        below = descendants(server.pid)
        server.process.kill()
        server.process.wait(10)
        server.process = None
    wait_until(lambda: not alive(below), 10, "the workers end")
    with DeuteronServer(tmp_path) as again:
        run_program(again)


def test_many_queries_do_not_add_up(tmp_path):
    with DeuteronServer(tmp_path) as server:
        running = start_client(server, 15)
        try:
            expect(running, "warm")
            time.sleep(1)  # the place of the worker that failed last is filled again
            files, processes, memory = open_files(server.pid), len(descendants(server.pid)), resident_bytes(server.pid)
            go_on(running)
            expect(running, "done")
            wait_until(lambda: open_files(server.pid) <= files + 20, 10, "files are closed")
            wait_until(lambda: len(descendants(server.pid)) <= processes + 1, 10, "workers end")
            assert resident_bytes(server.pid) <= memory + (64 << 20)
            go_on(running)
            assert running.wait(30) == 0
        finally:
            running.kill()
            running.wait(10)


def test_a_released_session_takes_its_workers_along(tmp_path):
    with DeuteronServer(tmp_path) as server:
        run_program(server)
        wait_until(lambda: len(descendants(server.pid)) <= 3, 10, "the session's workers end")
