-- Topic:     shape and experts
-- Question:  deep or wide: at each size, which ratio of width to depth is the best?
-- Input:     designs (design_id, hidden_size, num_layers, params_active)
-- Parameter: $per_parameter = 'serve_usd_per_million_tokens', a column of numbers: what is compared, per active
--            parameter, less being better
-- Output:    params_from, params_below, aspect_from, aspect_below, designs, design_id, per_billion, over_best; one
--            row per size and aspect ratio, both in steps of two, the smallest size first, then the best ratio;
--            per_billion is what a billion active parameters take, over_best 0.1 where that is 10 % more than at the
--            best ratio
-- Ties:      of designs of equal value the lowest design_id

set variable per_parameter = coalesce(getvariable('per_parameter'), 'serve_usd_per_million_tokens')::varchar;

with shaped as (
    select design_id, floor(log2(params_active)) as size, floor(log2(hidden_size / num_layers)) as aspect,
        1e9 * cast(columns(lambda c: c = getvariable('per_parameter')) as double) / params_active as per_billion
    from designs
),
best as (
    select size, aspect, count(*) as designs, min((per_billion, design_id)) as found
    from shaped
    where not isnan(per_billion)
    group by size, aspect
)
select 2.0 ** size as params_from, 2.0 ** (size + 1) as params_below,
    2.0 ** aspect as aspect_from, 2.0 ** (aspect + 1) as aspect_below,
    designs, found[2] as design_id, found[1] as per_billion,
    found[1] / min(found[1]) over (partition by size) - 1 as over_best
from best
order by params_from, per_billion, design_id
