# setup
import pyarrow
from typing import Iterator
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udtf, udtf
from pyspark.sql.functions import SkipRestOfInputTableException
spark.sql("select * from values (1, 'a'), (2, 'b'), (1, 'c'), (null, 'd'), (2, 'e') as v(a, b)").createOrReplaceTempView("v")
class Counted:
    def __init__(self):
        self.rows = 0
    def eval(self, a):
        self.rows += 1
        if a != 2:
            yield a, self.rows
    def terminate(self):
        yield -1, self.rows
class Defaults:
    def eval(self, a, b=2, *, c=3):
        yield a, b, c
class Rows:
    def eval(self, row):
        yield str(row), len(row)
    def terminate(self):
        yield "end", 0
class UpToTwo:
    def eval(self, row):
        yield row["a"],
        if row["a"] == 2:
            raise SkipRestOfInputTableException("enough")
    def terminate(self):
        yield -1,
class Plain:
    def eval(self, a):
        yield a,
class Odd:
    def eval(self, a):
        if a is not None and a % 2 == 1:
            yield a,
def yields(*values):
    class Yields:
        def eval(self):
            yield from values
    return Yields
def fails(place):
    class Fails:
        def __init__(self):
            if place == "init":
                raise ValueError("no init today")
        def eval(self):
            if place == "eval":
                raise ValueError("no eval today")
            yield 1,
        def terminate(self):
            if place == "terminate":
                raise ValueError("no end today")
    return Fails
def returns(value):
    class Returns:
        def eval(self):
            return value
    return Returns
counted = {False: udtf(Counted, returnType="x int, n int", useArrow=False), True: udtf(Counted, returnType="x int, n int", useArrow=True)}
defaults = {False: udtf(Defaults, returnType="a int, b int, c int", useArrow=False), True: udtf(Defaults, returnType="a int, b int, c int", useArrow=True)}
rows = {False: udtf(Rows, returnType="a string, n int", useArrow=False), True: udtf(Rows, returnType="a string, n int", useArrow=True)}
for arrow, suffix in ((False, ""), (True, "_arrow")):
    spark.udtf.register("counted" + suffix, counted[arrow])
    spark.udtf.register("defaults" + suffix, defaults[arrow])
    spark.udtf.register("rows" + suffix, rows[arrow])
    spark.udtf.register("up_to_two" + suffix, udtf(UpToTwo, returnType="a int", useArrow=arrow))
    spark.udtf.register("odd" + suffix, udtf(Odd, returnType="x int", useArrow=arrow))
    spark.udtf.register("plain" + suffix, udtf(Plain, returnType="a int", useArrow=arrow))
@arrow_udtf(returnType="n long, text string")
class Batches:
    def eval(self, batch: pyarrow.RecordBatch) -> Iterator[pyarrow.Table]:
        yield pyarrow.table({"n": pyarrow.array([batch.num_rows]), "text": pyarrow.array([str(batch.to_pydict())])})
    def terminate(self):
        yield pyarrow.table({"n": pyarrow.array([-1]), "text": pyarrow.array(["end"])})
@arrow_udtf(returnType="x int")
class Arrays:
    def eval(self, a: pyarrow.Array) -> Iterator[pyarrow.Table]:
        yield pyarrow.table({"x": a})
spark.udtf.register("batches", Batches)
spark.udtf.register("arrays", Arrays)
spark.udf.register("plus_one", lambda x: x + 1, "int")
from pyspark.sql.functions import AnalyzeArgument, AnalyzeResult, OrderingColumn, PartitioningColumn, SelectedColumn
class AsManyColumns:
    @staticmethod
    def analyze(n: AnalyzeArgument, first: AnalyzeArgument = None) -> AnalyzeResult:
        schema = T.StructType()
        for i in range(n.value):
            schema = schema.add(f"c{i}", T.IntegerType())
        return AnalyzeResult(schema)
    def eval(self, n, first=0):
        yield tuple(range(first, first + n))
class Told:
    def __init__(self, result):
        self.result = result
    @staticmethod
    def analyze(*arguments, **named):
        told = [*arguments, *(named[key] for key in sorted(named))]
        text = "; ".join(f"{a.dataType.simpleString()} {a.value!r} {a.isTable} {a.isConstantExpression}" for a in told)
        return AnalyzeResult(T.StructType().add(T.StructField("text", T.StringType(), True, {"told": text})))
    def eval(self, *arguments, **named):
        yield self.result.schema[0].metadata["told"],
class Divided:
    def __init__(self, result):
        self.rows = []
    @staticmethod
    def analyze(table):
        return AnalyzeResult(T.StructType().add("s", T.StringType()), partitionBy=[PartitioningColumn("a + 1")], orderBy=[OrderingColumn("b", ascending=False)])
    def eval(self, table):
        self.rows.append(str(table))
    def terminate(self):
        yield " ".join(self.rows),
class Chosen:
    @staticmethod
    def analyze(table):
        return AnalyzeResult(T.StructType().add("s", T.StringType()), withSinglePartition=True, orderBy=[OrderingColumn("a", overrideNullsFirst=False), OrderingColumn("b")], select=[SelectedColumn("b"), SelectedColumn("a + 1", "a1")])
    def eval(self, table):
        yield str(table),
def analyzed_as(result):
    class Analyzed:
        @staticmethod
        def analyze(*arguments):
            return result
        def eval(self, *arguments):
            yield 1,
    return Analyzed
class RaisesInAnalyze:
    @staticmethod
    def analyze():
        raise ValueError("no analysis today")
    def eval(self):
        yield 1,
spark.udtf.register("columns", udtf(AsManyColumns))
spark.udtf.register("told", udtf(Told))
spark.udtf.register("divided", udtf(Divided))
spark.udtf.register("chosen", udtf(Chosen))
# case: inline unordered
counted[False](F.lit(5))
# case: inline-arrow unordered
counted[True](F.lit(5))
# case: named unordered
defaults[False](F.lit(1), c=F.lit(7))
# case: named-arrow unordered
defaults[True](F.lit(1), c=F.lit(7))
# case: none unordered
udtf(yields(None), returnType="x int, n int", useArrow=False)()
# case: none-arrow unordered
udtf(yields(None), returnType="x int, n int", useArrow=True)()
# case: returns-none unordered
udtf(returns(None), returnType="x int, n int", useArrow=False)()
# case: returns-none-arrow unordered
udtf(returns(None), returnType="x int, n int", useArrow=True)()
# case: returns-number unordered
udtf(returns(5), returnType="x int, n int", useArrow=False)()
# case: returns-number-arrow unordered
udtf(returns(5), returnType="x int, n int", useArrow=True)()
# case: several-rows unordered
udtf(yields((1, "a"), (None, None), (3, "c")), returnType="x int, s string", useArrow=False)()
# case: several-rows-arrow unordered
udtf(yields((1, "a"), (None, None), (3, "c")), returnType="x int, s string", useArrow=True)()
# case: too-few-columns unordered
udtf(yields((1,)), returnType="x int, n int", useArrow=False)()
# case: too-few-columns-arrow unordered
udtf(yields((1,)), returnType="x int, n int", useArrow=True)()
# case: other-types unordered
udtf(yields(("a", 1.5)), returnType="x int, n int", useArrow=False)()
# case: other-types-arrow unordered
udtf(yields(("a", 1.5)), returnType="x int, n int", useArrow=True)()
# case: scalar unordered
udtf(yields(1), returnType="x int", useArrow=False)()
# case: scalar-arrow unordered
udtf(yields(1), returnType="x int", useArrow=True)()
# case: dict unordered
udtf(yields({"x": 1}), returnType="x int", useArrow=False)()
# case: dict-arrow unordered
udtf(yields({"x": 1}), returnType="x int", useArrow=True)()
# case: nested unordered
udtf(yields(([1, 2], {"a": 1}, (1, "b"), datetime.date(2020, 1, 2), Decimal("1.50"))), returnType="l array<int>, m map<string,int>, s struct<i:int,t:string>, d date, n decimal(5,2)", useArrow=False)()
# case: nested-arrow unordered
udtf(yields(([1, 2], {"a": 1}, (1, "b"), datetime.date(2020, 1, 2), Decimal("1.50"))), returnType="l array<int>, m map<string,int>, s struct<i:int,t:string>, d date, n decimal(5,2)", useArrow=True)()
# case: null-in-not-null unordered
udtf(yields((None,)), returnType="x int not null", useArrow=False)()
# case: null-in-not-null-arrow unordered
udtf(yields((None,)), returnType="x int not null", useArrow=True)()
# case: fails-init unordered
udtf(fails("init"), returnType="x int", useArrow=False)()
# case: fails-init-arrow unordered
udtf(fails("init"), returnType="x int", useArrow=True)()
# case: fails-eval unordered
udtf(fails("eval"), returnType="x int", useArrow=False)()
# case: fails-eval-arrow unordered
udtf(fails("eval"), returnType="x int", useArrow=True)()
# case: fails-terminate unordered
udtf(fails("terminate"), returnType="x int", useArrow=False)()
# case: fails-terminate-arrow unordered
udtf(fails("terminate"), returnType="x int", useArrow=True)()
# case: too-many-arguments unordered
udtf(yields((1,)), returnType="x int", useArrow=False)(F.lit(1))
# case: too-many-arguments-arrow unordered
udtf(yields((1,)), returnType="x int", useArrow=True)(F.lit(1))
# case: return-type unordered
udtf(yields((1,)), returnType="int", useArrow=False)()
# case: return-type-arrow unordered
udtf(yields((1,)), returnType="int", useArrow=True)()
# case: argument-types unordered
spark.sql("select * from rows(array(date'2020-01-02', null))")
# case: argument-types-arrow unordered
spark.sql("select * from rows_arrow(array(date'2020-01-02', null))")
# case: argument-types-struct unordered
spark.sql("select * from rows(named_struct('d', 1.50, 'm', map('k', array(1, null))))")
# case: argument-types-struct-arrow unordered
spark.sql("select * from rows_arrow(named_struct('d', 1.50, 'm', map('k', array(1, null))))")
# case: sql-named unordered
spark.sql("select * from defaults(1, c => 9)")
# case: sql-named-arrow unordered
spark.sql("select * from defaults_arrow(1, c => 9)")
# case: sql-null unordered
spark.sql("select b, c from defaults(a => 1, b => null)")
# case: sql-null-arrow unordered
spark.sql("select b, c from defaults_arrow(a => 1, b => null)")
# case: sql-alias unordered
spark.sql("select q.x, y + z as s from defaults(1) as q(x, y, z)")
# case: sql-alias-arrow unordered
spark.sql("select q.x, y + z as s from defaults_arrow(1) as q(x, y, z)")
# case: sql-subquery-argument unordered
spark.sql("select q.a from defaults((select max(a) from v)) q")
# case: sql-subquery-argument-arrow unordered
spark.sql("select q.a from defaults_arrow((select max(a) from v)) q")
# case: sql-expression-argument unordered
spark.sql("select * from plain(plus_one(4) + 1)")
# case: sql-expression-argument-arrow unordered
spark.sql("select * from plain_arrow(plus_one(4) + 1)")
# case: cte unordered
spark.sql("with x as (select * from plain(4)) select * from x union all select a + 1 from x")
# case: cte-arrow unordered
spark.sql("with x as (select * from plain_arrow(4)) select * from x union all select a + 1 from x")
# case: lateral unordered
spark.sql("select * from v, lateral counted(a)")
# case: lateral-arrow unordered
spark.sql("select * from v, lateral counted_arrow(a)")
# case: lateral-constant unordered
spark.sql("select * from v, lateral counted(7)")
# case: lateral-constant-arrow unordered
spark.sql("select * from v, lateral counted_arrow(7)")
# case: lateral-chain unordered
spark.sql("select * from v, lateral plain(a) x, lateral plain(x.a) y where b <> 'a'")
# case: lateral-chain-arrow unordered
spark.sql("select * from v, lateral plain_arrow(a) x, lateral plain_arrow(x.a) y where b <> 'a'")
# case: lateral-condition unordered
spark.sql("select v.a, q.z from v join lateral plain(a) as q(z) on q.z > 1")
# case: lateral-condition-arrow unordered
spark.sql("select v.a, q.z from v join lateral plain_arrow(a) as q(z) on q.z > 1")
# case: lateral-left unordered
spark.sql("select * from v left join lateral plain(a)")
# case: lateral-left-arrow unordered
spark.sql("select * from v left join lateral plain_arrow(a)")
# case: lateral-data-frame unordered
spark.table("v").lateralJoin(counted[False](F.col("a").outer()))
# case: lateral-data-frame-arrow unordered
spark.table("v").lateralJoin(counted[True](F.col("a").outer()))
# case: cross-join unordered
spark.sql("select * from v, plain(9) p")
# case: cross-join-arrow unordered
spark.sql("select * from v, plain_arrow(9) p")
# case: table unordered
spark.sql("select * from rows(table(v))")
# case: table-arrow unordered
spark.sql("select * from rows_arrow(table(v))")
# case: table-named unordered
spark.sql("select * from rows(row => table(v))")
# case: table-named-arrow unordered
spark.sql("select * from rows_arrow(row => table(v))")
# case: table-query unordered
spark.sql("select * from rows(table(select b, b as b2 from v where a = 1))")
# case: table-query-arrow unordered
spark.sql("select * from rows_arrow(table(select b, b as b2 from v where a = 1))")
# case: table-partition unordered
spark.sql("select * from rows(table(v) partition by a order by b desc)")
# case: table-partition-arrow unordered
spark.sql("select * from rows_arrow(table(v) partition by a order by b desc)")
# case: table-partition-expressions unordered
spark.sql("select * from rows(table(v) partition by (a + 1, b))")
# case: table-partition-expressions-arrow unordered
spark.sql("select * from rows_arrow(table(v) partition by (a + 1, b))")
# case: table-single-partition unordered
spark.sql("select * from rows(table(v) with single partition order by b desc)")
# case: table-single-partition-arrow unordered
spark.sql("select * from rows_arrow(table(v) with single partition order by b desc)")
# case: table-data-frame unordered
rows[False](spark.table("v").asTable().partitionBy("a").orderBy(F.desc("b")))
# case: table-data-frame-arrow unordered
rows[True](spark.table("v").asTable().partitionBy("a").orderBy(F.desc("b")))
# case: table-data-frame-single unordered
rows[False](spark.table("v").asTable().withSinglePartition())
# case: table-data-frame-single-arrow unordered
rows[True](spark.table("v").asTable().withSinglePartition())
# case: table-data-frame-plain unordered
rows[False](spark.table("v").asTable())
# case: table-data-frame-plain-arrow unordered
rows[True](spark.table("v").asTable())
# case: table-skip unordered
spark.sql("select * from up_to_two(table(v) with single partition order by b)")
# case: table-skip-arrow unordered
spark.sql("select * from up_to_two_arrow(table(v) with single partition order by b)")
# case: table-skip-partition unordered
spark.sql("select * from up_to_two(table(v) partition by a order by b)")
# case: table-skip-partition-arrow unordered
spark.sql("select * from up_to_two_arrow(table(v) partition by a order by b)")
# case: table-without-rows unordered
spark.sql("select * from rows(table(select * from v where a > 100))")
# case: table-without-rows-arrow unordered
spark.sql("select * from rows_arrow(table(select * from v where a > 100))")
# case: arrays unordered
Arrays(F.lit(3))
# case: arrays-lateral unordered
spark.sql("select * from v, lateral arrays(a)")
# case: batches unordered
spark.sql("select * from batches(table(v))")
# case: batches-partition unordered
spark.sql("select * from batches(table(v) partition by a order by b desc)")
# case: batches-single-partition unordered
spark.sql("select * from batches(table(v) with single partition)")
# case: named-twice unordered
spark.sql("select * from defaults(a => 1, a => 2)")
# case: named-before-positional unordered
spark.sql("select * from defaults(a => 1, 5)")
# case: alias-too-few unordered
spark.sql("select * from defaults(1) as q(x, y)")
# case: alias-too-many-range unordered
spark.sql("select * from range(3) as q(x, y)")
# case: two-tables unordered
spark.sql("select * from rows(table(v), table(v))")
# case: unknown-column unordered
spark.sql("select * from plain(zz)")
# case: in-select-list unordered
spark.sql("select plain(1)")
# case: scalar-in-from unordered
spark.sql("select * from plus_one(1)")
# case: scalar-named-twice unordered
spark.sql("select plus_one(x => 1, x => 2)")
# case: scalar-named-before-positional unordered
spark.sql("select plus_one(x => 1, 2)")
# case: scalar-named unordered
spark.sql("select plus_one(x => a) from v")
# case: pandas-conversion unordered
spark.conf.set("spark.sql.legacy.execution.pythonUDTF.pandas.conversion.enabled", "true")
try:
    answer = spark.sql("select * from v, lateral counted_arrow(a)").collect()
finally:
    spark.conf.unset("spark.sql.legacy.execution.pythonUDTF.pandas.conversion.enabled")
answer
# case: analyze
udtf(AsManyColumns)(F.lit(3))
# case: analyze-expression
spark.sql("select * from columns(1 + 1, first => 5)")
# case: analyze-told unordered
spark.sql("select * from told(1, 'a', date'2020-01-02', array(1, 2), null)")
# case: analyze-told-more unordered
spark.sql("select * from told(1.50, named_struct('x', 1), b => map('k', timestamp'2020-01-02 03:04:05'), a => (select 3))")
# case: analyze-told-table unordered
spark.sql("select * from told(table(v), 1) limit 1")
# case: analyze-told-column unordered
spark.sql("select * from v, lateral told(a, b, 3)")
# case: analyze-too-few-arguments
spark.sql("select * from columns()")
# case: analyze-too-many-arguments
spark.sql("select * from columns(1, 2, 3)")
# case: analyze-divided unordered
spark.sql("select * from divided(table(v))")
# case: analyze-divided-twice
spark.sql("select * from divided(table(v) partition by b)")
# case: analyze-divided-single
spark.sql("select * from divided(table(v) with single partition)")
# case: analyze-divided-no-table
spark.sql("select * from divided(1)")
# case: analyze-chosen
spark.sql("select * from chosen(table(v))")
# case: analyze-data-frame unordered
udtf(Divided)(spark.table("v").asTable())
# case: analyze-other-result
udtf(analyzed_as(5))()
# case: analyze-no-struct
udtf(analyzed_as(AnalyzeResult("x int")))()
# case: analyze-raises
try:
    udtf(RaisesInAnalyze)().collect()
except Exception as error:
    answer = error.getCondition(), "ValueError: no analysis today" in str(error)
answer
# case: lateral-left-condition unordered
spark.sql("select v.a, q.z from v left join lateral plain(a) as q(z) on q.z > 1")
# case: lateral-left-true unordered
spark.sql("select v.b, q.x from v left join lateral odd(a) q on true")
# case: outer-column-in-sub-query unordered
spark.sql("select b, (select a from plain(v.a)) as x from v")
# case: lateral-sub-query unordered
spark.sql("select b, x from v, lateral (select a + 1 as x from plain(v.a))")
# case: lateral-table unordered
spark.sql("select v.b, r.a from v, lateral rows(table(v) with single partition) r where v.a = 1")
# case: table-of-outer-column unordered
spark.sql("select v.b, r.a from v, lateral rows(table(select v.a)) r where v.a = 1")
# case: not-parenthesized-table
spark.sql("select * from rows(table v)")
# case: view unordered
spark.sql("select * from plain(3)").createOrReplaceTempView("of_function")
spark.sql("select * from of_function, lateral plain(of_function.a) as q(x)")
# case: cached unordered
cached = spark.sql("select * from rows(table(v) with single partition)").cache()
answer = (cached.count(), cached.filter("n = 2").count())
cached.unpersist()
answer
# case: aggregated unordered
spark.sql("select a, count(*) as n, sum(x) as s from (select v.a, c.x from v, lateral counted(a) c) group by a")
# case: partition-then-filter unordered
spark.sql("select * from batches(table(v) partition by b) where n > 0 order by text limit 2")
# case: lateral-left-constant unordered
spark.sql("select v.a, q.z from v left join lateral plain(7) as q(z) on q.z > v.a")
# case: lateral-left-expression unordered
spark.sql("select v.b, q.z from v left join lateral plain(a + length(b)) as q(z) on q.z > 2")
