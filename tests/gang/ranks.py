"""The ranks of a gang as threads of the test, where no server is needed."""

import threading
from concurrent.futures import ThreadPoolExecutor

from deuteron.gang import Context
from pyspark import BarrierTaskInfo

TIMEOUT_S = 30


class ThreadTask:
    """A BarrierTaskContext among threads."""

    def __init__(self, rank, meeting, messages):
        self._rank, self._meeting, self._messages = rank, meeting, messages
        self.calls = 0

    def partitionId(self):
        return self._rank

    def attemptNumber(self):
        return 0

    def resources(self):
        return {}

    def getTaskInfos(self):
        return [BarrierTaskInfo("127.0.0.1:0")] * len(self._messages)

    def barrier(self):
        self.allGather("")

    def allGather(self, message=""):
        self.calls += 1
        self._messages[self._rank] = message
        self._meeting.wait(TIMEOUT_S)
        answer = list(self._messages)
        self._meeting.wait(TIMEOUT_S)
        return answer


def run_ranks(ranks, function, directory=None):
    """function(context) of each rank; what they gave back, or the first exception that is not only another rank's."""
    meeting, messages = threading.Barrier(ranks), [None] * ranks

    def run(rank):
        try:
            return function(Context(ThreadTask(rank, meeting, messages), directory))
        except Exception as error:
            meeting.abort()
            return error

    with ThreadPoolExecutor(ranks) as threads:
        results = list(threads.map(run, range(ranks)))
    errors = [result for result in results if isinstance(result, Exception)]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError))
    return results
