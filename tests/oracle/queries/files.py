# case: csv-plain
spark.read.csv(f"{DATA}/people.csv")
# case: csv-header
spark.read.csv(f"{DATA}/people.csv", header=True)
# case: csv-infer
spark.read.csv(f"{DATA}/people.csv", header=True, inferSchema=True)
# case: csv-schema
spark.read.schema("id int, name string, score double, when date, at timestamp, flag boolean").option("header", True).csv(f"{DATA}/people.csv")
# case: csv-schema-decimal-and-string
spark.read.schema("id long, name string, score decimal(10,3)").option("header", True).csv(f"{DATA}/people.csv")
# case: csv-trim
spark.read.csv(f"{DATA}/people.csv", header=True, ignoreLeadingWhiteSpace=True, ignoreTrailingWhiteSpace=True).select("id", "name")
# case: csv-separator-null-comment
spark.read.csv(f"{DATA}/odd.csv", sep=";", header=True, nullValue="NULL", comment="#", multiLine=True)
# case: csv-empty-value
spark.read.csv(f"{DATA}/odd.csv", sep=";", header=True, comment="#", multiLine=True, emptyValue="EMPTY")
# case: csv-no-multi-line
spark.read.csv(f"{DATA}/odd.csv", sep=";", header=True, comment="#").count()
# case: csv-ragged
spark.read.schema("a int, b string, c string").csv(f"{DATA}/ragged.csv")
# case: csv-ragged-drop
spark.read.schema("a int, b string, c string").option("mode", "DROPMALFORMED").csv(f"{DATA}/ragged.csv")
# case: csv-corrupt-column
spark.read.schema("a int, b string, c string, bad string").option("columnNameOfCorruptRecord", "bad").csv(f"{DATA}/ragged.csv")
# case: csv-count-and-filter
spark.read.csv(f"{DATA}/people.csv", header=True, inferSchema=True).filter("score < 0").select("id")
# case: csv-date-format
spark.read.schema("id int, name string, score double, when date").option("header", True).option("dateFormat", "yyyy-MM-dd").csv(f"{DATA}/people.csv").select("when")
# case: csv-format-load
spark.read.format("csv").option("header", "true").load(f"{DATA}/people.csv").columns
# case: csv-sql unordered
spark.sql(f"select _c0 from csv.`{DATA}/people.csv`")
# case: csv-partitioned unordered
spark.read.csv(f"{DATA}/partitioned", header=True, inferSchema=True)
# case: csv-partition-filter unordered
spark.read.csv(f"{DATA}/partitioned", header=True, inferSchema=True).filter("year = 2024 and k is null")
# case: csv-base-path unordered
spark.read.option("basePath", f"{DATA}/partitioned").csv(f"{DATA}/partitioned/year=2024", header=True)
# case: json
spark.read.json(f"{DATA}/people.json")
# case: json-schema
spark.read.schema("id long, name string, tags array<string>, at timestamp, nested struct<a:int,b:array<double>>, n double").json(f"{DATA}/people.json")
# case: json-primitives-as-string
spark.read.json(f"{DATA}/people.json", primitivesAsString=True).select("id", "n")
# case: json-broken
spark.read.json(f"{DATA}/broken.json").select("a", "b")
# case: json-broken-corrupt
spark.read.schema("a long, b string, _corrupt_record string").json(f"{DATA}/broken.json")
# case: json-broken-drop
spark.read.schema("a long, b string").option("mode", "DROPMALFORMED").json(f"{DATA}/broken.json")
# case: json-array-file
spark.read.json(f"{DATA}/array.json", multiLine=True)
# case: json-multi-line
spark.read.json(f"{DATA}/multiline.json", multiLine=True)
# case: json-nested-access
spark.read.json(f"{DATA}/people.json").select("nested.a", "tags", "nested.b")
# case: parquet-types
spark.read.parquet(f"{DATA}/types.parquet")
# case: parquet-schema
spark.read.parquet(f"{DATA}/types.parquet").dtypes
# case: parquet-user-schema
spark.read.schema("i32 int, text string, none string").parquet(f"{DATA}/types.parquet")
# case: parquet-user-schema-wrong
spark.read.schema("text int").parquet(f"{DATA}/types.parquet").filter("false").count()
# case: parquet-merge unordered
spark.read.option("mergeSchema", "true").parquet(f"{DATA}/merge")
# case: parquet-filter
spark.read.parquet(f"{DATA}/types.parquet").filter("i32 = 1 and struct.a = 1").select("text", "list", "map")
# case: parquet-case-insensitive
spark.read.parquet(f"{DATA}/types.parquet").select("I32", "TEXT").count()
# case: parquet-aggregate
spark.read.parquet(f"{DATA}/types.parquet").agg(F.sum("dec"), F.max("ts"), F.min("d32"), F.count("list"))
# case: parquet-metadata-column
spark.read.parquet(f"{DATA}/types.parquet").select("_metadata.file_name").distinct()
# case: input-file-name
spark.read.parquet(f"{DATA}/types.parquet").select(F.element_at(F.split(F.input_file_name(), "/"), -1)).distinct()
# case: text unordered
spark.read.text(f"{DATA}/ragged.csv")
# case: write-existing-path
spark.range(1).write.parquet(OUT + "/x")
spark.range(1).write.parquet(OUT + "/x")
# case: write-all-columns-partition
spark.range(1).write.partitionBy("id").parquet(OUT + "/x")
# case: write-no-columns
spark.range(1).select().write.parquet(OUT + "/x")
# case: write-array-as-csv
spark.range(1).select(F.array("id").alias("a")).write.csv(OUT + "/x")
# case: read-schemas-that-differ
spark.range(1).selectExpr("nullif(id, 7) as id").write.parquet(OUT + "/a")
spark.range(1).selectExpr("cast(nullif(id, 7) as string) as id").write.parquet(OUT + "/b")
spark.read.option("mergeSchema", "true").parquet(OUT + "/a", OUT + "/b").count()
# case: read-no-parquet
open(OUT + "/x.parquet", "w").write("PAR1 and nothing more PAR1")
spark.read.parquet(OUT).count()
# case: write-and-append
spark.range(3).write.parquet(OUT + "/x")
spark.range(2).write.mode("append").parquet(OUT + "/x")
spark.range(9).write.mode("ignore").parquet(OUT + "/x")
spark.read.parquet(OUT + "/x").count()
# case: csv-numbers-as-text
spark.sql("select 1e10D a, 1.5e-7D b, 100.0D c, float(1.1) f, double('infinity') g, double('nan') i, -0.0D j").coalesce(1).write.mode("overwrite").csv(OUT + "/numbers.csv")
spark.read.text(OUT + "/numbers.csv")
# case: csv-numbers-inferred
spark.sql("select * from values (1.5D, -0.0D), (double('nan'), null), (double('infinity'), 2e10D) as t(a, b)").coalesce(1).write.mode("overwrite").csv(OUT + "/inferred.csv", header=True)
spark.read.csv(OUT + "/inferred.csv", header=True, inferSchema=True).orderBy("a")
# case: json-numbers-not-finite
spark.sql("select 1.5D a, double('infinity') g, double('-infinity') h, double('nan') i, float(1.1) f").coalesce(1).write.mode("overwrite").json(OUT + "/numbers.json")
spark.read.text(OUT + "/numbers.json")
# case: write-unknown-format
spark.range(1).write.format("nope").save(OUT + "/nope")
