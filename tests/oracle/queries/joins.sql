-- setup
create temporary view l as select * from values (1, 'a'), (2, 'b'), (2, 'bb'), (null, 'n') as t(id, x);
create temporary view r as select * from values (2, 'R2'), (2, 'R22'), (3, 'R3'), (null, 'RN') as t(id, y);
create temporary view w as select * from values (2, 'w', 10), (3, 'w3', 20) as t(id, x, z)
-- case: inner unordered
select * from l join r on l.id = r.id
-- case: inner-columns unordered
select l.id, x, y from l inner join r on l.id = r.id where y <> 'R22'
-- case: left unordered
select * from l left join r on l.id = r.id
-- case: right unordered
select * from l right outer join r on l.id = r.id
-- case: full unordered
select * from l full outer join r on l.id = r.id
-- case: cross unordered
select x, y from l cross join r
-- case: comma unordered
select x, y from l, r where l.id = r.id
-- case: semi unordered
select * from l left semi join r on l.id = r.id
-- case: anti unordered
select * from l left anti join r on l.id = r.id
-- case: using unordered
select * from l join r using (id)
-- case: using-full unordered
select * from l full join r using (id)
-- case: using-two unordered
select * from l join w using (id, x)
-- case: using-qualified unordered
select l.id, r.id, id from l left join r using (id)
-- case: natural unordered
select * from l natural join r
-- case: natural-left unordered
select * from l natural left join w
-- case: natural-nothing-common unordered
select * from (select x from l) natural join (select y from r)
-- case: non-equi unordered
select l.id, r.id from l join r on l.id < r.id
-- case: null-safe unordered
select x, y from l join r on l.id <=> r.id
-- case: left-filter-in-on unordered
select * from l left join r on l.id = r.id and y = 'R2'
-- case: self-join unordered
select a.x, b.x from l a join l b on a.id = b.id and a.x < b.x
-- case: three unordered
select l.x, r.y, w.z from l join r on l.id = r.id join w on w.id = r.id
-- case: lateral unordered
select x, m from l, lateral (select max(y) as m from r where r.id = l.id)
-- case: join-no-condition unordered
select count(*) from l join r
-- case: on-type-mismatch
select * from l join r on l.id
-- case: ambiguous
select id from l join r on l.id = r.id
-- case: ambiguous-star-dot unordered
select l.*, r.y from l join r on l.id = r.id
-- case: unknown-in-on
select * from l join r on l.idd = r.id
-- case: using-unknown
select * from l join r using (nope)
-- case: duplicate-output unordered
select * from (select l.id, r.id from l join r on l.id = r.id)
-- case: duplicate-output-use
select id from (select l.id, r.id from l join r on l.id = r.id)
-- case: values-join unordered
select * from values (1, 'p') as a(k, v) join values (1L, 'q') as b(k, v) on a.k = b.k
-- case: string-int-join unordered
select * from values ('1') as a(k) join values (1) as b(k) on a.k = b.k
-- case: nan-join unordered
select count(*) from values (cast('NaN' as double)) as a(k) join values (cast('NaN' as double)) as b(k) on a.k = b.k
-- case: zero-join unordered
select count(*) from values (0.0D) as a(k) join values (-0.0D) as b(k) on a.k = b.k
