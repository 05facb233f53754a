"""Runs one tiny task in the zygote, so that what PySpark, pyarrow and the interpreter prepare on first use is there in each fork."""

import io
import json
import struct
import sys

import pyarrow
from pyspark import cloudpickle
from pyspark import worker as pyspark_worker
from pyspark.sql.types import LongType, StructType

MAP_IN_ARROW = 207
END_OF_STREAM = -4


def run_tiny_task():
    """mapInArrow over one row. It starts no thread that a fork would miss."""
    try:
        pyspark_worker.main(io.BytesIO(_header() + _arrow_stream() + struct.pack("!i", END_OF_STREAM)), io.BytesIO())
    except SystemExit:
        print("the warm-up task failed", file=sys.stderr)


def _same(batches):
    return batches


def _header():
    context = {"isBarrier": False, "stageId": 0, "partitionId": 0, "attemptNumber": 0, "taskAttemptId": 0, "cpus": 1,
               "resources": {}, "localProperties": {}}  # fmt: skip
    command = cloudpickle.dumps((_same, StructType().add("a", LongType())))
    return b"".join(
        (
            struct.pack("!i", 0),
            _text("%d.%d" % sys.version_info[:2]),
            _text(json.dumps(context)),
            _text(sys.path[1]),  # a folder that is on the path already
            struct.pack("!i?i", 0, False, 0),
            struct.pack("!iii", MAP_IN_ARROW, 0, 0),
            struct.pack("!iii?i", 1, 1, 0, False, 1),
            struct.pack("!i", len(command)) + command,
            struct.pack("!q", 0),
        )
    )


def _text(text):
    encoded = text.encode()
    return struct.pack("!i", len(encoded)) + encoded


def _arrow_stream():
    column = pyarrow.StructArray.from_arrays([pyarrow.array([1])], names=["a"])
    batch = pyarrow.RecordBatch.from_arrays([column], ["_0"])
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()
