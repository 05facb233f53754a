"""What a rank gets of its rows, and in which order."""

import numpy
import pyarrow as pa
import pytest
from deuteron.gang import Data
from deuteron.gang.data import shuffled

from tests.gang.ranks import run_ranks


def pieces(*sizes, first=0):
    """Record batches of these sizes; the rows are numbered on."""
    for size in sizes:
        ids = numpy.arange(first, first + size)
        yield pa.RecordBatch.from_pydict({"id": ids, "pair": pa.FixedSizeListArray.from_arrays(numpy.repeat(ids * 10, 2), 2)})
        first += size


class Alone:
    """The context of a gang of one rank."""

    rank = 0

    def all_gather(self, value):
        return [value]


def ids(batch):
    return batch["id"].tolist() if isinstance(batch, dict) else batch.column("id").to_pylist()


def data(*sizes, context=None, **options):
    return Data(pieces(*sizes), context or Alone(), **{"format": "numpy", **options})


@pytest.mark.parametrize("format", ["arrow", "numpy"])
def test_pieces_come_as_they_lie_and_again(format):
    rows = data(3, 0, 2, format=format)
    assert [ids(batch) for batch in rows] == [[0, 1, 2], [3, 4]]
    assert [ids(batch) for batch in rows] == [[0, 1, 2], [3, 4]]
    assert rows.rows == 5


def test_no_rows():
    assert list(data()) == [] == list(data(0, batch_size=3))
    with pytest.raises(ValueError, match="rank 0 has 0 rows and needs 3 at least"):
        data(batch_size=3).epoch(0)


@pytest.mark.parametrize("format", ["arrow", "numpy"])
def test_batches_of_a_size_are_views_unless_they_reach_across_pieces(format):
    rows = data(4, 4, batch_size=3, format=format)
    batches = list(rows)
    assert [ids(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    if format == "numpy":
        owned = [not any(numpy.shares_memory(batch["id"], piece["id"]) for piece in rows._pieces) for batch in batches]
        assert owned == [False, True, False]
        assert [batch["pair"].shape for batch in batches] == [(3, 2), (3, 2), (2, 2)]


def test_a_stream_keeps_nothing():
    rows = data(3, 2)
    assert [ids(batch) for batch in rows.stream()] == [[0, 1, 2], [3, 4]]
    with pytest.raises(RuntimeError, match="was streamed"):
        rows.rows
    read = data(1)
    assert read.rows == 1
    with pytest.raises(RuntimeError, match="has been read already"):
        read.stream()


@pytest.mark.parametrize("format", ["arrow", "numpy", "torch"])
def test_an_epoch_has_every_row_once_in_an_order_of_its_own(format):
    if format == "torch":
        pytest.importorskip("torch")
    rows = data(5, 1, 6, batch_size=3, seed=7, format=format)
    orders = [[row for batch in rows.epoch(epoch) for row in ids(batch)] for epoch in range(3)]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(12)]}) == 4
    assert [[row for batch in rows.epoch(epoch) for row in ids(batch)] for epoch in range(3)] == orders
    for batch in rows.epoch(0):
        pairs = batch.column("pair").to_pylist() if format == "arrow" else batch["pair"].tolist()
        assert pairs == [[row * 10] * 2 for row in ids(batch)]


def test_the_order_is_written_in_stone():
    """A checkpoint that was made with other versions goes on with the same rows."""
    assert shuffled(8, seed=1, epoch=0, rank=0).tolist() == ORDER
    assert shuffled(8, 2, 0, 0).tolist() != ORDER != shuffled(8, 1, 1, 0).tolist()
    assert shuffled(8, 1, 0, 1).tolist() not in (ORDER, shuffled(8, 1, 1, 0).tolist())


ORDER = [2, 0, 1, 4, 5, 6, 7, 3]


@pytest.mark.parametrize("gathered_bytes", [1, 100, 8 << 20])
@pytest.mark.parametrize("format", ["arrow", "numpy"])
def test_batches_are_the_same_however_many_are_gathered_together(monkeypatch, gathered_bytes, format):
    whole = [ids(batch) for batch in data(5, 7, batch_size=2, format=format).epoch(0)]
    monkeypatch.setattr("deuteron.gang.data._GATHERED_BYTES", gathered_bytes)
    rows, gathered = data(5, 7, batch_size=2, format=format), []
    gather = rows._gather
    rows._gather = lambda chosen: gathered.append(len(chosen)) or gather(chosen)
    assert [ids(batch) for batch in rows.epoch(0)] == whole
    assert gathered == {1: [2] * 6, 100: [4] * 3, 8 << 20: [12]}[gathered_bytes]


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_goes_on_at_any_batch_and_gathers_only_what_is_asked(shuffle):
    rows = data(5, 7, batch_size=2, seed=3)
    whole = [ids(batch) for batch in rows.epoch(4, shuffle=shuffle)]
    assert len(whole) == 6
    for start in range(7):
        again = data(5, 7, batch_size=2, seed=3)
        gathered = []
        gather = again._gather
        again._gather = lambda rows: gathered.append(len(rows)) or gather(rows)
        assert [ids(batch) for batch in again.epoch(4, start, shuffle)] == whole[start:]
        assert sum(gathered) <= 2 * (6 - start)
    with pytest.raises(ValueError, match="start is 7, and an epoch has 6 batches"):
        rows.epoch(4, 7)


def test_epochs_go_on_behind_a_position():
    rows = data(5, batch_size=2)
    positions = [position for position, _ in rows.epochs(3)]
    assert positions == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    whole = [ids(batch) for _, batch in rows.epochs(3)]
    for done, position in enumerate(positions, 1):
        assert [(place, ids(batch)) for place, batch in data(5, batch_size=2).epochs(3, after=position)] == list(
            zip(positions, whole, strict=True)
        )[done:]


def test_without_shuffling_batches_are_views_in_order():
    rows = data(6, batch_size=2)
    batches = list(rows.epoch(0, shuffle=False))
    assert [ids(batch) for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert all(numpy.shares_memory(batch["id"], rows._pieces[0]["id"]) for batch in batches)


def test_epochs_need_a_batch_size():
    with pytest.raises(ValueError, match="epochs need a batch size"):
        data(3).epoch(0)


def test_lists_of_other_lengths_in_another_piece_are_refused():
    batches = [pa.RecordBatch.from_pydict({"a": [[1]]}), pa.RecordBatch.from_pydict({"a": [[1, 2]]})]
    with pytest.raises(ValueError, match="column 'a' has lists of different lengths"):
        Data(iter(batches), Alone(), "numpy").rows


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("remainder,expected", [("drop", 2), ("pad", 4)])
def test_all_ranks_have_as_many_batches(remainder, expected, shuffle):
    sizes = [10, 7, 8]

    def epoch(context):
        rows = data(sizes[context.rank], context=context, batch_size=3, remainder=remainder)
        batches = [ids(batch) for batch in rows.epoch(0, shuffle=shuffle)]
        list(rows.epoch(1))
        assert context._task.calls == 1  # the ranks agree once
        return batches

    for size, batches in zip(sizes, run_ranks(3, epoch), strict=True):
        assert [len(batch) for batch in batches] == [3] * expected
        seen = [row for batch in batches for row in batch]
        if remainder == "drop":
            assert len(set(seen)) == len(seen)
        else:
            assert set(seen) == set(range(size))
            assert seen[size:] == seen[: len(seen) - size]


def test_a_rank_without_a_batch_is_named():
    def count(context):
        return data(4 - context.rank, context=context, batch_size=4).batches_per_epoch

    with pytest.raises(ValueError, match="rank 1 has 3 rows and needs 4 at least for a batch of 4 rows"):
        run_ranks(2, count)


def test_ranks_shuffle_differently():
    orders = run_ranks(2, lambda context: [ids(b) for b in data(50, context=context, batch_size=50).epoch(0)])
    assert orders[0] != orders[1]
