# setup
import pandas
import pyarrow
import pyarrow.compute
from typing import Iterator
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf, pandas_udf, udf
d = spark.createDataFrame([("a", 1, 1.0), ("a", 3, 2.0), ("b", 5, 1.0), (None, 7, 1.0), ("b", None, 3.0), ("a", 2, None)], "k string, v int, w double")
d.createOrReplaceTempView("d")
plain = udf(lambda x: (x or 0) + 1, "int", useArrow=False)
arrowed = udf(lambda x: (x or 0) + 1, "int", useArrow=True)
def tenfold(v: pandas.Series) -> pandas.Series:
    return v.fillna(0).astype("int64") * 10
def hundred_more(v: pyarrow.Array) -> pyarrow.Array:
    return pyarrow.compute.add(pyarrow.compute.cast(pyarrow.compute.fill_null(v, 0), pyarrow.int64()), 100)
def five_more(parts: Iterator[pandas.Series]) -> Iterator[pandas.Series]:
    for v in parts:
        yield v.fillna(0).astype("int64") + 5
def seven_more(parts: Iterator[pyarrow.Array]) -> Iterator[pyarrow.Array]:
    for v in parts:
        yield pyarrow.compute.add(pyarrow.compute.cast(pyarrow.compute.fill_null(v, 0), pyarrow.int64()), 7)
def named_text(a, b="B", *, c="C"):
    return f"{a}-{b}-{c}"
def pair(a: pandas.Series, b: pandas.Series) -> pandas.Series:
    return a.astype(str) + "|" + b.astype(str)
vec = pandas_udf(tenfold, "long")
it = pandas_udf(five_more, "long")
ait = arrow_udf(seven_more, "long")
functions = {"plain": plain, "arrowed": arrowed, "vec": vec, "arr": arrow_udf(hundred_more, "long"), "it": it, "ait": ait, "named": udf(named_text, "string"), "pnamed": pandas_udf(pair, "string")}
for name, function in functions.items():
    spark.udf.register(name, function)
spark.udf.register("even", lambda x: x is not None and x % 2 == 0, "boolean")
# case: v-plain-v-arrowed-v-vec-v-arr-v-it-v-ait-v-from-d unordered
spark.sql("select v, plain(v), arrowed(v), vec(v), arr(v), it(v), ait(v) from d")
# case: it-v-it-v-1-ait-v-it-it-v-from-d unordered
spark.sql("select it(v), it(v + 1), ait(v), it(it(v)) from d")
# case: plain-vec-arr-v-vec-plain-v-arr-it-arrowed-v-from-d unordered
spark.sql("select plain(vec(arr(v))), vec(plain(v)), arr(it(arrowed(v))) from d")
# case: plain-plain-plain-v-vec-vec-v-from-d unordered
spark.sql("select plain(plain(plain(v))), vec(vec(v)) from d")
# case: v-it-v-vec-v-plain-v-from-d-order-by-plain-v
spark.sql("select v, it(v) + vec(v) * plain(v) from d order by plain(v)")
# case: v-from-d-order-by-vec-v-desc-k
spark.sql("select v from d order by vec(v) desc, k")
# case: plain-v-2-as-p-count-sum-v-max-vec-v-from-d-group-by-plain-v-2-order-b
spark.sql("select plain(v) % 2 as p, count(*), sum(v), max(vec(v)) from d group by plain(v) % 2 order by 1")
# case: plain-v-2-count-from-d-group-by-1-order-by-1
spark.sql("select plain(v) % 2, count(*) from d group by 1 order by 1")
# case: k-sum-plain-v-from-d-group-by-k-order-by-k
spark.sql("select k, sum(plain(v)) from d group by k order by k")
# case: k-sum-v-from-d-group-by-k-having-plain-sum-v-5-order-by-k
spark.sql("select k, sum(v) from d group by k having plain(sum(v)) > 5 order by k")
# case: k-plain-sum-v-vec-max-v-from-d-group-by-k-order-by-k
spark.sql("select k, plain(sum(v)), vec(max(v)) from d group by k order by k")
# case: a-v-b-v-from-d-a-join-d-b-on-plain-a-v-b-v-order-by-a-v-b-v
spark.sql("select a.v, b.v from d a join d b on plain(a.v) = b.v order by a.v, b.v")
# case: a-v-b-v-from-d-a-join-d-b-on-plain-a-v-plain-b-v-order-by-1-2
spark.sql("select a.v, b.v from d a join d b on plain(a.v) = plain(b.v) order by 1, 2")
# case: a-v-b-v-from-d-a-join-d-b-on-a-k-b-k-and-even-a-v-b-v-order-by-1-2
spark.sql("select a.v, b.v from d a join d b on a.k = b.k and even(a.v + b.v) order by 1, 2")
# case: a-v-b-v-from-d-a-left-join-d-b-on-plain-a-v-b-v-order-by-a-v-b-v
spark.sql("select a.v, b.v from d a left join d b on plain(a.v) = b.v order by a.v, b.v")
# case: a-v-b-v-from-d-a-left-join-d-b-on-a-k-b-k-and-even-b-v-order-by-1-2
spark.sql("select a.v, b.v from d a left join d b on a.k = b.k and even(b.v) order by 1, 2")
# case: a-v-b-v-from-d-a-left-join-d-b-on-a-v-b-v-and-even-a-v-order-by-1-2
spark.sql("select a.v, b.v from d a left join d b on a.v = b.v and even(a.v) order by 1, 2")
# case: a-v-b-v-from-d-a-left-join-d-b-on-a-v-b-v-and-even-a-v-b-v-order-by-1
spark.sql("select a.v, b.v from d a left join d b on a.v = b.v and even(a.v + b.v) order by 1, 2")
# case: a-v-b-v-from-d-a-right-join-d-b-on-a-v-b-v-and-even-a-v-order-by-1-2
spark.sql("select a.v, b.v from d a right join d b on a.v = b.v and even(a.v) order by 1, 2")
# case: a-v-b-v-from-d-a-full-join-d-b-on-a-v-b-v-and-even-a-v-order-by-1-2
spark.sql("select a.v, b.v from d a full join d b on a.v = b.v and even(a.v) order by 1, 2")
# case: a-v-from-d-a-left-semi-join-d-b-on-plain-a-v-b-v-order-by-1
spark.sql("select a.v from d a left semi join d b on plain(a.v) = b.v order by 1")
# case: a-v-from-d-a-left-anti-join-d-b-on-even-a-v-b-v-order-by-1
spark.sql("select a.v from d a left anti join d b on even(a.v + b.v) order by 1")
# case: v-from-d-where-even-v-or-v-5-order-by-v
spark.sql("select v from d where even(v) or v > 5 order by v")
# case: v-from-d-where-plain-v-in-2-3-order-by-v
spark.sql("select v from d where plain(v) in (2, 3) order by v")
# case: v-from-d-where-v-in-select-plain-v-from-d-order-by-v
spark.sql("select v from d where v in (select plain(v) from d) order by v")
# case: v-from-d-where-plain-v-in-select-v-from-d-order-by-v
spark.sql("select v from d where plain(v) in (select v from d) order by v")
# case: v-select-max-plain-v-from-d-from-d-order-by-v
spark.sql("select v, (select max(plain(v)) from d) from d order by v")
# case: v-exists-select-1-from-d-x-where-plain-x-v-d-v-from-d-order-by-v
spark.sql("select v, exists(select 1 from d x where plain(x.v) = d.v) from d order by v")
# case: v-select-max-x-v-from-d-x-where-plain-x-v-d-v-from-d-order-by-v
spark.sql("select v, (select max(x.v) from d x where plain(x.v) = d.v) from d order by v")
# case: case-when-even-v-then-plain-v-else-vec-v-end-from-d-order-by-v
spark.sql("select case when even(v) then plain(v) else vec(v) end from d order by v")
# case: if-v-2-plain-v-0-coalesce-v-plain-v-from-d-order-by-v
spark.sql("select if(v > 2, plain(v), 0), coalesce(v, plain(v)) from d order by v")
# case: k-v-sum-plain-v-over-partition-by-k-order-by-v-from-d-order-by-k-v
spark.sql("select k, v, sum(plain(v)) over (partition by k order by v) from d order by k, v")
# case: k-v-row-number-over-partition-by-plain-length-k-order-by-vec-v-from-d
spark.sql("select k, v, row_number() over (partition by plain(length(k)) order by vec(v)) from d order by k, v")
# case: k-v-plain-row-number-over-order-by-v-from-d-order-by-v
spark.sql("select k, v, plain(row_number() over (order by v)) from d order by v")
# case: k-v-lag-plain-v-over-order-by-plain-v-from-d-order-by-v
spark.sql("select k, v, lag(plain(v)) over (order by plain(v)) from d order by v")
# case: named-v-named-v-k-named-v-c-k-named-a-k-c-v-named-c-1-a-2-from-d-order
spark.sql("select named(v), named(v, k), named(v, c => k), named(a => k, c => v), named(c => 1, a => 2) from d order by v")
# case: pnamed-k-v-pnamed-b-k-a-v-pnamed-a-1-b-2-from-d-order-by-v
spark.sql("select pnamed(k, v), pnamed(b => k, a => v), pnamed(a => 1, b => 2) from d order by v")
# case: named-from-d unordered
spark.sql("select named() from d")
# case: named-1-2-3-from-d unordered
spark.sql("select named(1, 2, 3) from d")
# case: named-z-1-from-d unordered
spark.sql("select named(z => 1) from d")
# case: transform-array-v-1-x-plain-x-from-d unordered
spark.sql("select transform(array(v, 1), x -> plain(x)) from d")
# case: explode-array-plain-v-vec-v-from-d-order-by-1
spark.sql("select explode(array(plain(v), vec(v))) from d order by 1")
# case: plain-v-explode-array-v-1-as-e-from-d-order-by-e-1
spark.sql("select plain(v), explode(array(v, 1)) as e from d order by e, 1")
# case: d-v-t-e-from-d-lateral-view-explode-array-plain-v-t-as-e-order-by-1
spark.sql("select d.v, t.e from d lateral view explode(array(plain(v))) t as e order by 1")
# case: distinct-plain-v-2-from-d-order-by-1
spark.sql("select distinct plain(v) % 2 from d order by 1")
# case: plain-v-from-d-union-select-v-from-d-order-by-1
spark.sql("select plain(v) from d union select v from d order by 1")
# case: plain-v-from-d-limit-0 unordered
spark.sql("select plain(v) from d limit 0")
# case: k-sort-array-collect-list-plain-v-from-d-group-by-k-order-by-k
spark.sql("select k, sort_array(collect_list(plain(v))) from d group by k order by k")
# case: count-distinct-plain-v-count-plain-v-filter-where-even-v-from-d unordered
spark.sql("select count(distinct plain(v)), count(plain(v)) filter (where even(v)) from d")
# case: k-plain-v-from-d-group-by-k-plain-v-order-by-1-2
spark.sql("select k, plain(v) from d group by k, plain(v) order by 1, 2")
# case: k-plain-v-1-from-d-group-by-k-plain-v-order-by-1-2
spark.sql("select k, plain(v) + 1 from d group by k, plain(v) order by 1, 2")
# case: k-plain-v-from-d-group-by-k-order-by-1
spark.sql("select k, plain(v) from d group by k order by 1")
# case: with-x-as-plain-v-as-p-vec-v-as-q-from-d-select-p-q-from-x-where-p-2-o
spark.sql("with x as (select plain(v) as p, vec(v) as q from d) select p + q from x where p > 2 order by 1")
# case: from-values-plain-1-vec-2-as-t-a-b unordered
spark.sql("select * from values (plain(1), vec(2)) as t(a, b)")
# case: plain-1-vec-2-it-3-named-x unordered
spark.sql("select plain(1), vec(2), it(3), named('x')")
# case: from-d-pivot-sum-plain-v-for-k-in-a-b-order-by-1
spark.sql("select * from d pivot (sum(plain(v)) for k in ('a', 'b')) order by 1")
# case: plain-v-as-v2-v2-1-from-d-order-by-1
spark.sql("select plain(v) as v2, v2 + 1 from d order by 1")
# case: sum-v-over-order-by-v-rows-between-plain-1-preceding-and-current-row-f
spark.sql("select sum(v) over (order by v rows between plain(1) preceding and current row) from d")
# case: from-d-order-by-v-limit-plain-1
spark.sql("select * from d order by v limit plain(1)")
# case: plain-cast-v-as-string-from-d unordered
spark.sql("select plain(cast(v as string)) from d")
# case: plain-x unordered
spark.sql("select plain('x')")
# case: vec-k-from-d unordered
spark.sql("select vec(k) from d")
# case: rand-lt-2-and-even-v-from-d-order-by-v
spark.sql("select rand() < 2 and even(v) from d order by v")
# case: grouping-plain-v-count-from-d-group-by-rollup-plain-v-order-by-1-2
spark.sql("select grouping(plain(v)), count(*) from d group by rollup(plain(v)) order by 1, 2")
# case: plain-v-count-from-d-group-by-cube-plain-v-k-order-by-1-2
spark.sql("select plain(v), count(*) from d group by cube(plain(v), k) order by 1, 2")
# case: plain-count-max-plain-v-from-d unordered
spark.sql("select plain(count(*)), max(plain(v)) from d")
# case: plain-max-v-max-plain-v-from-d unordered
spark.sql("select plain(max(v)) + max(plain(v)) from d")
# case: k-max-v-from-d-group-by-k-order-by-plain-max-v
spark.sql("select k, max(v) from d group by k order by plain(max(v))")
# case: k-max-v-as-m-from-d-group-by-k-order-by-vec-m-desc
spark.sql("select k, max(v) as m from d group by k order by vec(m) desc")
# case: named-struct-a-plain-v-b-it-v-from-d-order-by-v
spark.sql("select named_struct('a', plain(v), 'b', it(v)) from d order by v")
# case: map-k-plain-v-from-d-where-k-is-not-null-order-by-v
spark.sql("select map(k, plain(v)) from d where k is not null order by v")
# case: data-frame-join unordered
d.alias("a").join(d.alias("b"), plain(F.col("a.v")) == F.col("b.v")).select("a.v","b.v").orderBy("a.v")
# case: data-frame-withcolumn unordered
d.withColumn("x", vec("v")).withColumn("y", it("x")).filter(F.col("y") > 20).orderBy("y")
# case: data-frame-repart unordered
d.repartition(2, plain("v")).count()
# case: data-frame-dropdup unordered
d.withColumn("x", plain("v") % 2).dropDuplicates(["x"]).count()
# case: data-frame-na unordered
d.na.fill(0).select(plain("v")).orderBy(plain("v"))
# case: data-frame-sample unordered
d.select(F.when(F.col("v") > 2, it("v")).otherwise(ait("v"))).orderBy("v")
# case: data-frame-nondet unordered
d.select(plain.asNondeterministic()("v").alias("x")).filter("x > 2").orderBy("x")
# case: data-frame-groupby-agg-pandas-of-scalar unordered
d.groupBy(plain("v").alias("p")).applyInPandas(lambda f: pandas.DataFrame({"n":[len(f)]}), "n long").orderBy("n")
# case: data-frame-agg-key unordered
d.groupBy(vec("v")).count().orderBy("count", "vec(v)")
# case: data-frame-rep unordered
d.select(plain("v"), plain("v").alias("q"), plain(plain("v"))).orderBy("q")
# case: data-frame-mapin unordered
d.mapInPandas(lambda fs: fs, d.schema).select(plain("v")).orderBy(plain("v"))
# case: data-frame-error unordered
d.select(udf(lambda x: 1/0, "int")("v"))
# case: data-frame-star unordered
d.select(udf(lambda *a: len(a), "int")("*"))
# case: correlated-max-of-a-function
spark.sql("select v, (select max(plain(x.v)) from d x where x.k = d.k) as m from d order by v")
# case: correlated-two-functions
spark.sql("select v, (select max(plain(x.v) + vec(x.v * 2)) from d x where x.k = d.k and x.v > 1) as m from d order by v")
# case: correlated-exists-with-a-function
spark.sql("select v from d where exists (select 1 from d x where x.k = d.k and plain(x.v) > d.v) order by v")
# case: correlated-in-a-function
spark.sql("select v from d where v in (select plain(x.v) from d x where x.k = d.k) order by v")
# case: lateral-function
spark.sql("select d.v, t.p from d, lateral (select plain(x.v) as p from d x where x.k = d.k) as t order by 1, 2")
# case: left-lateral-function
spark.sql("select d.v, t.p from d left join lateral (select plain(x.v) as p from d x where x.k = d.k and x.v > 2) as t on true order by 1, 2")
# case: correlated-over-a-derived-table
spark.sql("select k, (select sum(p) from (select plain(v) as p, k as kk from d where v > 1) q where q.kk = d.k) as s from d order by v")
# case: correlated-function-of-a-function
spark.sql("select v, (select max(plain(vec(x.v))) from d x where x.k = d.k) as m from d order by v")
# case: correlated-beside-a-cte
spark.sql("with c as (select k, plain(v) as p from d) select v, (select max(plain(p)) from c where c.k = d.k) as m from d order by v")
