"""Starts and stops one Deuteron server as a child process, and looks at what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 20


def binary() -> Path:
    """$DEUTERON_BINARY, or the newer of the release and the development build."""
    if os.environ.get("DEUTERON_BINARY"):
        return Path(os.environ["DEUTERON_BINARY"])
    built = [path for path in (REPOSITORY / "build/bin/deuteron", REPOSITORY / "build/dev/bin/deuteron") if path.exists()]
    if not built:
        raise FileNotFoundError("no server: run `make build`, or set DEUTERON_BINARY")
    return max(built, key=lambda path: path.stat().st_mtime)


class DeuteronServer:
    """`with DeuteronServer(folder) as server`: started when entered, stopped by its process id when left."""

    def __init__(self, folder: Path, *arguments: str, environment: dict | None = None):
        self.folder = Path(folder)
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.port = None  # of its own choice: no other process can take it in between
        self.process = None

    @property
    def remote(self) -> str:
        return f"sc://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = [str(binary()), "server", "--port", "0", *self.arguments]
        environment = dict(os.environ, TZ="UTC", PYSPARK_PYTHON=sys.executable) | self.environment
        with open(self.folder / "server.log", "ab") as log:
            start_of_log = log.tell()
            self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            announced = re.search(r"listens on sc://\S+:(\d+)\n", self.log(start_of_log))
            if announced:
                self.port = int(announced.group(1))
                return
            time.sleep(0.01)
        self.stop()
        raise TimeoutError(f"the server does not listen after {START_TIMEOUT_S} s:\n{self.log()}")

    def stop(self) -> int:
        """SIGTERM, then SIGKILL for whatever is left of its session of processes; gives back the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None
        if status is None:
            raise TimeoutError(f"the server did not end within {STOP_TIMEOUT_S} s of SIGTERM:\n{self.log()[-3000:]}")
        return status

    def restart(self):
        """After an end that was not asked for, or when it does not answer any more."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(STOP_TIMEOUT_S)
        self.start()

    def log(self, start: int = 0) -> str:
        """From the byte at `start`."""
        return (self.folder / "server.log").read_bytes()[start:].decode(errors="replace")

    def descendants(self) -> list:
        return descendants(self.pid)


def client(folder: Path, code: str, *arguments: str) -> list:
    """The command of a client in a process of its own. A file, since the client library does not start under `python -c`."""
    path = Path(folder) / f"client-{abs(hash(code))}.py"
    path.write_text(code)
    return [sys.executable, str(path), *arguments]


COUNT = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
print(spark.range(7).count())
spark.stop()
"""


def parents() -> dict:
    """{process: parent} of the whole machine."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            state, parent = re.match(r".*\) (\S) (\d+)", stat, re.S).groups()
            if state != "Z":
                found[int(entry.name)] = int(parent)
    return found


def descendants(pid: int) -> list:
    """The living processes below `pid`."""
    tree = parents()
    found, frontier = [], [pid]
    while frontier:
        frontier = [child for child, parent in tree.items() if parent in frontier]
        found += frontier
    return sorted(found)


def wait_until(condition, timeout_s: float, what: str):
    """Waits for a true value and gives it back."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(0.01)
