-- Topic:     a lifetime of serving
-- Question:  which value of an axis wins at each demand, and by how much?
-- Input:     designs (design_id, loss_nats, train_usd, serve_usd_per_million_tokens)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Parameter: $demands_tokens = [0.0, 1e10, 1e11, 1e12, 1e13, 1e14], tokens served over the lifetime
-- Output:    demand_tokens, value, design_id, usd, over_best; one row per demand and value that reaches the loss, the
--            least demand first, then the cheapest value; over_best is 0.1 for a value that costs 10 % more than the
--            winner
-- Ties:      of designs of equal cost the lowest design_id

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;
set variable demands_tokens = coalesce(getvariable('demands_tokens'), [0.0, 1e10, 1e11, 1e12, 1e13, 1e14])::double[];

with demands as (
    select distinct unnest(getvariable('demands_tokens')) as demand_tokens
),
good_enough as (
    select design_id, columns(lambda c: c = getvariable('axis')) as value, train_usd, serve_usd_per_million_tokens
    from designs
    where loss_nats <= getvariable('max_loss_nats') and not isnan(train_usd) and not isnan(serve_usd_per_million_tokens)
),
best as (
    select demand_tokens, value,
        min((train_usd + serve_usd_per_million_tokens * demand_tokens / 1e6, design_id)) as found
    from demands, good_enough
    group by demand_tokens, value
)
select demand_tokens, value, found[2] as design_id, found[1] as usd,
    found[1] / min(found[1]) over (partition by demand_tokens) - 1 as over_best
from best
order by demand_tokens, usd, design_id
