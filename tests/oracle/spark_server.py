"""Apache Spark's own Spark Connect server, started as a child process: the judge of every expected answer.

    with SparkServer() as server:
        SparkSession.builder.remote(server.remote)

Needs Java 17 and a Python that has the `pyspark` package (not `pyspark-client`); see `find_spark_python`.
Run as a program it serves until it is interrupted:  python3 tests/oracle/spark_server.py --port 15003
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SPARK_VERSION = re.search(r"^pyspark==(\S+)", (REPOSITORY / "python/peers.txt").read_text(), re.M)[1]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.warehouse.dir": "{work}/warehouse",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.local.dir": "{work}/local",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "{port}",
}


def find_spark_python() -> Path:
    """The Python environment that holds the `pyspark` package: $DEUTERON_SPARK_PYTHON, or build/peers."""
    candidates = [os.environ.get("DEUTERON_SPARK_PYTHON"), REPOSITORY / "build/peers/bin/python"]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise FileNotFoundError(
        f"no Python with pyspark {SPARK_VERSION}: run `make setup`, or set DEUTERON_SPARK_PYTHON")


def spark_home(python: Path) -> Path:
    """Where the pip package keeps Spark's jars and scripts."""
    code = "import os, pyspark; print(os.path.dirname(pyspark.__file__)); print(pyspark.__version__)"
    answer = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    home, version = answer.stdout.split()
    if version != SPARK_VERSION:
        raise RuntimeError(f"expected pyspark {SPARK_VERSION}, {python} has {version}")
    return Path(home)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SparkServer:
    """One Spark Connect server. `worker_python` is the interpreter its Python workers use."""

    def __init__(self, port=0, master="local[2]", worker_python=sys.executable, settings=None, memory="2g"):
        self.port = port or free_port()
        self.master = master
        self.memory = memory
        self.worker_python = str(worker_python)
        self.settings = dict(SETTINGS, **(settings or {}))
        self.process = None
        self.work = None

    @property
    def remote(self) -> str:
        return f"sc://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        home = spark_home(find_spark_python())
        self.work = Path(tempfile.mkdtemp(prefix="spark-oracle-"))
        command = [str(home / "bin/spark-submit"), "--master", self.master, "--driver-memory", self.memory]
        for key, value in self.settings.items():
            command += ["--conf", f"{key}={value.format(work=self.work, port=self.port)}"]
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
        environment = dict(os.environ, SPARK_HOME=str(home), PYSPARK_PYTHON=self.worker_python, TZ="UTC",
                           SPARK_LOCAL_IP="127.0.0.1", SPARK_CONNECT_MODE="0")
        environment.pop("SPARK_REMOTE", None)
        with open(self.work / "server.log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.work, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"Apache Spark ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        log = self.log()
        self.stop()
        raise TimeoutError(f"Apache Spark did not listen within {START_TIMEOUT_S} s:\n{log[-3000:]}")

    def log(self) -> str:
        return (self.work / "server.log").read_text(errors="replace")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.process is not None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait(STOP_TIMEOUT_S)
            self.process = None
        if self.work is not None:
            shutil.rmtree(self.work, ignore_errors=True)
            self.work = None

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)  # the process leads its own session: this is the JVM and its workers
        except ProcessLookupError:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=15003)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--worker-python", default=sys.executable)
    options = parser.parse_args()
    with SparkServer(options.port, options.master, options.worker_python) as server:
        print(f"Apache Spark {SPARK_VERSION} listens on {server.remote}", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            while server.alive():
                time.sleep(0.5)
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
