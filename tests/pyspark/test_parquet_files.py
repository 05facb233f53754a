"""Parquet files as other programs write them, seen by Python functions: each value as it was written, however it was encoded."""

import datetime
import functools
from decimal import Decimal

import numpy
import pyarrow
import pyarrow.parquet
import pytest
from pyspark.errors import PySparkException

ROWS = 40_000
PLAIN = {
    "pyarrow's defaults": {},
    "small row groups": {"row_group_size": 3_000},
    "small pages": {"data_page_size": 2_000, "write_batch_size": 100},
    "pages of the second version": {"data_page_version": "2.0", "row_group_size": 11_000},
    "second version, uncompressed": {"data_page_version": "2.0", "compression": "none"},
    "zstd": {"compression": "zstd"},
    "uncompressed": {"compression": "none"},
    "no dictionaries": {"use_dictionary": False},
    "no dictionaries, zstd, small pages": {"use_dictionary": False, "compression": "zstd", "data_page_size": 2_000},
    "decimals as integers": {"store_decimal_as_integer": True},
    "decimals as integers, no dictionaries": {"store_decimal_as_integer": True, "use_dictionary": False},
    "a dictionary that is given up": {"dictionary_pagesize_limit": 4_000},
}
# Left to the engine's own reader.
OTHERS = {
    "gzip": {"compression": "gzip"},
    "differences": {"use_dictionary": False, "column_encoding": {"id": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"}},
    "split bytes": {"use_dictionary": False, "column_encoding": {"many": "BYTE_STREAM_SPLIT"}},
}


def same(batches):
    yield from batches


def decimals(numbers, precision, scale):
    """These many of the smallest unit."""
    values = [None if number is None else Decimal(number).scaleb(-scale) for number in numbers.to_pylist()]
    return pyarrow.array(values, pyarrow.decimal128(precision, scale))


@functools.cache
def written(nulls, required=False):
    """Columns of few and of many values, some null."""
    random = numpy.random.default_rng(11)
    texts = [f"{'ä' * (i % 7)}{i}" + "long" * (10 if i % 50 == 0 else 0) for i in range(300)]

    def column(values, kind):
        mask = random.random(ROWS) < nulls
        if nulls:
            mask[5_000:9_000] = True  # pages without a value
            mask[12_000:20_000] = False
        return pyarrow.array(values, kind, mask=None if required else mask)

    columns = {
        "id": pyarrow.array(numpy.arange(ROWS)),
        "few": column(random.integers(0, 10, ROWS) / 7, pyarrow.float64()),
        "many": column(random.random(ROWS) - 0.5, pyarrow.float64()),
        "single": column(numpy.float32([0.1, -numpy.inf, 2.5])[random.integers(0, 3, ROWS)], pyarrow.float32()),
        "whole": column(random.integers(-(2**31), 2**31, ROWS).astype("int32"), pyarrow.int32()),
        "constant": column(numpy.full(ROWS, 7, "int64"), pyarrow.int64()),
        "text": column([texts[i] for i in random.integers(0, 300, ROWS)], pyarrow.string()),
        "key": column([f"{i:x}" for i in random.integers(0, 2**60, ROWS)], pyarrow.string()),
        "truth": column(random.integers(0, 9, ROWS) > 6, pyarrow.bool_()),
        "tiny": column(random.integers(-128, 128, ROWS).astype("int8"), pyarrow.int8()),
        "small": column(random.integers(-(2**15), 2**15, ROWS).astype("int16"), pyarrow.int16()),
        "octets": column([random.bytes(i % 40) for i in range(ROWS)], pyarrow.binary()),
        "price": decimals(column(random.integers(-(10**8), 10**8, ROWS), pyarrow.int64()), 9, 2),
        "sum": decimals(column(random.integers(-(10**17), 10**17, ROWS), pyarrow.int64()), 18, 4),
        "huge": decimals(column(random.integers(-(2**62), 2**62, ROWS), pyarrow.int64()), 38, 10),
        "fee": decimals(column(random.integers(-50, 50, ROWS), pyarrow.int64()), 5, 0),
        "day": column(random.integers(-1000, 30_000, ROWS).astype("int32"), pyarrow.date32()),
        "moment": column(random.integers(0, 2**50, ROWS), pyarrow.timestamp("us", "UTC")),
        "local": column(random.integers(0, 2**50, ROWS), pyarrow.timestamp("us")),
    }
    fields = [pyarrow.field(name, values.type, nullable=not required) for name, values in columns.items()]
    return pyarrow.table(list(columns.values()), pyarrow.schema(fields))


def assert_equal(answer, expected):
    answer = answer.sort_by("id")
    assert answer.column_names == expected.column_names
    for name in expected.column_names:
        values = answer[name].cast(expected[name].type).combine_chunks()
        assert values.equals(expected[name].combine_chunks()), name


@pytest.mark.parametrize("nulls", [0, 0.2], ids=["no nulls", "nulls"])
@pytest.mark.parametrize("options", [*PLAIN, *OTHERS])
def test_every_value_arrives(spark, tmp_path, options, nulls):
    table = written(nulls)
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", **(PLAIN | OTHERS)[options])
    frame = spark.read.parquet(str(tmp_path / "x.parquet"))
    assert_equal(frame.mapInArrow(same, frame.schema).toArrow(), table)


def test_columns_that_cannot_be_null(spark, tmp_path):
    table = written(0, required=True)
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=9_000)
    frame = spark.read.parquet(str(tmp_path / "x.parquet"))
    assert_equal(frame.mapInArrow(same, frame.schema).toArrow(), table)


def test_some_columns_in_another_order_and_twice(spark, tmp_path):
    table = written(0.1)
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    frame = spark.read.parquet(str(tmp_path / "x.parquet")).select("text", "few", "id", "many").toDF("a", "b", "id", "c")
    expected = pyarrow.table({"a": table["text"], "b": table["few"], "id": table["id"], "c": table["many"]})
    assert_equal(frame.mapInArrow(same, frame.schema).toArrow(), expected)
    twice = spark.read.parquet(str(tmp_path / "x.parquet")).selectExpr("few as one", "few as two", "id")
    assert_equal(twice.mapInArrow(same, twice.schema).toArrow(),
                 pyarrow.table({"one": table["few"], "two": table["few"], "id": table["id"]}))


def test_files_that_differ(spark, tmp_path):
    """In codec, in encoding, in the type of a column, in the columns they have, and in size: one has no rows."""
    table = written(0.1).select(["id", "few", "text"])
    parts = [table.slice(i * 8_000, 8_000) for i in range(5)]
    pyarrow.parquet.write_table(parts[0], tmp_path / "0.parquet")
    pyarrow.parquet.write_table(parts[1], tmp_path / "1.parquet", compression="gzip")
    pyarrow.parquet.write_table(parts[2], tmp_path / "2.parquet", compression="zstd", row_group_size=500)
    pyarrow.parquet.write_table(parts[3].drop(["few"]), tmp_path / "3.parquet")
    pyarrow.parquet.write_table(parts[4], tmp_path / "4.parquet", use_dictionary=False)
    pyarrow.parquet.write_table(parts[0].slice(0, 0), tmp_path / "5.parquet")
    frame = spark.read.parquet(str(tmp_path))
    few = table["few"].to_pylist()
    few[24_000:32_000] = [None] * 8_000
    assert_equal(frame.mapInArrow(same, frame.schema).toArrow(), table.set_column(1, "few", pyarrow.array(few)))


def test_a_folder_with_partition_columns(spark, tmp_path):
    table = written(0).select(["id", "few"])
    for key in (1, 2):
        (tmp_path / f"key={key}").mkdir()
        pyarrow.parquet.write_table(table.filter(pyarrow.compute.equal(pyarrow.compute.bit_wise_and(table["id"], 1), key - 1)),
                                    tmp_path / f"key={key}" / "x.parquet")
    frame = spark.read.parquet(str(tmp_path))
    keys = frame.mapInArrow(same, frame.schema).toArrow().sort_by("id")["key"].to_pylist()
    assert keys == [1, 2] * (ROWS // 2)
    values = frame.select("id", "few")
    assert_equal(values.mapInArrow(same, values.schema).toArrow(), table)


def test_other_annotations_of_numbers(spark, tmp_path):
    """Unsigned integers and coarser instants are numbers in the file too, but other ones."""
    moment = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
    table = pyarrow.table({
        "unsigned": pyarrow.array([1, 2**32 - 1], pyarrow.uint32()),
        "coarse": pyarrow.array([moment, moment], pyarrow.timestamp("ms", "UTC")),
        "short": pyarrow.array([1, 2**16 - 1], pyarrow.uint16()),
    })
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    frame = spark.read.parquet(str(tmp_path / "x.parquet"))
    assert frame.mapInArrow(same, frame.schema).collect() == frame.collect()
    assert [row.unsigned for row in frame.collect()] == [1, 2**32 - 1]


@pytest.mark.deuteron
def test_broken_pages_are_errors(spark, tmp_path):
    table = written(0.1).drop(["price", "sum", "huge", "fee"])  # what a function gives back is checked for its precision
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(table, path)
    good = path.read_bytes()
    frame = spark.read.parquet(str(path))

    def rows():
        return frame.mapInArrow(same, frame.schema).toArrow().num_rows

    chunk = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(2)
    begin, end = chunk.dictionary_page_offset, chunk.dictionary_page_offset + chunk.total_compressed_size
    path.write_bytes(good[:begin] + b"\xff" * (end - begin) + good[end:])
    with pytest.raises(PySparkException) as failure:
        rows()
    assert failure.value.getCondition().startswith("FAILED_READ_FILE") and "x.parquet" in str(failure.value)

    random = numpy.random.default_rng(3)
    for _ in range(40):  # a changed value may go unnoticed, and more than that may not happen
        broken = bytearray(good)
        for place in random.integers(4, len(good) - 5_000, 20):
            broken[place] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(broken)
        try:
            assert rows() == ROWS
        except PySparkException as error:
            assert error.getCondition().startswith("FAILED_READ_FILE"), error
    path.write_bytes(good)
    assert rows() == ROWS
