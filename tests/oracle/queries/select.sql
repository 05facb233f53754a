-- setup
create temporary view t as select * from values (1, 'a', 1.5D), (2, 'b', null), (3, null, cast('NaN' as double)), (null, 'a', -1D) as t(i, s, d);
create temporary view people as select * from values (named_struct('name', 'Ann', 'age', 30), array(1, 2)), (named_struct('name', 'Bob', 'age', null), null) as t(p, a)
-- case: one
select 1
-- case: star
select * from t order by i
-- case: star-except
select * except (s) from t order by i
-- case: qualified-star
select t.* from t order by i
-- case: alias
select i as x, i + 1 as `y z`, i xx from t order by x
-- case: auto-names
select 1, 'a', 1.5, null, true, -i, i + 1, i * 2 > 3, upper(s), i is null, not i = 1, i in (1, 2), s like 'a%', cast(i as string), case when i = 1 then 2 end, i between 1 and 2 from t order by i
-- case: case-insensitive
select I, T.S from T order by i
-- case: struct-star
select p.* from people order by name
-- case: struct-field
select p.name, p.age + 1 as older, a[0] from people order by p.name
-- case: where
select i from t where d > 0 order by i
-- case: where-nan
select i from t where d = cast('NaN' as double)
-- case: where-null
select i from t where null
-- case: where-not-boolean
select i from t where i
-- case: where-string
select i from t where 'x'
-- case: order-nulls
select i from t order by i nulls last
-- case: order-desc
select i from t order by i desc
-- case: order-desc-nulls-first
select i from t order by i desc nulls first
-- case: order-double
select d from t order by d
-- case: order-string
select s from values ('b'), ('A'), ('a'), (''), ('ä'), ('Z'), (null), ('aa') as v(s) order by s
-- case: order-two
select s, i from t order by s desc, i
-- case: order-ordinal
select s, i from t order by 2 desc, 1
-- case: order-ordinal-out-of-range
select s from t order by 2
-- case: order-by-hidden
select s from t order by i
-- case: order-by-expression
select i from t order by -i
-- case: order-by-alias-expression
select i as x from t order by x + 1 desc
-- case: limit
select i from t order by i limit 2
-- case: limit-zero
select i from t limit 0
-- case: limit-offset
select i from t order by i limit 2 offset 1
-- case: offset
select i from t order by i offset 3
-- case: limit-negative
select i from t limit -1
-- case: limit-expression
select i from t order by i limit 1 + 1
-- case: limit-column
select i from t limit i
-- case: limit-string
select i from t limit 'a'
-- case: limit-all
select i from t order by i limit all
-- case: distinct
select distinct s from t order by s
-- case: distinct-order-by-other
select distinct s from t order by i
-- case: distinct-nan
select distinct x from values (cast('NaN' as double)), (cast('NaN' as double)), (0.0D), (-0.0D) as v(x) order by x
-- case: union unordered
select i from t union select 2
-- case: union-all unordered
select i from t union all select 2
-- case: union-types unordered
select 1 union all select 2.5 union all select 3L
-- case: union-string-int unordered
select 'a' union all select 1
-- case: union-names unordered
select 1 as a, 2 as b union all select 3 as b, 4 as a
-- case: union-column-count
select 1, 2 union all select 1
-- case: union-types-wrong
select array(1) union all select 1
-- case: intersect unordered
select * from values (1), (1), (2), (null) as a(x) intersect select * from values (1), (null) as b(x)
-- case: intersect-all unordered
select * from values (1), (1), (2), (null) as a(x) intersect all select * from values (1), (1), (1), (null) as b(x)
-- case: except unordered
select * from values (1), (1), (2), (null) as a(x) except select * from values (2) as b(x)
-- case: except-all unordered
select * from values (1), (1), (2), (null) as a(x) except all select * from values (1) as b(x)
-- case: minus unordered
select * from values (1), (2) as a(x) minus select 2
-- case: set-precedence unordered
select 1 union select 2 intersect select 3
-- case: set-parentheses unordered
(select 1 union select 2) intersect (select 2)
-- case: union-order-limit
select 3 as x union all select 1 union all select 2 order by x limit 2
-- case: cte
with a as (select 1 as x), b as (select x + 1 as y from a) select * from a, b
-- case: cte-columns
with a(p, q) as (select 1, 2) select q, p from a
-- case: cte-shadows-view
with t as (select 5 as i) select i from t
-- case: cte-nested
with a as (with b as (select 1 as x) select x + 1 as y from b) select y from a
-- case: cte-twice unordered
with a as (select i from t where i > 1) select x.i, y.i from a x join a y on x.i = y.i
-- case: cte-column-mismatch
with a(p) as (select 1, 2) select * from a
-- case: recursive-cte
with recursive n(x) as (select 1 union all select x + 1 from n where x < 4) select x from n order by x
-- case: values
values (1, 'a'), (2, null)
-- case: values-types
values (1), (2.5)
-- case: values-alias
select b, a from values (1, 'x') as v(a, b)
-- case: inline-range
select id * 2 as x from range(3) order by x
-- case: from-less-where
select 1 where 1 = 2
-- case: from-first
from t select i order by i
-- case: subquery
select x from (select i + 1 as x from t) where x > 2 order by x
-- case: subquery-alias-columns
select q.b from (select 1, 2) as q(a, b)
-- case: lateral-alias
select i as a, a + 1 as b from t order by i
-- case: pipe
from t |> where i > 1 |> select i |> order by i
-- case: sample-comment
select /* a comment */ 1 -- and another
-- case: hint
select /*+ broadcast(t) */ count(*) from t
-- case: pivot
select * from (select s, i from t) pivot (sum(i) for s in ('a' as a, 'b' as b))
-- case: unpivot unordered
select * from (select 1 as a, 2 as b) unpivot (v for n in (a, b))
-- case: quoted-identifiers
select `a b`, `c.d` from (select 1 as `a b`, 2 as `c.d`)
-- case: unknown-column
select nope from t
-- case: unknown-column-suggestion
select ii, s from t
-- case: unknown-qualified
select t.nope from t
-- case: unknown-qualifier
select u.i from t
-- case: unknown-table
select * from nope
-- case: unknown-database-table
select * from nowhere.nope
-- case: unknown-function
select nope(1)
-- case: syntax-error
select from where
-- case: syntax-error-later
select 1
from t
wher i = 1
-- case: syntax-missing-parenthesis
select (1 + 2 from t
-- case: syntax-unclosed-string
select 'abc
-- case: syntax-typo
selct 1
-- case: empty-statement

-- case: extra-token
select 1 1
-- case: two-statements
select 1; select 2
-- case: division-by-zero
select i / (i - 1) from t
-- case: multi-line-context
select
  i,
  i / 0 as bad
from t
-- case: cast-error
select cast(s as int) from t
-- case: overflow
select cast(i + 2147483646 as int) + i from t
-- case: type-mismatch
select i + array(1) from t
-- case: string-arithmetic
select s + 1 from t
-- case: aggregate-in-where
select i from t where sum(i) > 1
-- case: missing-group-by
select i, sum(d) from t
-- case: having-without-group
select count(*) from t having count(*) > 10
-- case: group-alias
select upper(s) as u, count(*) as n from t group by u order by u
-- case: group-having-order
select s, sum(i) as total, count(*) as n from t group by s having count(*) > 0 order by total desc nulls last, s
-- case: count-star-empty
select count(*), sum(i), max(s) from t where false
-- case: group-empty
select s, count(*) from t where false group by s
-- case: star-except-two
select t.* except (d, i) from t order by i
-- case: star-except-unknown
select * except (nope) from t
-- case: star-except-twice
select * except (s, s) from t
-- case: limit-offset-expression
select i from t order by i limit 3 - 1 offset 2 * 1
-- case: limit-unknown
select i from t limit nope
-- case: limit-alias
select i as x from t limit x
-- case: pivot-groups unordered
select * from (select s, i, d > 0 as p from t) pivot (sum(i) as total, count(*) as n for s in ('a' as a, 'b')) 
-- case: unpivot-nulls unordered
select * from t unpivot include nulls (v for n in (i as first, d as second))
-- case: unpivot-types
select * from t unpivot (v for n in (i, s))
-- case: subquery-hides-names
select t.i from (select t.i from t)
-- case: empty-blank
  
-- case: comment-only
/* nothing */
-- case: end-of-input
select 1 +
-- case: union-cast-null unordered
select null union all select 1

-- case: rollup-of-no-rows
select id, count(*) from (select 1 as id where false) group by rollup(id)

-- case: cube-of-no-rows
select id, count(*) from (select 1 as id where false) group by cube(id)

-- case: grouping-sets-with-total-of-no-rows
select id, count(*) from (select 1 as id where false) group by grouping sets ((id), ())

-- case: grouping-set-without-keys-of-no-rows
select count(*) from (select 1 as id where false) group by grouping sets (())

-- case: view-with-too-few-columns
create temp view too_few(a, b) as select 1

-- case: view-with-too-many-columns
create temp view too_many(a) as select 1, 2
