-- Topic:     how far to trust it
-- Question:  what does it cost to believe the law only where it was fitted, or not far outside?
-- Input:     designs (design_id, loss_nats, times_outside_fitted_range)
-- Parameter: $times_outside = [1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4], how far outside the fitted range a design may
--            lie, as a factor; 1 is inside
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    at_most_outside, designs, best_loss_nats, best_loss_id, over_best_nats, cheapest_cost, cheapest_id; one
--            row per factor that leaves a design, the strictest first; the least loss, how much more it is than that
--            of all designs, and the cheapest design that reaches the loss asked for, nothing where none does
-- Ties:      of designs of equal loss or cost the lowest design_id

set variable times_outside = coalesce(getvariable('times_outside'), [1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4])::double[];
set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;

with limits as (
    select distinct unnest(getvariable('times_outside')) as at_most_outside
),
priced as (
    select design_id, loss_nats, times_outside_fitted_range as times_outside,
        cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
    where not isnan(loss_nats)
),
unlimited as (
    select min(loss_nats) as least_nats from priced
),
within as (
    select at_most_outside, count(*) as designs, min((loss_nats, design_id)) as best,
        min((cost, design_id)) filter (where loss_nats <= getvariable('max_loss_nats') and not isnan(cost)) as cheapest
    from limits join priced on times_outside <= at_most_outside
    group by at_most_outside
)
select at_most_outside, designs, best[1] as best_loss_nats, best[2] as best_loss_id,
    best[1] - least_nats as over_best_nats, cheapest[1] as cheapest_cost, cheapest[2] as cheapest_id
from within, unlimited
order by at_most_outside
