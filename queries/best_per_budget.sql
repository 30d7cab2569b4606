-- Topic:     budgets and targets
-- Question:  what is the best model that each training budget buys?
-- Input:     designs (design_id, the axes, loss_nats, train_usd); axes (name, position)
-- Parameter: $budgets_usd = [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8], what training may cost, in USD
-- Output:    budget_usd, design_id, the axes, loss_nats, train_usd; one row per budget that buys anything, the
--            smallest first
-- Ties:      of designs of equal loss the cheapest to train, then the lowest design_id

set variable budgets_usd = coalesce(getvariable('budgets_usd'), [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])::double[];
set variable axes = (select list(name order by position) from axes);

with budgets as (
    select distinct unnest(getvariable('budgets_usd')) as budget_usd
),
affordable as (
    select budget_usd, arg_min(design_id, (loss_nats, train_usd, design_id)) as design_id
    from budgets join designs on train_usd <= budget_usd
    where not isnan(loss_nats)
    group by budget_usd
)
select budget_usd, design_id, columns(getvariable('axes')), loss_nats, train_usd
from affordable join designs using (design_id)
order by budget_usd
