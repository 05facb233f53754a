"""The port that a rank has chosen and announces is held for it until it binds it. among_thieves.py has the programs."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow
import pytest
from deuteron_server import DeuteronServer
from pyspark import BarrierTaskContext
from pyspark.sql import SparkSession

pytestmark = pytest.mark.deuteron

GANGS, RANKS, PORTS = 10, 10, 20


def own_network():
    """The command that runs another one in a network namespace of its own; None where that is not allowed."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    try:
        return command if subprocess.run([*command, "true"], capture_output=True, timeout=60).returncode == 0 else None
    except FileNotFoundError:
        return None


def test_among_thieves():
    unshare = own_network()
    if unshare is None:
        pytest.skip("no network namespace can be made here")
    program = Path(__file__).with_name("among_thieves.py")
    ran = subprocess.run([*unshare, sys.executable, str(program)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["kernel"] == 0, "the thief did not take the port: the test shows nothing"
    assert told["ranks"] == [50, 50]


def choose_all_at_once(folder):
    """Each rank of all gangs has chosen its ports before the first one binds them."""

    def rank(batches):
        import socket
        import time

        list(batches)
        ports = []
        for _ in range(PORTS):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        BarrierTaskContext.get().barrier()
        open(os.path.join(folder, str(ports[0])), "w").close()
        deadline = time.monotonic() + 60
        while len(os.listdir(folder)) < GANGS * RANKS and time.monotonic() < deadline:
            time.sleep(0.02)
        servers = [socket.create_server(("", port)) for port in ports]
        yield pyarrow.RecordBatch.from_pydict({"port": ports})
        for server in servers:
            server.close()

    return rank


def test_a_hundred_ranks_choose_two_thousand_ports_at_once(tmp_path):
    folder = tmp_path / "chosen"
    folder.mkdir()
    ports = []

    def run_gang(remote):
        spark = SparkSession.builder.remote(remote).create()
        rows = spark.range(0, RANKS, 1, RANKS).mapInArrow(choose_all_at_once(str(folder)), "port long", barrier=True).collect()
        ports.extend(row.port for row in rows)
        spark.stop()

    with DeuteronServer(tmp_path, "--slots", str(GANGS * RANKS)) as server:
        threads = [threading.Thread(target=run_gang, args=[server.remote]) for _ in range(GANGS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with open("/proc/net/unix", encoding="utf-8") as file:
            still_held = {line.split("/")[-1].strip() for line in file if "@deuteron/port/" in line}
    assert len(set(ports)) == len(ports) == GANGS * RANKS * PORTS
    assert not still_held & set(map(str, ports))
