-- Topic:     hardware and formats
-- Question:  what does a million tokens cost by GPU and precision, cheapest first?
-- Input:     designs (design_id, gpu, precision, params_total, serve_usd_per_million_tokens)
-- Parameter: $min_params = 1e9, the smallest model that will do, in parameters of all kinds
-- Output:    gpu, precision, designs, least_usd_per_million_tokens, median_usd_per_million_tokens, params_total,
--            design_id; one row per GPU and precision that serve anything, the cheapest first; parameters and id are
--            those of the cheapest design
-- Ties:      of designs of equal price the larger, then the lowest design_id; of rows the lower design_id

set variable min_params = coalesce(getvariable('min_params'), 1e9)::double;

with served as (
    select design_id, gpu, precision, params_total, serve_usd_per_million_tokens as usd
    from designs
    where params_total >= getvariable('min_params') and not isnan(serve_usd_per_million_tokens)
),
summed as (
    select gpu, precision, count(*) as designs, median(usd) as median_usd,
        min((usd, -params_total, design_id)) as cheapest
    from served
    group by gpu, precision
)
select gpu, precision, designs,
    cheapest[1] as least_usd_per_million_tokens, median_usd as median_usd_per_million_tokens,
    -cheapest[2] as params_total, cheapest[3] as design_id
from summed
order by least_usd_per_million_tokens, design_id
