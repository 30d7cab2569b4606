-- Topic:     budgets and targets
-- Question:  what is the best model that so many GPUs train in time?
-- Input:     designs (design_id, the axes, loss_nats, train_gpu_hours, train_usd); axes (name, position)
-- Parameter: $gpu_counts = [256, 512, 1024, 2048, 4096, 8192, 16384], how many GPUs train
-- Parameter: $max_days = 90.0, the longest that training may take
-- Output:    gpus, design_id, the axes, loss_nats, days, train_usd; one row per number of GPUs that trains anything
--            in time, the fewest first
-- Ties:      of designs of equal loss the quickest, then the lowest design_id

set variable gpu_counts = coalesce(getvariable('gpu_counts'), [256, 512, 1024, 2048, 4096, 8192, 16384])::bigint[];
set variable max_days = coalesce(getvariable('max_days'), 90.0)::double;
set variable axes = (select list(name order by position) from axes);

with clusters as (
    select distinct unnest(getvariable('gpu_counts')) as gpus
),
in_time as (
    select gpus, arg_min(design_id, (loss_nats, train_gpu_hours, design_id)) as design_id
    from clusters join designs on train_gpu_hours <= 24.0 * gpus * getvariable('max_days')
    where not isnan(loss_nats)
    group by gpus
)
select gpus, design_id, columns(getvariable('axes')), loss_nats, train_gpu_hours / (24.0 * gpus) as days, train_usd
from in_time join designs using (design_id)
order by gpus
