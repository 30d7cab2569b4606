-- Topic:     hardware and formats
-- Question:  what changes when the price of one GPU does, by half say: which GPU wins where, before and after?
-- Input:     designs (design_id, gpu, loss_nats, lifetime_usd)
-- Parameter: $gpu = 'h100_sxm', the GPU whose price changes, an id of accelerators
-- Parameter: $price_factor = 0.5, its new price as a multiple of the old
-- Parameter: $losses_nats = [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94], the losses to reach, in nats
-- Output:    target_nats, gpu_before, id_before, usd_before, gpu_after, id_after, usd_after, saved; one row per loss
--            that is reached, the easiest first; all rent is by the hour of GPU, so every cost of a design goes with
--            the price; saved is 0.1 where the change makes the loss 10 % cheaper
-- Ties:      of designs of equal cost the lowest design_id

set variable gpu = coalesce(getvariable('gpu'), 'h100_sxm')::varchar;
set variable price_factor = coalesce(getvariable('price_factor'), 0.5)::double;
set variable losses_nats = coalesce(getvariable('losses_nats'), [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94])::double[];

with targets as (
    select distinct unnest(getvariable('losses_nats')) as target_nats
),
repriced as (
    select design_id, gpu, loss_nats, lifetime_usd as usd,
        lifetime_usd * case when gpu = getvariable('gpu') then getvariable('price_factor') else 1.0 end as new_usd
    from designs
    where not isnan(lifetime_usd)
),
reached as (
    select target_nats, min((usd, design_id, gpu)) as before, min((new_usd, design_id, gpu)) as after
    from targets join repriced on loss_nats <= target_nats
    group by target_nats
)
select target_nats,
    before[3] as gpu_before, before[2] as id_before, before[1] as usd_before,
    after[3] as gpu_after, after[2] as id_after, after[1] as usd_after,
    1 - after[1] / before[1] as saved
from reached
order by target_nats desc
