"""Results of Python UDFs without Arrow: what Apache Spark 4.2.1 makes of them, type by type (recorded with `useArrow=False`)."""

import array
import collections
import datetime
import decimal
import sys
from pathlib import Path

import numpy
import pandas
import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from deuteron.worker.row_functions import RowFunctions  # noqa: E402
from pyspark import cloudpickle  # noqa: E402
from pyspark.sql import types  # noqa: E402

VALUES = {
    "true": True, "one": 1, "300": 300, "2^40": 2**40, "2^70": 2**70, "1.5": 1.5, "1e10": 1e10, "1e-5": 1e-5, "x": "x",
    "bytes": b"ab", "decimal": decimal.Decimal("1.255"), "list": [1, None, "a"], "tuple": (1, 2), "dict": {"a": 1},
    "date": datetime.date(2020, 1, 2),
}
# declared type -> the values that are not null in it
ANSWERS = {
    "boolean": {"true": True},
    "byte": {"one": 1, "300": 44, "2^40": 0},
    "short": {"one": 1, "300": 300, "2^40": 0},
    "integer": {"one": 1, "300": 300, "2^40": 0},
    "long": {"one": 1, "300": 300, "2^40": 2**40},
    "double": {"1.5": 1.5, "1e10": 1e10, "1e-5": 1e-5},
    "string": {"true": "true", "one": "1", "300": "300", "2^40": str(2**40), "2^70": str(2**70), "1.5": "1.5",
               "1e10": "1.0E10", "1e-5": "1.0E-5", "x": "x", "decimal": "1.255", "list": "[1, null, a]", "dict": "{a=1}"},
    "binary": {"x": b"x", "bytes": b"ab"},
    "decimal(5,2)": {"decimal": decimal.Decimal("1.26")},
}
REFUSED = {("string", "bytes"), ("string", "tuple"), ("string", "date")}  # Spark shows a Java object's name or fields


def call(function, return_type):
    command = cloudpickle.dumps((function, return_type))
    schema = types.StructType().add("_0", types.LongType()).json()
    batch = pa.record_batch({"_0": pa.array([7])})
    (answer,) = RowFunctions([[command, [0], [""]]], schema)([batch])
    return answer.column(0).to_pylist()[0]


@pytest.mark.parametrize("type_name", ANSWERS)
@pytest.mark.parametrize("name", VALUES)
def test_coercion(type_name, name):
    value = VALUES[name]
    return_type = types._parse_datatype_json_value(type_name)
    if (type_name, name) in REFUSED:
        with pytest.raises(TypeError):
            call(lambda _: value, return_type)
    else:
        assert call(lambda _: value, return_type) == ANSWERS[type_name].get(name)


def test_nested_types():
    array = types.ArrayType(types.IntegerType())
    assert call(lambda _: [1, None, "a"], array) == [1, None, None]
    assert call(lambda _: b"ab", array) == [97, 98]
    struct = types.StructType().add("a", types.IntegerType()).add("b", types.IntegerType())
    assert call(lambda _: {"a": 1}, struct) == {"a": 1, "b": None}
    assert call(lambda _: (1, 2), struct) == {"a": 1, "b": 2}
    with pytest.raises(ValueError):
        call(lambda _: (1, 2, 3), struct)
    with pytest.raises(OverflowError):
        call(lambda _: decimal.Decimal("123456789.1"), types.DecimalType(5, 2))


def test_an_array_of_numbers_is_an_array():
    assert call(lambda _: array.array("i", [1, 2]), types.ArrayType(types.IntegerType())) == [1, 2]


class _Whole(int):
    pass


# Spark: "expected zero arguments for construction of ClassDict (for ...)"
@pytest.mark.parametrize("value", [
    numpy.int64(3), numpy.float64(2.5), numpy.bool_(True), numpy.array([1]), pandas.Timestamp("2020-01-01"), range(3), _Whole(4),
    types.Row(a=1), [numpy.int64(1)], {"a": numpy.int64(1)}, collections.defaultdict(int, a=1), collections.deque([1]),
], ids=lambda value: f"{type(value).__name__}-{value}")
@pytest.mark.parametrize("type_name", ["integer", "double", "string"])
def test_what_spark_cannot_read_is_refused(value, type_name):
    with pytest.raises(TypeError, match="without Arrow returned a .*useArrow=True"):
        call(lambda _: value, types._parse_datatype_json_value(type_name))


def test_what_is_not_there_in_pandas_is_null():
    assert call(lambda _: pandas.NA, types.IntegerType()) is None
