"""How data reaches Python functions: where it lies, how often it was copied, and that it is the same from every source."""

from collections.abc import Iterator

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf, pandas_udf

PLACE = "mapping string, inode long, offset long"
ALL_TYPES = """select id, if(id % 7 = 0, null, id / 3D) as d, if(id % 5 = 0, null, repeat('ä', int(id % 40))) as s, id % 2 = 0 as b,
    cast(id as decimal(20, 3)) as n, date_add(date'2024-01-01', int(id % 1000)) as day, timestamp_seconds(id) as t,
    if(id % 11 = 0, null, array(id, null)) as list, named_struct('x', id, 'y', string(id)) as pair, map(string(id), id) as m, id as last
    from range(0, 60000, 1, 3)"""


def place_of(address):
    """What is mapped at the address in this process: how, which file, and where in the file."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        for line in maps:
            span, access, offset, _, inode, *name = line.split()
            begin, end = (int(part, 16) for part in span.split("-"))
            if begin <= address < end:
                return {"mapping": f"{access} {''.join(name)}", "inode": int(inode), "offset": int(offset, 16) + address - begin}
    raise AssertionError("nothing is mapped there")


def places_of_views(batches):
    """Of a NumPy view of each column of each batch; to_numpy() raises if that took a copy."""
    for batch in batches:
        views = [column.to_numpy(zero_copy_only=True) for column in batch.columns]
        yield pyarrow.RecordBatch.from_pylist([place_of(view.__array_interface__["data"][0]) for view in views])


@pytest.fixture(scope="module")
def doubles(tmp_path_factory):
    path = tmp_path_factory.mktemp("doubles") / "x.parquet"
    random = numpy.random.default_rng(5)
    pyarrow.parquet.write_table(pyarrow.table({name: random.random(500_000) for name in "abc"}), path, row_group_size=100_000)
    return str(path)


def assert_in_shared_memory(places):
    assert places and all(place.mapping.startswith("r--s /memfd:deuteron-slab") for place in places), places
    assert all(place.offset % 64 == 0 for place in places)


@pytest.mark.deuteron
def test_numpy_views_of_a_file_lie_in_the_mapping(spark, doubles):
    assert_in_shared_memory(spark.read.parquet(doubles).mapInArrow(places_of_views, PLACE).collect())


@pytest.mark.deuteron
def test_numpy_views_of_computed_columns_lie_in_the_mapping(spark):
    frame = spark.range(300_000).select("id", (F.col("id") * 0.5).alias("x"))
    assert_in_shared_memory(frame.filter("id % 3 > 0").mapInArrow(places_of_views, PLACE).collect())


@pytest.mark.deuteron  # the series of a pandas_udf do not: PySpark and pandas make them
def test_columns_of_an_arrow_udf_lie_in_the_mapping(spark, doubles):
    @arrow_udf("string")
    def where(a: pyarrow.Array, c: pyarrow.Array) -> pyarrow.Array:
        views = [column.to_numpy(zero_copy_only=True) for column in (a, c)]
        places = {place_of(view.__array_interface__["data"][0])["mapping"] for view in views}
        return pyarrow.array([" and ".join(sorted(places))] * len(a))

    answer = spark.read.parquet(doubles).select(where("a", "c").alias("place")).distinct().collect()
    assert [row.place for row in answer] == ["r--s /memfd:deuteron-slab(deleted)"]


@pytest.mark.deuteron
def test_a_cached_table_is_seen_where_it_lies(spark, doubles):
    """The columns are at the same place in the same file, whichever of them a function takes."""
    frame = spark.read.parquet(doubles).cache()
    assert frame.count() == 500_000

    def places(*columns):
        rows = frame.select(*columns).mapInArrow(places_of_views, PLACE).collect()
        assert_in_shared_memory(rows)
        return {(row.inode, row.offset) for row in rows}

    everything = places("a", "b", "c")
    assert places("c", "a") | places("b") == everything and len(everything) % 3 == 0
    assert places("b") < everything
    frame.unpersist()


def same(batches):
    yield from batches


@pytest.mark.parametrize("shape", ["all", "some", "filtered", "coalesced", "computed", "twice", "small batches"])
def test_a_cached_table_of_all_types(new_session, shape):
    spark = new_session()
    if shape == "small batches":
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
    shapes = {
        "some": lambda frame: frame.select("last", F.col("list").alias("other"), "pair", "m", "s"),
        "filtered": lambda frame: frame.filter("id % 3 = 1"),
        "coalesced": lambda frame: frame.coalesce(2),
        "computed": lambda frame: frame.select("s", (F.col("id") + 1).alias("more")),
        "twice": lambda frame: frame.mapInArrow(same, frame.schema),
    }
    take = shapes.get(shape, lambda frame: frame)
    expected = take(spark.sql(ALL_TYPES)).collect()
    cached = spark.sql(ALL_TYPES).cache()
    assert cached.count() == 60_000
    shaped = take(cached)
    assert shaped.mapInArrow(same, shaped.schema).collect() == expected
    cached.unpersist()


def test_partitions_of_a_cached_table(spark):
    def rows(batches):
        yield pyarrow.RecordBatch.from_pydict({"rows": [sum(batch.num_rows for batch in batches)]})

    def counts(frame, **options):
        return [row.rows for row in frame.mapInArrow(rows, "rows long", **options).collect()]

    cached = spark.range(0, 400_000, 1, 4).filter("id < 50000 or id >= 200000").cache()
    assert counts(cached) == [50_000, 0, 100_000, 100_000]
    assert counts(cached.coalesce(2)) == counts(cached.coalesce(2), barrier=True) == [50_000, 200_000]
    cached.unpersist()


def test_a_cached_table_outlives_arrays_that_a_function_keeps(spark):
    cached = spark.range(0, 300_000, 1, 2).cache()
    expected = [sum(range(150_000)), sum(range(150_000, 300_000))]

    def total(batches):
        kept = list(batches)
        import deuteron.worker

        deuteron.worker.kept_by_a_test = kept
        yield pyarrow.RecordBatch.from_pydict({"total": [sum(batch.column(0).to_numpy().sum() for batch in kept)]})

    for _ in range(3):
        assert [row.total for row in cached.mapInArrow(total, "total long").collect()] == expected
    cached.unpersist()


def test_a_pandas_udf_over_a_cached_table(spark):
    @pandas_udf("double")
    def half(parts: Iterator[pandas.Series]) -> Iterator[pandas.Series]:
        for part in parts:
            yield part / 2

    cached = spark.range(0, 300_000, 1, 3).select("id", F.col("id").cast("string").alias("text")).cache()
    answer = cached.select("text", half("id").alias("half"))
    assert answer.filter("half * 2 <> cast(text as double)").count() == 0 and answer.count() == 300_000
    cached.unpersist()
