"""spark.profile: what the functions of a session cost, seen by the stock client."""

import io
import pstats
from collections.abc import Iterator
from contextlib import redirect_stdout

import pandas
import pyarrow
import pytest
from pyspark.errors import IllegalArgumentException
from pyspark.memory_profiler_ext import has_memory_profiler
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.functions import arrow_udf, pandas_udf, udf
from pyspark.sql.types import LongType

PROFILER = "spark.sql.pyspark.udf.profiler"


def step(value):
    return value + 1


def step_batches(batches):
    yield from batches


@pandas_udf(LongType())
def step_pandas(values: pandas.Series) -> pandas.Series:
    return step(values)


@pandas_udf(LongType())
def step_pandas_iterator(batches: Iterator[pandas.Series]) -> Iterator[pandas.Series]:
    for values in batches:
        yield step(values)


@arrow_udf(LongType())
def step_arrow(values: pyarrow.Array) -> pyarrow.Array:
    return pyarrow.array(step(values.to_numpy()))


@pandas_udf(LongType())
def total(values: pandas.Series) -> int:
    return step(values).sum()


def step_frame(frame):
    step(frame)
    return frame


KINDS = {
    "udf": (lambda numbers: numbers.select(udf(step, "long", useArrow=False)("id")), "step"),
    "udf-arrow": (lambda numbers: numbers.select(udf(step, "long", useArrow=True)("id")), "step"),
    "udf-in-filter": (lambda numbers: numbers.filter(udf(step, "long")("id") > 3), "step"),
    "pandas": (lambda numbers: numbers.select(step_pandas("id")), "step_pandas"),
    "pandas-iterator": (lambda numbers: numbers.select(step_pandas_iterator("id")), "step_pandas_iterator"),
    "arrow": (lambda numbers: numbers.select(step_arrow("id")), "step_arrow"),
    "aggregate": (lambda numbers: numbers.groupBy().agg(total("id")), "total"),
    "map-in-arrow": (lambda numbers: numbers.mapInArrow(step_batches, "id long"), "step_batches"),
    "map-in-pandas": (lambda numbers: numbers.mapInPandas(step_batches, "id long"), "step_batches"),
    "apply-in-pandas": (lambda numbers: numbers.groupBy("id").applyInPandas(step_frame, "id long"), "step_frame"),
}


@pytest.fixture
def profiling(new_session):
    spark = new_session()
    spark.conf.set(PROFILER, "perf")
    return spark


def profiles(spark):
    """Of each profile: how often each function was called."""
    collector = spark.client._profiler_collector
    return {key: {name: calls for (_, _, name), (_, calls, *_) in stats.stats.items()}
            for key, stats in collector._perf_profile_results.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_of_each_kind(profiling, kind):
    query, function = KINDS[kind]
    assert query(profiling.range(0, 10, 1, 2)).collect()
    (profile,) = profiles(profiling).values()
    assert profile[function] >= 1


@pytest.mark.parametrize("arrow", [False, True])
def test_all_rows_of_all_partitions_are_counted(profiling, arrow):
    profiling.range(0, 10, 1, 4).select(udf(step, "long", useArrow=arrow)("id")).collect()
    (profile,) = profiles(profiling).values()
    assert profile["step"] == 10


def test_each_function_of_each_query_has_a_profile(profiling):
    plus, minus = udf(lambda value: value + 1, "long"), udf(lambda value: value - 1, "long")
    for _ in range(2):
        profiling.range(3).select(plus("id"), minus("id")).collect()
    assert [profile["<lambda>"] for profile in profiles(profiling).values()] == [3, 3, 3, 3]


def test_show_dump_and_clear(profiling, tmp_path):
    profiling.range(5).select(udf(step, "long")("id")).collect()
    (key,) = profiles(profiling)
    printed = io.StringIO()
    with redirect_stdout(printed):
        profiling.profile.show(type="perf")
    assert f"Profile of UDF<id={key}>" in printed.getvalue() and "(step)" in printed.getvalue()
    profiling.profile.dump(str(tmp_path), type="perf")
    dumped = pstats.Stats(str(tmp_path / f"udf_{key}_perf.pstats"))
    assert any(name == "step" for _, _, name in dumped.stats)
    profiling.profile.clear()
    assert profiles(profiling) == {}


def test_no_profile_unless_it_is_asked_for(profiling):
    profiling.conf.unset(PROFILER)
    profiling.range(5).select(udf(step, "long")("id")).collect()
    assert profiles(profiling) == {}


def test_a_function_that_raises_has_no_profile(profiling):
    with pytest.raises(Exception, match="ZeroDivisionError"):
        profiling.range(5).select(udf(lambda value: 1 // 0, "long")("id")).collect()
    assert profiling.range(5).count() == 5
    assert profiles(profiling) == {}


def test_profiles_stay_in_their_session(profiling, new_session):
    other = new_session()
    profiling.range(5).select(udf(step, "long")("id")).collect()
    other.range(5).select(udf(step, "long")("id")).collect()
    assert len(profiles(profiling)) == 1 and profiles(other) == {}


def test_a_gang_is_profiled(profiling):
    profiling.range(0, 2, 1, 2).mapInArrow(step_batches, "id long", barrier=True).collect()
    (profile,) = profiles(profiling).values()
    assert profile["step_batches"] >= 2


class Numbers(DataSource):
    def schema(self):
        return "n int"

    def reader(self, schema):
        return NumbersReader()


class NumbersReader(DataSourceReader):
    def partitions(self):
        return [InputPartition(step(0))]

    def read(self, partition):
        yield (step(0),)


def test_a_data_source_is_profiled(new_session):
    spark = new_session()
    spark.conf.set("spark.sql.pyspark.dataSource.profiler", "perf")
    spark.dataSource.register(Numbers)
    assert spark.read.format("Numbers").load().collect() == [(1,)]
    found = profiles(spark)
    assert found["create_data_source"]["schema"] == 1
    assert found["plan_data_source_read"]["partitions"] == 1
    assert [profile["step"] for key, profile in found.items() if isinstance(key, int)] == [1]


@pytest.mark.skipif(has_memory_profiler, reason="tells what happens without the package memory_profiler")
def test_memory_profiles_need_a_package(profiling):
    profiling.conf.set(PROFILER, "memory")
    assert len(profiling.range(5).select(udf(step, "long")("id")).collect()) == 5
    with pytest.warns(UserWarning, match="memory_profiler"):
        profiling.profile.show(type="memory")


@pytest.mark.skipif(not has_memory_profiler, reason="needs the package memory_profiler")
@pytest.mark.parametrize("arrow", [False, True])
def test_a_memory_profile(profiling, arrow):
    profiling.conf.set(PROFILER, "memory")
    profiling.range(5).select(udf(step, "long", useArrow=arrow)("id")).collect()
    (profile,) = profiling.client._profiler_collector._memory_profile_results.values()
    assert profile


def test_an_unknown_profiler(profiling):
    with pytest.raises(IllegalArgumentException) as caught:
        profiling.conf.set(PROFILER, "time")
    assert caught.value.getCondition() == "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS"
    assert caught.value.getMessageParameters() == {"confName": PROFILER, "confValue": "time", "confOptions": "perf, memory"}


def test_settings_that_are_known_and_not_set(new_session):
    spark = new_session()
    assert spark.conf.get(PROFILER) is None and spark.conf.get(PROFILER, "perf") == "perf"
    assert spark.conf.get("spark.sql.pyspark.dataSource.profiler") is None
