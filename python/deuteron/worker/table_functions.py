"""Python table functions (UDTFs), run as one mapInArrow function: PySpark's worker makes the function, checks it and calls it; what is
done here is to hand it one row after the other, and to put what it gives beside the row's own columns.
"""

import io
import struct

import pyarrow
from pyspark import worker
from pyspark.errors import PySparkException
from pyspark.serializers import read_int, write_with_length
from pyspark.sql import types
from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.worker import analyze_udtf
from pyspark.util import PythonEvalType, handle_worker_exception
from pyspark.worker_util import pickleSer, utf8_deserializer

from deuteron.worker.row_functions import coercion, readable

_ROWS_AT_ONCE = 10000


class Message(io.BytesIO):
    """What PySpark's worker reads at its start."""

    def integer(self, value):
        self.write(struct.pack("!i", value))

    def boolean(self, value):
        self.write(struct.pack("!?", value))

    def text(self, value):
        write_with_length(value.encode(), self)

    def blob(self, value):
        write_with_length(value, self)


class _Call:
    """What src/execution/pickled_call.h says of a call; `input_type`: of the columns that go on, then of the arguments."""

    def __init__(
        self,
        eval_type,
        name,
        command,
        return_type,
        input_type,
        kept,
        argument_names,
        table_argument,
        table_columns,
        partition_columns,
        constants,
        analyzed,
        settings,
    ):
        self._eval_type = eval_type
        self._name = name
        self._command = command
        self._return_type = return_type
        self._kept = kept
        self._argument_names = argument_names
        self._table_argument = table_argument
        self._table_columns = table_columns
        self._partition_columns = partition_columns
        self._constants = constants
        self._analyzed = analyzed
        self._settings = settings
        fields = list(types._parse_datatype_json_string(input_type))[kept:]
        self._argument_types = []
        for index in range(len(argument_names)):
            width = len(table_columns) if index == table_argument else 1
            mine, fields = fields[:width], fields[width:]
            if index == table_argument:
                named = [types.StructField(name, f.dataType, f.nullable) for name, f in zip(table_columns, mine)]
                self._argument_types.append(types.StructType(named))
            else:
                self._argument_types.append(mine[0].dataType)

    def _arguments(self, batch):
        """The arguments of a batch, one column each."""
        columns = batch.columns[self._kept :]
        arguments = []
        for index in range(len(self._argument_names)):
            if index == self._table_argument:
                width = len(self._table_columns)
                fields = [pyarrow.field(name, c.type) for name, c in zip(self._table_columns, columns)]
                arguments.append(pyarrow.StructArray.from_arrays(columns[:width], fields=fields))
                columns = columns[width:]
            else:
                arguments.append(columns[0])
                columns = columns[1:]
        return arguments


class TableFunction(_Call):
    """Called with the batches of a partition, yields batches of the columns that go on and those of the function."""

    def __call__(self, batches):
        rows = _Rows(batches, self._kind())
        joined = _Joined(self._kept, len(types._parse_datatype_json_string(self._return_type)))
        for result in rows.kind.mapper(0, iter(rows)):
            if joined.is_full_for(rows.batch):
                yield joined.take()
            joined.add(rows.batch, rows.row, rows.kind.result(result))
        if not joined.is_empty():
            yield joined.take()

    def _kind(self):
        settings = worker.RunnerConf()
        settings._conf.update(self._settings)
        evaluation = worker.EvalConf()
        inputs = types.StructType([types.StructField(f"_{i}", t) for i, t in enumerate(self._argument_types)])
        evaluation._conf["input_type"] = inputs.json()
        if self._table_argument >= 0:
            evaluation._conf["table_arg_offsets"] = str(self._table_argument)
        mapper, _, serializer, _ = worker.read_udtf(pickleSer, self._header(), self._eval_type, settings, evaluation)
        if self._eval_type == PythonEvalType.SQL_TABLE_UDF:
            return _Pickled(self, mapper, self._return_type)
        if self._eval_type == PythonEvalType.SQL_ARROW_TABLE_UDF and not settings.use_legacy_pandas_udtf_conversion:
            return _Arrow(self, mapper)
        return _Serialized(self, mapper, serializer, self._eval_type == PythonEvalType.SQL_ARROW_UDTF)

    def _header(self):
        message = Message()
        message.integer(len(self._argument_names))
        for column, name in enumerate(self._argument_names):
            message.integer(column)
            message.boolean(bool(name))
            if name:
                message.text(name)
        message.integer(len(self._partition_columns))
        for column in self._partition_columns:
            message.integer(column)
        message.boolean(bool(self._analyzed))
        if self._analyzed:
            message.blob(bytes.fromhex(self._analyzed))
        message.blob(self._command)
        message.text(self._return_type)
        message.text(self._name)
        message.seek(0)
        return message


class TableAnalysis(_Call):
    """Called with one row, in which only constant arguments have values: yields what the function's static method `analyze` tells, a text a row.

    An error, or "" and: the columns' types, the result pickled, whether all rows are one partition; then, each with its number before it,
    expressions to divide by, expressions to order by (ascending, where nulls come), expressions to select (name)."""

    def __call__(self, batches):
        for batch in batches:
            answer = io.BytesIO()
            try:
                analyze_udtf._main(self._question(batch), answer)
                answer.seek(0)
                texts = ["", *_texts(answer)]
            except Exception as error:
                texts = [_failure(error)]
            yield pyarrow.RecordBatch.from_arrays([pyarrow.array(texts, pyarrow.string())], ["text"])

    def _question(self, batch):
        message = Message()
        message.text(self._name)
        message.blob(self._command)
        message.integer(len(self._argument_names))
        arguments = self._arguments(batch)
        for index, (data_type, name) in enumerate(zip(self._argument_types, self._argument_names)):
            message.text(data_type.json())
            message.boolean(self._constants[index])
            if self._constants[index]:
                convert = ArrowTableToRowsConversion._create_converter(data_type)
                value = convert(arguments[index][0].as_py())
                message.blob(pickleSer.dumps(data_type.toInternal(value) if data_type.needConversion() else value))
            message.boolean(index == self._table_argument)
            message.boolean(bool(name))
            if name:
                message.text(name)
        message.seek(0)
        return message


def _texts(answer):
    def text():
        return utf8_deserializer.loads(answer)

    yield text()
    yield answer.read(read_int(answer)).hex()
    yield "true" if read_int(answer) else "false"
    partitions = read_int(answer)
    yield str(partitions)
    for _ in range(partitions):
        yield text()
    orders = read_int(answer)
    yield str(orders)
    for _ in range(orders):
        yield text()
        yield "true" if read_int(answer) else "false"
        yield ("default", "first", "last")[read_int(answer)]
    selected = read_int(answer)
    yield str(selected)
    for _ in range(selected):
        yield text()
        yield text()


def _failure(error):
    """As Spark tells it: the traceback of a user's exception, only the message of PySpark's own."""
    if isinstance(error, PySparkException):
        return str(error).strip()
    told = io.BytesIO()
    handle_worker_exception(error, told)
    return told.getvalue()[8:].decode().strip()


class _Rows:
    """The rows of the batches, in the form of a kind of function; knows which one was handed out last."""

    def __init__(self, batches, kind):
        self._batches = batches
        self.kind = kind
        self.batch = None
        self.row = 0

    def __iter__(self):
        for self.batch in self._batches:
            for self.row, value in self.kind.rows(self.batch):
                yield value


class _Pickled:
    """Functions without Arrow: rows are tuples of Python's values; a result is a tuple of rows."""

    def __init__(self, call, mapper, return_type):
        self._call = call
        self.mapper = mapper
        self._converters = [ArrowTableToRowsConversion._create_converter(t) for t in call._argument_types]
        return_type = types._parse_datatype_json_string(return_type)
        self._coercions = [coercion(field.dataType) for field in return_type]
        self._type = [to_arrow_type(field.dataType, timezone="UTC") for field in return_type]

    def rows(self, batch):
        columns = [
            [convert(value) for value in column.to_pylist()]
            for convert, column in zip(self._converters, self._call._arguments(batch))
        ]
        return enumerate(zip(*columns) if columns else [()] * batch.num_rows)

    def result(self, rows):
        columns = []
        for index, (coerce, arrow_type) in enumerate(zip(self._coercions, self._type)):
            values = [None if row is None else coerce(readable(row[index])) for row in rows]
            columns.append(pyarrow.array(values, type=arrow_type))
        return len(rows), columns


class _Arrow:
    """Functions whose rows come and go as Arrow: a batch of one row each, and one for each result."""

    def __init__(self, call, mapper):
        self._call = call
        self.mapper = mapper

    def rows(self, batch):
        arguments = self._call._arguments(batch) or [pyarrow.nulls(batch.num_rows)]
        arguments = pyarrow.RecordBatch.from_arrays(arguments, [f"_{i}" for i in range(len(arguments))])
        return ((row, arguments.slice(row, 1)) for row in range(batch.num_rows))

    def result(self, result):
        batch, _ = result
        return batch.num_rows, batch.columns


class _Serialized(_Arrow):
    """Functions of pandas' or Arrow's own types: PySpark's serializer makes their arguments of an Arrow stream, and a stream of results."""

    def __init__(self, call, mapper, serializer, takes_batches):
        super().__init__(call, mapper)
        self._serializer = serializer
        self._takes_batches = takes_batches

    def rows(self, batch):
        if self._takes_batches:
            arguments = self._call._arguments(batch) or [pyarrow.nulls(batch.num_rows)]
            whole = pyarrow.RecordBatch.from_arrays(arguments, [f"_{i}" for i in range(len(arguments))])
            parts = [(batch.num_rows - 1, whole)]
        else:
            parts = super().rows(batch)
        for row, part in parts:
            stream = io.BytesIO()
            with pyarrow.ipc.new_stream(stream, part.schema) as writer:
                writer.write_batch(part)
            stream.seek(0)
            for value in self._serializer.load_stream(stream):
                yield row, value

    def result(self, result):
        stream = io.BytesIO()
        self._serializer.dump_stream(iter([result]), stream)
        stream.seek(4)  # the mark before an Arrow stream
        batch = pyarrow.ipc.open_stream(stream).read_next_batch()
        return batch.num_rows, batch.column(0).flatten()


class _Joined:
    """Collects what the rows of one batch gave, beside the columns of those rows that go on."""

    def __init__(self, kept, width):
        self._kept = kept
        self._width = width
        self._batch = None
        self._rows = []
        self._results = []

    def is_empty(self):
        return not self._results

    def is_full_for(self, batch):
        return bool(self._results) and (batch is not self._batch or len(self._rows) >= _ROWS_AT_ONCE)

    def add(self, batch, row, result):
        count, columns = result
        if count == 0:
            return
        self._batch = batch
        self._rows.extend([row] * count)
        self._results.append(columns)

    def take(self):
        rows = pyarrow.array(self._rows, pyarrow.int64())
        columns = [column.take(rows) for column in self._batch.columns[: self._kept]]
        for index in range(self._width):
            columns.append(pyarrow.concat_arrays([result[index] for result in self._results]))
        self._rows, self._results = [], []
        return pyarrow.RecordBatch.from_arrays(columns, [f"_{i}" for i in range(len(columns))])
