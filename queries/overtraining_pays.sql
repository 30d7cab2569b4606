-- Topic:     a lifetime of serving
-- Question:  how far beyond its compute optimum is a model worth training, at each demand, and what does that save?
-- Input:     designs (design_id, the axes, loss_nats, tokens_per_param, train_usd, serve_usd_per_million_tokens);
--            axes (name, position)
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Parameter: $demands_tokens = [0.0, 1e10, 1e11, 1e12, 1e13, 1e14], tokens served over the lifetime
-- Output:    demand_tokens, design_id, the axes, tokens_per_param, usd, saved_usd; one row per demand, the least
--            first; usd is for training and serving that much, saved_usd what the design of the cheapest training
--            would cost more
-- Ties:      of designs of equal cost the cheapest to train, then the lowest design_id

set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;
set variable demands_tokens = coalesce(getvariable('demands_tokens'), [0.0, 1e10, 1e11, 1e12, 1e13, 1e14])::double[];
set variable axes = (select list(name order by position) from axes);

with demands as (
    select distinct unnest(getvariable('demands_tokens')) as demand_tokens
),
good_enough as materialized (
    select design_id, train_usd, serve_usd_per_million_tokens
    from designs
    where loss_nats <= getvariable('max_loss_nats') and not isnan(train_usd) and not isnan(serve_usd_per_million_tokens)
),
cheapest_to_train as (
    select min((train_usd, serve_usd_per_million_tokens, design_id)) as cheapest from good_enough
),
best as (
    select demand_tokens,
        min((train_usd + serve_usd_per_million_tokens * demand_tokens / 1e6, train_usd, design_id)) as found
    from demands, good_enough
    group by demand_tokens
),
compared as (
    select demand_tokens, found[3] as design_id, found[1] as usd,
        cheapest[1] + cheapest[2] * demand_tokens / 1e6 - found[1] as saved_usd
    from best, cheapest_to_train
)
select demand_tokens, design_id, columns(getvariable('axes')), tokens_per_param, usd, saved_usd
from compared join designs using (design_id)
order by demand_tokens
