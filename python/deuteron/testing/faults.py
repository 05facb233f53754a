"""What can happen to a rank: each fault waits in a thread of its own until the rank has come to the place that the test names.

Ranks are found by the server's event log and hit by signals, so that the program under test runs as it is.
"""

import signal
import threading

from deuteron.testing.server import EventReader

LOOK_INTERVAL_S = 0.002


class RankEnded(Exception):
    """The rank has ended before the fault came."""


class Fault:
    """Befalls `rank` of attempt `attempt` of the next gang that has such a rank, when that has passed `barriers` barriers
    and `when()` is true."""

    signal = None

    def __init__(self, server, rank, *, attempt=0, barriers=0, when=lambda: True):
        self.rank, self.attempt, self.barriers, self.when = rank, attempt, barriers, when
        self.process = None  # of the rank, once it runs
        self.error = None  # why it did not come to the fault
        self._server = server
        self._events = EventReader(server)
        self._happened, self._cancelled = threading.Event(), threading.Event()
        self._gangs, self._stage, self._task, self._passed = set(), None, None, 0
        self._thread = threading.Thread(target=self._run, name=str(self), daemon=True)
        self._thread.start()

    def __str__(self):
        return f"{type(self).__name__} of rank {self.rank}, attempt {self.attempt}, after {self.barriers} barriers"

    @property
    def happened(self):
        return self._happened.is_set()

    def wait(self, timeout=60):
        """Until the fault has come; gives back the rank's process id."""
        if not self._happened.wait(timeout):
            raise TimeoutError(f"{self}: not within {timeout} s")
        return self.process

    def end(self):
        """Nothing more befalls anybody; whoever was stopped goes on."""
        self._cancelled.set()
        self._thread.join()
        self._events.close()
        if self.happened:
            try:
                self._server.send_signal(self.process, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def _run(self):
        try:
            self._wait_for_rank()
            if not self._cancelled.is_set():
                self._hit()
        except (RankEnded, ProcessLookupError) as error:
            self.error = error

    def _hit(self):
        self._server.send_signal(self.process, self.signal)
        self._happened.set()

    def _wait_for_rank(self):
        while not (self._time_has_come() or self._cancelled.is_set()):
            for event in self._events.read():
                self._follow(event)
                if self._time_has_come():
                    return
            self._cancelled.wait(LOOK_INTERVAL_S)

    def _time_has_come(self):
        return self.process is not None and self._passed >= self.barriers and self.when()

    def _follow(self, event):
        kind = event["event"]
        if kind == "StageSubmitted" and event["kind"] == "gang":
            self._gangs.add(event["stage"])
        elif kind == "TaskStarted" and self._task is None and event["stage"] in self._gangs:
            if (event["partition"], event["attempt"]) == (self.rank, self.attempt):
                self._stage, self._task = event["stage"], event["task"]
        elif self._task is None:
            return
        elif kind == "TaskRunning" and event["task"] == self._task:
            self.process = event["pid"]
        elif kind == "BarrierReleased" and (event["stage"], event["attempt"]) == (self._stage, self.attempt):
            self._passed += 1
        elif kind == "TaskFinished" and event["task"] == self._task:
            raise RankEnded(f"rank {self.rank} ended after {self._passed} barriers")


class Kill(Fault):
    """SIGKILL."""

    signal = signal.SIGKILL


class Hang(Fault):
    """SIGSTOP: alive, and silent."""

    signal = signal.SIGSTOP


class Slow(Fault):
    """Stopped most of the time: the rank gets `share` of it."""

    def __init__(self, server, rank, *, share=0.25, period=0.02, **place):
        self.stops = 0
        self._share, self._period = share, period
        super().__init__(server, rank, **place)

    def _hit(self):
        try:
            while not self._cancelled.is_set():
                self._server.send_signal(self.process, signal.SIGSTOP)
                self.stops += 1
                self._happened.set()
                self._cancelled.wait(self._period * (1 - self._share))
                self._server.send_signal(self.process, signal.SIGCONT)
                self._cancelled.wait(self._period * self._share)
                for event in self._events.read():
                    self._follow(event)
        except (RankEnded, ProcessLookupError):
            pass  # as it should, sooner or later
