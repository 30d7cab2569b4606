-- Topic:     what matters, and what it costs
-- Question:  how different are the designs that are nearly as good as the best?
-- Input:     designs (design_id, the axes); axes (name, position)
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Parameter: $more_is_better = 0, 1 where the most of the objective is best, 0 where the least
-- Parameter: $within = 0.05, how far off the best a design may be, as a share of it
-- Output:    axis, value, designs, share, design_id, off_best; one row per value that any near-optimal design has,
--            axes in the order of the spec, the most frequent value first; design_id is the best of them
-- Ties:      of designs of equal objective the lowest design_id; of values as frequent the one of the lower
--            design_id, then by name

set variable objective = coalesce(getvariable('objective'), 'lifetime_usd')::varchar;
set variable more_is_better = coalesce(getvariable('more_is_better'), 0)::bigint;
set variable within = coalesce(getvariable('within'), 0.05)::double;
set variable sign = case when getvariable('more_is_better') = 0 then 1 else -1 end;
set variable axes = (select list(name order by position) from axes);

with scored as (
    select design_id, cast(columns(lambda c: c = getvariable('objective')) as double) * getvariable('sign') as score
    from designs
),
near as materialized (
    select design_id, score, min(score) over () as best from scored
    where not isnan(score)
        and score <= (
            select min(score) + getvariable('within') * abs(min(score)) from scored where not isnan(score)
        )
),
described as (
    select design_id, score, best, columns(getvariable('axes'))::varchar
    from near join designs using (design_id)
),
by_value as (
    select axis, value, count(*) as designs, min((score, design_id)) as found, any_value(best) as best
    from described unpivot (value for axis in (columns(getvariable('axes'))))
    group by axis, value
)
select axis, value, designs, designs / sum(designs) over (partition by axis) as share, found[2] as design_id,
    abs(found[1] / best - 1) as off_best
from by_value join axes on name = axis
order by position, designs desc, design_id, value
