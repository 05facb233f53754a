"""What befalls the processes of a soak: some are killed, some ranks are stopped for a while. By the server's event log, by process id."""

import heapq
import random
import signal
import threading
import time
from collections import Counter

from deuteron.testing.server import EventReader

LOOK_INTERVAL_S = 0.002
LONGEST_DELAY_S = 0.02  # from when a task runs to what befalls it
STOPPED_FOR_S = 5.0  # longer than a hang is tolerated


class Faults:
    """Kills `kills` of the tasks' processes (a part of all), and stops `hangs` of the ranks' until STOPPED_FOR_S are over."""

    def __init__(self, server, seed, kills, hangs):
        self.counts = Counter()
        self._server = server
        self._random = random.Random(f"faults {seed}")
        self._kills, self._hangs = kills, hangs
        self._events = EventReader(server)
        self._gangs, self._tasks, self._hit = set(), {}, set()
        self._due = []  # (time, number, signal, process)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")
        self._thread.start()

    def end(self):
        """Sends what is due, follows the events to their end, and gives back what happened."""
        self._stopping.set()
        self._thread.join()
        self._events.close()
        return dict(self.counts)

    def _run(self):
        while not self._stopping.is_set() or self._due:
            for event in self._events.read():
                self._follow(event)
            while self._due and (self._due[0][0] <= time.monotonic() or self._stopping.is_set()):
                self._send(*heapq.heappop(self._due)[2:])
            self._stopping.wait(LOOK_INTERVAL_S)
        for event in self._events.read():
            self._follow(event)

    def _follow(self, event):
        kind = event["event"]
        if kind in ("StageSubmitted", "StageFinished", "GangAttemptFailed", "RanksMissing", "OperationFinished", "WorkerStarted"):
            self.counts[kind] += 1
        if kind == "StageSubmitted" and event["kind"] == "gang":
            self._gangs.add(event["stage"])
        elif kind == "TaskStarted":
            self.counts[kind] += 1
            self._tasks[event["task"]] = event["stage"]
        elif kind == "TaskRunning":
            self._choose(event["pid"], self._tasks.get(event["task"]) in self._gangs, event["task"])
        elif kind == "TaskFinished":
            self.counts[kind] += 1
            self._tasks.pop(event["task"], None)
            if event["task"] in self._hit and event["error"]:
                self.counts["tasks that died of it"] += 1

    def _choose(self, process, is_rank, task):
        dice = self._random.random()
        if dice < self._kills:
            self._plan(self._random.uniform(0, LONGEST_DELAY_S), signal.SIGKILL, process)
            self._hit.add(task)
        elif is_rank and dice < self._kills + self._hangs:
            self._plan(0, signal.SIGSTOP, process)

    def _plan(self, delay, number, process):
        heapq.heappush(self._due, (time.monotonic() + delay, len(self._due), number, process))

    def _send(self, number, process):
        try:
            self._server.send_signal(process, number)
        except ProcessLookupError:
            return
        self.counts[signal.Signals(number).name] += 1
        if number == signal.SIGSTOP:
            self._plan(STOPPED_FOR_S, signal.SIGCONT, process)
