"""DataFrames and SQL as a program uses them: files in and out, results in every form. Single answers: test_oracle.py."""

import datetime
from decimal import Decimal

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from pyspark.sql import Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

ROWS = [(1, "a", 1.5, Decimal("1.10"), datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 11, 12, 500000), True, b"x"),
        (2, None, float("inf"), None, None, None, None, None),
        (None, "ä", -0.0, Decimal("-99999999.99"), datetime.date(1969, 12, 31), datetime.datetime(1969, 12, 31), False, b"")]
SCHEMA = "i int, s string, d double, p decimal(10,2), day date, at timestamp, b boolean, raw binary"


@pytest.fixture
def frame(spark):
    return spark.createDataFrame(ROWS, SCHEMA)


def in_order(frame):
    return [tuple(row) for row in frame.orderBy(F.col("i").asc_nulls_last()).collect()]


# --- Parquet ---------------------------------------------------------------------------------------------------------


def test_parquet_round_trip(spark, frame, tmp_path):
    path = str(tmp_path / "p")
    frame.write.parquet(path)
    read = spark.read.parquet(path)
    assert read.schema.simpleString() == frame.schema.simpleString()
    assert in_order(read) == in_order(frame)


def test_parquet_is_real_parquet(frame, tmp_path):
    frame.select("i", "s", "day").write.parquet(str(tmp_path / "p"))
    assert (tmp_path / "p" / "_SUCCESS").exists()
    table = pyarrow.parquet.read_table(tmp_path / "p").to_pandas().sort_values("i")
    assert table["s"].tolist()[:2] == ["a", None]


def test_parquet_nested_round_trip(spark, tmp_path):
    made = spark.sql("select array(1, null) as a, map('k', 1.5D) as m, named_struct('x', 1, 'y', array('q')) as s")
    made.write.parquet(str(tmp_path / "p"))
    assert spark.read.parquet(str(tmp_path / "p")).collect() == made.collect()


def test_parquet_modes(spark, tmp_path):
    path = str(tmp_path / "p")
    spark.range(3).write.parquet(path)
    with pytest.raises(Exception) as caught:
        spark.range(3).write.parquet(path)
    assert caught.value.getCondition() == "PATH_ALREADY_EXISTS"
    spark.range(3).write.mode("ignore").parquet(path)
    assert spark.read.parquet(path).count() == 3
    spark.range(4).write.mode("append").parquet(path)
    assert spark.read.parquet(path).count() == 7
    spark.range(2).write.mode("overwrite").parquet(path)
    assert spark.read.parquet(path).count() == 2


@pytest.mark.deuteron  # Apache Spark loses the data
def test_overwrite_of_what_is_read_is_refused_or_right(spark, tmp_path):
    path = str(tmp_path / "p")
    spark.range(5).write.parquet(path)
    try:
        spark.read.parquet(path).filter("id > 1").write.mode("overwrite").parquet(path)
    except Exception as error:
        assert "overwrite" in str(error).lower() or "UNSUPPORTED" in str(error.getCondition())
        assert spark.read.parquet(path).count() == 5
    else:
        assert spark.read.parquet(path).count() == 3


def test_parquet_partitioned_write_and_pruned_read(spark, tmp_path):
    path = str(tmp_path / "p")
    spark.range(6).withColumn("k", F.col("id") % 2).write.partitionBy("k").parquet(path)
    assert sorted(entry.name for entry in (tmp_path / "p").iterdir() if entry.is_dir()) == ["k=0", "k=1"]
    read = spark.read.parquet(path)
    assert read.dtypes == [("id", "bigint"), ("k", "int")]
    assert sorted(row.id for row in read.filter("k = 1").collect()) == [1, 3, 5]


def test_failed_write_leaves_nothing_readable(spark, tmp_path):
    path = tmp_path / "p"
    with pytest.raises(Exception):
        spark.range(10).select((F.lit(1) / (F.col("id") - 5)).alias("x")).write.parquet(str(path))
    assert not (path / "_SUCCESS").exists()
    assert not [entry for entry in path.glob("*.parquet")]


@pytest.mark.deuteron  # Apache Spark deletes first
def test_failed_overwrite_keeps_the_old_data(spark, tmp_path):
    path = str(tmp_path / "p")
    spark.range(3).write.parquet(path)
    with pytest.raises(Exception):
        spark.range(10).select((1 / (F.col("id") - 5)).alias("x")).write.mode("overwrite").parquet(path)
    assert spark.read.parquet(path).count() == 3


def test_parquet_several_files_and_globs(spark, tmp_path):
    for number in range(3):
        pyarrow.parquet.write_table(pyarrow.table({"n": [number, number + 10]}), tmp_path / f"part-{number}.parquet")
    assert sorted(row.n for row in spark.read.parquet(str(tmp_path)).collect()) == [0, 1, 2, 10, 11, 12]
    two = spark.read.parquet(str(tmp_path / "part-0.parquet"), str(tmp_path / "part-2.parquet"))
    assert sorted(row.n for row in two.collect()) == [0, 2, 10, 12]
    assert spark.read.parquet(str(tmp_path / "part-[01].parquet")).count() == 4


def test_parquet_odd_names(spark, tmp_path):
    folder = tmp_path / "with space ä %41 'quote'"
    folder.mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"a b": [1], "ü'": [2], 'q"': [3]}), folder / "x.parquet")
    assert spark.read.parquet(str(folder)).columns == ["a b", "ü'", 'q"']
    assert spark.read.parquet(str(folder)).select("`a b`", "`ü'`", '`q"`').collect() == [Row(**{"a b": 1, "ü'": 2, 'q"': 3})]


def test_sql_over_a_file(spark, tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"n": [1, 2]}), tmp_path / "x.parquet")
    assert spark.sql(f"select sum(n) as s from parquet.`{tmp_path}/x.parquet`").first().s == 3


def test_partitions_of_a_file_scan(spark, tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"n": list(range(1000))}), tmp_path / "x.parquet", row_group_size=100)
    assert spark.read.parquet(str(tmp_path)).select(F.spark_partition_id().alias("p")).distinct().count() >= 1


# --- CSV and JSON ----------------------------------------------------------------------------------------------------


def test_csv_with_header_and_inference(spark, tmp_path):
    (tmp_path / "x.csv").write_text('i,name,when,x\n1,"a, b",2024-01-05,1.5\n2,,2024-02-29,\n')
    read = spark.read.csv(str(tmp_path / "x.csv"), header=True, inferSchema=True)
    assert read.dtypes == [("i", "int"), ("name", "string"), ("when", "date"), ("x", "double")]
    assert [tuple(row) for row in read.collect()] == [(1, "a, b", datetime.date(2024, 1, 5), 1.5),
                                                     (2, None, datetime.date(2024, 2, 29), None)]


def test_csv_without_header(spark, tmp_path):
    (tmp_path / "x.csv").write_text("1,a\n2,b\n")
    read = spark.read.csv(str(tmp_path / "x.csv"))
    assert read.dtypes == [("_c0", "string"), ("_c1", "string")]
    assert [tuple(row) for row in read.collect()] == [("1", "a"), ("2", "b")]


def test_csv_with_schema_separator_and_nulls(spark, tmp_path):
    (tmp_path / "x.csv").write_text("1;NA;x\n2;5;y\n")
    read = spark.read.schema("a int, b int, c string").option("sep", ";").option("nullValue", "NA").csv(str(tmp_path))
    assert [tuple(row) for row in read.collect()] == [(1, None, "x"), (2, 5, "y")]


def test_csv_malformed_is_null_in_permissive_mode(spark, tmp_path):
    (tmp_path / "x.csv").write_text("1\nx\n3\n")
    assert [row.a for row in spark.read.schema("a int").csv(str(tmp_path)).collect()] == [1, None, 3]


def test_csv_failfast(spark, tmp_path):
    (tmp_path / "x.csv").write_text("1\nx\n")
    with pytest.raises(Exception) as caught:
        spark.read.schema("a int").option("mode", "FAILFAST").csv(str(tmp_path)).collect()
    assert "MALFORMED_RECORD_IN_PARSING" in str(caught.value) or "FAILED_READ_FILE" in str(caught.value)


def test_csv_round_trip(spark, tmp_path):
    made = spark.createDataFrame([(1, 'say "hi", you'), (2, None), (3, "line")], "i int, s string")
    made.write.csv(str(tmp_path / "c"), header=True)
    read = spark.read.csv(str(tmp_path / "c"), header=True, schema="i int, s string")
    assert in_order(read) == in_order(made)


def test_json_lines(spark, tmp_path):
    (tmp_path / "x.json").write_text('{"b": "x", "a": 1}\n{"a": 2, "c": [1, 2]}\n')
    read = spark.read.json(str(tmp_path / "x.json"))
    assert read.dtypes == [("a", "bigint"), ("b", "string"), ("c", "array<bigint>")]
    assert [tuple(row) for row in read.orderBy("a").collect()] == [(1, "x", None), (2, None, [1, 2])]


def test_json_with_schema_and_nested(spark, tmp_path):
    (tmp_path / "x.json").write_text('{"s": {"x": 1, "y": "q"}, "m": 5}\n')
    read = spark.read.schema("s struct<x:int,y:string>, m double").json(str(tmp_path))
    assert read.collect() == [Row(s=Row(x=1, y="q"), m=5.0)]


def test_json_round_trip(spark, tmp_path):
    made = spark.sql("select 1 as i, 'ä' as s, array(1, 2) as a, named_struct('x', 1.5D) as t union all select 2, null, null, null")
    made.write.json(str(tmp_path / "j"))
    read = spark.read.schema(made.schema).json(str(tmp_path / "j"))
    assert in_order(read) == in_order(made)


def test_format_load_and_save(spark, tmp_path):
    spark.range(3).write.format("parquet").option("compression", "snappy").save(str(tmp_path / "x"))
    assert spark.read.format("parquet").load(str(tmp_path / "x")).count() == 3


def test_read_with_wanted_columns_only(spark, frame, tmp_path):
    frame.write.parquet(str(tmp_path / "x"))
    assert spark.read.parquet(str(tmp_path / "x")).select("s").filter("s = 'a'").count() == 1


# --- local relations and results -------------------------------------------------------------------------------------


def test_collect_gives_python_values(frame):
    assert in_order(frame) == sorted(ROWS, key=lambda row: (row[0] is None, row[0] or 0))


def test_to_pandas(spark):
    answer = spark.sql("select 1 as i, 'a' as s, 1.5D as d, date'2024-01-05' as t, timestamp'2024-01-05 10:00:00' as at").toPandas()
    assert answer.dtypes.astype(str).tolist() == ["int32", "object", "float64", "object", "datetime64[ns]"]
    assert answer.iloc[0].tolist() == [1, "a", 1.5, datetime.date(2024, 1, 5), pandas.Timestamp("2024-01-05 10:00:00")]


def test_to_arrow(spark):
    table = spark.range(100_000).selectExpr("id", "id * 1.5D as x", "cast(id as string) as s").toArrow()
    assert table.schema == pyarrow.schema([pyarrow.field("id", pyarrow.int64(), False), ("x", pyarrow.float64()),
                                           pyarrow.field("s", pyarrow.string(), False)]) or table.num_columns == 3
    assert table.num_rows == 100_000
    assert pyarrow.compute.sum(table["x"]).as_py() == 1.5 * 99_999 * 100_000 / 2


def test_pandas_in_and_out(spark):
    data = pandas.DataFrame({"a": [3, 1, 2], "b": ["x", None, "z"], "c": pandas.to_datetime(["2024-01-05"] * 3)})
    answer = spark.createDataFrame(data).orderBy("a").toPandas()
    assert answer["a"].tolist() == [1, 2, 3]
    assert answer["b"].tolist() == [None, "z", "x"]
    assert answer["c"].tolist() == [pandas.Timestamp("2024-01-05")] * 3


def test_arrow_in(spark):
    table = pyarrow.table({"a": pyarrow.array([1, None, 3], pyarrow.int64()), "l": [[1], [], None]})
    assert [tuple(row) for row in spark.createDataFrame(table).orderBy("a").collect()] == [(None, []), (1, [1]), (3, None)]


def test_large_local_relation(spark):
    data = pandas.DataFrame({"a": range(200_000), "s": [f"row {index}" for index in range(200_000)]})
    frame = spark.createDataFrame(data)
    assert frame.agg(F.sum("a"), F.max("s")).first() == Row(199_999 * 200_000 // 2, "row 99999")


def test_empty_results(spark):
    empty = spark.range(0)
    assert empty.collect() == []
    assert empty.toPandas().columns.tolist() == ["id"]
    assert empty.toArrow().num_rows == 0
    assert empty.first() is None


def test_no_columns(spark):
    assert spark.range(3).select().count() == 3
    assert spark.range(3).select().collect() == [Row(), Row(), Row()]


def test_many_rows_arrive_in_order(spark):
    ids = [row.id for row in spark.range(300_000).orderBy(F.col("id").desc()).toLocalIterator()]
    assert ids == list(range(299_999, -1, -1))


def test_many_columns(spark):
    wide = spark.range(2).select(*[(F.col("id") + index).alias(f"c{index}") for index in range(600)])
    assert wide.collect()[1][599] == 600


def test_show(spark, capsys):
    spark.sql("select 1 as a, 'x' as b").show()
    assert capsys.readouterr().out == "+---+---+\n|  a|  b|\n+---+---+\n|  1|  x|\n+---+---+\n\n"


def test_show_of_some_rows(spark, capsys):
    spark.range(3).show(1)
    spark.range(3).show(1, vertical=True)
    assert capsys.readouterr().out == ("+---+\n| id|\n+---+\n|  0|\n+---+\nonly showing top 1 row\n"
                                       "-RECORD 0--\n id  | 0   \nonly showing top 1 row\n")


def test_input_files(spark, tmp_path):
    spark.range(1).write.parquet(str(tmp_path / "x"))
    files = spark.read.parquet(str(tmp_path / "x")).inputFiles()
    assert files and all(name.startswith(f"file://{tmp_path}/x/part-") for name in files)
    assert spark.range(1).inputFiles() == []


def test_print_schema(spark, capsys):
    spark.sql("select 1 as a, array(named_struct('x', 'y')) as b").printSchema()
    assert capsys.readouterr().out.splitlines()[:4] == ["root", " |-- a: integer (nullable = false)",
                                                        " |-- b: array (nullable = false)",
                                                        " |    |-- element: struct (containsNull = false)"]


def test_explain(spark, capsys):
    spark.range(3).filter("id > 1").explain()
    assert len(capsys.readouterr().out) > 20
    spark.range(3).filter("id > 1").explain(mode="extended")
    assert "id" in capsys.readouterr().out


def test_explain_does_not_run(spark):
    spark.range(3).select(F.lit(1) / F.col("id")).explain()


def test_schema_does_not_run(spark):
    assert spark.range(3).select((F.lit(1) / F.col("id")).alias("x")).schema == T.StructType([T.StructField("x", T.DoubleType())])


def test_repartition_counts(spark):
    def partitions(frame):
        return frame.select(F.spark_partition_id().alias("p")).distinct().count()

    assert partitions(spark.range(0, 1000, 1, 5)) == 5
    assert partitions(spark.range(1000).repartition(3)) == 3
    assert partitions(spark.range(0, 1000, 1, 5).coalesce(2)) == 2
    assert partitions(spark.range(1000).repartition(4, "id")) == 4


def test_repartition_by_key_keeps_keys_together(spark):
    keyed = spark.range(1000).selectExpr("id % 10 as k").repartition(4, "k").withColumn("p", F.spark_partition_id())
    assert keyed.groupBy("k").agg(F.count_distinct("p").alias("n")).filter("n > 1").count() == 0


def test_range_split_is_sparks(spark):
    split = spark.range(0, 10, 1, 3).select("id", F.spark_partition_id().alias("p")).orderBy("id").collect()
    assert [row.p for row in split] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


# --- sessions --------------------------------------------------------------------------------------------------------


def test_views_belong_to_their_session(new_session):
    one, other = new_session(), new_session()
    one.range(3).createOrReplaceTempView("mine")
    assert one.table("mine").count() == 3
    with pytest.raises(Exception) as caught:
        other.table("mine").count()
    assert caught.value.getCondition() == "TABLE_OR_VIEW_NOT_FOUND"


def test_settings_belong_to_their_session(new_session):
    one, other = new_session(), new_session()
    one.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    assert other.conf.get("spark.sql.session.timeZone") == "UTC"
    assert one.sql("select cast(timestamp'2024-01-05 00:00:00' as bigint) as x").first().x == 1704380400


def test_table_names_are_resolved_when_a_plan_runs(spark):
    spark.range(2).createOrReplaceTempView("replaced")
    before = spark.table("replaced")
    spark.range(5).createOrReplaceTempView("replaced")
    assert before.count() == 5


def test_view_replaced_by_a_view_of_itself(spark):
    spark.range(2).createOrReplaceTempView("narrowed")
    spark.table("narrowed").filter("id > 0").createOrReplaceTempView("narrowed")
    assert spark.table("narrowed").count() == 1


def test_catalog(spark):
    spark.range(1).createOrReplaceTempView("listed")
    assert "listed" in [table.name for table in spark.catalog.listTables()]
    assert spark.catalog.tableExists("listed") and not spark.catalog.tableExists("unlisted")
    assert spark.catalog.currentDatabase() == "default"
    assert spark.catalog.dropTempView("listed")


def test_cached_frame(spark):
    frame = spark.range(10).cache()
    assert frame.count() == 10 and frame.filter("id > 5").count() == 4
    frame.unpersist()


def test_cached_rows_follow_a_write(spark, tmp_path):
    path = str(tmp_path / "x")
    spark.range(5).write.parquet(path)
    assert spark.read.parquet(path).cache().count() == 5
    spark.range(7).write.mode("overwrite").parquet(path)
    assert spark.read.parquet(path).count() == 7
    spark.catalog.clearCache()


def test_cached_frame_in_a_join_and_in_python(spark):
    kept = spark.range(0, 100, 1, 4).withColumn("k", F.col("id") % 3).cache()
    assert kept.join(kept.groupBy("k").count(), "k").count() == 100
    doubled = kept.mapInPandas(lambda parts: (part.assign(id=part.id * 2) for part in parts), "id long, k long")
    assert doubled.agg(F.sum("id")).first()[0] == 2 * sum(range(100))
    assert kept.select(F.spark_partition_id().alias("p")).distinct().count() == 4
    kept.unpersist()


@pytest.mark.deuteron  # Apache Spark has one cache for all sessions
def test_caches_belong_to_their_session(new_session):
    one, other = new_session(), new_session()
    assert one.range(9).cache().is_cached
    assert not other.range(9).is_cached
    other.catalog.clearCache()
    assert one.range(9).is_cached


def test_union_in_a_loop(spark):
    frame = spark.range(1)
    for _ in range(40):
        frame = frame.union(spark.range(1))
    assert frame.count() == 41


def test_deep_chain_of_columns(spark):
    frame = spark.range(2).withColumn("x", F.col("id"))
    for _ in range(100):
        frame = frame.withColumn("x", F.col("x") + 1)
    assert [row.x for row in frame.orderBy("id").collect()] == [100, 101]


def test_a_real_program(spark, tmp_path):
    orders = spark.createDataFrame([(index, index % 7, float(index % 13), datetime.date(2024, 1, 1 + index % 28))
                                    for index in range(2000)], "id int, customer int, amount double, day date")
    orders.write.parquet(str(tmp_path / "orders"))
    spark.read.parquet(str(tmp_path / "orders")).createOrReplaceTempView("orders")
    answer = spark.sql("""
        with daily as (select customer, day, sum(amount) as total from orders group by customer, day),
             ranked as (select *, rank() over (partition by customer order by total desc, day) as place from daily)
        select customer, day, total, case when total > 30 then 'high' else 'low' end as level
        from ranked where place = 1 and customer in (select customer from orders where amount > 11)
        order by customer limit 3 offset 1""").collect()
    assert [row.customer for row in answer] == [1, 2, 3]
    assert all(row.level == "high" for row in answer)
