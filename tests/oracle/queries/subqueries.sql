-- setup
create temporary view t as select * from values (1, 10), (2, 20), (3, null), (null, 40) as t(a, b);
create temporary view u as select * from values (1, 100), (1, 101), (3, 300), (5, null) as u(a, c);
create temporary view n as select * from values (1), (null) as n(x)
-- case: scalar
select (select max(c) from u) as m
-- case: scalar-empty
select (select c from u where false) as m
-- case: scalar-many-rows
select (select c from u)
-- case: scalar-many-columns
select (select a, c from u)
-- case: scalar-in-where
select a from t where b > (select avg(b) from t) order by a
-- case: scalar-correlated
select a, (select max(c) from u where u.a = t.a) as m from t order by a
-- case: scalar-correlated-count
select a, (select count(*) from u where u.a = t.a) as n from t order by a
-- case: scalar-correlated-sum-plus
select a, (select sum(c) + 1 from u where u.a = t.a) as n from t order by a
-- case: scalar-correlated-not-aggregated
select a, (select c from u where u.a = t.a) from t
-- case: scalar-correlated-in-where
select a from t where b > (select min(c) / 20 from u where u.a = t.a) order by a
-- case: scalar-correlated-inequality
select a, (select count(*) from u where u.a > t.a) as n from t order by a
-- case: scalar-correlated-limit
select a, (select c from u where u.a = t.a order by c desc limit 1) as n from t order by a
-- case: exists
select a from t where exists (select 1 from u where u.a = t.a) order by a
-- case: not-exists
select a from t where not exists (select 1 from u where u.a = t.a) order by a
-- case: exists-uncorrelated
select a from t where exists (select 1 from u where false)
-- case: exists-and-filter
select a from t where b > 5 and exists (select * from u where u.a = t.a and u.c > t.b) order by a
-- case: exists-or
select a from t where exists (select 1 from u where u.a = t.a) or b = 20 order by a
-- case: in
select a from t where a in (select a from u) order by a
-- case: not-in
select a from t where a not in (select a from u) order by a
-- case: not-in-null
select a from t where a not in (select x from n)
-- case: in-null
select a from t where a in (select x from n)
-- case: in-correlated
select a from t where b in (select c / 10 from u where u.a = t.a) order by a
-- case: in-two-columns
select a from t where (a, b) in (select a, 10 from u) order by a
-- case: in-select-list
select a, a in (select a from u) as f from t order by a
-- case: in-type-coercion
select a from t where a in (select cast(a as string) from u) order by a
-- case: in-column-count
select a from t where a in (select a, c from u)
-- case: having-subquery
select a, count(*) from u group by a having count(*) > (select 1) order by a
-- case: nested
select a from t where a in (select a from u where c > (select min(b) from t)) order by a
-- case: from-subquery-correlated-join
select t.a, v.m from t join (select a, max(c) as m from u group by a) v on v.a = t.a order by 1
-- case: unknown-outer
select a from t where exists (select 1 from u where u.a = t.zz)
-- case: correlated-deep
select a from t where exists (select 1 from u where u.a = t.a and exists (select 1 from n where n.x = t.a)) order by a
-- case: case-with-subquery
select a, case when exists (select 1 from u where u.a = t.a) then 'yes' else 'no' end as f from t order by a
-- case: scalar-in-order-by
select a from t order by (select max(c) from u) - a nulls last
-- case: not-in-select-list
select a, a not in (select a from u) as f, (a in (select a from u)) is null as g from t order by a
-- case: in-under-or
select a from t where not (a in (select x from n) or b = 20) order by a
-- case: not-in-column-count
select a from t where a not in (select a, c from u)

-- case: in-selected-with-nulls unordered
select id, id in (select * from values (1), (null)) as a, id not in (select 1) as b, not (id in (select 1)) as c from values (1), (2), (null) as t(id)

-- case: in-selected-null-literal
select cast(null as int) in (select 1)

-- case: in-under-is-null unordered
select id from values (1), (2), (null) as t(id) where (id in (select * from values (1), (null))) is null or id = 1

-- case: not-in-several-values-with-nulls unordered
select * from values (1, 'a'), (2, 'b'), (null, 'c'), (3, null) as t(id, s) where (id, s) not in (select * from values (1, 'b'), (2, 'b'))

-- case: in-several-values-correlated unordered
select * from values (1, 'a'), (2, 'b'), (null, 'c') as t(id, s) where (id, s) in (select x, y from values (1, 'a'), (2, 'c'), (null, 'c') as r(x, y) where x <= t.id)

-- case: in-and-not-in-with-nulls unordered
select id from values (1), (2), (null) as t(id) where id not in (select 1) and (id in (select 2) or id is null)
