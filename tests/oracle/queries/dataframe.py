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
# case: view-of-itself
spark.range(4).createOrReplaceTempView("itself")
spark.table("itself").filter("id > 1").createOrReplaceTempView("itself")
spark.table("itself")
# case: view-of-itself-sql
spark.range(4).createOrReplaceTempView("itself_sql")
spark.sql("create or replace temp view itself_sql as select * from itself_sql where id > 1")
# case: view-keeps-meaning
spark.range(1).createOrReplaceTempView("below")
spark.table("below").createOrReplaceTempView("above")
spark.range(5).createOrReplaceTempView("below")
spark.table("above").count()
# case: view-of-text-looks-again
spark.sql("create or replace temp view below_text as select 1 as x")
spark.sql("create or replace temp view above_text as select * from below_text")
spark.sql("create or replace temp view below_text as select 2 as x")
spark.table("above_text")
# case: catalog-names
[spark.catalog.currentDatabase(), spark.catalog.currentCatalog(), [c.name for c in spark.catalog.listCatalogs()], [d.name for d in spark.catalog.listDatabases()], [d.name for d in spark.catalog.listDatabases("x*")]]
# case: catalog-database
[spark.catalog.databaseExists("default"), spark.catalog.databaseExists("nodb"), spark.catalog.getDatabase("default").description, spark.catalog.setCurrentDatabase("default")]
# case: catalog-database-missing
spark.catalog.setCurrentDatabase("nodb")
# case: catalog-get-database-missing
spark.catalog.getDatabase("nodb")
# case: catalog-catalog-missing
spark.catalog.setCurrentCatalog("nocat")
# case: catalog-list-tables
spark.range(1).createOrReplaceTempView("Catalog_One")
spark.catalog.listTables(pattern="catalog_o*")
# case: catalog-list-tables-alternatives
spark.range(1).createOrReplaceTempView("catalog_two")
[t.name for t in spark.catalog.listTables("default", "nothing|CATALOG_TWO")]
# case: catalog-list-tables-missing
spark.catalog.listTables("nodb")
# case: catalog-table-exists
spark.range(1).createOrReplaceTempView("catalog_three")
[spark.catalog.tableExists("CATALOG_three"), spark.catalog.tableExists("default.catalog_three"), spark.catalog.tableExists("nothing")]
# case: catalog-global-view
spark.range(1).createOrReplaceGlobalTempView("catalog_global")
[spark.catalog.tableExists("global_temp.catalog_global"), spark.table("global_temp.catalog_global").count(), spark.catalog.dropGlobalTempView("catalog_global"), spark.catalog.dropGlobalTempView("catalog_global")]
# case: catalog-get-table
spark.range(1).createOrReplaceTempView("catalog_four")
spark.catalog.getTable("catalog_FOUR")
# case: catalog-get-table-missing
spark.catalog.getTable("nothing")
# case: catalog-list-columns
spark.sql("select 1 as a, array(1) as b, cast(null as decimal(5, 2)) as c, named_struct('x', 1) as d").createOrReplaceTempView("catalog_columns")
spark.catalog.listColumns("catalog_columns")
# case: catalog-list-columns-missing
spark.catalog.listColumns("nothing")
# case: catalog-function-exists
[spark.catalog.functionExists("abs"), spark.catalog.functionExists("ABS"), spark.catalog.functionExists("nofunction"), spark.catalog.functionExists("default.abs")]
# case: catalog-cache
spark.range(31).createOrReplaceTempView("catalog_cached")
before = spark.catalog.isCached("catalog_cached")
spark.catalog.cacheTable("catalog_cached")
between = [spark.catalog.isCached("catalog_cached"), spark.range(31).is_cached, spark.table("catalog_cached").count()]
spark.catalog.uncacheTable("catalog_cached")
[before, between, spark.catalog.isCached("catalog_cached")]
# case: catalog-cache-missing
spark.catalog.cacheTable("nothing")
# case: catalog-refresh-missing
spark.catalog.refreshTable("nothing")
# case: cache-sql
spark.range(32).createOrReplaceTempView("cached_sql")
spark.sql("cache table cached_sql")
before = spark.catalog.isCached("cached_sql")
spark.sql("uncache table cached_sql")
[before, spark.catalog.isCached("cached_sql"), spark.sql("uncache table if exists nothing").collect()]
# case: cache-sql-query
spark.sql("cache lazy table cached_query as select 7 as x")
[spark.catalog.isCached("cached_query"), spark.table("cached_query").collect(), spark.catalog.dropTempView("cached_query")]
# case: uncache-sql-missing
spark.sql("uncache table nothing")
# case: use-missing
spark.sql("use nodb")
# case: cache-same-plan
kept = spark.range(33).withColumn("x", F.col("id") + 1).cache()
[kept.storageLevel, spark.range(33).withColumn("x", F.col("id") + 1).is_cached, spark.range(33).withColumn("y", F.col("id") + 1).is_cached, spark.range(33).withColumn("x", F.col("id") + 2).is_cached, kept.filter("x > 30").count(), kept.unpersist().is_cached]
# case: cache-random-once
drawn = spark.range(5).select(F.rand().alias("r")).cache()
[drawn.collect() == drawn.collect(), drawn.unpersist().is_cached]
# case: persist-level
from pyspark import StorageLevel
kept = spark.range(34).persist(StorageLevel.DISK_ONLY)
[kept.storageLevel, kept.persist(StorageLevel.MEMORY_ONLY).storageLevel, kept.unpersist().storageLevel]
# case: cache-dropped-with-view
kept = spark.range(35).cache()
kept.createOrReplaceTempView("cached_view")
spark.catalog.dropTempView("cached_view")
kept.is_cached
# case: cache-survives-replaced-view
kept = spark.range(36).cache()
kept.createOrReplaceTempView("cached_replaced")
spark.range(37).createOrReplaceTempView("cached_replaced")
[kept.is_cached, kept.unpersist().is_cached]
# case: cache-of-part
whole = spark.range(38).cache()
part = whole.filter("id > 3").cache()
whole.unpersist()
[whole.is_cached, part.is_cached, part.count(), part.unpersist().is_cached]
# case: partition-of-union
spark.range(0, 4, 1, 2).union(spark.range(4, 8, 1, 2)).select("id", F.spark_partition_id().alias("p")).orderBy("id")
# case: partition-of-coalesce
spark.range(0, 20, 1, 5).coalesce(2).select("id", F.spark_partition_id().alias("p")).orderBy("id")
# case: partition-of-local-rows
spark.createDataFrame([(i,) for i in range(6)], "a int").select("a", F.spark_partition_id().alias("p")).orderBy("a")
# case: partition-of-repartition-by-key
spark.range(0, 20, 1, 4).repartition(4, "id").select("id", F.spark_partition_id().alias("p")).orderBy("id")
# case: partition-of-repartition-by-keys
spark.createDataFrame([("a%d" % i, i * 1.5, None if i % 3 == 0 else i) for i in range(12)], "s string, d double, n int").repartition(4, "s", "n").select("s", F.spark_partition_id().alias("p")).orderBy("s")
# case: partition-of-repartition
spark.range(0, 20, 1, 4).repartition(3).select("id", F.spark_partition_id().alias("p")).orderBy("id")
# case: partition-counts
[spark.range(1000).repartition(n).select(F.spark_partition_id().alias("p")).distinct().count() for n in (1, 2, 7)]
# case: partition-of-limit
spark.range(0, 20, 1, 4).limit(5).select("id", F.spark_partition_id().alias("p"))
# case: partition-of-group
spark.range(0, 20, 1, 4).groupBy((F.col("id") % 3).alias("k")).count().select("k", F.spark_partition_id().alias("p")).orderBy("k")
# case: partition-after-filter-and-explode
spark.range(0, 6, 1, 3).filter("id <> 2").select("id", F.explode(F.array(F.lit(1), F.lit(2))).alias("x")).select("id", "x", F.spark_partition_id().alias("p")).orderBy("id", "x")
# case: group-by-partition
spark.range(0, 10, 1, 3).groupBy(F.spark_partition_id().alias("p")).count().orderBy("p")
# case: filter-by-partition
spark.range(0, 10, 1, 3).filter(F.spark_partition_id() == 1)
# case: partition-name
spark.range(1).select(F.spark_partition_id(), F.monotonically_increasing_id(), F.rand(1), F.randn(2)).columns
# case: monotonic
spark.range(0, 10, 1, 3).select("id", F.monotonically_increasing_id().alias("m")).orderBy("id")
# case: monotonic-after-filter
spark.range(0, 10, 1, 3).filter("id % 2 = 0").select("id", F.monotonically_increasing_id().alias("m")).orderBy("id")
# case: monotonic-conditional
spark.range(0, 4, 1, 1).select(F.when(F.col("id") > 1, F.monotonically_increasing_id()).alias("m"))
# case: rand-seed
spark.range(0, 6, 1, 2).select("id", F.rand(42).alias("r")).orderBy("id")
# case: rand-seed-twice
spark.range(0, 3, 1, 1).select(F.rand(5).alias("a"), F.rand(5).alias("b"), (F.rand(5) + F.rand(6)).alias("c"))
# case: rand-then-filter
spark.range(0, 6, 1, 2).withColumn("x", F.rand(9)).withColumn("y", F.col("x") + 1).filter("x > 0.5").select("id", "x", "y").orderBy("id")
# case: rand-in-filter
spark.range(0, 10, 1, 2).filter(F.rand(5) > 0.5)
# case: rand-in-order
spark.range(0, 10, 1, 1).orderBy(F.rand(5))
# case: rand-conditional
spark.range(0, 4, 1, 1).select(F.when(F.col("id") > 1, F.rand(1)).alias("x"))
# case: rand-local-rows
spark.createDataFrame([(i,) for i in range(5)], "a int").withColumn("r", F.rand(3)).filter("r > 0.3").orderBy("a")
# case: rand-sql
spark.sql("select rand(-5), rand(0), rand(null), random(5), spark_partition_id(), monotonically_increasing_id()")
# case: rand-type
spark.sql("select rand('x')")
# case: rand-column
spark.sql("select rand(id) from range(2)")
# case: rand-in-aggregate
spark.range(3).agg(F.sum(F.rand(5)))
# case: rand-in-join
spark.range(5).join(spark.range(5).withColumnRenamed("id", "j"), F.rand(1) > 0.5)
# case: sample-with-seed
spark.range(0, 40, 1, 2).sample(False, 0.3, 7)
# case: sample-replacement
spark.range(0, 40, 1, 2).sample(True, 0.3, seed=7)
# case: random-split
[[row.id for row in part.collect()] for part in spark.range(0, 20, 1, 2).randomSplit([0.5, 0.3, 0.2], seed=3)]
# case: sort-within-partitions
spark.range(0, 10, 1, 3).sortWithinPartitions(F.desc("id"))
# case: sort-within-partitions-numbered
spark.range(0, 10, 1, 3).sortWithinPartitions(F.desc("id")).select("id", F.monotonically_increasing_id().alias("m")).orderBy("id")
# case: pivot-without-values
df.groupBy("i").pivot("s").agg(F.sum("d")).orderBy("i")
# case: pivot-numbers-without-values
df.groupBy("s").pivot("i").count().orderBy("s")
# case: pivot-two-aggregates-without-values
df.groupBy().pivot("s").agg(F.sum("i"), F.max("d").alias("m"))
# case: corr-with-nulls
[df.filter("d is null or not isnan(d)").corr("i", "d"), df.filter("d is null or not isnan(d)").cov("i", "d"), spark.range(1).corr("id", "id"), spark.range(1).cov("id", "id")]
# case: corr-missing
df.corr("i", "nothing")
# case: crosstab-odd
spark.createDataFrame([(1.5, "x`y"), (2.0, "z"), (1.5, "z")], "a double, b string").crosstab("a", "b").orderBy("a_b")
# case: sample-by
spark.range(0, 30, 1, 2).withColumn("k", F.col("id") % 3).sampleBy("k", {0: 0.5, 1: 1.0}, seed=4)
# case: sort-negative-zero
spark.sql("select * from values (1, -0.0D), (2, 0.0D), (3, 1.0D) as t(i, d)").orderBy("d", "i")
# case: sort-negative-zero-inside
spark.sql("select * from values (1, array(-0.0D)), (2, array(1.0D)) as t(i, a)").orderBy("a")
# case: deviation-of-one
spark.sql("select k, stddev(v), var_samp(v), stddev_pop(v) from values (1, double('nan')), (2, 1.5D), (3, 1.0D), (3, double('nan')), (4, cast(null as double)) as t(k, v) group by k").orderBy("k")
