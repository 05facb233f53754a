"""Python data sources: what the engine asks before it reads from one (src/analyzer/data_sources.cc).

A question is rows of (bytes, text, text). An answer is texts, one a row: an error, or "" and what was asked for."""

import io

import pyarrow
from pyspark.serializers import read_int
from pyspark.sql import types
from pyspark.sql.worker import create_data_source, plan_data_source_read
from pyspark.util import handle_worker_exception
from pyspark.worker_util import utf8_deserializer

from deuteron.worker.table_functions import Message

_ROWS_AT_ONCE = 10000


def create(batches):
    """Rows: (pickled class, name, schema as JSON or ""), then ("", key, value) of each option. Answer: the schema, the source pickled."""
    return _answers(_create, batches)


def read(batches):
    """One row: (source pickled, "", schema as JSON). Answer: the read function pickled, the number of parts, each part pickled."""
    return _answers(_read, batches)


def _answers(respond, batches):
    rows = [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns))]
    try:
        texts = ["", *respond(rows)]
    except Exception as error:
        told = io.BytesIO()
        handle_worker_exception(error, told)
        texts = [told.getvalue()[8:].decode()]
    yield pyarrow.RecordBatch.from_arrays([pyarrow.array(texts, pyarrow.string())], ["text"])


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
    ((source, _, schema),) = rows
    question = Message()
    question.blob(source)
    question.text(types.StructType().add("part", types.BinaryType()).json())
    question.text(schema)
    question.integer(_ROWS_AT_ONCE)
    question.boolean(False)  # filters are not handed to the source
    question.boolean(False)  # it is no stream
    question.boolean(True)
    answer = _ask(plan_data_source_read, question)
    function = answer.read(read_int(answer))
    parts = [answer.read(read_int(answer)) for _ in range(read_int(answer))]
    return function.hex(), str(len(parts)), *(part.hex() for part in parts)


def _ask(module, question):
    question.seek(0)
    answer = io.BytesIO()
    module._main(question, answer)
    answer.seek(0)
    return answer
