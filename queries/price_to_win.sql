-- Topic:     hardware and formats
-- Question:  how far would the price of each GPU have to fall for it to win?
-- Input:     designs (design_id, gpu, loss_nats, lifetime_usd); accelerators (id, gpu_usd_per_hour)
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Output:    gpu, design_id, usd, price_factor, list_usd_per_hour; one row per GPU that reaches the loss, the winner
--            first; below price_factor times its price the GPU is the cheapest way there, above one for the winner:
--            how far its price may rise; list_usd_per_hour is the price of the catalogue
-- Ties:      of designs of equal cost the lowest design_id; of GPUs the lower design_id

set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;

with best as (
    select gpu, min((lifetime_usd, design_id)) as found
    from designs
    where loss_nats <= getvariable('max_loss_nats') and not isnan(lifetime_usd)
    group by gpu
),
ranked as (
    select gpu, found[1] as usd, found[2] as design_id, row_number() over (order by found) as place from best
),
rivals as (
    select min(usd) filter (where place = 1) as winner_usd, min(usd) filter (where place = 2) as second_usd from ranked
)
select gpu, design_id, usd,
    case when place = 1 then second_usd else winner_usd end / usd as price_factor,
    gpu_usd_per_hour as list_usd_per_hour
from ranked cross join rivals left join accelerators on id = gpu
order by place
