-- Topic:     what matters, and what it costs
-- Question:  how much is lost by settling on one value of an axis before the budget is known?
-- Input:     designs (design_id, loss_nats, train_usd)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $budgets_usd = [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8], what training may cost, in USD
-- Output:    value, budgets, most_regret_nats, mean_regret_nats, worst_budget_usd; one row per value, the least
--            regret first; regret is the loss above the best of the budget, over the budgets that buy anything;
--            budgets counts those at which the value buys anything, and a value that misses one comes after all that
--            miss fewer
-- Ties:      of budgets of equal regret the smallest; of values of equal most regret the lower mean, then by name

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable budgets_usd = coalesce(getvariable('budgets_usd'), [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])::double[];

with budgets as (
    select distinct unnest(getvariable('budgets_usd')) as budget_usd
),
offered as (
    select columns(lambda c: c = getvariable('axis')) as value, loss_nats, train_usd
    from designs
    where not isnan(loss_nats)
),
best as (
    select budget_usd, value, min(loss_nats) as loss_nats
    from budgets join offered on train_usd <= budget_usd
    group by budget_usd, value
),
compared as (
    select budget_usd, value, loss_nats - min(loss_nats) over (partition by budget_usd) as regret_nats from best
)
select value, count(*) as budgets, max(regret_nats) as most_regret_nats, avg(regret_nats) as mean_regret_nats,
    arg_max(budget_usd, (regret_nats, -budget_usd)) as worst_budget_usd
from compared
group by value
order by budgets desc, most_regret_nats, mean_regret_nats, value
