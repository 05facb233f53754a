"""Columns as arrays and tensors: which are views, and what is refused by name."""

import warnings

import numpy
import pyarrow as pa
import pytest
from deuteron.gang.columns import arrays_of, check_columns, tensor_of
from pyspark.sql import types

NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()]


def column(values, kind):
    return pa.RecordBatch.from_arrays([pa.array(values, kind)], ["a"])


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_numbers_are_views(kind):
    batch = column(numpy.arange(5).astype(kind.to_pandas_dtype()), kind).slice(1)
    array = arrays_of(batch)["a"]
    assert array.tolist() == [1, 2, 3, 4]
    assert address(array) == batch.column(0).buffers()[1].address + kind.byte_width
    assert not array.flags.writeable


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 2)], ids=str)
def test_lists_of_one_length_are_views_with_two_dimensions(kind):
    batch = column([[1, 2], [3, 4], [5, 6]], kind).slice(1)
    array = arrays_of(batch)["a"]
    assert array.tolist() == [[3, 4], [5, 6]]
    assert address(array) == batch.column(0).flatten().buffers()[1].address + 8


def test_lists_of_lists_have_three_dimensions():
    array = arrays_of(column([[[1, 2], [3, 4], [5, 6]]] * 2, pa.list_(pa.list_(pa.int64()))))["a"]
    assert array.shape == (2, 3, 2)
    assert array[1].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_booleans_are_bytes():
    array = arrays_of(column([True, False, True], pa.bool_()))["a"]
    assert array.dtype == bool and array.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "values,kind,error,words",
    [
        ([1, None], pa.int32(), ValueError, "column 'a' has nulls"),
        ([[1], None], pa.list_(pa.int32()), ValueError, "column 'a' has nulls"),
        ([[1], [None]], pa.list_(pa.int32()), ValueError, "column 'a' has nulls"),
        ([[1], [1, 2, 3]], pa.list_(pa.int32()), ValueError, "column 'a' has lists of 1 to 3 elements"),
        (["x"], pa.string(), TypeError, "column 'a' is string, which is no number"),
        ([0], pa.timestamp("us"), TypeError, "column 'a' is timestamp"),
    ],
    ids=str,
)
def test_refused(values, kind, error, words):
    with pytest.raises(error, match=words):
        arrays_of(column(values, kind))


def test_a_null_outside_the_slice_does_not_matter():
    assert arrays_of(column([None, 1.0, 2.0], pa.float64()).slice(1))["a"].tolist() == [1.0, 2.0]


def test_the_type_of_a_data_frame_is_refused_before_anything_runs():
    good = types.StructType().add("x", types.ArrayType(types.ArrayType(types.FloatType()))).add("b", types.BooleanType())
    check_columns(good)
    for kind, text in ((types.StringType(), "string"), (types.DecimalType(9, 2), "decimal"), (types.ArrayType(types.DateType()), "array<date>")):
        schema = types.StructType().add("y", kind)
        with pytest.raises(TypeError, match=f"column 'y' is {text}"):
            check_columns(schema)


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_tensors_are_views_and_nobody_warns(kind):
    torch = pytest.importorskip("torch")
    array = arrays_of(column(numpy.arange(6).astype(kind.to_pandas_dtype()), kind))["a"].reshape(3, 2)[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = tensor_of(array)
    assert tensor.shape == (2, 2) and tensor.data_ptr() == address(array)
    assert tensor.tolist() == [[2, 3], [4, 5]]
    copied = array.copy()
    assert tensor_of(copied).data_ptr() == address(copied)
    assert tensor_of(array[:0]).shape == torch.Size([0, 2])
