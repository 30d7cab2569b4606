-- Topic:     memory and speed
-- Question:  what is the largest model that fits on so many GPUs, by GPU and precision?
-- Input:     designs (design_id, gpu, precision, params_total, serve_bytes, min_gpus_to_serve)
-- Parameter: $num_gpus = 1, how many GPUs serve one replica
-- Output:    gpu, precision, designs, design_id, params_total, serve_bytes; one row per GPU and precision on which
--            anything fits, the largest model first; designs counts what fits
-- Ties:      of models of equal size the one that takes the fewest bytes, then the lowest design_id; of rows the
--            fewest bytes, then the lower design_id

set variable num_gpus = coalesce(getvariable('num_gpus'), 1)::bigint;

with fitting as (
    select design_id, gpu, precision, params_total, serve_bytes
    from designs
    where min_gpus_to_serve <= getvariable('num_gpus')
),
largest as (
    select gpu, precision, count(*) as designs, min((-params_total, serve_bytes, design_id)) as found
    from fitting
    group by gpu, precision
)
select gpu, precision, designs, found[3] as design_id, -found[1] as params_total, found[2] as serve_bytes
from largest
order by params_total desc, serve_bytes, design_id
