"""soak.py [--jobs 2000] [--sessions 4] [--seed 1] [--kills 0.05] [--hangs 0.01]

Gangs and queries with Python functions from several clients at once, while processes are killed and stopped at random. Every
answer is checked, and at the end the server must hold what it held before. Prints what happened; exit status 1 when
something was wrong. docs/soak.md tells more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "python")]

from deuteron.testing.server import Server  # noqa: E402
from soak.faults import Faults  # noqa: E402
from soak.leftovers import held_by, wait_until  # noqa: E402

SLOTS = 4
# Small, so that rows that are kept go to disk too.
SERVER_OPTIONS = ["--slots", str(SLOTS), "--memory", "64MB"]
# Allocators keep pages: what a server may have more than at half time. It is not to grow from half to half.
TOLERATED_BYTES = 24 << 20
TOLERATED_DESCRIPTORS = 4
CLIENT = Path(__file__).resolve().parent / "client.py"
CLIENT_SILENT_S = 180  # without an answer for so long: it hangs
CLEAN_UP_TIMEOUT_S = 20


class Client:
    """A process with sessions of its own; reads what it says on a thread."""

    def __init__(self, remote, seed, jobs):
        self.results = []
        self.jobs = jobs
        self._said_at = time.monotonic()
        self._process = subprocess.Popen([sys.executable, str(CLIENT), remote, str(seed), str(jobs)], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.results.append(json.loads(line))
            self._said_at = time.monotonic()

    def is_done(self):
        if self._process.poll() is None and time.monotonic() - self._said_at > CLIENT_SILENT_S:
            self._process.kill()
        return self._process.poll() is not None

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def problems(self):
        found = [f"{result['job']}: {result['error']}" for result in self.results if result["error"]]
        if self._process.returncode != 0 or len(self.results) != self.jobs:
            found.append(f"a client ended with {self._process.returncode} after {len(self.results)} of {self.jobs} jobs")
        return found


class Soak:
    def __init__(self, server, options):
        self._server, self._options = server, options
        (self._runtime,) = Path(tempfile.gettempdir()).glob(f"deuteron-{server.pid}-*")
        self.problems = []

    def held(self):
        return held_by(self._server.pid, self._runtime)

    def run(self):
        self._run_clients(8, kills=0, hangs=0)  # everything that is made once has been made
        before = self._held_at_rest()
        print(f"before: {before}", flush=True)
        jobs = self._options.jobs
        half = self._measured(jobs // 2, "half")
        end = self._measured(jobs - jobs // 2, "end")
        self._compare(before, half, end)
        self._check_slots()

    def _measured(self, jobs, when):
        self._run_clients(jobs, self._options.kills, self._options.hangs, when)
        held = self._held_at_rest()
        print(f"{when}: {held}", flush=True)
        return held

    def _run_clients(self, jobs, kills, hangs, when="warm"):
        options = self._options
        faults = Faults(self._server, f"{options.seed} {when}", kills, hangs)
        clients = []
        began = time.monotonic()
        try:
            for number in range(options.sessions):
                share = jobs // options.sessions + (number < jobs % options.sessions)
                clients.append(Client(self._server.remote, f"{options.seed} {when} {number}", share))
            while not all([client.is_done() for client in clients]):
                time.sleep(0.05)
        finally:
            for client in clients:
                client.end()
            happened = faults.end()
        self.problems += [problem for client in clients for problem in client.problems()]
        ran = Counter(result["job"] for client in clients for result in client.results)
        print(f"{when}: {sum(ran.values())} jobs in {time.monotonic() - began:.0f} s: {dict(ran)}\n  {happened}", flush=True)
        for name in ("Stage", "Task"):
            begun = happened.get("StageSubmitted" if name == "Stage" else "TaskStarted", 0)
            if begun != happened.get(f"{name}Finished", 0):
                self.problems.append(f"{when}: {begun} {name.lower()}s began, and {happened.get(f'{name}Finished', 0)} ended")
        if kills * happened.get("TaskStarted", 0) > 5 and "tasks that died of it" not in happened:
            self.problems.append(f"{when}: nobody was killed, so nothing is shown")

    def _held_at_rest(self):
        """Sessions have been left; what they held goes within moments."""
        wait_until(lambda: len(self.held().processes) <= 1 and not self.held().slabs, CLEAN_UP_TIMEOUT_S)
        return self.held()

    def _compare(self, before, half, end):
        for what in ("processes", "slabs", "files"):
            was, left = getattr(before, what), getattr(end, what)
            if len(left) > len(was):
                self.problems.append(f"left over: {what} {left}; before: {was}")
        if end.descriptors > before.descriptors + TOLERATED_DESCRIPTORS:
            self.problems.append(f"{end.descriptors} descriptors, and {before.descriptors} before")
        if end.private_bytes > half.private_bytes + TOLERATED_BYTES:
            self.problems.append(f"memory grows: {half.private_bytes} bytes at half time, {end.private_bytes} at the end")

    def _check_slots(self):
        """A gang that needs every slot starts only when nobody has kept one."""
        from soak.client import leave, new_session

        session = new_session(self._server.remote)
        rows = session.range(0, SLOTS, 1, SLOTS).mapInArrow(lambda batches: batches, "id long", barrier=True).collect()
        leave(session)
        if len(rows) != SLOTS:
            self.problems.append(f"a gang of {SLOTS} gave {len(rows)} rows")


def soak(folder, options):
    """What was wrong, as texts."""
    with Server(folder, *SERVER_OPTIONS) as server:
        run = Soak(server, options)
        run.run()
    return run.problems


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=4, help="clients at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=float, default=0.05, help="part of the ranks and tasks whose process is killed")
    parser.add_argument("--hangs", type=float, default=0.01, help="part of the ranks that are stopped for 5 s")
    parser.add_argument("--folder", type=Path, help="for the server's log and events; kept")
    return parser.parse_args(arguments)


def main():
    options = parse()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    problems = soak(folder, options)
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"soak: {options.jobs} jobs, {len(problems)} problems" + (f"; see {folder}" if problems else ""))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
