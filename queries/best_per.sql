-- Topic:     hardware and formats
-- Question:  what is the best design for each value of an axis, such as each GPU?
-- Input:     designs (design_id, the axes, loss_nats); axes (name, position)
-- Parameter: $axis = 'gpu', a column: the axis whose values are compared
-- Parameter: $max_loss_nats = 2.0, the loss that is good enough, in nats
-- Parameter: $cost = 'lifetime_usd', a column of numbers: what is to be least
-- Output:    value, designs, design_id, the axes, loss_nats, cost, over_best; one row per value that reaches the
--            loss, the cheapest first; over_best is 0.1 where the value costs 10 % more than the cheapest
-- Ties:      of designs of equal cost the least loss, then the lowest design_id; of values the lower design_id

set variable axis = coalesce(getvariable('axis'), 'gpu')::varchar;
set variable max_loss_nats = coalesce(getvariable('max_loss_nats'), 2.0)::double;
set variable cost = coalesce(getvariable('cost'), 'lifetime_usd')::varchar;
set variable axes = (select list(name order by position) from axes);

with priced as (
    select design_id, loss_nats,
        columns(lambda c: c = getvariable('axis')) as value,
        cast(columns(lambda c: c = getvariable('cost')) as double) as cost
    from designs
    where loss_nats <= getvariable('max_loss_nats')
),
best as (
    select value, count(*) as designs, min(cost) as cost, arg_min(design_id, (cost, loss_nats, design_id)) as design_id
    from priced
    where not isnan(cost)
    group by value
),
compared as (
    select *, cost / min(cost) over () - 1 as over_best from best
)
select value, designs, design_id, columns(getvariable('axes')), loss_nats, cost, over_best
from compared join designs using (design_id)
order by cost, design_id
