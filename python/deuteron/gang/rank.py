"""What runs in a rank: the function, with its context and its data, and the way its result takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow
from pyspark import BarrierTaskContext, cloudpickle

from deuteron.gang.context import Context
from deuteron.gang.data import Data

if TYPE_CHECKING:
    from deuteron.gang.decorator import Options

RESULT_SCHEMA = "rank int, part int, content binary"
# A result travels in rows of this size: a row must fit into a message of gRPC.
_PART_BYTES = 4 << 20


def rank_function(function: Callable[..., Any], arguments: tuple, named: dict, options: Options) -> Callable[..., Any]:
    """A function for mapInArrow with a barrier. It travels with all that it needs."""

    def run(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        context = Context(BarrierTaskContext.get(), options.directory)
        if context.ranks != options.ranks:
            raise ValueError(f"the gang is of {options.ranks} ranks, and its data has {context.ranks} partitions")
        yield from _result_batches(context.rank, run_rank(function, context, batches, arguments, named, options))

    return run


def run_rank(
    function: Callable[..., Any],
    context: Context,
    batches: Iterable[pyarrow.RecordBatch],
    arguments: tuple,
    named: dict,
    options: Options,
) -> Any:
    if context.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(context.gpus)
    data = Data(batches, context, options.format, options.batch_size, options.seed, options.remainder)
    result = function(context, data, *arguments, **named)
    context._finish()
    return result


def _result_batches(rank: int, result: Any) -> Iterator[pyarrow.RecordBatch]:
    content = cloudpickle.dumps(result)
    for part, begin in enumerate(range(0, len(content), _PART_BYTES)):
        columns = {
            "rank": pyarrow.array([rank], pyarrow.int32()),
            "part": pyarrow.array([part], pyarrow.int32()),
            "content": pyarrow.array([content[begin : begin + _PART_BYTES]], pyarrow.binary()),
        }
        yield pyarrow.RecordBatch.from_pydict(columns)


class LocalTask:
    """What Context needs of a BarrierTaskContext, for a gang of one rank in this process."""

    def partitionId(self) -> int:
        return 0

    def attemptNumber(self) -> int:
        return 0

    def getTaskInfos(self) -> list:
        from pyspark import BarrierTaskInfo

        return [BarrierTaskInfo("127.0.0.1:0")]

    def getLocalProperty(self, key: str) -> str | None:
        return None

    def resources(self) -> dict:
        return {}

    def barrier(self) -> None:
        pass

    def allGather(self, message: str = "") -> list[str]:
        return [message]
