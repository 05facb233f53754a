# setup
import pandas
import pyarrow
from typing import Iterator, Tuple
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf, pandas_udf, udf
def _mean(v: pandas.Series) -> float:
    return v.mean()
def _weighted(v: pandas.Series, w: pandas.Series) -> float:
    return (v * w).sum() / w.sum() if w.sum() else None
def _size(v: pandas.Series) -> int:
    return len(v)
def _sorted(v: pandas.Series) -> list:
    return sorted(v.dropna().astype(int).tolist())
def _raises(v: pandas.Series) -> str:
    raise ValueError("no mean today")
def _word(v: pandas.Series) -> int:
    return "x"
def _mean_of_batches(batches: Iterator[pandas.Series]) -> float:
    total, count = 0.0, 0
    for v in batches:
        total, count = total + v.sum(), count + len(v)
    return total / count if count else None
def _arrow_sum(v: pyarrow.Array) -> int:
    import pyarrow.compute
    return pyarrow.compute.sum(v)
def _arrow_size(v: pyarrow.Array) -> int:
    return len(v)
def _arrow_sum_of_batches(batches: Iterator[pyarrow.Array]) -> int:
    import pyarrow.compute
    return sum((pyarrow.compute.sum(v).as_py() or 0) for v in batches)
mean = pandas_udf(_mean, "double")
weighted = pandas_udf(_weighted, "double")
size = pandas_udf(_size, "long")
in_order = pandas_udf(_sorted, "array<int>")
raises = pandas_udf(_raises, "string")
word = pandas_udf(_word, "int")
mean_of_batches = pandas_udf(_mean_of_batches, "double")
arrow_sum = arrow_udf(_arrow_sum, "long")
arrow_size = arrow_udf(_arrow_size, "long")
arrow_sum_of_batches = arrow_udf(_arrow_sum_of_batches, "long")
d = spark.createDataFrame([("a", 1, 1.0), ("a", 3, 2.0), ("b", 5, 1.0), (None, 7, 1.0), ("b", None, 3.0), ("a", 2, float("nan"))], "k string, v int, w double")
d.createOrReplaceTempView("d")
spark.udf.register("mean_of", mean)
spark.udf.register("size_of", size)
spark.udf.register("plus_one", lambda x: (x or 0) + 1, "int")
spark.udf.register("MyOwn", lambda x: 1, "int")
# case: aggregate-by-key
d.groupBy("k").agg(mean("v")).orderBy("k")
# case: aggregate-two-functions
d.groupBy("k").agg(mean("v").alias("m"), weighted("v", "w"), size(d.w)).orderBy("k")
# case: aggregate-expression-over
d.groupBy("k").agg((mean(d.v + 1) * 2 + 1).alias("x"), F.upper("k")).orderBy("k")
# case: aggregate-without-keys
d.agg(mean("v"), size("v"))
# case: aggregate-without-keys-and-rows
d.filter("v > 100").agg(mean("v"), size("v"))
# case: aggregate-without-rows
d.filter("v > 100").groupBy("k").agg(mean("v"))
# case: aggregate-two-keys
d.groupBy("k", "w").agg(size("v")).orderBy("k", "w")
# case: aggregate-key-expression
d.groupBy((d.v % 2).alias("p")).agg(size("v")).orderBy("p")
# case: aggregate-named-arguments
d.groupBy("k").agg(weighted(w="w", v="v")).orderBy("k")
# case: aggregate-literal
d.groupBy("k").agg(size(F.lit(1))).orderBy("k")
# case: aggregate-list
d.groupBy("k").agg(in_order("v")).orderBy("k")
# case: aggregate-of-python-call
d.groupBy("k").agg(mean(udf(lambda x: x, "int")("v"))).orderBy("k")
# case: aggregate-order-by
d.groupBy("k").agg(size("v").alias("n")).orderBy(F.desc("n"), "k")
# case: aggregate-in-select
d.select(mean("v"))
# case: aggregate-iterator
d.groupBy("k").agg(mean_of_batches("v")).orderBy("k")
# case: aggregate-arrow
d.groupBy("k").agg(arrow_sum("v"), arrow_size("v")).orderBy("k")
# case: aggregate-arrow-iterator
d.groupBy("k").agg(arrow_sum_of_batches("v")).orderBy("k")
# case: aggregate-arrow-without-rows
d.filter("v > 100").agg(arrow_sum("v"))
# case: aggregate-rollup
d.rollup("k").agg(size("v").alias("n")).orderBy("k", "n")
# case: aggregate-cube
d.cube("k", "w").agg(size("v").alias("n"), F.grouping_id().alias("g")).orderBy("g", "k", "w")
# case: aggregate-sql
spark.sql("select k, mean_of(v) as m, size_of(w) from d group by k having size_of(v) > 1 order by k")
# case: aggregate-sql-without-keys
spark.sql("select mean_of(v) + 1 from d")
# case: aggregate-with-built-in
d.groupBy("k").agg(mean("v"), F.sum("v"))
# case: aggregate-nested
d.groupBy("k").agg(mean(F.sum("v")))
# case: aggregate-pivot
d.groupBy("k").pivot("v", [1, 3]).agg(size("w"))
# case: aggregate-distinct
spark.sql("select k, size_of(distinct v) from d group by k")
# case: aggregate-filter-clause
spark.sql("select k, size_of(v) filter (where v > 1) from d group by k")
# case: scalar-distinct
spark.sql("select plus_one(distinct v) from d")
# case: scalar-ignore-nulls
spark.sql("select plus_one(v) ignore nulls from d")
# case: aggregate-missing-column
d.groupBy("k").agg(mean("v"), d.w)
# case: window-whole-partition
d.select("k", "v", mean("v").over(Window.partitionBy("k")).alias("m")).orderBy("k", "v")
# case: window-up-to-row
d.select("k", "v", size("v").over(Window.partitionBy("k").orderBy("v")).alias("n")).orderBy("k", "v")
# case: window-rows
d.select("k", "v", size("v").over(Window.partitionBy("k").orderBy("v").rowsBetween(-1, 1)).alias("n")).orderBy("k", "v")
# case: window-rows-behind
d.select("k", "v", in_order("v").over(Window.partitionBy("k").orderBy("v").rowsBetween(-2, -1)).alias("before")).orderBy("k", "v")
# case: window-range
d.select("v", in_order("v").over(Window.orderBy("v").rangeBetween(-2, 2)).alias("near")).orderBy("v")
# case: window-descending
d.select("v", in_order("v").over(Window.orderBy(F.desc("v"))).alias("so_far")).orderBy("v")
# case: window-no-partition
d.select("v", mean("w").over(Window.orderBy("v").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)).alias("m")).orderBy("v")
# case: window-arrow
d.select("k", "v", arrow_size("v").over(Window.partitionBy("k").orderBy("v").rowsBetween(-1, 1)).alias("n"), arrow_sum("v").over(Window.partitionBy("k")).alias("s")).orderBy("k", "v")
# case: window-two-functions
d.select("v", (size("v").over(Window.orderBy("v")) + mean("v").over(Window.partitionBy("k"))).alias("x"), weighted("v", "w").over(Window.partitionBy("k").orderBy("v").rowsBetween(0, 1)).alias("y")).orderBy("v")
# case: window-ties
d.withColumn("g", F.lit(1)).select("v", size("v").over(Window.orderBy("g")).alias("n"), size("v").over(Window.orderBy("w")).alias("m")).orderBy("v")
# case: window-expression-argument
d.select("v", mean(d.v * 2 + 1).over(Window.partitionBy(d.v % 2)).alias("m")).orderBy("v")
# case: window-with-built-in
d.select("v", F.sum("v").over(Window.orderBy("v")).alias("s"), size("v").over(Window.orderBy("v")).alias("n")).orderBy("v")
# case: window-sql
spark.sql("select k, v, size_of(v) over (partition by k order by v rows between 1 preceding and current row) as n from d order by k, v")
# case: window-filter-on
d.select("k", "v", size("v").over(Window.partitionBy("k")).alias("n")).filter("n > 1").orderBy("k", "v")
# case: window-without-rows
d.filter("v > 100").select("v", size("v").over(Window.partitionBy("k")).alias("n"))
# case: window-scalar-function
spark.sql("select plus_one(v) over (partition by k) from d")
# case: cogroup
d.groupBy("k").cogroup(d.filter("v > 2").groupBy("k")).applyInPandas(lambda a, b: pandas.DataFrame({"n": [len(a)], "m": [len(b)]}), "n long, m long").orderBy("n", "m")
# case: cogroup-with-key
d.groupBy("k").cogroup(d.filter("v > 2").groupBy("k")).applyInPandas(lambda k, a, b: pandas.DataFrame({"k": [k[0]], "n": [len(a)], "m": [len(b)]}), "k string, n long, m long").orderBy("k")
# case: cogroup-one-side
d.filter("v = 1").groupBy("k").cogroup(d.filter("v = 5").groupBy("k")).applyInPandas(lambda k, a, b: pandas.DataFrame({"k": [k[0]], "n": [len(a)], "m": [len(b)], "c": [",".join(a.columns) + "|" + ",".join(b.columns)], "t": [str(list(map(str, b.dtypes)))]}), "k string, n long, m long, c string, t string").orderBy("k")
# case: cogroup-other-columns
d.groupBy("k").cogroup(spark.createDataFrame([("a", 10), ("c", 20)], "name string, x int").groupBy("name")).applyInPandas(lambda k, a, b: pandas.DataFrame({"k": [k[0]], "v": [int(a.v.sum()) if len(a) else None], "x": [int(b.x.sum()) if len(b) else None]}), "k string, v int, x int").orderBy("k")
# case: cogroup-key-expression
d.groupBy((d.v % 2).alias("p")).cogroup(d.groupBy((d.v % 2).alias("q"))).applyInPandas(lambda k, a, b: pandas.DataFrame({"k": [k[0]], "n": [len(a)], "c": [",".join(a.columns)]}), "k double, n long, c string").orderBy("k", "n")
# case: cogroup-without-keys
d.groupBy().cogroup(d.groupBy()).applyInPandas(lambda a, b: pandas.DataFrame({"n": [len(a)], "m": [len(b)]}), "n long, m long")
# case: cogroup-without-rows
d.filter("v > 100").groupBy("k").cogroup(d.filter("v > 100").groupBy("k")).applyInPandas(lambda a, b: a, "k string, v int, w double")
# case: cogroup-arrow
d.groupBy("k").cogroup(d.select("k", "w").groupBy("k")).applyInArrow(lambda a, b: pyarrow.table({"n": [a.num_rows], "m": [b.num_columns]}), "n long, m long").orderBy("n")
# case: cogroup-arrow-with-key
d.filter("v = 1").groupBy("k").cogroup(d.filter("v = 5").groupBy("k")).applyInArrow(lambda k, a, b: pyarrow.table({"k": pyarrow.array([k[0].as_py()], pyarrow.string()), "n": [a.num_rows], "m": [b.num_rows]}), "k string, n long, m long").orderBy("k")
# case: group-map-iterator
def count_frames(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    for frame in frames:
        yield pandas.DataFrame({"k": frame.k.head(1), "n": [len(frame)]})
d.groupBy("k").applyInPandas(count_frames, "k string, n long").orderBy("k")
# case: group-map-iterator-with-key
def sum_frames(key: Tuple, frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    total = sum(frame.w.sum() for frame in frames)
    yield pandas.DataFrame({"k": [key[0]], "s": [total]})
    yield pandas.DataFrame({"k": [key[0]], "s": [-total]})
d.filter("v < 6").groupBy("k").applyInPandas(sum_frames, "k string, s double").orderBy("k", "s")
# case: group-map-iterator-of-nothing
def no_frames(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    return iter(())
d.groupBy("k").applyInPandas(no_frames, "k string")
# case: group-map-iterator-stops-early
def first_frame(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    yield pandas.DataFrame({"n": [1]})
d.groupBy("k").applyInPandas(first_frame, "n long")
# case: group-map-iterator-arrow
def count_batches(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({"n": [batch.num_rows], "c": [batch.num_columns]})
d.groupBy("k").applyInArrow(count_batches, "n long, c long").orderBy("n")
# case: group-map-iterator-arrow-with-key
def sum_batches(key: Tuple[pyarrow.Scalar, ...], batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({"p": [key[0].as_py()], "n": [batch.num_rows], "c": [",".join(batch.schema.names)]})
d.groupBy((d.v % 2).alias("p")).applyInArrow(sum_batches, "p int, n long, c string").orderBy("p")
# case: group-map-iterator-wrong-columns
def wrong_columns(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    yield pandas.DataFrame({"x": [1]})
d.groupBy("k").applyInPandas(wrong_columns, "n long, m long")
# case: struct-without-fields-of-a-function
spark.range(3).select("id", F.udf(lambda x: () if x else None, "struct<>")("id").alias("s")).orderBy("id")
# case: struct-without-fields-in-text
spark.range(2).select(F.struct().alias("s")).selectExpr("s", "cast(s as string)", "s is null", "to_json(s)", "array(s, null)")
# case: struct-without-fields-grouped
spark.range(3).groupBy(F.udf(lambda x: () if x else None, "struct<>")("id").alias("s")).count().orderBy("count")
# case: rows-without-columns-from-map-in-arrow
spark.range(3).mapInArrow(lambda batches: (b.select([]) for b in batches), "struct<>")
# case: rows-without-columns-from-map-in-pandas-counted
spark.range(3).mapInPandas(lambda batches: (b[[]] for b in batches), "struct<>").groupBy().count()
# case: registered-name-is-shown
spark.sql("select myOWN(MYOWN(1)) + 1, MyOwn(2)")
# case: how-arguments-are-shown
d.selectExpr("MyOwn(cast(v as string))", "MyOwn(k is null)", "MyOwn(not v > 1)", "MyOwn(v in (1, 2))", "MyOwn(-v)", "MyOwn(struct(k, v))", "MyOwn(date'2020-01-01')", "MyOwn(try_cast(k as int) + 1)").limit(1)
# case: how-arguments-of-pandas-functions-are-shown
d.select(size(F.col("v").cast("double")), mean(F.col("w").isNotNull().cast("int")))
