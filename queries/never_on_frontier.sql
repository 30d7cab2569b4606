-- Topic:     hardware and formats
-- Question:  which values of an axis, such as precisions or GPUs, are on no frontier of loss and cost?
-- Input:     designs (design_id, loss_nats)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    value, designs, on_frontier, first_id, best_loss_nats, best_cost; one row per value, the most designs on
--            the frontier first; first_id is the cheapest of them, none for a value that is never worth its cost
-- Ties:      designs of equal loss and cost are all on the frontier; of equal cost the lowest design_id; of values by
--            the least loss, then by name

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;

with priced as (
    select design_id, loss_nats,
        columns(lambda c: c = getvariable('axis')) as value,
        cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
),
cheapest as (
    select loss_nats, min(cost) as cost from priced where not isnan(loss_nats) and not isnan(cost) group by loss_nats
),
frontier as (
    select loss_nats, cost from cheapest
    qualify cost < coalesce(
        min(cost) over (order by loss_nats rows between unbounded preceding and 1 preceding), 'inf'::double
    )
),
on_it as (
    select value, count(*) as on_frontier, arg_min(design_id, (cost, design_id)) as first_id
    from priced semi join frontier using (loss_nats, cost)
    group by value
),
by_value as (
    select value, count(*) as designs, min(loss_nats) as best_loss_nats, min(cost) as best_cost
    from priced
    where not isnan(loss_nats) and not isnan(cost)
    group by value
)
select value, designs, coalesce(on_frontier, 0) as on_frontier, first_id, best_loss_nats, best_cost
from by_value left join on_it using (value)
order by on_frontier desc, best_loss_nats, value
