"""Data through Python and to the client."""

import statistics
import time

import numpy
import pyarrow
import pyarrow.parquet
from table import Row


# Rows of a group of the Parquet files, and how many values there are (None: all are different): what pyarrow writes, of
# which few become dictionary pages; groups of so few rows that all of them do; and what most dictionaries are for.
SOURCES = {"Parquet": (1 << 20, None), "Parquet with dictionaries": (128 * 1024, None), "Parquet with 1,000 values": (1 << 20, 1000)}


def doubles(folder, rows, columns, seed, group, values=None):
    """A Parquet file of random doubles, and the sum of all of them."""
    path = folder / f"doubles-{rows}x{columns}-{seed}-{group}{f'-{values}' if values else ''}.parquet"
    random = numpy.random.default_rng(seed)
    data = {f"c{index}": random.choice(random.random(values), rows) if values else random.random(rows) for index in range(columns)}
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(data), path, row_group_size=group)
    return path, sum(float(column.sum()) for column in data.values())


def sum_everything(batches):
    import pyarrow
    import pyarrow.compute

    total = 0.0
    for batch in batches:
        total += sum(pyarrow.compute.sum(column).as_py() or 0.0 for column in batch.columns)
    yield pyarrow.RecordBatch.from_pydict({"total": [total]})


def interleaved(sessions, action, repeat):
    """{name: median seconds}, the servers by turns."""
    seconds = {name: [] for name in sessions}
    for _ in range(repeat + 1):
        for name, server in sessions.items():
            session = server.connect()
            start = time.perf_counter()
            action(session)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def cached(options, sessions):
    """{name: median seconds} from df.cache(), which has been read before."""
    path, expected = doubles(options.data, options.rows, options.columns, options.seed, *SOURCES["Parquet"])
    frames = {}
    for server in sessions.values():
        session = server.connect()
        frames[session] = session.read.parquet(str(path)).cache()
        assert frames[session].count() == options.rows

    def through_python(session):
        rows = frames[session].mapInArrow(sum_everything, "total double").collect()
        assert abs(sum(row.total for row in rows) - expected) < 1e-6 * expected

    try:
        return interleaved(sessions, through_python, options.repeat)
    finally:
        for frame in frames.values():
            frame.unpersist()


def row_of(options, source, seconds, factor):
    size = options.rows * options.columns * 8
    rates = {name: size / taken / (1 << 30) for name, taken in seconds.items()}
    ours, bar = rates.pop("deuteron"), factor * rates["sail"]
    name = f"mapInArrow sums {options.rows:,} × {options.columns} doubles {source}"
    return Row(name, ours, "GiB/s", bar, False, rates, f"bar: {factor} × Sail")


def measure(options, running):
    size = options.rows * options.columns * 8
    sessions = {name: running(name) for name in ["deuteron", "sail", *(["spark"] if options.spark else [])]}
    for source, content in SOURCES.items():
        path, expected = doubles(options.data, options.rows, options.columns, options.seed, *content)

        def through_python(session, path=path, expected=expected):
            rows = session.read.parquet(str(path)).mapInArrow(sum_everything, "total double").collect()
            assert abs(sum(row.total for row in rows) - expected) < 1e-6 * expected

        yield row_of(options, f"from {source}", interleaved(sessions, through_python, options.repeat), 1)
    yield row_of(options, "from a cached table", cached(options, sessions), 2)

    path, _ = doubles(options.data, options.rows, options.columns, options.seed, *SOURCES["Parquet"])

    def to_client(session):
        assert session.read.parquet(str(path)).toArrow().num_rows == options.rows

    rates = {name: size / seconds / 1e9 for name, seconds in interleaved(sessions, to_client, options.repeat).items()}
    yield Row(f"toArrow() of {size / 1e6:.0f} MB", rates.pop("deuteron"), "GB/s", 0.4, False, rates)
