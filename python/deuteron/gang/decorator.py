"""`@gang`: from a DataFrame to ranks, and from ranks back to a list of results."""

from __future__ import annotations

import functools
import pickle
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, Generic, Literal, ParamSpec, TypeVar

import pyarrow

from deuteron.gang.columns import check_columns
from deuteron.gang.context import Context
from deuteron.gang.data import Data
from deuteron.gang.rank import RESULT_SCHEMA, LocalTask, rank_function, run_rank

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import DataFrame

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Function = Callable[Concatenate[Context, Data, Parameters], Result]


@dataclass(frozen=True)
class Options:
    """What `gang` was given; its documentation tells the meaning."""

    ranks: int
    gpus_per_rank: float
    resources: Mapping[str, float]
    format: str
    batch_size: int | None
    seed: int
    remainder: str
    key: Sequence[str]
    repartition: bool
    directory: str | None

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ValueError(f"ranks is {self.ranks}: a gang has one rank at least")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}: a batch has one row at least")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: it must not be negative")
        if self.gpus_per_rank < 0:
            raise ValueError(f"gpus_per_rank is {self.gpus_per_rank}: it must not be negative")
        for name, value, known in (("format", self.format, ("arrow", "numpy", "torch")), ("remainder", self.remainder, ("drop", "pad"))):
            if value not in known:
                raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, known))}")
        if self.key and not self.repartition:
            raise ValueError("key distributes the rows by a column, and repartition=False leaves them where they are")


def gang(
    *,
    ranks: int,
    gpus_per_rank: float = 0,
    resources: Mapping[str, float] | None = None,
    format: Literal["arrow", "numpy", "torch"] = "arrow",
    batch_size: int | None = None,
    seed: int = 0,
    remainder: Literal["drop", "pad"] = "drop",
    key: str | Sequence[str] = (),
    repartition: bool = True,
    directory: str | None = None,
) -> Callable[[Function[Parameters, Result]], Gang[Parameters, Result]]:
    """Makes a gang of `function(context, data, …)`: called with a DataFrame, it runs once per rank, all ranks at the same time.

    ranks: how many. The server must have as many slots.
    gpus_per_rank, resources: what each rank is to have to itself, by a resource profile; `resources` maps further names to amounts.
    format: what a batch is: a pyarrow.RecordBatch, or a dict from the columns to NumPy arrays or PyTorch tensors.
    batch_size: rows per batch and rank; epochs need it.
    seed: of the shuffling; not negative.
    remainder: "drop" the rows that fill no batch on all ranks, or "pad" with rows from the beginning of the epoch.
    key: columns whose values decide which rank gets a row, and by which each rank's rows are sorted. With a unique key a rank's rows
        are the same, in the same order, however the query came by them. Without, the rows are dealt out in turn.
    repartition: False leaves the DataFrame's partitions as they are; there must be as many as ranks.
    directory: a folder that all ranks see, for checkpoints. Needed where the server has none; it outlives the gang, and the next
        call goes on from what is in it.
    """
    options = Options(
        ranks,
        gpus_per_rank,
        dict(resources or {}),
        format,
        batch_size,
        seed,
        remainder,
        (key,) if isinstance(key, str) else tuple(key),
        repartition,
        directory,
    )
    return lambda function: Gang(function, options)


class Gang(Generic[Parameters, Result]):
    """A function that was decorated with `gang`."""

    def __init__(self, function: Function[Parameters, Result], options: Options) -> None:
        self.function = function
        self.options = options
        functools.update_wrapper(self, function)

    def __call__(self, frame: DataFrame, *arguments: Parameters.args, **named: Parameters.kwargs) -> list[Result]:
        """Runs the gang over a DataFrame, and gives back what the ranks returned, in their order: anything that pickles.

        Further arguments reach each rank as they are. Raises TypeError for a column that has no place in an array; what a rank raises
        arrives as the exception that the server makes of it, with the traceback, after as many attempts as the server makes.
        """
        if self.options.format != "arrow":
            check_columns(frame.schema)
        function = rank_function(self.function, arguments, named, self.options)
        answers = self._distribute(frame).mapInArrow(function, RESULT_SCHEMA, barrier=True, profile=self._profile())
        # Spark starts a barrier stage again only if another stage follows.
        return _results(answers.repartition(1).toArrow(), self.options.ranks)

    def local(
        self, batches: pyarrow.Table | Iterable[pyarrow.RecordBatch], *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """Runs the function here, without a server, as the one rank of a gang, over an Arrow table or batches: for tests."""
        if isinstance(batches, pyarrow.Table):
            batches = batches.to_batches()
        with tempfile.TemporaryDirectory(prefix="gang-") as folder:
            context = Context(LocalTask(), self.options.directory or folder)
            try:
                return run_rank(self.function, context, batches, arguments, named, self.options)
            finally:
                context._finish()  # this process goes on, whatever happened

    def _distribute(self, frame: DataFrame) -> DataFrame:
        ranks, key = self.options.ranks, self.options.key
        if key:
            return frame.repartition(ranks, *key).sortWithinPartitions(*key)
        return frame.repartition(ranks) if self.options.repartition else frame

    def _profile(self) -> ResourceProfile | None:
        amounts = dict(self.options.resources)
        if self.options.gpus_per_rank:
            amounts["gpu"] = self.options.gpus_per_rank
        if not amounts:
            return None
        from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

        requests = TaskResourceRequests()
        for name, amount in amounts.items():
            requests.resource(name, amount)
        return ResourceProfileBuilder().require(requests).build


def _results(answers: pyarrow.Table, ranks: int) -> list:
    parts: dict[int, list] = {rank: [] for rank in range(ranks)}
    for row in answers.to_pylist():
        parts[row["rank"]].append((row["part"], row["content"]))
    silent = [rank for rank, content in parts.items() if not content]
    if silent:
        raise RuntimeError(f"ranks {silent} left no result")
    return [pickle.loads(b"".join(content for _, content in sorted(found))) for _, found in sorted(parts.items())]
