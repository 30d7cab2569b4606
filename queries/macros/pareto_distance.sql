-- Question:  how far is a row from the frontier?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then one to eight objectives, any numeric
--            expressions of its columns, all minimised; pareto.sql has been run
-- Parameter: none
-- Output:    the table macro pareto_distance(relation, o1, ..., o8): all columns and pareto_distance, the least factor by
--            which all objectives of the row would have to shrink for it to be beaten by nobody; 1 on the frontier, and
--            for a row that is beaten, but only by rows as large in an objective
-- Ties:      rows of equal objectives have equal distances; null where an objective is null, nan, 0 or negative
--
-- It is the inverse of Farrell's efficiency against the rows themselves (Deprins, Simar and Tulkens 1984, "free disposal
-- hull"): the greatest, over the frontier, of the least quotient of objectives. A frontier row with an objective of 0
-- or less is out of reach in it. Each row meets each row of the frontier.

-- How many times as large a is as b, of a positive a; endless where b is not positive. Null where either was not given.
create or replace macro pareto_factor(a, b) as
    case
        when a = b then cast(1 as double)
        when b <= 0 then cast('inf' as double)
        else cast(a as double) / cast(b as double)
    end;

-- The objective, or 0 for one that was not given.
create or replace macro pareto_given(o) as case when typeof(o) = '"NULL"' then 0 else o end;

-- Whether an objective was not given, or is a positive number.
create or replace macro pareto_positive(o) as
    typeof(o) = '"NULL"' or coalesce(o > 0 and not isnan(cast(o as double)), false);

create or replace macro pareto_distance(
    relation, o1, o2 := null, o3 := null, o4 := null, o5 := null, o6 := null, o7 := null, o8 := null
) as table
with pareto_marked as materialized (
    select
        *, row_number() over () as pareto_n, o1 as pareto_o1, o2 as pareto_o2, o3 as pareto_o3, o4 as pareto_o4,
        o5 as pareto_o5, o6 as pareto_o6, o7 as pareto_o7, o8 as pareto_o8,
        pareto_positive(o1) and pareto_positive(o2) and pareto_positive(o3) and pareto_positive(o4)
        and pareto_positive(o5) and pareto_positive(o6) and pareto_positive(o7) and pareto_positive(o8) as pareto_is_positive
    from query_table(relation)
),
pareto_hull as materialized (
    select distinct pareto_o1 as pareto_p1, pareto_o2 as pareto_p2, pareto_o3 as pareto_p3, pareto_o4 as pareto_p4, pareto_o5 as pareto_p5, pareto_o6 as pareto_p6, pareto_o7 as pareto_p7, pareto_o8 as pareto_p8
    from pareto(
        'pareto_marked', pareto_o1, pareto_given(o2), pareto_given(o3), pareto_given(o4),
        pareto_given(o5), pareto_given(o6), pareto_given(o7), pareto_given(o8)
    )
),
pareto_measured as (
    select pareto_n, max(least(
        pareto_factor(pareto_o1, pareto_p1), pareto_factor(pareto_o2, pareto_p2), pareto_factor(pareto_o3, pareto_p3), pareto_factor(pareto_o4, pareto_p4),
        pareto_factor(pareto_o5, pareto_p5), pareto_factor(pareto_o6, pareto_p6), pareto_factor(pareto_o7, pareto_p7), pareto_factor(pareto_o8, pareto_p8)
    )) as pareto_distance
    from pareto_marked, pareto_hull where pareto_is_positive group by pareto_n
)
select
    pareto_marked.* exclude (
        pareto_n, pareto_is_positive, pareto_o1, pareto_o2, pareto_o3, pareto_o4, pareto_o5, pareto_o6, pareto_o7, pareto_o8
    ),
    pareto_distance
from pareto_marked left join pareto_measured using (pareto_n);
