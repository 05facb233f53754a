"""A rank's rows: once as they lie, or by epochs of shuffled batches, as many on each rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy
import pyarrow

from deuteron.gang.columns import arrays_of, tensor_of

if TYPE_CHECKING:
    from deuteron.gang.context import Context

# Shuffled batches are gathered together up to this size: each piece of the partition costs something for itself.
_GATHERED_BYTES = 8 << 20


class Data:
    """The partition of a rank. A batch is a pyarrow.RecordBatch (format "arrow"), or a dict from column to array or tensor.

    The partition is read once, when it is first needed, and kept: as views of shared memory on Deuteron, in the rank's own memory
    elsewhere. `stream` keeps nothing.
    """

    def __init__(
        self,
        batches: Iterable[pyarrow.RecordBatch],
        context: Context,
        format: str = "arrow",
        batch_size: int | None = None,
        seed: int = 0,
        remainder: str = "drop",
    ) -> None:
        self._input: Iterator[pyarrow.RecordBatch] | None = iter(batches)
        self._context = context
        self._format = format
        self._batch_size = batch_size
        self._seed = seed
        self._remainder = remainder
        self._pieces: list[Any] = []  # as they came: record batches, or dicts of arrays
        self._starts = numpy.zeros(1, numpy.int64)  # the row with which each piece begins, and the number of rows
        self._bytes = 1  # of all rows
        self._is_streamed = False
        self._agreed: int | None = None

    @property
    def rows(self) -> int:
        """How many rows this rank has."""
        self._load()
        return int(self._starts[-1])

    @property
    def batches_per_epoch(self) -> int:
        """The same number on all ranks. The ranks agree on it when they ask for it first: all of them must ask.

        With remainder="drop" it is the number of whole batches of the rank that has the fewest rows; with "pad" that of the rank that
        has the most, rounded up. Raises ValueError when a rank has not a single batch.
        """
        if self._agreed is None:
            size = self._required_size()
            everyone = self._context.all_gather(self.rows)
            needed = size if self._remainder == "drop" else 1
            if min(everyone) < needed:
                rank = everyone.index(min(everyone))
                raise ValueError(f"rank {rank} has {everyone[rank]} rows and needs {needed} at least for a batch of {size} rows")
            self._agreed = min(everyone) // size if self._remainder == "drop" else -(-max(everyone) // size)
        return self._agreed

    def __iter__(self) -> Iterator[Any]:
        """All rows in their order: pieces as they came, or batches of `batch_size`, the last one shorter. Not agreed between ranks."""
        self._load()
        edges = self._starts if self._batch_size is None else [*range(0, self.rows, self._batch_size), self.rows]
        return (self._give(self._cut(int(begin), int(end))) for begin, end in zip(edges[:-1], edges[1:]))

    def stream(self) -> Iterator[Any]:
        """Pieces as they come from the server, each once and none of them kept: for a partition larger than memory."""
        if self._input is None:
            raise RuntimeError("the partition has been read already: stream() comes first, and alone")
        batches, self._input = self._input, None
        self._is_streamed = True
        return (self._give(self._prepare(batch)) for batch in batches if batch.num_rows)

    def epochs(self, count: int, after: tuple[int, int] | None = None, shuffle: bool = True) -> Iterator[tuple[tuple[int, int], Any]]:
        """Gives ((epoch, number), batch) for each batch of the epochs 0 to count - 1.

        `after`: the last (epoch, number) that was done before; it goes on behind that, and gathers nothing that was gathered before.
        """
        first_epoch, first_number = (0, 0) if after is None else (after[0], after[1] + 1)
        for epoch in range(first_epoch, count):
            start = first_number if epoch == first_epoch else 0
            for number, batch in enumerate(self.epoch(epoch, start, shuffle), start):
                yield (epoch, number), batch

    def epoch(self, epoch: int, start: int = 0, shuffle: bool = True) -> Iterator[Any]:
        """`batches_per_epoch` batches of exactly `batch_size` rows, from the batch `start` on.

        The order depends on seed, epoch and rank only, not on the attempt, nor on the version of NumPy. Shuffled batches are gathered
        copies; without `shuffle` a batch is a view unless it reaches from one piece of the partition into the next.
        """
        batches = self.batches_per_epoch
        if not 0 <= start <= batches:
            raise ValueError(f"start is {start}, and an epoch has {batches} batches")
        return self._epoch(epoch, range(start, batches), shuffle)

    def _epoch(self, epoch: int, numbers: range, shuffle: bool) -> Iterator[Any]:
        size = self._required_size()
        if shuffle and numbers:
            order = shuffled(self.rows, self._seed, epoch, self._context.rank)
            together = max(1, int(_GATHERED_BYTES * self.rows / self._bytes / size))  # batches
            for first in range(numbers.start, numbers.stop, together):
                last = min(first + together, numbers.stop)
                gathered = self._gather(order[self._wrap(first * size, last * size)])
                yield from (self._give(_slice(gathered, begin * size, size)) for begin in range(last - first))
        else:
            for begin in range(numbers.start * size, numbers.stop * size, size):
                fits = begin + size <= self.rows
                yield self._give(self._cut(begin, begin + size) if fits else self._gather(self._wrap(begin, begin + size)))

    def _wrap(self, begin: int, end: int) -> numpy.ndarray:
        """The places from begin to end - 1, where padding begins again with the first."""
        return numpy.arange(begin, end) % self.rows

    def _required_size(self) -> int:
        if self._batch_size is None:
            raise ValueError("epochs need a batch size: @gang(batch_size=…)")
        return self._batch_size

    def _load(self) -> None:
        if self._is_streamed:
            raise RuntimeError("the partition was streamed, and nothing of it was kept")
        if self._input is None:
            return
        batches = [batch for batch in self._input if batch.num_rows]
        self._input = None
        self._pieces = [self._prepare(batch) for batch in batches]
        self._starts = numpy.cumsum([0, *(batch.num_rows for batch in batches)])
        self._bytes = max(1, sum(batch.nbytes for batch in batches))
        if self._format != "arrow":
            self._check_shapes()

    def _check_shapes(self) -> None:
        for name in self._pieces[0] if self._pieces else ():
            shapes = {piece[name].shape[1:] for piece in self._pieces}
            if len(shapes) > 1:
                raise ValueError(f"column {name!r} has lists of different lengths: elements have the shapes {sorted(shapes)}")

    def _prepare(self, batch: pyarrow.RecordBatch) -> Any:
        return batch if self._format == "arrow" else arrays_of(batch)

    def _give(self, piece: Any) -> Any:
        return {name: tensor_of(array) for name, array in piece.items()} if self._format == "torch" else piece

    def _cut(self, begin: int, end: int) -> Any:
        """The rows from begin to end - 1."""
        first, last = numpy.searchsorted(self._starts, [begin, end - 1], side="right") - 1
        if first != last:
            return self._gather(numpy.arange(begin, end))
        begin, end = begin - int(self._starts[first]), end - int(self._starts[first])
        return _slice(self._pieces[first], begin, end - begin)

    def _gather(self, rows: numpy.ndarray) -> Any:
        """A copy of these rows, in this order."""
        piece_of = numpy.searchsorted(self._starts, rows, side="right") - 1
        parts = []  # (piece, which of the wanted rows lie in it, and where there)
        for piece in numpy.unique(piece_of):
            wanted = numpy.flatnonzero(piece_of == piece)
            parts.append((self._pieces[piece], wanted, rows[wanted] - self._starts[piece]))
        return _gather_records(parts) if self._format == "arrow" else _gather_arrays(parts, len(rows))


def shuffled(rows: int, seed: int, epoch: int, rank: int) -> numpy.ndarray:
    """The numbers 0 to rows - 1 in an order of their own for each (seed, epoch, rank).

    Made by sorting the raw numbers of a generator, which NumPy promises never to change, unlike its `permutation`.
    """
    generator = numpy.random.Philox(numpy.random.SeedSequence([seed, epoch, rank]))
    return numpy.argsort(generator.random_raw(rows), kind="stable")


def _slice(piece: Any, begin: int, rows: int) -> Any:
    if isinstance(piece, dict):
        return {name: array[begin : begin + rows] for name, array in piece.items()}
    return piece.slice(begin, rows)


def _gather_arrays(parts: list[Any], rows: int) -> dict[str, numpy.ndarray]:
    gathered = {}
    for name, example in parts[0][0].items():
        gathered[name] = numpy.empty((rows, *example.shape[1:]), example.dtype)
        for piece, wanted, places in parts:
            gathered[name][wanted] = piece[name][places]
    return gathered


def _gather_records(parts: list[Any]) -> pyarrow.RecordBatch:
    taken = [piece.take(pyarrow.array(places)) for piece, _, places in parts]
    wanted = numpy.concatenate([wanted for _, wanted, _ in parts])
    together = pyarrow.Table.from_batches(taken).combine_chunks()
    return together.take(pyarrow.array(numpy.argsort(wanted))).combine_chunks().to_batches()[0]
