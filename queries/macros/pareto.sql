-- Question:  which rows of any relation does no other row beat?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then the objectives, any numeric expressions of
--            its columns, all minimised: write -column for what is to be maximised; grid.sql, steps.sql,
--            stairs.sql and epsilon.sql have been run
-- Parameter: ties := 'all' or 'one'; epsilon := 0, or a share from 1e-9 to 1
-- Output:    the table macros pareto2(relation, x, y), pareto3(relation, x, y, z) and pareto(relation, o1, ..., o8),
--            the last for one to eight objectives; each returns all columns of the frontier's rows, in no order
-- Ties:      all rows of equal objectives are kept, or with ties := 'one' the least of them, by its columns from the
--            first to the last: the lowest design_id of designs; never a row with a null or a nan in an objective
--
-- With epsilon, so few rows of the frontier are returned that each row of the relation is worse than one of them by that
-- share at most in every objective: one row a cell, whatever ties says; see epsilon.sql.
-- Up to three objectives are settled by halving, however many rows are on the frontier. More are looked up in a grid of
-- good rows, then in grids of what is left, and the rest is compared cell by cell. Of 100 M rows of four objectives
-- 42,880 are found in little more than a minute of processor time. Weak are frontiers of 100,000 rows of four
-- objectives and more, and seven or eight objectives, of which a grid has few buckets each: ask for those in process,
-- where the compiled kernel answers.
-- The relation is read three times: its objectives, for good ones among a random sample and stairs.sql (of four
-- objectives and more, a sample of a million besides); then its objectives again, for those rows that these do not rule
-- out; and last for the whole rows of the frontier, only columns that are asked for. The first rows would be had for
-- nothing, but those of a run are one corner of its space: they rule out little, and all else takes long.
-- Two objectives are sampled by runs of 2,048 rows, so that DuckDB does not decode the others, and a nan is looked for
-- last, where few rows are left.

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
with pareto_both as not materialized (
    select x as p1, y as p2 from query_table(relation) where pareto_asked(ties, epsilon)
),
pareto_some as (select x as p1, y as p2 from query_table(relation) using sample 4% (system)),
pareto_first as materialized (
    from (from pareto_some where not isnan(cast(p1 as double)) and not isnan(cast(p2 as double)))
    using sample reservoir(50000 rows)
),
pareto_near as materialized (from pareto_under2('pareto_both', 'pareto_first', 2048)),
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
pareto_first as materialized (from pareto_valid using sample reservoir(50000 rows)),
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

-- An objective, 0 where none is given.
create or replace macro pareto_objective(o) as case when typeof(o) = '"NULL"' then 0 else o end;

-- Whether more than three objectives are given: known before a row is read, so that what is not asked for is not run.
create or replace macro pareto_many(o4, o5, o6, o7, o8) as
    typeof(o4) <> '"NULL"' or typeof(o5) <> '"NULL"' or typeof(o6) <> '"NULL"' or typeof(o7) <> '"NULL"'
    or typeof(o8) <> '"NULL"';

create or replace macro pareto(
    relation, o1, o2 := null, o3 := null, o4 := null, o5 := null, o6 := null, o7 := null, o8 := null, ties := 'all',
    epsilon := 0
) as table
with pareto_three as not materialized (
    select o1 as p1, pareto_objective(o2) as p2, pareto_objective(o3) as p3 from query_table(relation)
    where pareto_asked(ties, epsilon) and not pareto_many(o4, o5, o6, o7, o8)
        and not isnan(cast(o1 as double)) and not isnan(cast(pareto_objective(o2) as double))
        and not isnan(cast(pareto_objective(o3) as double))
),
pareto_first3 as materialized (from pareto_three using sample reservoir(50000 rows)),
pareto_near3 as materialized (from pareto_under3('pareto_three', 'pareto_first3', 256)),
pareto_nearer3 as materialized (select distinct p1, p2, p3 from pareto_under3('pareto_near3', 'pareto_near3', 1024)),
pareto_valid as not materialized (
    select
        o1 as p1, pareto_objective(o2) as p2, pareto_objective(o3) as p3, pareto_objective(o4) as p4,
        pareto_objective(o5) as p5, pareto_objective(o6) as p6, pareto_objective(o7) as p7, pareto_objective(o8) as p8
    from query_table(relation)
    where pareto_asked(ties, epsilon) and pareto_many(o4, o5, o6, o7, o8)
        and not isnan(cast(o1 as double)) and not isnan(cast(pareto_objective(o2) as double))
        and not isnan(cast(pareto_objective(o3) as double)) and not isnan(cast(pareto_objective(o4) as double))
        and not isnan(cast(pareto_objective(o5) as double)) and not isnan(cast(pareto_objective(o6) as double))
        and not isnan(cast(pareto_objective(o7) as double)) and not isnan(cast(pareto_objective(o8) as double))
),
pareto_first as materialized (from pareto_valid using sample reservoir(50000 rows)),
pareto_more as materialized (from pareto_valid using sample reservoir(1000000 rows)),
pareto_few as materialized (from pareto_under8('pareto_more', 'pareto_first', 1000000)),
pareto_near as materialized (from pareto_under8('pareto_valid', 'pareto_few', 1000000)),
pareto_exact as materialized (
    from pareto_settled('pareto_near')
    union all
    select p1, p2, p3, 0 as p4, 0 as p5, 0 as p6, 0 as p7, 0 as p8 from pareto_halved('pareto_nearer3')
),
pareto_frontier as materialized (from pareto_representatives('pareto_exact', epsilon)),
pareto_rows as (
    select * from query_table(relation)
    where o1 in (select p1 from pareto_frontier)
        and (
            o1, pareto_objective(o2), pareto_objective(o3), pareto_objective(o4), pareto_objective(o5),
            pareto_objective(o6), pareto_objective(o7), pareto_objective(o8)
        ) in (select (p1, p2, p3, p4, p5, p6, p7, p8) from pareto_frontier)
)
select * from pareto_rows where case when pareto_asked(ties, epsilon) then ties = 'all' and epsilon = 0 end
union all
select * from (
    select * from pareto_rows as pareto_row
    where case when pareto_asked(ties, epsilon) then ties = 'one' or epsilon > 0 end
    qualify row_number() over (partition by o1, o2, o3, o4, o5, o6, o7, o8 order by pareto_row) = 1
);
