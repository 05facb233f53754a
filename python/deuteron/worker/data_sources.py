"""Python data sources: what the engine asks before it reads from one or writes to one, and at the end of a write
(src/analyzer/data_source_questions.h).

A question is rows of (bytes, text, text). An answer is texts, one a row: an error and the step that failed, or "" and what was asked for."""

import contextlib
import io
import os
import traceback

import pyarrow
from pyspark.accumulators import SpecialAccumulatorIds, _deserialize_accumulator
from pyspark.memory_profiler_ext import has_memory_profiler
from pyspark.serializers import read_int
from pyspark.sql import types
from pyspark.sql.profiler import ProfileResultsParam, ProfileResultsParamV2, WorkerMemoryProfiler, WorkerPerfProfiler
from pyspark.sql.worker import commit_data_source_write, create_data_source, plan_data_source_read, write_into_data_source
from pyspark.util import handle_worker_exception
from pyspark.worker_util import pickleSer, utf8_deserializer

from deuteron.worker.table_functions import Message

_ROWS_AT_ONCE = 10000


def create(batches):
    """Rows: (pickled class, name, schema as JSON or ""), then ("", key, value) of each option. Answer: the schema, the source pickled."""
    return _answers(_create, batches)


def read(batches):
    """One row: (source pickled, whether it may have pushFilters, schema as JSON). Answer: the read function pickled, the number of parts, each part pickled."""
    return _answers(_read, batches)


def write(batches):
    """Rows: (pickled class, name, schema of the rows as JSON), ("", "overwrite", "true" or "false"), then ("", key, value) of each
    option. Answer: the write function pickled, the writer pickled."""
    return _answers(_write, batches)


def end_write(batches):
    """Rows: (writer pickled, "commit" or "abort", ""), then ("", message or "", "") of each partition. The answer is empty."""
    return _answers(_end_write, batches)


def _answers(respond, batches):
    rows = [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns))]
    try:
        texts = ["", *respond(rows)]
    except Exception as error:
        error.__traceback__ = _without_ours(error.__traceback__)
        told = io.BytesIO()
        handle_worker_exception(error, told)
        texts = [told.getvalue()[8:].decode(), _failed_step(error)]
    yield pyarrow.RecordBatch.from_arrays([pyarrow.array(texts, pyarrow.string())], ["text"])


def _failed_step(error):
    """What PySpark did with the source: "partitions" once there was a reader, else ""."""
    frames = {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}
    return "partitions" if plan_data_source_read.write_read_func_and_partitions.__name__ in frames else ""


def _without_ours(frame):
    """From where PySpark's code begins, which PySpark cuts off itself."""
    while frame.tb_next is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return frame


def _create(rows):
    (command, name, schema), *options = rows
    question = Message()
    question.blob(command)
    question.text(name)
    question.boolean(bool(schema))
    if schema:
        question.text(schema)
    question.integer(len(options))
    for _, key, value in options:
        question.text(key)
        question.text(value)
    answer = _ask(create_data_source, question)
    source = answer.read(read_int(answer))
    read_int(answer)  # whether the schema is DDL: its text tells that too
    return utf8_deserializer.loads(answer), source.hex()


def _read(rows):
    ((source, pushdown, schema),) = rows
    question = Message()
    question.blob(source)
    question.text(types.StructType().add("part", types.BinaryType()).json())
    question.text(schema)
    question.integer(_ROWS_AT_ONCE)
    question.boolean(pushdown == "true")  # else pushFilters is refused; no filter is handed to it either way
    question.boolean(False)  # it is no stream
    question.boolean(True)
    answer = _ask(plan_data_source_read, question)
    function = answer.read(read_int(answer))
    parts = [answer.read(read_int(answer)) for _ in range(read_int(answer))]
    return function.hex(), str(len(parts)), *(part.hex() for part in parts)


def _write(rows):
    (command, name, schema), (_, _, overwrite), *options = rows
    question = Message()
    question.blob(command)
    question.text(name)
    question.text(schema)
    question.text(types.StructType().add("message", types.BinaryType()).json())
    question.integer(len(options))
    for _, key, value in options:
        question.text(key)
        question.text(value)
    question.boolean(overwrite == "true")
    question.boolean(False)  # it is no stream
    question.boolean(True)
    answer = _ask(write_into_data_source, question)
    function = answer.read(read_int(answer))
    writer = answer.read(read_int(answer))
    return function.hex(), writer.hex()


def _end_write(rows):
    (writer, end, _), *messages = rows
    question = Message()
    question.blob(writer)
    question.integer(len(messages))
    for _, message, _ in messages:
        question.blob(bytes.fromhex(message) if message else pickleSer.dumps(None))
    question.boolean(end == "abort")
    _ask(commit_data_source_write, question)
    return ()


def _ask(module, question):
    question.seek(0)
    answer = io.BytesIO()
    with _profiled(module), _logged():
        module._main(question, answer)
    answer.seek(0)
    return answer


def _profiled(module):
    """Under spark.sql.pyspark.dataSource.profiler. What it finds goes to the client with the task's end."""
    profiler = os.environ.get("DEUTERON_DATA_SOURCE_PROFILER")
    name = module.__name__.split(".")[-1]
    if profiler == "perf":
        return WorkerPerfProfiler(*_profiles(), name)
    if profiler == "memory" and has_memory_profiler:
        return WorkerMemoryProfiler(*_profiles(), name, module._main)
    return contextlib.nullcontext()


def _profiles():
    return (
        _deserialize_accumulator(SpecialAccumulatorIds.SQL_UDF_PROFIER, None, ProfileResultsParam),
        _deserialize_accumulator(SpecialAccumulatorIds.SQL_UDF_PROFIER_V2, {}, ProfileResultsParamV2),
    )


@contextlib.contextmanager
def _logged():
    """PySpark's module captures what the source logs, as in a process of its own: the worker around it does not."""
    session = os.environ.get("DEUTERON_LOGGING_SESSION")
    if session:
        os.environ["PYSPARK_SPARK_SESSION_UUID"] = session
    try:
        yield
    finally:
        os.environ.pop("PYSPARK_SPARK_SESSION_UUID", None)
