# setup
import json
import pyarrow
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
class Numbers(DataSource):
    @classmethod
    def name(cls):
        return "numbers"
    def schema(self):
        return "i int, text string"
    def reader(self, schema):
        return NumbersReader(self.options, schema)
class NumbersReader(DataSourceReader):
    def __init__(self, options, schema):
        self.options = dict(options)
        self.schema = schema
    def partitions(self):
        return [InputPartition(i) for i in range(int(self.options.get("parts", "2")))]
    def read(self, partition):
        for i in range(int(self.options.get("rows", "2"))):
            yield partition.value * 10 + i, f"{partition.value}/{i}"
def source(called, columns, read, split=None):
    class Reader(DataSourceReader):
        def partitions(self):
            return [InputPartition(None)] if split is None else split()
        def read(self, partition):
            return read(partition)
    class Source(DataSource):
        @classmethod
        def name(cls):
            return called
        def schema(self):
            return columns() if callable(columns) else columns
        def reader(self, schema):
            return Reader()
    return Source
class Schemas(DataSource):
    @classmethod
    def name(cls):
        return "schemas"
    def reader(self, schema):
        return SchemasReader(self.options, schema)
class SchemasReader(DataSourceReader):
    def __init__(self, options, schema):
        self.options = options
        self.schema = schema
    def read(self, partition):
        yield tuple(f"{field.name} {field.dataType.simpleString()} {sorted(self.options.items())} {partition is None}" for field in self.schema)
class Choosy(DataSource):
    @classmethod
    def name(cls):
        return "choosy"
    def schema(self):
        return "i int, text string"
    def reader(self, schema):
        return ChoosyReader()
class ChoosyReader(DataSourceReader):
    """Takes the comparisons, and leaves the others to the engine."""
    def __init__(self):
        self.least = 0
    def pushFilters(self, filters):
        for one in filters:
            if type(one).__name__ == "GreaterThan":
                self.least = one.value + 1
            else:
                yield one
    def read(self, partition):
        for i in range(self.least, 5):
            yield i, f"a{i}" if i % 2 else f"b{i}"
class NoReader(DataSource):
    @classmethod
    def name(cls):
        return "no_reader"
    def schema(self):
        return "a int"
    def reader(self, schema):
        raise ValueError("no reader today")
class WrongReader(NoReader):
    @classmethod
    def name(cls):
        return "wrong_reader"
    def reader(self, schema):
        return 1
class Batches(DataSource):
    def schema(self):
        return T.StructType().add("n", T.LongType())
    def reader(self, schema):
        return BatchesReader()
class BatchesReader(DataSourceReader):
    def read(self, partition):
        yield pyarrow.RecordBatch.from_pydict({"n": [1, None, 3]})
        yield pyarrow.RecordBatch.from_pydict({"n": pyarrow.array([4], pyarrow.int64())})
def failure(ask):
    try:
        return ask().collect()
    except Exception as error:
        told = error.getMessageParameters()
        return type(error).__name__, error.getCondition(), told["action"], told["type"]
def raises(what):
    def fail(*arguments):
        raise ValueError(what)
    return fail
for one in (Numbers, Schemas, Choosy, NoReader, WrongReader, Batches,
            source("typed", "i int, d date, t timestamp, n decimal(5,2), a array<int>, m map<string,int>, s struct<x:int,y:string>, b binary",
                   lambda p: iter([(1, datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4, 5), Decimal("1.50"), [1, None], {"k": 1}, (1, "y"), b"ab"), (None,) * 8])),
            source("rows", "a int, b string", lambda p: iter([T.Row(b="x", a=1), T.Row(b="y", a=2)])),
            source("nothing", "a int", lambda p: iter([])),
            source("narrow", "a int, b int", lambda p: iter([(1,)])),
            source("otherwise", "a int", lambda p: iter([("x",)])),
            source("scalars", "a int", lambda p: iter([1])),
            source("no_iterator", "a int", lambda p: 5),
            source("no_schema", raises("no schema today"), lambda p: iter([])),
            source("no_read", "a int", raises("no read today")),
            source("no_partitions", "a int", lambda p: iter([(1,)]), raises("no partitions today")),
            source("empty_partitions", "a int", lambda p: iter([(1,)]), lambda: []),
            source("odd_partitions", "a int", lambda p: iter([(1,)]), lambda: [1])):
    spark.dataSource.register(one)
# case: read unordered
spark.read.format("numbers").load()
# case: options unordered
spark.read.format("numbers").option("parts", 3).option("Rows", 1).load()
# case: upper-case-name unordered
spark.read.format("NUMBERS").load().filter("i > 0").selectExpr("text", "i + 1 as j")
# case: aggregated
spark.read.format("numbers").options(parts=4, rows=100).load().groupBy().sum("i")
# case: number-of-partitions unordered
spark.read.format("numbers").options(parts=5, rows=1).load().select("i", F.spark_partition_id().alias("p"))
# case: joined unordered
n = spark.read.format("numbers").load()
n.alias("a").join(n.alias("b"), F.col("a.i") == F.col("b.i") + 10).select("a.text", "b.text")
# case: view unordered
spark.read.format("numbers").load().createOrReplaceTempView("numbers_view")
spark.sql("select max(i), count(*) from numbers_view")
# case: given-schema
spark.read.format("schemas").schema("x string, y string").option("Key", "Value").load("a/path")
# case: schema-missing
failure(lambda: spark.read.format("schemas").load())
# case: batches
spark.read.format("Batches").load()
# case: typed
spark.read.format("typed").load().orderBy("i")
# case: rows unordered
spark.read.format("rows").load()
# case: nothing
spark.read.format("nothing").load()
# case: narrow
spark.read.format("narrow").load()
# case: otherwise
spark.read.format("otherwise").load()
# case: scalars
spark.read.format("scalars").load()
# case: no-iterator
spark.read.format("no_iterator").load()
# case: no-schema
failure(lambda: spark.read.format("no_schema").load())
# case: no-reader
failure(lambda: spark.read.format("no_reader").load())
# case: wrong-reader
failure(lambda: spark.read.format("wrong_reader").load())
# case: no-read
spark.read.format("no_read").load()
# case: no-partitions
failure(lambda: spark.read.format("no_partitions").load())
# case: empty-partitions
spark.read.format("empty_partitions").load()
# case: filters-are-not-wanted
failure(lambda: spark.read.format("choosy").load())
# case: filters-are-wanted
spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")
answer = spark.read.format("choosy").load().filter("i > 1 and text like '%b%'").select("i", "text").collect()
spark.conf.unset("spark.sql.python.filterPushdown.enabled")
sorted(tuple(row) for row in answer)
# case: odd-partitions
failure(lambda: spark.read.format("odd_partitions").load())
# case: unknown
spark.read.format("unheard_of").load()
# case: registered-again unordered
spark.dataSource.register(source("again", "a int", lambda p: iter([(1,)])))
spark.dataSource.register(source("again", "a int", lambda p: iter([(2,)])))
spark.read.format("again").load()
# case: as-a-table-of-files
spark.sql("select * from numbers.`x`")
# case: a-name-that-is-taken
(spark.dataSource.register(type("P", (DataSource,), {"name": classmethod(lambda cls: "Parquet")})), spark.range(1))[1]
