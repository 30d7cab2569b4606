-- Topic:     what matters, and what it costs
-- Question:  which axis moves the optimum most when its value is chosen badly?
-- Input:     designs (design_id, the axes); axes (name, position)
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Parameter: $more_is_better = 0, 1 where the most of the objective is best, 0 where the least
-- Output:    axis, values, best_value, worst_value, best, worst, lost; one row per axis, the one that matters most
--            first; worst is the best that the least fortunate value allows, lost 0.1 where that is 10 % off
-- Ties:      of values of equal objective the one of the design of the lowest design_id, then by name; of axes the
--            order of the spec

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
    select axis, value, min((score, design_id)) as best
    from scored unpivot (value for axis in (columns(getvariable('axes'))))
    where not isnan(score)
    group by axis, value
),
by_axis as (
    select axis, count(*) as values, min((best, value)) as first, max((best, value)) as last
    from by_value
    group by axis
)
select axis, values, first[2] as best_value, last[2] as worst_value,
    first[1][1] * getvariable('sign') as best, last[1][1] * getvariable('sign') as worst,
    abs(last[1][1] / first[1][1] - 1) as lost
from by_axis join axes on name = axis
order by lost desc, position
