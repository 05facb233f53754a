# setup
import logging
import pandas
import pyarrow
import sys
from collections.abc import Iterator
from pyspark.sql.datasource import DataSource, DataSourceReader
spark.conf.set("spark.sql.pyspark.worker.logging.enabled", "true")
def logs(logger, *columns):
    return spark.tvf.python_worker_logs().where(F.col("logger") == logger).select(*(columns or ("level", "msg", "logger")))
def say(logger, message="said", level=logging.WARNING, **more):
    logging.getLogger(logger).log(level, message, **more)
# case: schema
spark.tvf.python_worker_logs().schema.json()
# case: none
spark.tvf.python_worker_logs().where("logger = 'nobody'")
# case: levels unordered
def levels(x):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        say("levels", f"at {level}", level)
    return x
spark.range(1).select(F.udf(levels, "long")("id")).collect()
logs("levels")
# case: arguments unordered
def arguments(x):
    logging.getLogger("arguments").warning("%s is %d", "x", x)
    return x
spark.range(3).select(F.udf(arguments, "long")("id")).collect()
logs("arguments")
# case: whose
def whose(x):
    say("whose")
    return x
spark.range(1).select(F.udf(whose, "long")("id")).collect()
logs("whose", "context")
# case: whose-deep
def inner():
    say("whose-deep")
def outer(x):
    inner()
    return x
spark.range(1).select(F.udf(outer, "long")("id")).collect()
logs("whose-deep", "context")
# case: whose-arrow
def by_arrow(x):
    say("whose-arrow")
    return x
spark.range(1).select(F.udf(by_arrow, "long", useArrow=True)("id")).collect()
logs("whose-arrow", "context")
# case: whose-method
class Method:
    def __call__(self, x):
        say("whose-method")
        return x
spark.range(1).select(F.udf(Method(), "long")("id")).collect()
logs("whose-method", "context")
# case: context
def in_context(x):
    say("context", extra={"context": {"a": "b", "n": 1, "none": None}})
    return x
spark.range(1).select(F.udf(in_context, "long")("id")).collect()
logs("context", "context")
# case: exception
def excepted(x):
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("exception").exception("it failed")
    return x
spark.range(1).select(F.udf(excepted, "long")("id")).collect()
logs("exception", "level", "msg", "exception.class", "exception.msg", F.expr("transform(exception.stacktrace, f -> f.method)").alias("methods"))
# case: a-udf-that-raises
def raising(x):
    say("raises", "before")
    raise ValueError("no")
try:
    spark.range(1).select(F.udf(raising, "long")("id")).collect()
except Exception:
    pass
logs("raises")
# case: text-of-all-kinds
def texts(x):
    say("texts", 'ä "quoted" \\ \t\n two {"a": 1}')
    return x
spark.range(1).select(F.udf(texts, "long")("id")).collect()
logs("texts")
# case: long
def long(x):
    say("long", "y" * 100_000)
    return x
spark.range(1).select(F.udf(long, "long")("id")).collect()
logs("long", F.length("msg").alias("n"), F.substring("msg", 99_998, 3).alias("end"))
# case: map-in-arrow unordered
def mapped(batches):
    for batch in batches:
        say("mapped", f"{batch.num_rows} rows")
        yield batch
spark.range(0, 3, 1, 2).mapInArrow(mapped, "id long").collect()
logs("mapped", "msg", "context")
# case: pandas unordered
@F.pandas_udf("long")
def by_pandas(x: pandas.Series) -> pandas.Series:
    say("pandas", f"{len(x)} values")
    return x
spark.range(0, 3, 1, 1).select(by_pandas("id")).collect()
logs("pandas", "msg", "context")
# case: grouped unordered
def grouped(frame):
    say("grouped", f"{len(frame)} rows")
    return frame
spark.range(0, 4, 1, 1).groupBy(F.col("id") % 2).applyInPandas(grouped, "id long").collect()
logs("grouped", "msg", "context")
# case: table-function unordered
@F.udtf(returnType="a int")
class Table:
    def eval(self, x: int):
        say("table", f"row {x}")
        yield x,
Table(F.lit(3)).collect()
logs("table", "msg", "context")
# case: data-source unordered
class Source(DataSource):
    def schema(self):
        say("source", "asked for the schema")
        return "a int"
    def reader(self, schema):
        return Reader()
class Reader(DataSourceReader):
    def read(self, partition):
        say("source", "reads")
        yield 1,
spark.dataSource.register(Source)
spark.read.format("Source").load().collect()
logs("source", "msg", "context.func_name", "context.class_name").distinct()
# case: printed unordered
def printing(x):
    print("printed", file=sys.stderr)
    print("with", "spaces")
    return x
spark.range(1).select(F.udf(printing, "long")("id")).collect()
spark.tvf.python_worker_logs().where("context['func_name'] = 'printing'").select("level", "msg", "logger")
# case: sql unordered
def for_sql(x):
    say("for-sql", f"{x}")
    return x
spark.range(3).select(F.udf(for_sql, "long")("id")).collect()
spark.sql("select level, count(*) from python_worker_logs() where logger = 'for-sql' group by 1")
# case: argument
spark.sql("select * from python_worker_logs(1)")
# case: table-of-that-name
spark.table("python_worker_logs")
# case: time
def timed(x):
    say("timed", str(datetime.datetime.now(datetime.timezone.utc).timestamp()))
    return x
spark.range(1).select(F.udf(timed, "long")("id")).collect()
logs("timed", F.expr("abs(cast(ts as double) - cast(msg as double)) < 1").alias("near"))
# case: switched-off
def log_off(x):
    say("off")
    return x
spark.conf.set("spark.sql.pyspark.worker.logging.enabled", "false")
try:
    spark.range(1).select(F.udf(log_off, "long")("id")).collect()
    off = []
    try:
        spark.tvf.python_worker_logs().collect()
    except Exception as error:
        off.append((type(error).__name__, error.getCondition(), error.getSqlState(), sorted(error.getMessageParameters().items())))
finally:
    spark.conf.set("spark.sql.pyspark.worker.logging.enabled", "true")
off, logs("off").collect()
