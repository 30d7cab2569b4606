-- Topic:     shape and experts
-- Question:  at which losses is a mixture of experts cheaper than a dense model?
-- Input:     designs (design_id, loss_nats, num_experts)
-- Parameter: $losses_nats = [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94], the losses to reach, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    target_nats, dense_id, dense_cost, moe_id, moe_cost, saved; one row per loss that either reaches, the
--            easiest first; nothing stands where one of them does not; saved is 0.1 where the mixture is 10 %
--            cheaper, below zero where it is dearer
-- Ties:      of designs of equal cost the lowest design_id

set variable losses_nats = coalesce(getvariable('losses_nats'), [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94])::double[];
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;

with targets as (
    select distinct unnest(getvariable('losses_nats')) as target_nats
),
priced as (
    select design_id, loss_nats, num_experts, cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
),
reached as (
    select target_nats,
        min((cost, design_id)) filter (where num_experts = 1) as dense,
        min((cost, design_id)) filter (where num_experts > 1) as mixed
    from targets join priced on loss_nats <= target_nats
    where not isnan(cost)
    group by target_nats
)
select target_nats, dense[2] as dense_id, dense[1] as dense_cost, mixed[2] as moe_id, mixed[1] as moe_cost,
    1 - mixed[1] / dense[1] as saved
from reached
order by target_nats desc
