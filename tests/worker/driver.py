"""Drives a zygote and its workers as the server does, in Python, for tests of the Python host alone."""

import io
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from pyspark import cloudpickle

from deuteron.worker import protocol

MAP_IN_ARROW = 207
PACKAGE_FOLDER = str(Path(__file__).resolve().parents[2] / "python")
STACK_SIGNAL = signal.SIGRTMAX - 7


def frame(text):
    encoded = text if isinstance(text, bytes) else text.encode()
    return struct.pack("!i", len(encoded)) + encoded


def task_header(function, return_type, connection=None, partition=0, attempt=0):
    """The header of a mapInArrow task, as worker-facts tell."""
    context = {
        "isBarrier": connection is not None,
        "stageId": 7,
        "partitionId": partition,
        "attemptNumber": attempt,
        "taskAttemptId": 100 + partition,
        "cpus": 1,
        "resources": {},
        "localProperties": {"addresses": "127.0.0.1:1,127.0.0.1:2"},
    }
    if connection is not None:
        context.update(connInfo=connection, secret=None)
    command = cloudpickle.dumps((function, return_type))
    return b"".join(
        [
            struct.pack("!i", partition),
            frame("%d.%d" % sys.version_info[:2]),
            frame(json.dumps(context)),
            frame("/nonexistent"),
            struct.pack("!i?i", 0, False, 0),
            struct.pack("!i", MAP_IN_ARROW),
            struct.pack("!ii", 0, 0),
            struct.pack("!ii", 1, 1),
            struct.pack("!i?", 0, False),
            struct.pack("!i", 1),
            frame(command),
            struct.pack("!q", 1),
        ]
    )


def struct_stream(table_batches):
    """An Arrow stream whose only column is a struct of all columns, as mapInArrow takes it."""
    sink = io.BytesIO()
    wrapped = [
        pa.RecordBatch.from_arrays([pa.StructArray.from_arrays(batch.columns, names=batch.schema.names)], ["_0"])
        for batch in table_batches
    ]
    with pa.ipc.new_stream(sink, wrapped[0].schema) as writer:
        for batch in wrapped:
            writer.write_batch(batch)
    return sink.getvalue()


class Worker:
    def __init__(self, number, control, header, output, pid, pidfd):
        self.number, self.control, self.header, self.output, self.pid, self.pidfd = (
            number, control, header, output, pid, pidfd)  # fmt: skip
        self.known = set()

    def send(self, message, descriptors=()):
        protocol.send(self.control, message, descriptors)

    def receive(self, kind):
        while True:
            message, _ = protocol.receive(self.control)
            assert message is not None, self.printed()
            if message["type"] == kind:
                return message

    def run(self, header, parts, slabs, output, complete=True, **more):
        """`slabs`: number -> descriptor; `output`: (slab, offset)."""
        os.ftruncate(self.header, max(len(header), os.fstat(self.header).st_size))
        os.pwrite(self.header, header, 0)
        new = [number for number in slabs if number not in self.known]
        self.known.update(new)
        message = {"type": "run", "task": 1, "header": len(header), "input": parts, "complete": complete,
                   "output": output, "slabs": new, **more}  # fmt: skip
        self.send(message, [slabs[number] for number in new])

    def printed(self):
        text = b""
        while select.select([self.output], [], [], 0.2)[0]:
            chunk = os.read(self.output, 65536)
            if not chunk:
                break
            text += chunk
        return text.decode()


class Driver:
    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(30)
        self.control = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deuteron.worker.zygote", "--control-descriptor", str(theirs.fileno()),
             "--parent", str(os.getpid())],  # fmt: skip
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": PACKAGE_FOLDER, "OMP_NUM_THREADS": "1"},
        )
        theirs.close()
        self.count = 0
        self.hello = self.receive("hello")[0]

    def receive(self, kind):
        while True:
            message, descriptors = protocol.receive(self.control)
            assert message is not None
            if message["type"] == kind:
                return message, descriptors

    def exited(self, worker):
        while True:
            message = self.receive("exited")[0]
            if message["worker"] == worker.number:
                return message["status"], message["signal"]

    def fork(self, **more):
        self.count += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(30)
        header = os.memfd_create("header")
        stacks = os.memfd_create("stacks")
        output, their_output = os.pipe()
        message = {"type": "fork", "worker": self.count, "stack_signal": STACK_SIGNAL, **more}
        protocol.send(self.control, message, (theirs.fileno(), header, their_output, stacks))
        os.close(stacks)
        theirs.close()
        os.close(their_output)
        message, descriptors = self.receive("forked")
        worker = Worker(self.count, ours, header, output, message["pid"], descriptors[0])
        assert worker.receive("hello")["pid"] == worker.pid
        return worker

    def close(self):
        self.control.close()
        return self.process.wait(30)


def memory_file(content=b""):
    descriptor = os.memfd_create("slab")
    os.write(descriptor, content)
    return descriptor


def read(descriptor, region):
    return os.pread(descriptor, region[1], region[0])
