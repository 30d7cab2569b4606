-- Topic:     budgets and targets
-- Question:  what does the next step down in loss cost, and how fast does its price rise?
-- Input:     designs (design_id, loss_nats)
-- Parameter: $step_nats = 0.01, how far one step goes down, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    target_nats, design_id, cost, cost_of_step, cost_per_nat; one row per step that has a cheapest design of
--            its own, from the least cost of all down to the least loss; cost_of_step is since the row before,
--            cost_per_nat that for each nat it went down
-- Ties:      of designs of equal cost the least loss, then the lowest design_id

set variable step_nats = coalesce(getvariable('step_nats'), 0.01)::double;
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;

with priced as (
    select design_id, loss_nats, cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
),
steps as (
    select
        ceil(loss_nats / getvariable('step_nats')) as step,
        min((cost, loss_nats, design_id)) as cheapest
    from priced
    where not isnan(cost) and not isnan(loss_nats)
    group by step
),
up_to as (
    select step, min(cheapest) over (order by step) as cheapest from steps
),
rungs as (
    select * from up_to where ceil(cheapest[2] / getvariable('step_nats')) = step
),
climbed as (
    select step, cheapest[3] as design_id, cheapest[1] as cost,
        cheapest[1] - lag(cheapest[1]) over (order by step desc) as cost_of_step,
        lag(step) over (order by step desc) - step as steps
    from rungs
)
select step * getvariable('step_nats') as target_nats, design_id, cost, cost_of_step,
    cost_of_step / (steps * getvariable('step_nats')) as cost_per_nat
from climbed
order by step desc
