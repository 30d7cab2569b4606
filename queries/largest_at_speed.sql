-- Topic:     memory and speed
-- Question:  what is the largest model that still answers fast enough, on each GPU?
-- Input:     designs (design_id, the axes, gpu, params_total, decode_tokens_per_s); axes (name, position)
-- Parameter: $min_tokens_per_s = 30.0, the least speed of a replica, in tokens per second
-- Output:    design_id, the axes, params_total, decode_tokens_per_s; one row per GPU on which anything is fast
--            enough, the largest model first
-- Ties:      of models of equal size the fastest, then the lowest design_id

set variable min_tokens_per_s = coalesce(getvariable('min_tokens_per_s'), 30.0)::double;
set variable axes = (select list(name order by position) from axes);

with fast as (
    select design_id, gpu, params_total, decode_tokens_per_s
    from designs
    where decode_tokens_per_s >= getvariable('min_tokens_per_s') and not isnan(decode_tokens_per_s)
),
largest as (
    select arg_min(design_id, (-params_total, -decode_tokens_per_s, design_id)) as design_id from fast group by gpu
)
select design_id, columns(getvariable('axes')), params_total, decode_tokens_per_s
from largest join designs using (design_id)
order by params_total desc, decode_tokens_per_s desc, design_id
