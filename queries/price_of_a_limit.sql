-- Topic:     what matters, and what it costs
-- Question:  what does a limit cost: the best below it against the best without it?
-- Input:     designs (design_id)
-- Parameter: $limited = 'min_gpus_to_serve', a column of numbers: what is limited
-- Parameter: $limits = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], the most it may be
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Parameter: $more_is_better = 0, 1 where the most of the objective is best, 0 where the least
-- Output:    at_most, designs, design_id, objective, off_best; one row per limit that leaves a design, the tightest
--            first; off_best is 0.1 where the limit costs 10 % of the objective
-- Ties:      of designs of equal objective the lowest design_id

set variable limited = coalesce(getvariable('limited'), 'min_gpus_to_serve')::varchar;
set variable limits = coalesce(getvariable('limits'), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0])::double[];
set variable objective = coalesce(getvariable('objective'), 'lifetime_usd')::varchar;
set variable more_is_better = coalesce(getvariable('more_is_better'), 0)::bigint;
set variable sign = case when getvariable('more_is_better') = 0 then 1 else -1 end;

with limits as (
    select distinct unnest(getvariable('limits')) as at_most
),
scored as (
    select design_id, cast(columns(lambda c: c = getvariable('limited')) as double) as limited,
        cast(columns(lambda c: c = getvariable('objective')) as double) * getvariable('sign') as score
    from designs
),
unlimited as (
    select min(score) as best from scored where not isnan(score)
),
under as (
    select at_most, count(*) as designs, min((score, design_id)) as found
    from limits join scored on limited <= at_most
    where not isnan(score)
    group by at_most
)
select at_most, designs, found[2] as design_id, found[1] * getvariable('sign') as objective,
    abs(found[1] / best - 1) as off_best
from under, unlimited
order by at_most
