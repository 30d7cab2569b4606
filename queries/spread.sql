-- Topic:     what matters, and what it costs
-- Question:  how are the designs of each value of an axis spread?
-- Input:     designs (design_id)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Output:    value, designs, least, p05, p25, p50, p75, p95, most; one row per value, by the median; quantiles
--            between two designs are interpolated
-- Ties:      of values of equal median by their least, then by name

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable objective = coalesce(getvariable('objective'), 'lifetime_usd')::varchar;

with measured as (
    select columns(lambda c: c = getvariable('axis')) as value,
        cast(columns(lambda c: c = getvariable('objective')) as double) as objective
    from designs
),
summed as (
    select value, count(*) as designs,
        min(objective) as least, max(objective) as most,
        quantile_cont(objective, [0.05, 0.25, 0.5, 0.75, 0.95]) as quantiles
    from measured
    where not isnan(objective)
    group by value
)
select value, designs, least, quantiles[1] as p05, quantiles[2] as p25, quantiles[3] as p50, quantiles[4] as p75,
    quantiles[5] as p95, most
from summed
order by p50, least, value
