-- Topic:     shape and experts
-- Question:  at which budgets does a mixture of experts reach a lower loss than a dense model?
-- Input:     designs (design_id, loss_nats, num_experts, train_usd)
-- Parameter: $budgets_usd = [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8], what training may cost, in USD
-- Output:    budget_usd, dense_id, dense_loss_nats, moe_id, moe_loss_nats, gain_nats; one row per budget that buys
--            either, the smallest first; nothing stands where it buys only one of them; gain_nats is below zero where
--            the mixture is worse
-- Ties:      of designs of equal loss the cheapest to train, then the lowest design_id

set variable budgets_usd = coalesce(getvariable('budgets_usd'), [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])::double[];

with budgets as (
    select distinct unnest(getvariable('budgets_usd')) as budget_usd
),
affordable as (
    select budget_usd,
        min((loss_nats, train_usd, design_id)) filter (where num_experts = 1) as dense,
        min((loss_nats, train_usd, design_id)) filter (where num_experts > 1) as mixed
    from budgets join designs on train_usd <= budget_usd
    where not isnan(loss_nats)
    group by budget_usd
)
select budget_usd, dense[3] as dense_id, dense[1] as dense_loss_nats, mixed[3] as moe_id, mixed[1] as moe_loss_nats,
    dense[1] - mixed[1] as gain_nats
from affordable
order by budget_usd
