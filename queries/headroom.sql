-- Topic:     memory and speed
-- Question:  which designs fill their GPUs to the brim, and how many tokens of cache would still fit?
-- Input:     designs (design_id, the axes, serve_bytes, min_gpus_to_serve, gpu_usable_bytes,
--            kv_cache_bytes_per_token); axes (name, position)
-- Parameter: $max_rows = 20, how many rows at most
-- Output:    design_id, the axes, designs, used_share, free_bytes, tokens_to_spare; one row per filling, the fullest
--            first, no more than $max_rows; a replica on the fewest GPUs that hold it, designs counts those that fill
--            them alike; tokens to spare are those of all sequences together, before any window is full
-- Ties:      of designs that fill alike the lowest design_id

set variable max_rows = coalesce(getvariable('max_rows'), 20)::bigint;
set variable axes = (select list(name order by position) from axes);

with filled as (
    select serve_bytes, min_gpus_to_serve * gpu_usable_bytes as room_bytes,
        count(*) as designs, min(design_id) as design_id
    from designs
    where not isnan(serve_bytes) and not isnan(min_gpus_to_serve) and not isnan(gpu_usable_bytes)
    group by serve_bytes, room_bytes
),
fullest as (
    select design_id, designs, serve_bytes / room_bytes as used_share, room_bytes - serve_bytes as free_bytes
    from filled
    order by used_share desc, design_id
    limit getvariable('max_rows')
)
select design_id, columns(getvariable('axes')), designs, used_share, free_bytes,
    floor(free_bytes / kv_cache_bytes_per_token) as tokens_to_spare
from fullest join designs using (design_id)
order by used_share desc, design_id
