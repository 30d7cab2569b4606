-- Topic:     what matters, and what it costs
-- Question:  what is the best that each value of each axis allows?
-- Input:     designs (design_id, the axes); axes (name, position)
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Parameter: $more_is_better = 0, 1 where the most of the objective is best, 0 where the least
-- Output:    axis, value, designs, design_id, objective, off_best; one row per value of each axis, axes in the order
--            of the spec, the best value first; off_best is 0.1 where the value costs 10 % of the objective
-- Ties:      of designs of equal objective the lowest design_id; of values of equal objective the one of the lower
--            design_id, then by name

set variable objective = coalesce(getvariable('objective'), 'lifetime_usd')::varchar;
set variable more_is_better = coalesce(getvariable('more_is_better'), 0)::bigint;
set variable sign = case when getvariable('more_is_better') = 0 then 1 else -1 end;
set variable axes = (select list(name order by position) from axes);

with scored as (
    select design_id, cast(columns(lambda c: c = getvariable('objective')) as double) * getvariable('sign') as score,
        columns(getvariable('axes'))::varchar
    from designs
),
by_value as (
    select axis, value, count(*) as designs, min((score, design_id)) as best
    from scored unpivot (value for axis in (columns(getvariable('axes'))))
    where not isnan(score)
    group by axis, value
)
select axis, value, designs, best[2] as design_id, best[1] * getvariable('sign') as objective,
    abs(best[1] / min(best[1]) over () - 1) as off_best
from by_value join axes on name = axis
order by position, best[1], design_id, value
