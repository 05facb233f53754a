"""What a fork of the zygote becomes: runs tasks one after the other until the server closes its control socket.

A worker ends after a failed task: PySpark's context singletons and whatever the user's function left behind go with it.
"""

import gc
import os
import sys

from pyspark import worker as pyspark_worker

from deuteron.worker import barrier_connection, held_ports, protocol
from deuteron.worker.shared_memory import SlabTable
from deuteron.worker.task_input import TaskInput
from deuteron.worker.task_output import TaskOutput, TruncatedOutput


class ServerGone(BaseException):
    """The control socket was closed. Not an Exception, so that user code does not catch it by accident."""


class _ImportNotice:
    """First of the import finders: finds nothing, but tells when a module worth preloading is imported."""

    def __init__(self, report):
        self._report = report

    def find_spec(self, name, path=None, target=None):
        if name in protocol.PRELOADABLE_MODULES:
            self._report(name)
        return None


class WorkerProcess:
    """`control`: the socket to the server; `header`: the file in which the server leaves each task's header."""

    def __init__(self, control, header):
        self._control = control
        self._header = header
        self._slabs = SlabTable()
        self._task = None
        self._input = None

    def serve(self):
        sys.meta_path.insert(0, _ImportNotice(self._report_import))
        self._send({"type": "hello", "protocol": protocol.PROTOCOL_VERSION, "pid": os.getpid()})
        try:
            while self._serve_message():
                pass
        except (ServerGone, BrokenPipeError, ConnectionResetError):
            pass

    def _send(self, message):
        protocol.send(self._control, message)

    def _receive(self):
        message, descriptors = protocol.receive(self._control)
        if message is None:
            raise ServerGone()
        slabs = message.get("slabs", ())
        self._slabs.add(slabs, descriptors[: len(slabs)])
        # The others are open for as long as this process lives, which tells that it uses what they stand for.
        for descriptor in descriptors[len(slabs) :]:
            os.set_inheritable(descriptor, True)
        return message

    def _serve_message(self):
        """Handles one message between tasks; False when the worker shall end."""
        message = self._receive()
        kind = message["type"]
        if kind == "run":
            return self._run(message)
        if kind == "forget":
            self._slabs.forget(message["forget"])
        elif kind == "exit":
            return False
        elif kind != "input":  # input of a task that ended early is of no use any more
            raise protocol.ProtocolError(f"unknown message {kind!r}")
        return True

    def _run(self, message):
        self._task = message["task"]
        environment = dict(os.environ)
        os.environ.update(message.get("environment", {}))
        if "DEUTERON_WORKING_DIRECTORY" in os.environ:
            os.chdir(os.environ["DEUTERON_WORKING_DIRECTORY"])
        result = self._run_pyspark(message)
        _flush_standard_streams()
        retained = self._slabs.retained()
        if retained:
            gc.collect()  # perhaps only a reference cycle
            retained = self._slabs.retained()
        result["retained"] = retained
        result["last"] = tensorflow_was_used()
        held_ports.of_this_process.release()
        barrier_connection.of_this_process.close()
        self._task = None
        _restore_environment(environment)
        self._send(result)
        return result["status"] == "ok" and not result["last"]

    def _run_pyspark(self, message):
        header = os.pread(self._header, message["header"], 0)
        self._input = TaskInput(
            self._slabs, header, self._wait_for_parts, self._report_read, message.get("read_progress", 0)
        )
        self._input.announce(message["input"], message["complete"])
        slab, offset = message["output"]
        output = TaskOutput(self._slabs[slab], offset, self._report_progress, message.get("progress", 0))
        try:
            try:
                pyspark_worker.main(self._input, output)
            except SystemExit:
                pass  # how PySpark's worker ends after an error and after an early stop
            result = output.result()
        except TruncatedOutput:
            result = {"error": "the worker function ended without a result"}
        finally:
            self._input.close()
            self._input = None
            output.close()
        failed = "traceback" in result or "error" in result
        return {"type": "finished", "task": self._task, "status": "failed" if failed else "ok", **result}

    def _wait_for_parts(self):
        """Called by the task's input, in the middle of the task, when it has consumed what was announced."""
        while True:
            message = self._receive()
            if message["type"] == "input" and message["task"] == self._task:
                self._input.announce(message["input"], message["complete"])
                return
            if message["type"] == "forget":
                self._slabs.forget(message["forget"])
            elif message["type"] == "exit":
                raise ServerGone()

    def _report_progress(self, offset, length):
        self._send({"type": "output", "task": self._task, "data": [offset, length]})

    def _report_read(self, parts, released):
        self._send({"type": "read", "task": self._task, "parts": parts, "released": released})

    def _report_import(self, module):
        try:
            self._send({"type": "importing", "module": module})
        except OSError:
            pass  # the server has gone, which the next receive notices


def tensorflow_was_used():
    """Its runtime joins a cluster once in the life of a process: a second gang in the same one would wait for ever."""
    module = sys.modules.get("tensorflow.python.eager.context")
    return module is not None and getattr(module, "_context", None) is not None


def _flush_standard_streams():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def _restore_environment(environment):
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
