-- Topic:     what matters, and what it costs
-- Question:  which inputs would move a number of a design most?
-- Input:     designs (design_id); sensitivities (metric, input, value, elasticity), the table macro of a space or run
-- Parameter: $metric = 'lifetime_usd', a column of numbers, the number to move
-- Parameter: $design_id = null, the design; the one of the lowest id where null
-- Output:    input, value, elasticity, design_id; one row per input that moves it, the strongest first: the per cent it
--            moves when the input rises by one per cent, as long as no step is passed, such as one GPU more;
--            nothing where the number itself is nan
-- Ties:      of inputs as strong by name

set variable metric = coalesce(getvariable('metric'), 'lifetime_usd')::varchar;
set variable design_id = coalesce(getvariable('design_id'), null)::bigint;

with chosen as (
    select coalesce(getvariable('design_id'), min(design_id)) as design_id from designs
),
moving as (
    select input, value, elasticity from sensitivities((select design_id from chosen))
    where metric = getvariable('metric') and elasticity <> 0 and not isnan(elasticity)
)
select input, value, elasticity, design_id from moving, chosen
order by abs(elasticity) desc, input
