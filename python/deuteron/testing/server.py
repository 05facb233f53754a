"""A Deuteron server of a test's own: started, watched through its event log, and stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


def find_binary():
    """$DEUTERON_BINARY, `deuteron` on the PATH, or what was built in the source tree that this file lies in."""
    built = Path(__file__).resolve().parents[3] / "build/bin/deuteron"
    found = os.environ.get("DEUTERON_BINARY") or shutil.which("deuteron") or (built if built.exists() else None)
    if found is None:
        raise FileNotFoundError("no server: put `deuteron` on the PATH, or set DEUTERON_BINARY")
    return str(found)


class Server:
    """`with Server(folder, "--slots", "4") as server`: `folder` gets the server's log and its event log; `environment`: added to its own."""

    def __init__(self, folder, *options, environment=None):
        self.folder = Path(folder)
        self.options = options
        self.environment = environment or {}
        self.remote = None  # sc://…
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = [find_binary(), "server", "--port", "0", "--event-log", str(self.folder / "events"), *self.options]
        with open(self.folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PYSPARK_PYTHON": sys.executable, **os.environ, **self.environment},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            announced = re.search(r"listens on (sc://\S+)\n", self.log())
            if announced:
                self.remote = announced.group(1)
                return
            time.sleep(0.01)
        self._process.kill()
        self._process.wait()
        raise RuntimeError(f"the server did not start:\n{self.log()}")

    @property
    def pid(self):
        return self._process.pid

    def stop(self):
        """SIGTERM, and SIGKILL if that is not enough. Its processes end with it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def event_log(self):
        (path,) = (self.folder / "events").glob("*.jsonl")
        return path

    def send_signal(self, process, number):
        """Raises ProcessLookupError when `process` has ended or was not started by this server."""
        pidfd = os.pidfd_open(process)  # from here on the number cannot become somebody else's
        try:
            if not self._is_mine(process):
                raise ProcessLookupError(f"process {process} does not belong to the server")
            signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)

    def _is_mine(self, process):
        while process > 1:
            process = parent_of(process)
            if process == self._process.pid:
                return True
        return False


class EventReader:
    """What is added to a server's event log from now on."""

    def __init__(self, server):
        self._file = open(server.event_log(), "rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def read(self):
        """The new events, as dictionaries."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [json.loads(line) for line in lines if line]

    def close(self):
        self._file.close()


def parent_of(process):
    """0 when there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    return int(stat[stat.rindex(")") + 2 :].split()[1])
