"""Python UDFs without Arrow (`udf(..., useArrow=False)`), run as one mapInArrow function.

Spark pickles rows for these, and takes a result of the wrong type for null instead of casting it. Here rows come and go as Arrow, and
`coercion` says, type by type, what Spark's side makes of a result that came out of a pickle.
"""

import array
import collections
import datetime
import decimal
import os
import uuid

import pyarrow
from pyspark import serializers, worker
from pyspark.sql import types
from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.util import PythonEvalType

_SEQUENCES = (list, tuple, bytes, bytearray, array.array)
# What Spark's reader of pickles knows. These types themselves: it does not know classes that are derived from them.
_ATOMS = frozenset({
    type(None), bool, int, float, complex, str, bytes, bytearray, array.array, decimal.Decimal, datetime.date, datetime.datetime,
    datetime.time, datetime.timedelta, uuid.UUID,
})
_COLLECTIONS = frozenset({list, tuple, set, frozenset})
_MAPPINGS = frozenset({dict, collections.OrderedDict})


class RowFunctions:
    """`functions`: of each [pickled (function, type), [column per argument], [name or "" per argument]].

    Called with the batches of the argument columns, yields batches with a column per function."""

    def __init__(self, functions, input_type):
        loads = serializers.CPickleSerializer().loads
        self._functions = []
        for number, (command, columns, names) in enumerate(functions):
            function, return_type = loads(command)
            self._functions.append(_RowFunction(_profiled(function, number), return_type, columns, names))
        self._converters = [
            ArrowTableToRowsConversion._create_converter(field.dataType)
            for field in types._parse_datatype_json_string(input_type)
        ]

    def __call__(self, batches):
        names = [f"_{i}" for i in range(len(self._functions))]
        for batch in batches:
            columns = [
                [convert(value) for value in column.to_pylist()]
                for convert, column in zip(self._converters, batch.columns)
            ]
            arrays = [function.apply(columns, batch.num_rows) for function in self._functions]
            yield pyarrow.RecordBatch.from_arrays(arrays, names)


class _RowFunction:
    def __init__(self, function, return_type, columns, names):
        self._function = function
        self._positional = [column for column, name in zip(columns, names) if not name]
        self._named = [(column, name) for column, name in zip(columns, names) if name]
        self._to_internal = return_type.toInternal if return_type.needConversion() else lambda value: value
        self._coerce = coercion(return_type)
        self._arrow_type = to_arrow_type(return_type, timezone="UTC")

    def apply(self, columns, rows):
        results = []
        for row in range(rows):
            arguments = [columns[column][row] for column in self._positional]
            named = {name: columns[column][row] for column, name in self._named}
            results.append(self._coerce(readable(self._to_internal(self._function(*arguments, **named)))))
        return pyarrow.array(results, type=self._arrow_type)


def _profiled(function, number):
    """Under spark.sql.pyspark.udf.profiler, as PySpark's worker does it where it calls the function itself."""
    profiler = os.environ.get("DEUTERON_UDF_PROFILER", "").lower()
    result = int(os.environ.get("DEUTERON_FIRST_RESULT", "0")) + number
    if profiler == "perf":
        return worker.wrap_perf_profiler(function, PythonEvalType.SQL_BATCHED_UDF, result)
    if profiler == "memory":
        return worker.wrap_memory_profiler(function, PythonEvalType.SQL_BATCHED_UDF, result)
    return function


def readable(value):
    """The value, if Spark could read it from a pickle; else TypeError (Spark: a PickleException of Java)."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind in _COLLECTIONS:
        for item in value:
            readable(item)
    elif kind in _MAPPINGS:
        for key, item in value.items():
            readable(key), readable(item)
    elif not isinstance(value.__reduce_ex__(4), str):  # the name of what is not constructed, as pandas.NA
        raise TypeError(
            f"a Python UDF without Arrow returned a {kind.__module__}.{kind.__qualname__}, which Spark does not know outside Python: "
            "return a plain value, as int(x), float(x) or x.tolist() of a NumPy value, or declare the function with useArrow=True"
        )
    return value


def coercion(data_type):
    """What becomes of a value of the internal form (dates are days, timestamps microseconds) in a column of this type."""
    if isinstance(data_type, types.StructType):
        return _struct_coercion(data_type)
    if isinstance(data_type, types.ArrayType):
        element = coercion(data_type.elementType)
        return lambda value: [element(item) for item in value] if isinstance(value, _SEQUENCES) else None
    if isinstance(data_type, types.MapType):
        key, item = coercion(data_type.keyType), coercion(data_type.valueType)
        return lambda value: [(key(k), item(v)) for k, v in value.items()] if isinstance(value, dict) else None
    if isinstance(data_type, types.DecimalType):
        return lambda value: _to_decimal(value, data_type)
    for spark_type, function in _COERCIONS:
        if isinstance(data_type, spark_type):
            return function
    raise NotImplementedError(f"Python UDFs without Arrow that return {data_type.simpleString()}")


def _struct_coercion(data_type):
    fields = [(field.name, coercion(field.dataType)) for field in data_type]

    def coerce(value):
        if not isinstance(value, tuple):
            return None
        if len(value) != len(fields):
            raise ValueError(
                "Input row doesn't have expected number of values required by the schema. "
                f"{len(fields)} fields are required while {len(value)} values are provided."
            )
        return {name: convert(item) for (name, convert), item in zip(fields, value)}

    return coerce


def _to_decimal(value, data_type):
    if not isinstance(value, decimal.Decimal):
        return None
    with decimal.localcontext() as context:
        context.prec = 2 * 38
        context.rounding = decimal.ROUND_HALF_UP
        rounded = value.quantize(decimal.Decimal(1).scaleb(-data_type.scale))
    if len(rounded.as_tuple().digits) > data_type.precision:
        raise OverflowError(f"{value} cannot be represented as {data_type.simpleString()}")
    return rounded


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _wrapping(bits):
    """An integer of so many bits; a larger one loses its upper bits, as in Java. What a Java long cannot hold is null."""
    half = 1 << (bits - 1)

    def coerce(value):
        if not _is_integer(value) or not -(1 << 63) <= value < 1 << 63:
            return None
        return ((value + half) & (2 * half - 1)) - half

    return coerce


def _to_text(value):
    """A value as Java prints it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_double(value)
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else _to_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_to_text(k)}={'null' if v is None else _to_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (int, decimal.Decimal)):
        return str(value)
    raise TypeError(f"a Python UDF without Arrow that is declared to return a string returned {type(value).__name__}")


def _java_double(value):
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = format(decimal.Decimal(repr(value)), "f")
        return text if "." in text else text + ".0"
    digits, exponent = format(decimal.Decimal(repr(value)).normalize(), "E").split("E")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _to_binary(value):
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, (bytes, bytearray)) else None


def _double(value):
    return value if isinstance(value, float) else None


def _of_integer(convert):
    return lambda value: convert(value) if _is_integer(value) else None


_COERCIONS = (
    (types.NullType, lambda value: None),
    (types.BooleanType, lambda value: value if isinstance(value, bool) else None),
    (types.ByteType, _wrapping(8)),
    (types.ShortType, _wrapping(16)),
    (types.IntegerType, _wrapping(32)),
    (types.LongType, _wrapping(64)),
    (types.FloatType, _double),
    (types.DoubleType, _double),
    (types.StringType, _to_text),
    (types.BinaryType, _to_binary),
    (types.DateType, _of_integer(lambda days: datetime.date(1970, 1, 1) + datetime.timedelta(days=days))),
    (types.TimestampType, _of_integer(lambda micros: micros)),
    (types.TimestampNTZType, _of_integer(lambda micros: micros)),
    (types.DayTimeIntervalType, _of_integer(lambda micros: datetime.timedelta(microseconds=micros))),
)
