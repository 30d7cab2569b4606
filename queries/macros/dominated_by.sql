-- Question:  why is a design not on the frontier?
-- Input:     relation, the name of a table, a view or a CTE with a column design_id, in quotes; id, the design's; then one
--            to eight objectives, any numeric expressions of its columns, all minimised; pareto.sql has been run
-- Parameter: none
-- Output:    the table macro dominated_by(relation, id, o1, ..., o8): all columns of the rows on the frontier that beat the
--            design, and better_by, the list of how much less each objective is, in its pareto_it unit; by the sum of their
--            ranks in the objectives, best first; no row for a design that is on the frontier
-- Ties:      all rows of equal objectives; an error for an id that is not there or has a null or nan objective
create or replace macro dominated_by(
    relation, id, o1, o2 := null, o3 := null, o4 := null, o5 := null, o6 := null, o7 := null, o8 := null
) as table
with pareto_marked as (
    select
        *, o1 as pareto_o1, pareto_given(o2) as pareto_o2, pareto_given(o3) as pareto_o3, pareto_given(o4) as pareto_o4,
        pareto_given(o5) as pareto_o5, pareto_given(o6) as pareto_o6, pareto_given(o7) as pareto_o7,
        pareto_given(o8) as pareto_o8,
        {
            'p1': pareto_o1, 'p2': pareto_o2, 'p3': pareto_o3, 'p4': pareto_o4,
            'p5': pareto_o5, 'p6': pareto_o6, 'p7': pareto_o7, 'p8': pareto_o8
        } as pareto_them
    from query_table(relation)
),
pareto_own as materialized (
    select
        count(*) as found,
        any_value(pareto_them) as pareto_it
    from pareto_marked where design_id = id
),
pareto_checked as materialized (
    select case
        when found = 0 then error(concat('there is no design ', id))
        when coalesce(isnan(cast(pareto_it.p1 as double)), true)
            or coalesce(isnan(cast(pareto_it.p2 as double)), true)
            or coalesce(isnan(cast(pareto_it.p3 as double)), true)
            or coalesce(isnan(cast(pareto_it.p4 as double)), true)
            or coalesce(isnan(cast(pareto_it.p5 as double)), true)
            or coalesce(isnan(cast(pareto_it.p6 as double)), true)
            or coalesce(isnan(cast(pareto_it.p7 as double)), true)
            or coalesce(isnan(cast(pareto_it.p8 as double)), true)
            then error(concat('design ', id, ' has an objective that is null or nan, so it is on no frontier'))
        else pareto_it
    end as pareto_it
    from pareto_own
),
pareto_better as materialized (
    select pareto_marked.*, pareto_it
    from pareto_marked, pareto_checked
    where pareto_beats(
        pareto_them, pareto_it.p1, pareto_it.p2, pareto_it.p3, pareto_it.p4,
        pareto_it.p5, pareto_it.p6, pareto_it.p7, pareto_it.p8
    )
),
pareto_best as (
    from pareto(
        'pareto_better', pareto_o1, pareto_o2, pareto_o3, pareto_o4, pareto_o5, pareto_o6, pareto_o7, pareto_o8
    )
)
select
    * exclude (
        pareto_it, pareto_them, pareto_o1, pareto_o2, pareto_o3, pareto_o4, pareto_o5, pareto_o6, pareto_o7, pareto_o8
    ),
    list_filter([
        case when typeof(o1) <> '"NULL"' then cast(pareto_it.p1 as double) - cast(pareto_o1 as double) end,
        case when typeof(o2) <> '"NULL"' then cast(pareto_it.p2 as double) - cast(pareto_o2 as double) end,
        case when typeof(o3) <> '"NULL"' then cast(pareto_it.p3 as double) - cast(pareto_o3 as double) end,
        case when typeof(o4) <> '"NULL"' then cast(pareto_it.p4 as double) - cast(pareto_o4 as double) end,
        case when typeof(o5) <> '"NULL"' then cast(pareto_it.p5 as double) - cast(pareto_o5 as double) end,
        case when typeof(o6) <> '"NULL"' then cast(pareto_it.p6 as double) - cast(pareto_o6 as double) end,
        case when typeof(o7) <> '"NULL"' then cast(pareto_it.p7 as double) - cast(pareto_o7 as double) end,
        case when typeof(o8) <> '"NULL"' then cast(pareto_it.p8 as double) - cast(pareto_o8 as double) end
    ], lambda gap: gap is not null) as better_by
from pareto_best
order by
    rank() over (order by pareto_o1) +
    rank() over (order by pareto_o2) +
    rank() over (order by pareto_o3) +
    rank() over (order by pareto_o4) +
    rank() over (order by pareto_o5) +
    rank() over (order by pareto_o6) +
    rank() over (order by pareto_o7) +
    rank() over (order by pareto_o8),
    pareto_o1, pareto_o2, pareto_o3, pareto_o4, pareto_o5, pareto_o6, pareto_o7, pareto_o8, design_id;
