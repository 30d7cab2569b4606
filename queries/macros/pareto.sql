-- Question:  which rows of any relation does no other row beat?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then the objectives, any numeric expressions of
--            its columns, all minimised: write -column for what is to be maximised; steps.sql, stairs.sql and
--            epsilon.sql have been run
-- Parameter: ties := 'all' or 'one'; epsilon := 0, or a share from 1e-9 to 1
-- Output:    the table macros pareto2(relation, x, y), pareto3(relation, x, y, z) and pareto(relation, o1, ..., o8),
--            the last for one to eight objectives; each returns all columns of the frontier's rows, in no order
-- Ties:      all rows of equal objectives are kept, or with ties := 'one' the least of them, by its columns from the
--            first to the last: the lowest design_id of designs; never a row with a null or a nan in an objective
--
-- With epsilon, so few rows of the frontier are returned that each row of the relation is worse than one of them by that
-- share at most in every objective: one row a cell, whatever ties says; see epsilon.sql.
-- Of three objectives take pareto3: pareto compares cells with cells, and had not ended after five minutes over 100 M rows
-- with 20,000 on the frontier, which take pareto3 half a minute.
-- The relation is read three times: its first rows, for a few good ones and stairs.sql; then only its objectives, for
-- those rows that these do not rule out; and last for the whole rows of the frontier, only columns that are asked for.

-- True, or an error that says what ties and epsilon may be.
create or replace macro pareto_asked(ties, epsilon) as
    case
        when coalesce(ties not in ('all', 'one'), true)
            then error(concat('ties := ', coalesce('''' || ties || '''', 'null'), ' is neither ''all'' nor ''one'''))
        when coalesce(epsilon <> 0 and not epsilon between 1e-9 and 1, true)
            then error(
                concat('epsilon := ', coalesce(cast(epsilon as varchar), 'null'), ' is not 0 or a share from 1e-9 to 1')
            )
        else true
    end;

create or replace macro pareto2(relation, x, y, ties := 'all', epsilon := 0) as table
with pareto_valid as not materialized (
    select x as p1, y as p2 from query_table(relation)
    where pareto_asked(ties, epsilon) and not isnan(cast(x as double)) and not isnan(cast(y as double))
),
pareto_first as materialized (from pareto_valid limit 50000),
pareto_near as materialized (from pareto_under2('pareto_valid', 'pareto_first', 2048)),
pareto_nearer as (select distinct p1, p2 from pareto_under2('pareto_near', 'pareto_near', 2048)),
pareto_least as (
    from pareto_nearer qualify p2 <= min(p2) over (order by p1)
),
pareto_exact as materialized (
    select p1, p2, 0 as p3, 0 as p4, 0 as p5, 0 as p6, 0 as p7, 0 as p8 from pareto_least
    qualify p1 <= min(p1) over (partition by p2)
),
pareto_frontier as materialized (from pareto_representatives('pareto_exact', epsilon)),
pareto_rows as (
    select * from query_table(relation)
    where x in (select p1 from pareto_frontier) and y in (select p2 from pareto_frontier)
        and (x, y) in (select (p1, p2) from pareto_frontier)
)
select * from pareto_rows where case when pareto_asked(ties, epsilon) then ties = 'all' and epsilon = 0 end
union all
select * from (
    select * from pareto_rows as pareto_row
    where case when pareto_asked(ties, epsilon) then ties = 'one' or epsilon > 0 end
    qualify row_number() over (partition by x, y order by pareto_row) = 1
);

create or replace macro pareto3(relation, x, y, z, ties := 'all', epsilon := 0) as table
with pareto_valid as not materialized (
    select x as p1, y as p2, z as p3 from query_table(relation)
    where pareto_asked(ties, epsilon)
        and not isnan(cast(x as double)) and not isnan(cast(y as double)) and not isnan(cast(z as double))
),
pareto_first as materialized (from pareto_valid limit 50000),
pareto_near as materialized (from pareto_under3('pareto_valid', 'pareto_first', 256)),
pareto_nearer as materialized (select distinct p1, p2, p3 from pareto_under3('pareto_near', 'pareto_near', 1024)),
pareto_exact as materialized (
    select p1, p2, p3, 0 as p4, 0 as p5, 0 as p6, 0 as p7, 0 as p8 from pareto_halved('pareto_nearer')
),
pareto_frontier as materialized (from pareto_representatives('pareto_exact', epsilon)),
pareto_rows as (
    select * from query_table(relation)
    where x in (select p1 from pareto_frontier) and y in (select p2 from pareto_frontier)
        and (x, y, z) in (select (p1, p2, p3) from pareto_frontier)
)
select * from pareto_rows where case when pareto_asked(ties, epsilon) then ties = 'all' and epsilon = 0 end
union all
select * from (
    select * from pareto_rows as pareto_row
    where case when pareto_asked(ties, epsilon) then ties = 'one' or epsilon > 0 end
    qualify row_number() over (partition by x, y, z order by pareto_row) = 1
);

create or replace macro pareto(
    relation, o1, o2 := 0, o3 := 0, o4 := 0, o5 := 0, o6 := 0, o7 := 0, o8 := 0, ties := 'all', epsilon := 0
) as table
with pareto_valid as not materialized (
    select o1 as p1, o2 as p2, o3 as p3, o4 as p4, o5 as p5, o6 as p6, o7 as p7, o8 as p8
    from query_table(relation)
    where pareto_asked(ties, epsilon)
        and not isnan(cast(o1 as double)) and not isnan(cast(o2 as double)) and not isnan(cast(o3 as double))
        and not isnan(cast(o4 as double)) and not isnan(cast(o5 as double)) and not isnan(cast(o6 as double))
        and not isnan(cast(o7 as double)) and not isnan(cast(o8 as double))
),
pareto_first as materialized (from pareto_valid limit 50000),
pareto_best as materialized (from pareto_champions('pareto_first')),
pareto_near as materialized (
    select p1, p2, p3, p4, p5, p6, p7, p8
    from pareto_valid, pareto_best
    where not pareto_beats(c1, p1, p2, p3, p4, p5, p6, p7, p8) and not pareto_beats(c2, p1, p2, p3, p4, p5, p6, p7, p8)
        and not pareto_beats(c3, p1, p2, p3, p4, p5, p6, p7, p8) and not pareto_beats(c4, p1, p2, p3, p4, p5, p6, p7, p8)
        and not pareto_beats(c5, p1, p2, p3, p4, p5, p6, p7, p8)
),
pareto_exact as materialized (from pareto_settled('pareto_near')),
pareto_frontier as materialized (from pareto_representatives('pareto_exact', epsilon)),
pareto_rows as (
    select * from query_table(relation)
    where (o1, o2, o3, o4, o5, o6, o7, o8) in (select (p1, p2, p3, p4, p5, p6, p7, p8) from pareto_frontier)
)
select * from pareto_rows where case when pareto_asked(ties, epsilon) then ties = 'all' and epsilon = 0 end
union all
select * from (
    select * from pareto_rows as pareto_row
    where case when pareto_asked(ties, epsilon) then ties = 'one' or epsilon > 0 end
    qualify row_number() over (partition by o1, o2, o3, o4, o5, o6, o7, o8 order by pareto_row) = 1
);
