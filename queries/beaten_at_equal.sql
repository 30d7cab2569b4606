-- Topic:     hardware and formats
-- Question:  with everything else equal, how often is each value of an axis the best, and what does it cost to have
--            it?
-- Input:     designs (design_id, the axes); axes (name, position)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $objective = 'lifetime_usd', a column of numbers: what is to be best
-- Parameter: $more_is_better = 0, 1 where the most of the objective is best, 0 where the least
-- Output:    value, compared, wins, ties, always_beaten, median_off_best, design_id; one row per value, the most wins
--            first; compared counts the choices of all other axes that leave the value and another, wins those at
--            which it alone is best, ties those at which it shares the best; median_off_best is 0.1 where it costs 10
--            %; design_id is where it comes closest to the best
-- Ties:      of designs as close the lowest design_id; of values of as many wins and ties by name

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable objective = coalesce(getvariable('objective'), 'lifetime_usd')::varchar;
set variable more_is_better = coalesce(getvariable('more_is_better'), 0)::bigint;
set variable sign = case when getvariable('more_is_better') = 0 then 1 else -1 end;
set variable axes = (select list(name order by position) from axes);

with scored as (
    select design_id, columns(lambda c: c = getvariable('axis')) as value,
        cast(columns(lambda c: c = getvariable('objective')) as double) * getvariable('sign') as score,
        columns(lambda c: list_contains(getvariable('axes'), c) and c <> getvariable('axis'))
    from designs
),
valid as (
    from scored where not isnan(score)
),
choices as (
    select columns(* exclude (design_id, value, score)), list((score, value, design_id)) as rivals, min(score) as best
    from valid
    group by all
    having count(*) > 1
),
met as (
    select unnest(rivals) as rival, best, len(list_filter(rivals, lambda r: r[1] = best)) as at_best from choices
),
rivals as (
    select rival[2] as value, rival[3] as design_id, rival[1] = best as is_best, at_best,
        abs(rival[1] / best - 1) as off_best
    from met
)
select value, count(*) as compared,
    count(*) filter (where is_best and at_best = 1) as wins, count(*) filter (where is_best and at_best > 1) as ties,
    count(*) filter (where is_best) = 0 as always_beaten, median(off_best) as median_off_best,
    arg_min(design_id, (off_best, design_id)) as design_id
from rivals
group by value
order by wins desc, ties desc, value
