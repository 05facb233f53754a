"""The servers that are compared: Deuteron, Sail and Apache Spark, each as a child process on a free port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyspark.sql import SparkSession

REPOSITORY = Path(__file__).resolve().parents[1]
PEERS = REPOSITORY / "build/peers/bin"
sys.path.insert(0, str(REPOSITORY / "tests"))
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class CommandServer:
    """A server that is a command with a port."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.port = free_port()
        self.command = [str(part).replace("{port}", str(self.port)) for part in command]
        self.environment = environment or {}
        self.process = None
        self.session = None
        self.folder = tempfile.TemporaryDirectory(prefix=f"bench-{name}-")

    @property
    def remote(self):
        return f"sc://127.0.0.1:{self.port}"

    def start(self):
        environment = dict(os.environ, TZ="UTC", PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
        environment.update(self.environment)
        with open(Path(self.folder.name) / "server.log", "wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder.name, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.001)
        self.stop()
        raise TimeoutError(f"{self.name} does not listen after {START_TIMEOUT_S} s")

    def log(self):
        return (Path(self.folder.name) / "server.log").read_text(errors="replace")

    def connect(self) -> SparkSession:
        """The one session that the measurements of this server share; it is the active one afterwards."""
        if self.session is None:
            self.session = SparkSession.builder.remote(self.remote).create()
            self.session.conf.set("spark.sql.session.timeZone", "UTC")
        type(self.session)._active_session.session = self.session
        return self.session

    def resident_mib(self):
        """Of the server and all processes below it."""
        return sum(resident_bytes(process) for process in [self.process.pid, *below(self.process.pid)]) / (1 << 20)

    def proportional_mib(self):
        """The same, with memory that processes share counted once."""
        return sum(proportional_bytes(process) for process in [self.process.pid, *below(self.process.pid)]) / (1 << 20)

    def disconnect(self):
        if self.session is not None:
            self.session.client.close()
            self.session = None

    def stop(self):
        self.disconnect()
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(STOP_TIMEOUT_S)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None


class ApacheSpark:
    name = "spark"

    def __init__(self):
        from oracle.spark_server import SparkServer

        self.server = SparkServer(worker_python=sys.executable, memory="4g")
        self.session = None

    @property
    def process(self):
        return self.server.process

    @property
    def remote(self):
        return self.server.remote

    connect = CommandServer.connect
    disconnect = CommandServer.disconnect
    resident_mib = CommandServer.resident_mib

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.disconnect()
        self.server.stop()


def deuteron(*options):
    program = Path(os.environ.get("DEUTERON_BINARY", REPOSITORY / "build/bin/deuteron"))
    return CommandServer("deuteron", [program, "server", "--port", "{port}", *options])


def make(name):
    if name == "deuteron":
        return deuteron()
    if name == "sail":
        return CommandServer(name, [PEERS / "sail", "spark", "server", "--port", "{port}"])
    return ApacheSpark()


def below(process) -> list:
    """The living processes below one."""
    found, frontier = [], [process]
    while frontier:
        children = []
        for parent in frontier:
            try:
                for task in os.listdir(f"/proc/{parent}/task"):
                    children += map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split())
            except OSError:
                continue
        found += children
        frontier = children
    return found


def resident_bytes(process) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def proportional_bytes(process) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
