"""Python functions over pandas, and more data than memory through Python."""

import threading

import servers
import transfer
from pyspark.sql import functions
from pyspark.sql.functions import pandas_udf
from table import Row

SMALL_MEMORY = "1GB"
LARGE_BYTES = 10 * 10**9


def count_rows(frames):
    import pandas

    for frame in frames:
        yield pandas.DataFrame({"rows": [len(frame)], "total": [float(frame["c0"].sum())]})


def sum_of_columns(*columns):
    return sum(columns[1:], columns[0])


def sum_of_batches(batches):
    import pyarrow
    import pyarrow.compute

    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({"total": [pyarrow.compute.sum(batch.column(0)).as_py()]})


def measure(options, running):
    path, _ = transfer.doubles(options.data, options.rows, options.columns, options.seed, *transfer.SOURCES["Parquet"])
    size = options.rows * options.columns * 8
    sessions = {name: running(name) for name in ["deuteron", "sail", *(["spark"] if options.spark else [])]}

    def frames(session):
        rows = session.read.parquet(str(path)).mapInPandas(count_rows, "rows long, total double").collect()
        assert sum(row.rows for row in rows) == options.rows

    def columns(session):
        add = pandas_udf(sum_of_columns, "double", functionType=functions.PandasUDFType.SCALAR)
        names = [f"c{index}" for index in range(options.columns)]
        session.read.parquet(str(path)).select(add(*names).alias("x")).agg(functions.sum("x")).collect()

    for what, action, factor in (("mapInPandas counts", frames, 3), ("scalar pandas_udf adds", columns, 1.3)):
        seconds = transfer.interleaved(sessions, action, options.repeat)
        rates = {name: size / taken / (1 << 30) for name, taken in seconds.items()}
        ours, bar = rates.pop("deuteron"), factor * rates["sail"]
        name = f"{what} {options.rows:,} × {options.columns} doubles from Parquet"
        yield Row(name, ours, "GiB/s", bar, False, rates, f"bar: {factor} × Sail")
    yield large(100)
    yield large(2)


def large(partitions):
    """10 GB through Python on a server that may use 1 GB; the peak is of the server and all processes below it. Of two large
    partitions what was read is not kept, and what is not read yet holds up whoever makes more."""
    server = servers.make("deuteron")
    server.command += ["--memory", SMALL_MEMORY]
    server.start()
    peak, ended = 0.0, threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, server.proportional_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        rows = LARGE_BYTES // 8
        session = server.connect()
        answer = session.range(0, rows, 1, partitions).mapInArrow(sum_of_batches, "total long").agg(functions.sum("total"))
        assert answer.collect()[0][0] == rows * (rows - 1) // 2
    finally:
        ended.set()
        watcher.join()
        server.stop()
    what = f"peak resident while 10 GB in {partitions} partitions go through mapInArrow, --memory {SMALL_MEMORY}"
    return Row(what, peak, "MiB")
