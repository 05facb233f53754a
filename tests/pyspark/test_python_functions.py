"""Python functions: scalar and pandas UDFs, mapInPandas, mapInArrow, applyInPandas."""

import os
import time
import uuid
from collections.abc import Iterator

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from pyspark.errors import PythonException, UnsupportedOperationException
from pyspark.sql import Row
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf, udf


def ids(frame, column="id"):
    return sorted(row[column] for row in frame.collect())


# --- scalar ----------------------------------------------------------------------------------------------------------


def test_udf(spark):
    @udf("string")
    def shout(text, count):
        return None if text is None else text.upper() + "!" * count

    frame = spark.createDataFrame([("a", 1), (None, 2), ("ä", 0)], "s string, n int")
    assert [row.x for row in frame.orderBy("n").select(shout("s", "n").alias("x")).collect()] == ["Ä", "A!", None]


def test_udf_of_an_expression_beside_other_columns(spark):
    double = udf(lambda value: value * 2, "bigint")
    answer = spark.range(4).select("id", double(F.col("id") + 1).alias("d"), (double("id") + 1).alias("e")).orderBy("id")
    assert [tuple(row) for row in answer.collect()] == [(0, 2, 1), (1, 4, 3), (2, 6, 5), (3, 8, 7)]


def test_udf_in_a_filter(spark):
    is_even = udf(lambda value: value % 2 == 0, "boolean")
    assert ids(spark.range(6).filter(is_even("id"))) == [0, 2, 4]


def test_udf_of_a_udf(spark):
    increment = udf(lambda value: value + 1, "bigint")
    assert ids(spark.range(3).select(increment(increment("id")).alias("id"))) == [2, 3, 4]


def test_udf_with_arrow(spark):
    increment = udf(lambda value: value + 1, "bigint", useArrow=True)
    assert ids(spark.range(3).select(increment("id").alias("id"))) == [1, 2, 3]


def test_udf_before_and_after_an_aggregate(spark):
    bucket = udf(lambda value: f"b{value % 3}", "string")
    length = udf(lambda value: value * 10, "bigint")
    answer = spark.range(9).groupBy(bucket("id").alias("b")).count().select("b", length("count").alias("n")).orderBy("b")
    assert [tuple(row) for row in answer.collect()] == [("b0", 30), ("b1", 30), ("b2", 30)]


def test_udf_registered_for_sql(new_session):
    spark = new_session()
    spark.udf.register("plus", lambda left, right: left + right, "int")
    assert spark.sql("select plus(1, 2) as x").first().x == 3


def test_udf_types(spark):
    @udf("struct<a:int,b:array<string>>")
    def split(text):
        return (len(text), text.split())

    answer = spark.sql("select 'x y' as s").select(split("s").alias("r")).first().r
    assert answer == Row(a=3, b=["x", "y"])


def test_udf_keyword_arguments(spark):
    divide = udf(lambda top, bottom: top / bottom, "double")
    assert spark.range(1).select(divide(bottom=F.lit(4.0), top=F.lit(2.0)).alias("x")).first().x == 0.5


def test_udf_closure_and_module(spark):
    import math
    offset = 100
    shifted = udf(lambda value: int(math.sqrt(value)) + offset, "int")
    assert spark.sql("select 16 as v").select(shifted("v").alias("x")).first().x == 104


def test_udf_over_no_rows(spark):
    double = udf(lambda value: value * 2, "bigint")
    assert spark.range(0).select(double("id").alias("x")).collect() == []


# --- pandas ----------------------------------------------------------------------------------------------------------


def test_pandas_udf(spark):
    @pandas_udf("double")
    def half(values: pandas.Series) -> pandas.Series:
        return values / 2

    answer = spark.range(4).select("id", half(F.col("id").cast("double")).alias("h")).orderBy("id")
    assert [row.h for row in answer.collect()] == [0.0, 0.5, 1.0, 1.5]


def test_pandas_udf_of_two_columns(spark):
    @pandas_udf("string")
    def join(left: pandas.Series, right: pandas.Series) -> pandas.Series:
        return left + "-" + right.astype(str)

    frame = spark.createDataFrame([("a", 1), ("b", 2)], "s string, n int")
    assert [row.x for row in frame.select(join("s", "n").alias("x")).orderBy("x").collect()] == ["a-1", "b-2"]


def test_pandas_iterator_udf(spark):
    @pandas_udf("bigint")
    def plus_prepared(batches: Iterator[pandas.Series]) -> Iterator[pandas.Series]:
        prepared = 100
        for batch in batches:
            yield batch + prepared

    assert ids(spark.range(0, 6, 1, 2).select(plus_prepared("id").alias("id"))) == list(range(100, 106))


def test_pandas_udf_with_nulls(spark):
    @pandas_udf("boolean")
    def missing(values: pandas.Series) -> pandas.Series:
        return values.isna()

    frame = spark.createDataFrame([(1,), (None,)], "x int")
    assert sorted(row.m for row in frame.select(missing("x").alias("m")).collect()) == [False, True]


# --- map and group ---------------------------------------------------------------------------------------------------


def test_map_in_pandas(spark):
    def keep(frames):
        for frame in frames:
            yield frame[frame.id % 2 == 0].assign(square=lambda kept: kept.id ** 2)

    answer = spark.range(0, 10, 1, 3).mapInPandas(keep, "id long, square long")
    assert sorted(map(tuple, answer.collect())) == [(0, 0), (2, 4), (4, 16), (6, 36), (8, 64)]


def test_map_in_arrow(spark):
    def add(batches):
        for batch in batches:
            yield pyarrow.RecordBatch.from_arrays([pyarrow.compute.add(batch.column("id"), 1), batch.column("s")], ["id", "s"])

    frame = spark.createDataFrame([(1, "a"), (2, None)], "id long, s string")
    assert [tuple(row) for row in frame.mapInArrow(add, "id long, s string").orderBy("id").collect()] == [(2, "a"), (3, None)]


def test_map_in_arrow_keeps_every_type(spark):
    source = spark.sql("""select true as a, 1Y as b, 2S as c, 3 as d, 4L as e, 1.5F as f, 2.5D as g, 1.10BD as h, 'ä' as i, X'01ff' as j,
        date'2024-01-05' as k, timestamp'2024-01-05 10:00:00.5' as l, timestamp_ntz'2024-01-05 10:00:00' as m, array(1, null) as n,
        map('k', 1) as o, named_struct('x', 1, 'y', array('z')) as p, interval '1 02:03:04' day to second as q, cast(null as int) as r""")
    assert source.mapInArrow(lambda batches: batches, source.schema).collect() == source.collect()


def test_batches_have_no_more_bytes_than_asked_for(new_session):
    def rows(batches):
        for batch in batches:
            yield pyarrow.RecordBatch.from_pydict({"rows": [batch.num_rows]})

    spark = new_session()
    spark.conf.set("spark.sql.execution.arrow.maxBytesPerBatch", "160")
    sizes = [row.rows for row in spark.range(0, 100, 1, 1).mapInArrow(rows, "rows long").collect()]
    assert sum(sizes) == 100 and max(sizes) <= 20


def test_a_setting_that_is_not_supported_is_refused(new_session):
    with pytest.raises(UnsupportedOperationException, match="useLargeVarTypes=true"):
        new_session().conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")


def test_map_in_arrow_of_a_large_input(spark):
    def total(batches):
        rows = sum(batch.num_rows for batch in batches)
        yield pyarrow.RecordBatch.from_pydict({"rows": [rows], "process": [os.getpid()]})

    answer = spark.range(0, 3_000_000, 1, 3).mapInArrow(total, "rows long, process long").collect()
    assert sorted(row.rows for row in answer) == [1_000_000] * 3


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """A partition that several threads make: 6 M rows in 20 row groups, about 100 MB."""
    path = tmp_path_factory.mktemp("large") / "x.parquet"
    numbers = numpy.arange(6_000_000)
    table = pyarrow.table({"n": numbers, "x": numpy.random.default_rng(3).random(len(numbers))})
    pyarrow.parquet.write_table(table, path, row_group_size=300_000, use_dictionary=False)
    return str(path)


def test_map_in_arrow_sees_the_rows_of_a_file_in_order(new_session, large_file):
    spark = new_session()
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(1 << 30))
    spark.conf.set("spark.sql.files.openCostInBytes", str(1 << 30))  # so that the file is one partition

    def gaps(batches):
        expected, found = 0, 0
        for batch in batches:
            numbers = batch.column("n").to_numpy()
            found += int((numbers != numpy.arange(expected, expected + len(numbers))).sum())
            expected += len(numbers)
        yield pyarrow.RecordBatch.from_pydict({"rows": [expected], "gaps": [found]})

    assert spark.read.parquet(large_file).mapInArrow(gaps, "rows long, gaps long").collect() == [(6_000_000, 0)]


def test_columns_that_wait_meet_their_rows_again(spark, large_file):
    @pandas_udf("long")
    def same(n):
        return n

    read = spark.read.parquet(large_file).select("n", "x", same("n").alias("m"))
    assert read.filter("n <> m").count() == 0 and read.agg(F.max("m")).collect() == [(5_999_999,)]


def test_map_makes_more_than_it_takes(spark):
    def grow(batches):
        for batch in batches:
            for copy in range(100):
                yield pyarrow.RecordBatch.from_pydict({"x": [copy] * batch.num_rows * 1000})

    assert spark.range(0, 10, 1, 1).mapInArrow(grow, "x long").count() == 1_000_000


def test_map_that_does_not_read_its_input(spark):
    def ignore(batches):
        yield pyarrow.RecordBatch.from_pydict({"x": [1]})

    assert spark.range(0, 1_000_000, 1, 2).mapInArrow(ignore, "x long").count() == 2


def test_map_then_sql_then_map(spark):
    def identity(frames):
        yield from frames

    first = spark.range(100).mapInPandas(identity, "id long").filter("id < 50").groupBy((F.col("id") % 5).alias("k")).count()
    assert sorted(map(tuple, first.mapInPandas(identity, "k long, count long").collect())) == [(k, 10) for k in range(5)]


def test_map_after_limit_and_order(spark):
    def first_value(frames):
        for frame in frames:
            yield frame.head(1)

    answer = spark.range(100).orderBy(F.col("id").desc()).limit(10).coalesce(1).mapInPandas(first_value, "id long")
    assert answer.collect()[0].id == 99


def test_result_columns_are_matched_by_name(spark):
    def swapped(frames):
        for frame in frames:
            yield pandas.DataFrame({"b": ["x"] * len(frame), "a": frame.id})

    assert spark.range(1).mapInPandas(swapped, "a long, b string").collect() == [Row(a=0, b="x")]


def test_wrong_result_schema(spark):
    def wrong(batches):
        for batch in batches:
            yield pyarrow.RecordBatch.from_pydict({"other": ["x"] * batch.num_rows})

    with pytest.raises(Exception) as caught:
        spark.range(1).mapInArrow(wrong, "id long").collect()
    assert caught.value.getCondition() == "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"


def test_apply_in_pandas(spark):
    def centre(frame):
        return frame.assign(v=frame.v - frame.v.mean())

    frame = spark.createDataFrame([("a", 1.0), ("a", 3.0), ("b", 5.0), (None, 7.0)], "k string, v double")
    answer = frame.groupBy("k").applyInPandas(centre, "k string, v double").collect()
    assert sorted(map(tuple, answer), key=str) == sorted([("a", -1.0), ("a", 1.0), ("b", 0.0), (None, 0.0)], key=str)


def test_apply_in_pandas_with_the_key(spark):
    def count(key, frame):
        return pandas.DataFrame({"k": [key[0]], "n": [len(frame)]})

    answer = spark.range(1000).groupBy((F.col("id") % 7).alias("k")).applyInPandas(count, "k long, n long").orderBy("k").collect()
    assert [row.n for row in answer] == [143, 143, 143, 143, 143, 143, 142]


# --- processes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def four_row_groups(tmp_path):
    """A file of four row groups, and settings under which each is a partition."""
    path = tmp_path / "four.parquet"
    table = pyarrow.table({"g": [group for group in range(4) for _ in range(1000)], "x": list(range(4000))})
    pyarrow.parquet.write_table(table, path, row_group_size=1000, compression="none", use_dictionary=False)
    return path


def test_row_groups_run_in_several_processes_at_once(new_session, four_row_groups):
    spark = new_session()
    size = four_row_groups.stat().st_size
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(size // 4 + 1))
    spark.conf.set("spark.sql.files.openCostInBytes", "0")

    def work(batches):
        start = time.time()
        rows = sum(batch.num_rows for batch in batches)
        time.sleep(0.3)
        yield pyarrow.RecordBatch.from_pydict({"process": [os.getpid()], "rows": [rows], "start": [start], "end": [time.time()]})

    runs = spark.read.parquet(str(four_row_groups)).mapInArrow(work, "process long, rows long, start double, end double").collect()
    busy = [run for run in runs if run.rows]
    assert sum(run.rows for run in runs) == 4000
    assert len({run.process for run in busy}) >= 2
    assert any(a.process != b.process and a.start < b.end and b.start < a.end for a in busy for b in busy)


def test_workers_are_not_the_server(server, spark):
    def process(batches):
        yield pyarrow.RecordBatch.from_pydict({"process": [os.getpid()]})

    seen = {row.process for row in spark.range(1).mapInArrow(process, "process long").collect()}
    assert os.getpid() not in seen
    if server.process is not None:
        assert server.process.pid not in seen


@pytest.mark.deuteron  # Apache Spark starts anew after mapInArrow
def test_workers_are_used_again(spark):
    def process(batches):
        list(batches)
        yield pyarrow.RecordBatch.from_pydict({"process": [os.getpid()]})

    seen = [spark.range(0, 1, 1, 1).mapInArrow(process, "process long").first().process for _ in range(5)]
    assert len(set(seen)) < 5


def test_partition_ids(spark):
    def partition(batches):
        from pyspark import TaskContext

        list(batches)
        yield pyarrow.RecordBatch.from_pydict({"p": [TaskContext.get().partitionId()]})

    assert sorted(row.p for row in spark.range(0, 8, 1, 4).mapInArrow(partition, "p long").collect()) == [0, 1, 2, 3]


def test_foreach_sees_every_row_once(spark, tmp_path):
    def write(row):
        (tmp_path / f"row-{row.id}").write_text(row.text)

    assert spark.range(20).selectExpr("id", "id || 'x' AS text").foreach(write) is None
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {f"row-{i}": f"{i}x" for i in range(20)}


def test_foreach_partition_sees_every_row_once(spark, tmp_path):
    def write(rows):
        name = uuid.uuid4().hex
        (tmp_path / name).write_text(" ".join(str(row.id) for row in rows))

    assert spark.range(0, 20, 1, 3).foreachPartition(write) is None
    assert sorted(int(word) for file in tmp_path.iterdir() for word in file.read_text().split()) == list(range(20))


def test_foreach_that_raises(spark):
    def fail(row):
        raise ValueError(f"not {row.id}")

    with pytest.raises(PythonException, match="ValueError: not 3"):
        spark.range(3, 4).foreach(fail)


def test_printing_does_no_harm(spark):
    def loud(batches):
        print("this goes nowhere" * 1000)
        os.write(1, b"nor this")
        yield from batches

    assert ids(spark.range(3).mapInArrow(loud, "id long")) == [0, 1, 2]


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_udf_that_raises(spark):
    def fail(value):
        raise ValueError(f"no {value}")

    with pytest.raises(PythonException) as caught:
        spark.range(1).select(udf(fail, "int")("id")).collect()
    assert "ValueError: no 0" in str(caught.value)
    assert "in fail" in str(caught.value)
    assert spark.range(2).count() == 2


def test_a_map_that_raises_after_some_batches(spark):
    def fail(batches):
        for batch in batches:
            yield batch
        raise KeyError("late")

    with pytest.raises(PythonException, match="KeyError: 'late'"):
        spark.range(100).mapInArrow(fail, "id long").collect()
    assert spark.range(2).count() == 2


def test_sys_exit_in_a_udf(spark):
    def leave(value):
        import sys
        sys.exit(3)

    with pytest.raises(Exception):
        spark.range(1).select(udf(leave, "int")("id")).collect()
    assert ids(spark.range(3).select(udf(lambda value: value, "bigint")("id").alias("id"))) == [0, 1, 2]


def test_a_function_that_cannot_be_loaded(spark):
    class Unloadable:
        def __reduce__(self):
            return (eval, ("1 / 0",))

    bad = Unloadable()
    with pytest.raises(Exception, match="division by zero|ZeroDivisionError"):
        spark.range(1).select(udf(lambda value: str(bad), "string")("id")).collect()
    assert spark.range(2).count() == 2
