"""Columns of Arrow as arrays and tensors: views of Arrow's memory, and an error that names the column where there can be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy
import pyarrow
from pyspark.sql import types

if TYPE_CHECKING:
    import torch

_ADVICE = "cast it in the query, leave it out with select(), or use format='arrow'"


def arrays_of(batch: pyarrow.RecordBatch) -> dict[str, numpy.ndarray]:
    """Each column as an array of shape (rows,), or (rows, n) where each row is a list of n numbers; deeper lists, more dimensions.

    Read-only views, except of booleans, which Arrow keeps as bits. Raises TypeError and ValueError with the name of the column.
    """
    return {field.name: _array_of(field.name, batch.column(index)) for index, field in enumerate(batch.schema)}


def _array_of(name: str, column: pyarrow.Array) -> numpy.ndarray:
    kind = column.type
    if column.null_count:
        raise ValueError(f"column {name!r} has nulls: fill them or drop their rows in the query, or use format='arrow'")
    if pyarrow.types.is_fixed_size_list(kind) or pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        values = _array_of(name, column.flatten())
        return values.reshape(len(column), _list_size(name, column), *values.shape[1:])
    if pyarrow.types.is_boolean(kind):
        return column.to_numpy(zero_copy_only=False)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=True)
    raise TypeError(f"column {name!r} is {kind}, which is no number: {_ADVICE}")


def _list_size(name: str, column: pyarrow.Array) -> int:
    """The length that all lists of the column have."""
    if pyarrow.types.is_fixed_size_list(column.type):
        return column.type.list_size
    sizes = numpy.diff(column.offsets.to_numpy())
    if len(sizes) and (sizes != sizes[0]).any():
        raise ValueError(f"column {name!r} has lists of {sizes.min()} to {sizes.max()} elements: an array needs one length")
    return int(sizes[0]) if len(sizes) else 0


def tensor_of(array: numpy.ndarray) -> torch.Tensor:
    """A tensor over the same memory. PyTorch knows no read-only tensors: writing into the view of a read-only array ends the process."""
    import torch

    if array.flags.writeable:
        return torch.from_numpy(array)
    # NumPy may refuse to hand out what is read-only, and PyTorch would warn; Arrow does it in silence.
    return torch.from_dlpack(pyarrow.array(array.reshape(-1))).reshape(array.shape)


def check_columns(schema: types.StructType) -> None:
    """Raises TypeError for a column of a DataFrame that `arrays_of` would refuse in every rank."""
    for field in schema.fields:
        element = field.dataType
        while isinstance(element, types.ArrayType):
            element = element.elementType
        if isinstance(element, types.DecimalType) or not isinstance(element, (types.NumericType, types.BooleanType)):
            raise TypeError(f"column {field.name!r} is {field.dataType.simpleString()}, which is no number: {_ADVICE}")
