-- Topic:     budgets and targets
-- Question:  what is the cheapest design that reaches each loss?
-- Input:     designs (design_id, the axes, loss_nats); axes (name, position)
-- Parameter: $losses_nats = [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94], the losses to reach, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    target_nats, design_id, the axes, loss_nats, cost; one row per loss that is reached, the easiest first
-- Ties:      of designs of equal cost the least loss, then the lowest design_id

set variable losses_nats = coalesce(getvariable('losses_nats'), [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94])::double[];
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;
set variable axes = (select list(name order by position) from axes);

with targets as (
    select distinct unnest(getvariable('losses_nats')) as target_nats
),
priced as (
    select design_id, loss_nats, cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
),
reached as (
    select target_nats, arg_min(design_id, (cost, loss_nats, design_id)) as design_id
    from targets join priced on loss_nats <= target_nats
    where not isnan(cost)
    group by target_nats
),
chosen as (
    select target_nats, design_id, cost from reached join priced using (design_id)
)
select target_nats, design_id, columns(getvariable('axes')), loss_nats, cost
from chosen join designs using (design_id)
order by target_nats desc
