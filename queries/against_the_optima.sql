-- Topic:     a lifetime of serving
-- Question:  how far are the best designs from the compute-optimal and from the inference-optimal model?
-- Input:     designs (design_id, the axes, loss_nats, train_tokens, excess_loss_nats, compute_optimal_tokens,
--            inference_optimal_tokens); axes (name, position)
-- Parameter: $losses_nats = [2.6, 2.4, 2.2, 2.1, 2.0, 1.98, 1.96, 1.94], the losses to reach, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    target_nats, design_id, the axes, excess_loss_nats, over_compute_optimal, over_inference_optimal; one
--            row per loss that is reached, the easiest first; the cheapest design, and its tokens as a multiple of
--            those of the model of equal compute, and of the model of equal loss and least FLOPs over the lifetime
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
)
select target_nats, design_id, columns(getvariable('axes')), excess_loss_nats,
    train_tokens / compute_optimal_tokens as over_compute_optimal,
    train_tokens / inference_optimal_tokens as over_inference_optimal
from reached join designs using (design_id)
order by target_nats desc
