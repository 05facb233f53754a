# setup
import os
import time
import pyarrow
from dataclasses import dataclass
from pyspark import TaskContext
from pyspark.sql.datasource import DataSource, DataSourceArrowWriter, DataSourceWriter, WriterCommitMessage
@dataclass
class Message(WriterCommitMessage):
    part: int
    rows: tuple
# Each write leaves what was called, and with which messages, in the folder of its own that the option "log" names.
class Writer(DataSourceWriter):
    def __init__(self, options, schema, overwrite):
        self.options = options
        self.called = schema.simpleString(), overwrite, sorted(options)
    def tell(self, *what):
        with open(self.options["log"], "a") as log:
            log.write(repr(what) + "\n")
    def write(self, rows):
        part = TaskContext.get().partitionId()
        taken = tuple(sorted(tuple(row) for row in rows))
        if self.options.get("fails") == "write":
            raise ValueError("no write today")
        if self.options.get("fails") == "last" and part == 2:
            time.sleep(2)  # the others have been told of by then
            raise ValueError("no write of the last today")
        if self.options.get("fails") == "message":
            return part
        if self.options.get("fails") == "no-message":
            return None
        return Message(part, taken)
    def commit(self, messages):
        if self.options.get("fails") == "commit":
            raise ValueError("no commit today")
        self.tell("commit", messages, *self.called)
    def abort(self, messages):
        self.tell("abort", messages)
        if self.options.get("fails_to_abort"):
            raise ValueError("no abort today")
class Sink(DataSource):
    @classmethod
    def name(cls):
        return "sink"
    def writer(self, schema, overwrite):
        if self.options.get("fails") == "writer":
            raise ValueError("no writer today")
        if self.options.get("fails") == "kind":
            return 7
        return Writer(self.options, schema, overwrite)
class ArrowWriter(DataSourceArrowWriter):
    def __init__(self, options):
        self.log = options["log"]
    def write(self, batches):
        return Message(0, tuple(str(row) for batch in batches for row in batch.to_pylist()))
    def commit(self, messages):
        with open(self.log, "a") as log:
            log.write(repr(messages))
class ArrowSink(DataSource):
    def writer(self, schema, overwrite):
        return ArrowWriter(self.options)
class ReadOnly(DataSource):
    @classmethod
    def name(cls):
        return "read_only"
for one in (Sink, ArrowSink, ReadOnly):
    spark.dataSource.register(one)
three = spark.range(0, 5, 1, 3).selectExpr("id as Id", "cast(id as string) as s")
def write(name, rows, source="sink", mode="append", path=None, **options):
    """What was raised, and what the source has seen."""
    log = os.path.join(OUT, name)
    raised = None
    try:
        rows.write.format(source).mode(mode).option("log", log).options(**options).save(path)
    except Exception as error:
        parameters = error.getMessageParameters() or {}
        told = str(error) if error.getCondition() is None else parameters.get("msg", "")
        last = [line for line in told.splitlines() if "Error" in line]
        raised = (type(error).__name__, error.getCondition(), error.getSqlState(), parameters.get("action"), parameters.get("type"), last[-1:])
    return raised, open(log).read() if os.path.exists(log) else None
# case: append
write("append", three)
# case: overwrite
write("overwrite", three, mode="overwrite")
# case: path
write("path", three, path="a/b", other=1)
# case: upper-case
write("upper", three, source="SINK", Log2="x")
# case: error-if-exists
three.write.format("sink").option("log", "x").save()
# case: ignore
three.write.format("sink").option("log", "x").mode("ignore").save()
# case: no-rows
write("no-rows", spark.createDataFrame([], "a int, b array<string>"))
# case: nothing-left
write("nothing-left", spark.range(10).filter("id > 20").coalesce(1))
# case: types
write("types", spark.sql("select 1 as i, date'2020-01-02' as d, 1.50BD as n, array(1, null) as a, map('k', 1) as m, struct(1 as x, 'y' as y) as s, X'6162' as b, cast(null as string) as z"))
# case: names-that-are-equal
write("equal", three.selectExpr("Id", "Id as id").coalesce(1))
# case: grouped
write("grouped", three.groupBy("s").count().coalesce(1))
# case: of-a-python-function
write("python", three.coalesce(1).select(F.udf(lambda x: x * 2, "long")("Id").alias("twice")))
# case: of-a-python-source
write("arrow", spark.range(3).coalesce(1), source="ArrowSink")
# case: write-fails
write("write-fails", three.coalesce(1), fails="write")
# case: last-write-fails
raised, seen = write("last-write-fails", three, fails="last")
raised, seen[:17]
# case: no-message
write("no-message", three.coalesce(1), fails="no-message")
# case: other-message
write("other-message", three.coalesce(1), fails="message")
# case: commit-fails
write("commit-fails", three.coalesce(1), fails="commit")
# case: abort-fails
write("abort-fails", three.coalesce(1), fails="write", fails_to_abort=1)
# case: no-writer
write("no-writer", three, fails="writer")
# case: other-writer
write("other-writer", three, fails="kind")
# case: read-only
write("read-only", three, source="read_only")
# case: rows-fail
raised, seen = write("rows-fail", three.selectExpr("1 / (Id - Id) as z"))
raised[:2], seen
# case: unknown
three.write.format("unheard_of").mode("append").save()
