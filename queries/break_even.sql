-- Topic:     a lifetime of serving
-- Question:  from what demand on does the design that is cheaper to serve overtake the one that is cheaper to train?
-- Input:     designs (design_id, loss_nats, train_usd, serve_usd_per_million_tokens)
-- Parameter: $first_id = null, the design_id of one; the cheapest to train that reaches $max_loss_nats where null
-- Parameter: $second_id = null, the design_id of the other; the cheapest to serve that reaches $max_loss_nats where
--            null
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Output:    first_id, first_train_usd, first_usd_per_million_tokens, second_id, second_train_usd,
--            second_usd_per_million_tokens, break_even_tokens, break_even_usd; one row; no tokens where one of the
--            two is the cheaper at every demand
-- Ties:      of equal price the other price decides, then the lowest design_id

set variable first_id = coalesce(getvariable('first_id'), null)::bigint;
set variable second_id = coalesce(getvariable('second_id'), null)::bigint;
set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;

with priced as materialized (
    select design_id, train_usd, serve_usd_per_million_tokens as serve_usd,
        loss_nats <= getvariable('max_loss_nats') as is_good_enough
    from designs
    where not isnan(train_usd) and not isnan(serve_usd_per_million_tokens)
        and (
            loss_nats <= getvariable('max_loss_nats')
            or design_id = getvariable('first_id') or design_id = getvariable('second_id')
        )
),
chosen as (
    select
        coalesce(
            getvariable('first_id'),
            arg_min(design_id, (train_usd, serve_usd, design_id)) filter (where is_good_enough)
        ) as first_id,
        coalesce(
            getvariable('second_id'),
            arg_min(design_id, (serve_usd, train_usd, design_id)) filter (where is_good_enough)
        ) as second_id
    from priced
),
met as (
    select
        first_id, a.train_usd as first_train_usd, a.serve_usd as first_usd_per_million_tokens,
        second_id, b.train_usd as second_train_usd, b.serve_usd as second_usd_per_million_tokens,
        1e6 * (b.train_usd - a.train_usd) / nullif(a.serve_usd - b.serve_usd, 0) as tokens
    from chosen join priced as a on a.design_id = first_id join priced as b on b.design_id = second_id
)
select * exclude (tokens),
    case when tokens >= 0 then tokens end as break_even_tokens,
    case when tokens >= 0 then first_train_usd + first_usd_per_million_tokens * tokens / 1e6 end as break_even_usd
from met
