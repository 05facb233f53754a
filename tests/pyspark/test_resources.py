"""Named resources: discovery scripts, settings, resource profiles, what a task sees, who may have an address when."""

import os
import signal
import stat
import threading

import pytest
from deuteron_server import DeuteronServer, wait_until
from gang_programs import gang, rows_of
from pyspark.errors import PySparkException
from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests

SCHEMA = "rank long, fpga string, gpu string, visible string, pid long"


def look(batches):
    from pyspark import TaskContext

    context = TaskContext.get()
    for _ in batches:
        pass
    seen = {name: ",".join(resource.addresses) for name, resource in context.resources().items()}
    yield rows_of({"rank": [context.partitionId()], "fpga": [seen.get("fpga", "")], "gpu": [seen.get("gpu", "")],
                   "visible": [os.environ.get("CUDA_VISIBLE_DEVICES", "")], "pid": [os.getpid()]})


@pytest.fixture
def machine(tmp_path):
    """Starts servers of one machine with three GPUs, two of them neighbours, and two FPGAs."""
    script = tmp_path / "find_gpus.sh"
    script.write_text("""#!/bin/sh
echo '{"name": "gpu", "addresses": ["4", "5", "6"], "groups": [["5", "6"]]}'
""")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)

    servers = []

    def server(name="server"):
        (tmp_path / name).mkdir(exist_ok=True)
        settings = {"spark.executor.resource.gpu.discoveryScript": script, "spark.executor.resource.fpga.amount": 2,
                    "spark.deuteron.resource.claimsDirectory": tmp_path / "claims"}
        options = [text for key, value in settings.items() for text in ("--conf", f"{key}={value}")]
        servers.append(DeuteronServer(tmp_path / name, "--slots", "4", *options))
        servers[-1].start()
        return servers[-1]

    yield server
    for one in servers:
        one.stop()


def profile(**amounts):
    tasks = TaskResourceRequests()
    for name, amount in amounts.items():
        tasks = tasks.cpus(amount) if name == "cpus" else tasks.resource(name, amount)
    return ResourceProfileBuilder().require(tasks).build


def run(spark, ranks, barrier=True, **amounts):
    return spark.range(0, ranks, 1, ranks).mapInArrow(look, SCHEMA, barrier=barrier, profile=profile(**amounts)).collect()


def test_a_task_sees_what_it_has(machine, new_session):
    server = machine()
    spark = new_session(server.remote)
    fpgas = run(spark, 2, fpga=1)
    assert sorted(row.fpga for row in fpgas) == ["0", "1"]
    assert {(row.gpu, row.visible) for row in fpgas} == {("", "")}
    assert [row.visible for row in run(spark, 1, gpu=2)] == ["5,6"], "neighbours"
    assert sorted(row.visible for row in run(spark, 3, gpu=1)) == ["4", "5", "6"]
    shared = run(spark, 4, gpu=0.5)
    assert sorted(row.gpu for row in shared) == ["4", "4", "5", "5"]
    assert len({row.pid for row in shared}) == 4
    assert [row.gpu for row in run(spark, 2, barrier=False, gpu=1)] != ["", ""]


def test_settings_of_a_session(machine, new_session):
    server = machine()
    spark = new_session(server.remote)
    spark.conf.set("spark.task.resource.fpga.amount", "2")
    rows = gang(spark, 1, look, SCHEMA, rows=1).collect()
    assert [row.fpga for row in rows] == ["0,1"]
    spark.conf.set("spark.task.resource.fpga.amount", "1.5")
    with pytest.raises(PySparkException, match="spark.task.resource.fpga.amount.*whole number"):
        gang(spark, 1, look, SCHEMA, rows=1).collect()
    assert [row.fpga for row in run(spark, 1, gpu=1)] == [""], "a profile stands instead of the settings"


def test_a_worker_with_a_device_serves_one_task(machine, new_session):
    server = machine()
    spark = new_session(server.remote)
    first, second = (run(spark, 1, fpga=1)[0].pid for _ in range(2))
    assert first != second
    assert not os.path.exists(f"/proc/{first}"), "its address is free when it has ended"


def test_what_cannot_be_is_told_at_once(machine, new_session):
    server = machine()
    spark = new_session(server.remote)
    with pytest.raises(PySparkException, match="4 CPUs and 4 gpu, and there are 4 CPUs and 3 gpu"):
        run(spark, 4, gpu=1)
    with pytest.raises(PySparkException, match="1 CPU and 1 tpu, and there are 4 CPUs and 0 tpu"):
        run(spark, 1, tpu=1)
    with pytest.raises(PySparkException, match="1 tpu"):
        run(spark, 1, barrier=False, tpu=1)
    with pytest.raises(PySparkException, match="at most 1, or a whole number"):
        run(spark, 1, gpu=1.5)


def test_memory_of_a_profile_is_a_limit_and_is_booked(machine, new_session):
    def use(batches):
        from pyspark import TaskContext

        for _ in batches:
            pass
        kept = bytearray(os.urandom(1 << 20) * 400)
        yield rows_of({"rank": [TaskContext.get().partitionId()], "bytes": [len(kept)]})

    server = machine()
    spark = new_session(server.remote)
    memory = ExecutorResourceRequests().cores(1).pysparkMemory("200m")
    small = ResourceProfileBuilder().require(memory).require(TaskResourceRequests().cpus(1)).build
    data = spark.range(0, 1, 1, 1)
    with pytest.raises(PySparkException, match="limit is 200"):
        data.mapInArrow(use, "rank long, bytes long", profile=small).collect()
    assert data.mapInArrow(use, "rank long, bytes long").collect()[0].bytes > 0
    huge = ExecutorResourceRequests().cores(1).pysparkMemory("100t")
    never = ResourceProfileBuilder().require(huge).require(TaskResourceRequests().cpus(1)).build
    with pytest.raises(PySparkException, match="MiB of memory"):
        data.mapInArrow(use, "rank long, bytes long", barrier=True, profile=never).collect()


def test_resources_of_the_driver(machine, new_session):
    server = machine()
    spark = new_session(server.remote)
    assert spark.client._resources() == {}
    spark.conf.set("spark.driver.resource.gpu.amount", "2")
    assert spark.client._resources()["gpu"].addresses == ["4", "5"]
    spark.conf.set("spark.driver.resource.gpu.amount", "7")
    with pytest.raises(PySparkException, match="there are 3"):
        spark.client._resources()


def test_two_servers_do_not_share_an_address(machine, new_session):
    one = machine("one")
    two = machine("two")
    spark = new_session(two.remote)
    assert "gpu 4 waits: it is in use by the server" in two.log()
    assert str(one.pid) in two.log()
    one.stop()
    wait_until(lambda: two.log().count("is free, and ours") == 5, 30, "the addresses are claimed")
    assert [row.gpu for row in run(spark, 1, gpu=3)] == ["4,5,6"]


def test_a_server_that_starts_after_a_crash_books_nothing_twice(machine, tmp_path, new_session):
    """A program that a rank has started lives on when the server is killed, and uses its GPU."""
    left = tmp_path / "left"

    def leave(batches):
        import subprocess

        for _ in batches:
            pass
        program = subprocess.Popen(["sleep", "120"], start_new_session=True)
        left.write_text(str(program.pid))
        while True:
            signal.pause()
        yield

    server = machine("one")
    try:
        spark = new_session(server.remote)
        needs = profile(gpu=1)
        assert needs.id > 0  # made in the active session of this thread

        def submit():
            with pytest.raises(Exception):  # noqa: B017  the server is killed under it
                spark.range(0, 1, 1, 1).mapInArrow(leave, SCHEMA, barrier=True, profile=needs).collect()

        running = threading.Thread(target=submit, daemon=True)
        running.start()
        wait_until(lambda: left.exists() and left.read_text(), 30, "the program runs")
        os.kill(server.pid, signal.SIGKILL)
        second = machine("two")
        program = int(left.read_text())
        assert f"gpu 5 waits: it is in use by process {program}" in second.log()
        fresh = new_session(second.remote)
        assert sorted(row.gpu for row in run(fresh, 2, gpu=1)) == ["4", "6"]
        os.kill(program, signal.SIGKILL)
        wait_until(lambda: "gpu 5 is free, and ours" in second.log(), 30, "it is free")
        assert [row.gpu for row in run(fresh, 1, gpu=3)] == ["4,5,6"]
    finally:
        if left.exists() and os.path.exists(f"/proc/{left.read_text()}"):
            os.kill(int(left.read_text()), signal.SIGKILL)
