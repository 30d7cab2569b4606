-- Topic:     budgets and targets
-- Question:  how few GPU-hours reach a loss, and what does saving hours cost against saving money?
-- Input:     designs (design_id, loss_nats, train_gpu_hours, train_usd)
-- Parameter: $losses_nats = [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94], the losses to reach, in nats
-- Output:    target_nats, quickest_id, quickest_gpu_hours, quickest_usd, cheapest_id, cheapest_gpu_hours,
--            cheapest_usd, usd_per_hour_saved; one row per loss that is reached, the easiest first; no price where no
--            hour is saved
-- Ties:      of equal hours the cheaper design, of equal price the one of fewer hours, then the lowest design_id

set variable losses_nats = coalesce(getvariable('losses_nats'), [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94])::double[];

with targets as (
    select distinct unnest(getvariable('losses_nats')) as target_nats
),
reached as (
    select target_nats,
        min((train_gpu_hours, train_usd, design_id)) as quickest,
        min((train_usd, train_gpu_hours, design_id)) as cheapest
    from targets join designs on loss_nats <= target_nats
    where not isnan(train_gpu_hours) and not isnan(train_usd)
    group by target_nats
),
named as (
    select target_nats,
        quickest[3] as quickest_id, quickest[1] as quickest_gpu_hours, quickest[2] as quickest_usd,
        cheapest[3] as cheapest_id, cheapest[2] as cheapest_gpu_hours, cheapest[1] as cheapest_usd
    from reached
)
select *, (quickest_usd - cheapest_usd) / nullif(cheapest_gpu_hours - quickest_gpu_hours, 0) as usd_per_hour_saved
from named
order by target_nats desc
