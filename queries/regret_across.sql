-- Topic:     how far to trust it
-- Question:  how much is lost by choosing one axis as if another were known, and it turns out otherwise?
-- Input:     designs (design_id, loss_nats)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $across = 'precision', a column: the axis that is not known yet, such as law
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    value, known, most_regret, mean_regret, worst_case; one row per value, the least regret first; regret is
--            0.1 where the value costs 10 % more than the best for what turned out, among designs that reach the
--            loss; known counts the cases in which the value reaches it
-- Ties:      of cases of equal regret the first by name; of values of equal most regret the lower mean, then by name

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable across = coalesce(getvariable('across'), 'precision')::varchar;
set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;

with priced as (
    select columns(lambda c: c = getvariable('axis')) as value,
        columns(lambda c: c = getvariable('across')) as turned_out,
        cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
    where loss_nats <= getvariable('max_loss_nats')
),
best as (
    select value, turned_out, min(cost) as cost from priced where not isnan(cost) group by value, turned_out
),
compared as (
    select value, turned_out, cost / min(cost) over (partition by turned_out) - 1 as regret from best
),
worst_first as (
    select *, row_number() over (partition by value order by regret desc, turned_out) as place from compared
)
select value, count(*) as known, max(regret) as most_regret, avg(regret) as mean_regret,
    any_value(turned_out) filter (where place = 1) as worst_case
from worst_first
group by value
order by known desc, most_regret, mean_regret, value
