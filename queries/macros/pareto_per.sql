-- Question:  which rows does no other row of the same group beat?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; per, any expression of its columns; then one
--            to six objectives, any numeric expressions of its columns, all minimised; pareto.sql has been run
-- Parameter: none
-- Output:    the table macro pareto_per(relation, per, o1, ..., o6): all columns of the rows on the frontier of their
--            group, in no order
-- Ties:      all rows of equal objectives in a group; never one with a null or a nan in an objective; null is a group
--
-- The number of the group and its negative are two more objectives: rows of different groups then never beat each other.

-- Where a number lies between the least and the greatest of its group, 0 to 1.
create or replace macro pareto_share(p, low, high) as
    coalesce((cast(p as double) - cast(low as double)) / nullif(cast(high as double) - cast(low as double), 0), 0);

create or replace macro pareto_per(relation, per, o1, o2 := 0, o3 := 0, o4 := 0, o5 := 0, o6 := 0) as table
with pareto_valid as not materialized (
    select per as pareto_group, o1 as p1, o2 as p2, o3 as p3, o4 as p4, o5 as p5, o6 as p6
    from query_table(relation)
    where not isnan(cast(o1 as double)) and not isnan(cast(o2 as double)) and not isnan(cast(o3 as double))
        and not isnan(cast(o4 as double)) and not isnan(cast(o5 as double)) and not isnan(cast(o6 as double))
),
pareto_ranges as materialized (
    select
        pareto_group, row_number() over () as pareto_number,
        min(p1) as low1, max(p1) as high1,
        min(p2) as low2, max(p2) as high2,
        min(p3) as low3, max(p3) as high3,
        min(p4) as low4, max(p4) as high4,
        min(p5) as low5, max(p5) as high5,
        min(p6) as low6, max(p6) as high6
    from pareto_valid group by pareto_group
),
pareto_numbered as not materialized (
    select
        pareto_number, p1, p2, p3, p4, p5, p6,
        greatest(
            pareto_share(p1, low1, high1),
            pareto_share(p2, low2, high2),
            pareto_share(p3, low3, high3),
            pareto_share(p4, low4, high4),
            pareto_share(p5, low5, high5),
            pareto_share(p6, low6, high6)
        ) as share
    from pareto_valid join pareto_ranges on pareto_valid.pareto_group is not distinct from pareto_ranges.pareto_group
),
pareto_bests as materialized (
    select
        pareto_number as best_number,
        arg_min({'p1': p1, 'p2': p2, 'p3': p3, 'p4': p4, 'p5': p5, 'p6': p6, 'p7': 0, 'p8': 0}, share) as best
    from pareto_numbered group by pareto_number
),
pareto_near as materialized (
    select distinct p1, p2, p3, p4, p5, p6, pareto_number as p7, -pareto_number as p8
    from pareto_numbered join pareto_bests on pareto_number = best_number
    where not pareto_beats(best, p1, p2, p3, p4, p5, p6, 0, 0)
),
pareto_frontier as materialized (
    select {'per': pareto_group, 'p1': pareto_left.p1, 'p2': pareto_left.p2, 'p3': pareto_left.p3, 'p4': pareto_left.p4, 'p5': pareto_left.p5, 'p6': pareto_left.p6} as pareto_key
    from pareto_compared('pareto_near') as pareto_left join pareto_ranges on p7 = pareto_number
)
select * from query_table(relation)
where {'per': per, 'p1': o1, 'p2': o2, 'p3': o3, 'p4': o4, 'p5': o5, 'p6': o6} in (select pareto_key from pareto_frontier);
