-- Topic:     what matters, and what it costs
-- Question:  which axes make no difference: do designs differ in nothing that is measured?
-- Input:     designs (design_id, the axes); axes (name, position)
-- Parameter: $measured = ['loss_nats', 'train_usd'], columns of numbers: what designs have to share to be twins
-- Output:    differs_in, families, designs, first_id, last_id; one row per set of axes in which twins differ, the
--            most designs first; the ids are an example, the lowest and the highest of one family
-- Ties:      of sets of as many designs by their names; of families that of the lowest design_id

set variable measured = coalesce(getvariable('measured'), ['loss_nats', 'train_usd'])::varchar[];
set variable axes = (select list(name order by position) from axes);

with families as (
    select columns(getvariable('measured')),
        min(design_id) as first_id, max(design_id) as last_id, count(*) as designs,
        min(columns(getvariable('axes'))) <> max(columns(getvariable('axes')))
    from designs
    where not isnan(columns(getvariable('measured'))::double)
    group by all
    having count(*) > 1
),
without_measures as (
    select columns(lambda c: not list_contains(getvariable('measured'), c)) from families
),
flagged as (
    select first_id, last_id, designs, list_value(*columns(* exclude (first_id, last_id, designs))) as differs
    from without_measures
),
named as (
    select first_id, last_id, designs,
        array_to_string(list_filter(getvariable('axes'), lambda axis, place: differs[place]), ', ') as differs_in
    from flagged
)
select differs_in, count(*) as families, sum(designs)::bigint as designs,
    min(first_id) as first_id, arg_min(last_id, first_id) as last_id
from named
group by differs_in
order by designs desc, differs_in
