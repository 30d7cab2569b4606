-- Topic:     memory and speed
-- Question:  how fast are designs for the one who waits, and what does speed cost per million tokens?
-- Input:     designs (design_id, gpu, params_total, decode_step_s, serve_usd_per_million_tokens)
-- Parameter: $min_params = 1e9, the smallest model that will do, in parameters of all kinds
-- Parameter: $step_limits_s = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2], the longest that one token may take, in seconds
-- Output:    step_limit_s, gpu, design_id, decode_step_s, usd_per_million_tokens, designs; one row per limit that any
--            design keeps, the tightest first; the cheapest design that keeps it, and how many do
-- Ties:      of designs of equal price the faster, then the lowest design_id

set variable min_params = coalesce(getvariable('min_params'), 1e9)::double;
set variable step_limits_s = coalesce(getvariable('step_limits_s'), [0.005, 0.01, 0.02, 0.05, 0.1, 0.2])::double[];

with limits as (
    select distinct unnest(getvariable('step_limits_s')) as step_limit_s
),
served as (
    select design_id, gpu, decode_step_s, serve_usd_per_million_tokens as usd
    from designs
    where params_total >= getvariable('min_params') and not isnan(serve_usd_per_million_tokens)
),
cheapest as (
    select step_limit_s, count(*) as designs, min((usd, decode_step_s, design_id, gpu)) as found
    from limits join served on decode_step_s <= step_limit_s
    group by step_limit_s
)
select step_limit_s, found[4] as gpu, found[3] as design_id, found[2] as decode_step_s,
    found[1] as usd_per_million_tokens, designs
from cheapest
order by step_limit_s
