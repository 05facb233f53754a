# setup
df = spark.createDataFrame([(1, "a", 1.5), (2, "b", None), (3, None, float("nan")), (None, "a", -1.0)], "i int, s string, d double")
other = spark.createDataFrame([(1, "one"), (1, "uno"), (4, "four")], "i int, name string")
df.createOrReplaceTempView("frame")
# case: range
spark.range(3)
# case: range-step
spark.range(10, 0, -3)
# case: range-partitions
spark.range(0, 10, 1, 4).selectExpr("id", "spark_partition_id() as p").orderBy("id")
# case: create-rows
spark.createDataFrame([(1, "x"), (2, None)], ["a", "b"])
# case: create-dicts
spark.createDataFrame([{"a": 1, "b": "x"}])
# case: create-schema
spark.createDataFrame([(1, Decimal("1.10"), datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0), b"x", [1], {"a": 1}, (1, "y"))], "a byte, b decimal(10,2), c date, d timestamp, e binary, f array<int>, g map<string,int>, h struct<p:int,q:string>")
# case: create-empty
spark.createDataFrame([], "a int, b string")
# case: create-pandas
import pandas
spark.createDataFrame(pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}))
# case: create-arrow
import pyarrow
spark.createDataFrame(pyarrow.table({"a": pyarrow.array([1, None], pyarrow.int32()), "b": ["x", "y"]}))
# case: columns
df.columns
# case: dtypes
df.dtypes
# case: schema
df.schema.simpleString()
# case: print-schema
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as printed:
    df.printSchema()
printed.getvalue()
# case: count
df.count()
# case: first
df.orderBy("i").first()
# case: head
df.orderBy("i").head(2)
# case: take
df.orderBy("i").take(1)
# case: tail
df.orderBy("i").tail(1)
# case: is-empty
[df.isEmpty(), df.filter("false").isEmpty()]
# case: select
df.select("i", df.s, F.col("d"), (df.i + 1).alias("j"), F.lit(5), "*").orderBy("i")
# case: select-expr
df.selectExpr("i * 2 as x", "upper(s)").orderBy("x")
# case: with-column
df.withColumn("j", F.col("i") * 2).withColumn("s", F.upper("s")).orderBy("i")
# case: with-columns
df.withColumns({"j": F.col("i") + 1, "k": F.lit("k")}).orderBy("i")
# case: with-column-renamed
df.withColumnRenamed("i", "number").withColumnsRenamed({"s": "text", "none": "x"}).orderBy("number")
# case: drop
df.drop("s", "nope").orderBy("i")
# case: drop-column
df.drop(df.s).orderBy("i")
# case: to-df
df.toDF("a", "b", "c").orderBy("a")
# case: filter
df.filter((df.i > 1) & (df.s == "b") | df.s.isNull()).orderBy("i")
# case: where-string
df.where("i > 1 and d is not null").orderBy("i")
# case: isin
df.filter(df.i.isin(1, 3)).orderBy("i")
# case: between
df.filter(df.i.between(2, 3)).select("i").orderBy("i")
# case: like
df.filter(df.s.like("a%") & ~df.s.rlike("b")).select("i").orderBy("i")
# case: string-methods
df.select(df.s.startswith("a"), df.s.endswith("b"), df.s.contains("a"), df.s.substr(1, 1), F.length("s")).orderBy("i")
# case: when
df.select("i", F.when(df.i == 1, "one").when(df.i == 2, "two").otherwise("many").alias("w"), F.when(df.i > 1, 1)).orderBy("i")
# case: cast
df.select(df.i.cast("string"), df.i.cast(T.LongType()), df.d.cast("decimal(5,2)").alias("p")).filter("i < '3'").orderBy("i")
# case: operators
df.select(-df.i, df.i + 1, 1 - df.i, df.i * df.d, df.i / 2, df.i % 2, df.i ** 2, ~(df.i > 1), df.i.eqNullSafe(None), df.i.bitwiseAND(1)).orderBy("i")
# case: order-by
df.orderBy(df.i.desc_nulls_last(), "s").select("i")
# case: order-by-nulls
df.orderBy(F.asc_nulls_last("d"), F.desc("i")).select("d")
# case: sort-ascending-list
df.sort(["s", "i"], ascending=[False, True])
# case: limit-offset
df.orderBy("i").offset(1).limit(2)
# case: distinct unordered
df.select("s").distinct()
# case: drop-duplicates unordered
df.dropDuplicates(["s"]).select("s")
# case: drop-duplicates-all unordered
df.union(df).dropDuplicates()
# case: union unordered
df.union(df.limit(0)).unionAll(df.filter("i = 1"))
# case: union-by-name unordered
df.unionByName(df.select("d", "s", "i"))
# case: union-by-name-missing unordered
df.unionByName(other, allowMissingColumns=True)
# case: union-by-name-error
df.unionByName(other)
# case: intersect unordered
df.select("i").intersect(other.select("i"))
# case: subtract unordered
df.select("i").subtract(other.select("i"))
# case: except-all unordered
df.select("s").exceptAll(df.select("s").limit(0))
# case: join-inner unordered
df.join(other, "i")
# case: join-using-list unordered
df.join(other, ["i"], "left")
# case: join-full-using unordered
df.join(other, "i", "outer")
# case: join-expression unordered
df.join(other, df.i == other.i, "left")
# case: join-select unordered
df.join(other, df.i == other.i).select(df.i, other.name, "s")
# case: join-semi unordered
df.join(other, "i", "left_semi")
# case: join-anti unordered
df.join(other, "i", "anti")
# case: join-right unordered
df.join(other, "i", "right")
# case: cross-join unordered
df.select("s").crossJoin(other.select("name")).count()
# case: join-ambiguous
df.join(other, df.i == other.i).select("i")
# case: self-join-alias unordered
df.alias("a").join(df.alias("b"), F.col("a.i") == F.col("b.i")).select("a.i", "b.s")
# case: join-bad-type
df.join(other, "i", "sideways")
# case: group-count unordered
df.groupBy("s").count()
# case: group-agg unordered
df.groupBy("s").agg(F.sum("i").alias("total"), F.avg("d"), F.count("*"), F.max("i"), F.min("d"))
# case: group-dict unordered
df.groupBy("s").agg({"i": "sum"})
# case: group-shortcuts unordered
df.groupBy("s").sum("i")
# case: agg
df.agg(F.sum("i"), F.count_distinct("s"), F.collect_list("i"))
# case: group-empty
df.groupBy().count()
# case: rollup
df.rollup("s").agg(F.sum("i").alias("t")).orderBy(F.col("s").asc_nulls_first(), "t")
# case: cube
df.cube("s").count().orderBy("s", "count")
# case: pivot unordered
df.groupBy("s").pivot("i", [1, 2]).sum("d")
# case: window
df.select("i", F.row_number().over(Window.partitionBy("s").orderBy("i")).alias("n"), F.sum("i").over(Window.orderBy("i").rowsBetween(Window.unboundedPreceding, Window.currentRow)).alias("c")).orderBy("i")
# case: window-lag
df.select("i", F.lag("i").over(Window.orderBy("i")), F.lead("i", 1, 0).over(Window.orderBy("i"))).orderBy("i")
# case: fillna
df.fillna(0).orderBy("i")
# case: fillna-dict
df.fillna({"i": -1, "s": "none"}).orderBy("i")
# case: fillna-subset
df.na.fill("x", subset=["s"]).orderBy("i")
# case: dropna
df.dropna().orderBy("i")
# case: dropna-all-subset
df.na.drop("all", subset=["i", "s"]).orderBy("i")
# case: dropna-thresh
df.dropna(thresh=2).orderBy("i")
# case: replace
df.replace("a", "A").orderBy("i")
# case: replace-dict
df.na.replace({1: 10, 2: 20}, subset=["i"]).orderBy("i")
# case: describe
df.describe("i", "s")
# case: summary
df.select("i").summary("count", "min", "max")
# case: corr-cov
spark.range(5).selectExpr("id", "id * id as q").corr("id", "q")
# case: crosstab unordered
df.filter("i is not null and s is not null").crosstab("s", "i")
# case: freq-items
spark.range(3).selectExpr("1 as a").freqItems(["a"])
# case: approx-quantile
spark.range(11).approxQuantile("id", [0.0, 0.5, 1.0], 0.0)
# case: sample-all unordered
spark.range(5).sample(1.0, seed=1)
# case: repartition-count
[spark.range(10).repartition(3).selectExpr("count(distinct spark_partition_id()) as n").collect()[0].n, spark.range(0, 10, 1, 4).coalesce(2).selectExpr("count(distinct spark_partition_id()) as n").collect()[0].n]
# case: explode
spark.createDataFrame([(1, [10, 20]), (2, None)], "k int, a array<int>").select("k", F.explode("a").alias("e")).orderBy("k", "e")
# case: struct-access
spark.sql("select named_struct('x', 1, 'y', named_struct('z', 'deep')) as s").select("s.x", "s.y.z", F.col("s").getField("x"), F.col("s.y")["z"])
# case: map-access
spark.sql("select map('k', 5) as m").select(F.col("m")["k"], F.col("m").getItem("none"))
# case: with-field
spark.sql("select named_struct('x', 1) as s").select(F.col("s").withField("y", F.lit(2)))
# case: literals
spark.range(1).select(F.lit(1), F.lit("x"), F.lit(1.5), F.lit(None), F.lit(True), F.lit(datetime.date(2024, 1, 5)), F.lit(datetime.datetime(2024, 1, 5, 1, 2, 3)), F.lit(Decimal("1.50")), F.lit(b"ab"), F.lit([1, 2]), F.lit(datetime.timedelta(days=1)), F.lit(2 ** 40))
# case: temp-view
spark.sql("select count(*) as n from frame")
# case: table
spark.table("frame").orderBy("i")
# case: view-exists
try:
    df.limit(1).createTempView("frame")
    answer = None
except Exception as error:
    answer = [type(error).__name__, error.getCondition()]
answer
# case: drop-view
df.createOrReplaceTempView("gone")
[spark.catalog.dropTempView("gone"), spark.catalog.dropTempView("gone")]
# case: sql-named-arguments
spark.sql("select i, :word as w from frame where i > :low order by i", args={"low": 1, "word": "x"})
# case: sql-positional-arguments
spark.sql("select i from frame where i >= ? and s = ?", args=[1, "a"])
# case: sql-argument-types
spark.sql("select :a, :b, :c, :d", args={"a": 1, "b": 1.5, "c": None, "d": datetime.date(2024, 1, 5)})
# case: sql-argument-missing
spark.sql("select :a", args={"b": 1})
# case: sql-dataframe-argument
spark.sql("select count(*) as n from {frame}", frame=df)
# case: identifier-clause
spark.sql("select count(*) as n from identifier(:t)", args={"t": "frame"})
# case: transform
df.transform(lambda frame: frame.select("i")).orderBy("i")
# case: hint-repartition
df.hint("broadcast").repartition(2, "s").sortWithinPartitions("i").count()
# case: to-json unordered
df.select(F.to_json(F.struct("i", "s"))).orderBy("i")
# case: to-local-iterator
[row.i for row in df.orderBy("i").toLocalIterator()]
# case: to-pandas
df.orderBy("i").toPandas().to_csv()
# case: to-arrow
df.orderBy("i").toArrow().to_pylist()
# case: collect
df.filter("i < 3").orderBy("i").collect()
# case: show
df.orderBy("i")._show_string(20, True, False)
# case: show-truncate
spark.sql("select 'a long string of more than twenty characters' as s, 1 as n")._show_string(20, 10, False)
# case: show-vertical
df.orderBy("i")._show_string(2, True, True)
# case: show-types
spark.sql("select 1.0D as d, 1e10D as e, cast('NaN' as double) as n, 1.50BD as p, date'2024-01-05' as dt, timestamp'2024-01-05 10:00:00.5' as ts, X'0A' as b, array(1, null) as a, map('k', 1) as m, named_struct('x', 1, 'y', null) as s, true as t, null as nothing")._show_string(20, False, False)
# case: show-wide-characters
spark.sql("select '日本' as a, 'ä' as b")._show_string(20, True, False)
# case: show-empty
df.filter("false")._show_string(20, True, False)
# case: unknown-column
df.select("nope")
# case: unknown-column-attribute
df.select(df.nope)
# case: unknown-column-suggestion
df.select("ii")
# case: column-of-other-frame
df.select(other.name)
# case: with-column-unknown
df.withColumn("j", F.col("nope") + 1)
# case: filter-not-boolean
df.filter("i")
# case: filter-syntax
df.filter("i >")
# case: divide-by-zero
df.select(df.i / 0)
# case: cast-error
df.select(df.s.cast("int"))
# case: type-mismatch
df.select(df.i + F.array(F.lit(1)))
# case: group-missing
df.groupBy("s").agg(F.col("i"))
# case: bad-function
df.select(F.expr("nope(i)"))
# case: table-missing
spark.table("nope")
# case: missing-file
spark.read.parquet("/nowhere/at/all.parquet")
# case: unknown-format
spark.read.format("nope").load("/nowhere")
# case: conf
spark.conf.set("spark.sql.shuffle.partitions", "7")
answer = [spark.conf.get("spark.sql.shuffle.partitions"), spark.conf.get("spark.sql.session.timeZone"), spark.conf.get("not.set", "fallback")]
spark.conf.unset("spark.sql.shuffle.partitions")
answer
# case: conf-missing
spark.conf.get("not.set.at.all")
# case: version
spark.version.split(".")[0]
# case: random-partition-columns
spark.range(3).withColumn("m", F.monotonically_increasing_id()).coalesce(1).orderBy("id").count()
# case: nested-columns-chain
frame = spark.range(1)
for index in range(60):
    frame = frame.withColumn(f"c{index}", F.col("id") + index)
[len(frame.columns), frame.collect()[0].c59]
# case: dotted-name
spark.sql("select 1 as `a.b`").select("`a.b`")
# case: dotted-name-unquoted
spark.sql("select 1 as `a.b`").select("a.b")
# case: duplicate-names
spark.sql("select 1 as a, 2 as a")
# case: duplicate-names-select
spark.sql("select 1 as a, 2 as a").select("a")
# case: case-insensitive
df.select("I", F.col("S")).orderBy("i")
# case: col-regex
df.select(df.colRegex("`[is]`")).orderBy("i")
# case: metadata-alias
df.select(df.i.alias("x", metadata={"k": "v"})).schema.fields[0].metadata
# case: to-schema
df.select("i", "s").to(T.StructType([T.StructField("s", T.StringType()), T.StructField("i", T.LongType())])).orderBy("i")
# case: unpivot unordered
df.filter("i < 3").unpivot("i", ["s"], "name", "value")
# case: observe-free-percentile
df.select(F.percentile_approx("i", 0.5), F.median("i"))
# case: same-semantics
[df.select("i").sameSemantics(df.select("i")), df.isLocal(), df.isStreaming]
