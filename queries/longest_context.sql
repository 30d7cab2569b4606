-- Topic:     memory and speed
-- Question:  how long a context fits on so many GPUs, and how fast is it then?
-- Input:     designs (design_id, gpu, context_tokens, params_total, serve_bytes, min_gpus_to_serve,
--            decode_tokens_per_s)
-- Parameter: $num_gpus = 1, how many GPUs serve one replica
-- Parameter: $model_axis = 'model', a column: the axis that says which model is served
-- Output:    model, gpu, context_tokens, design_id, serve_bytes, decode_tokens_per_s; one row per model and GPU that
--            fit at all, the longest context first, then the largest model
-- Ties:      of designs of equal context the fastest, then the lowest design_id; of rows the faster, then the lower
--            design_id

set variable num_gpus = coalesce(getvariable('num_gpus'), 1)::bigint;
set variable model_axis = coalesce(getvariable('model_axis'), 'model')::varchar;

with fitting as (
    select design_id, columns(lambda c: c = getvariable('model_axis')) as model, gpu, context_tokens, params_total,
        serve_bytes, coalesce(nullif(decode_tokens_per_s, 'nan'::double), 0.0) as speed
    from designs
    where min_gpus_to_serve <= getvariable('num_gpus')
),
longest as (
    select model, gpu, arg_min(design_id, (-context_tokens, -speed, design_id)) as design_id
    from fitting
    group by model, gpu
)
select longest.model, longest.gpu, context_tokens, design_id, serve_bytes, speed as decode_tokens_per_s
from longest join fitting using (design_id)
order by context_tokens desc, params_total desc, speed desc, design_id
