"""Tells a rank that its attempt will be ended to make way for another stage: the local property `deuteron.gang.preemption`
is the number of seconds that are left, as text, while there is such a notice.
"""

import os
import time

from pyspark import taskcontext

PROPERTY = "deuteron.gang.preemption"


def provide():
    ask = taskcontext.TaskContext.getLocalProperty

    def ask_or_look(self, key):
        return seconds_left() if key == PROPERTY else ask(self, key)

    taskcontext.TaskContext.getLocalProperty = ask_or_look


def seconds_left():
    try:
        with open(os.environ["DEUTERON_GANG_NOTICE"]) as notice:
            return format(max(0.0, float(notice.read()) - time.monotonic()), ".3f")
    except (KeyError, FileNotFoundError):
        return None
