-- Question:  which rows of two or three objectives do a few of them rule out, without sorting all?
-- Input:     relation, the name of a table or a CTE of objectives p1 to p3, all minimised, and few, another of some of its
--            rows; none of them null or nan, but in the relation of pareto_under2, which leaves such rows out
-- Parameter: num_buckets, the most of each objective but the last; three objectives have fewer where rows are few
-- Output:    pareto_under2(relation, few, num_buckets) and pareto_under3(relation, few, num_buckets): p1 to p2 or p3 of the
--            rows of the relation that none of few rules out; and pareto_halved(relation), the frontier of distinct rows
--            of three objectives
-- Ties:      rows of equal objectives are ruled out or kept alike
--
-- A good row rules out what it beats. And an objective is cut into buckets, finer towards the least value found: a row is
-- ruled out when a row two buckets lower (of two objectives: lower in both) is as good in the last objective. It is better
-- in the bucketed ones, for the next bucket makes up for a logarithm that falls in its last digit. So it is exact for any
-- rows, whichever the buckets were made from; what lies below or beyond those is kept. Good rows are asked apart from the
-- buckets, so that DuckDB asks them first; and in comparisons of all rows, which is sooner done than asking one good row
-- after the other about those that are left.

-- Buckets for values from low to high, as wide at low as the width, and then wider by the logarithm; null of values that
-- are all the same, or too far apart.
create or replace macro pareto_cuts(low, width, high, num_buckets) as
    case when width > 1e-300 and high - low < 1e300 then {
        'low': low,
        'width': width,
        'per': (num_buckets - 3) / ln((high - low) / width + 1),
        'shift': 1 - (num_buckets - 3) / ln((high - low) / width + 1) * ln(width)
    } end;

-- The same for the values of a column; of these one in a thousand lies less than the width above the least.
create or replace macro pareto_buckets(p, num_buckets) as
    pareto_cuts(
        min(cast(p as double)) filter (where isfinite(cast(p as double))),
        greatest(
            approx_quantile(cast(p as double), 0.001) filter (where isfinite(cast(p as double)))
            - min(cast(p as double)) filter (where isfinite(cast(p as double))),
            1e-12 * max(cast(p as double)) filter (where isfinite(cast(p as double)))
            - 1e-12 * min(cast(p as double)) filter (where isfinite(cast(p as double)))
        ),
        max(cast(p as double)) filter (where isfinite(cast(p as double))),
        num_buckets
    );

-- The bucket of a number, 1 for the least: null where it is infinite, never falling by more than one while p rises.
create or replace macro pareto_bucket(low, width, per, shift, p) as
    try_cast(shift + per * ln(abs(cast(p as double) - low) + width) as integer);

-- Three good rows of a relation: by ranks, of which one is weighed alike and the others one objective four times. One row.
create or replace macro pareto_goods(relation) as table
with pareto_ranked as (
    select p1, p2, percent_rank() over (order by p1) as r1, percent_rank() over (order by p2) as r2
    from (from query_table(relation) limit 50000)
)
select
    arg_min(p1, greatest(r1, r2)) as good1, arg_min(p2, greatest(r1, r2)) as good2,
    arg_min(p1, greatest(4 * r1, r2)) as left1, arg_min(p2, greatest(4 * r1, r2)) as left2,
    arg_min(p1, greatest(r1, 4 * r2)) as right1, arg_min(p2, greatest(r1, 4 * r2)) as right2
from pareto_ranked;

-- What pareto_under2 needs to know of few rows besides, and of three objectives pareto_under3: one row.
create or replace macro pareto_stairs(relation, num_buckets) as table
with pareto_range as materialized (
    select b1.low as low1, b1.width as width1, b1.per as per1, b1.shift as shift1
    from (select pareto_buckets(p1, num_buckets) as b1 from query_table(relation))
),
pareto_best as (
    select pareto_bucket(low1, width1, per1, shift1, p1) as bucket1, min(p2) as best
    from query_table(relation), pareto_range group by bucket1
),
pareto_steps as (
    select
        bucket1,
        min(best) over (order by bucket1 rows between unbounded preceding and 2 preceding) as step
    from range(1, num_buckets + 1) as pareto_all(bucket1) left join pareto_best using (bucket1)
)
select low1, width1, per1, shift1, steps
from pareto_range, (select list(step order by bucket1) as steps from pareto_steps);

create or replace macro pareto_under2(relation, few, num_buckets) as table
select p1, p2
from (
    select p1, p2 from query_table(relation), pareto_goods(few)
    where (p2 >= case when p1 > right1 then right2 when p1 > good1 then good2 when p1 > left1 then left2 end) is not true
), pareto_stairs(few, num_buckets)
where case
    when cast(p1 as double) >= low1 and steps[pareto_bucket(low1, width1, per1, shift1, p1)] <= p2 then false
    else not isnan(cast(p1 as double)) and not isnan(cast(p2 as double))
end;

create or replace macro pareto_terraces(relation, num_buckets) as table
with pareto_ranked as (
    select
        p1, p2, p3,
        greatest(
            percent_rank() over (order by p1), percent_rank() over (order by p2), percent_rank() over (order by p3)
        ) as worst
    from (from query_table(relation) limit 50000)
),
pareto_size as materialized (
    select cast(least(num_buckets, 16 + sqrt(count(*))) as integer) as stride from query_table(relation)
),
pareto_range as materialized (
    select
        b1.low as low1, b1.width as width1, b1.per as per1, b1.shift as shift1,
        b2.low as low2, b2.width as width2, b2.per as per2, b2.shift as shift2, stride
    from (
        select
            any_value(stride) as stride,
            pareto_buckets(p1, any_value(stride)) as b1,
            pareto_buckets(p2, any_value(stride)) as b2
        from query_table(relation), pareto_size
    )
),
pareto_best as (
    select
        pareto_bucket(low1, width1, per1, shift1, p1) as bucket1,
        pareto_bucket(low2, width2, per2, shift2, p2) as bucket2,
        min(p3) as best
    from query_table(relation), pareto_range group by bucket1, bucket2
),
pareto_rows as (
    select
        bucket1, bucket2,
        min(best) over (
            partition by bucket1 order by bucket2 rows between unbounded preceding and 2 preceding
        ) as step
    from (select unnest(range(1, stride + 1)) as bucket1 from pareto_size)
    cross join (select unnest(range(1, stride + 1)) as bucket2 from pareto_size)
    left join pareto_best using (bucket1, bucket2)
),
pareto_steps as (
    select
        stride * (bucket1 - 1) + bucket2 as place,
        min(step) over (
            partition by bucket2 order by bucket1 rows between unbounded preceding and 2 preceding
        ) as step
    from pareto_rows, pareto_size
)
select
    good1, good2, good3, low1, width1, per1, shift1, low2, width2, per2, shift2, stride, steps
from (
    select arg_min(p1, worst) as good1, arg_min(p2, worst) as good2, arg_min(p3, worst) as good3 from pareto_ranked
), pareto_range, (select list(step order by place) as steps from pareto_steps);

create or replace macro pareto_under3(relation, few, num_buckets) as table
select p1, p2, p3 from query_table(relation), pareto_terraces(few, num_buckets)
where (p1 > good1 and p2 >= good2 and p3 >= good3) = false
    and (
        cast(p1 as double) >= low1 and cast(p2 as double) >= low2
        and steps[
            stride * (pareto_bucket(low1, width1, per1, shift1, p1) - 1)
            + least(pareto_bucket(low2, width2, per2, shift2, p2), stride)
        ] <= p3
    ) is not true;

-- Distinct rows of three objectives, less those that any other beats. Rows in order of the objectives are halved again
-- and again: of two rows, one is in a first half and the other in the second of exactly one piece, and the later one is
-- beaten when a row of the first half has p2 and p3 no worse. Pieces of one depth are looked at together.
create or replace macro pareto_halved(relation) as table
with pareto_placed as materialized (
    select p1, p2, p3, row_number() over (order by p1, p2, p3) - 1 as place from query_table(relation)
),
pareto_split as (
    select p2, p3, place, depth, (place >> depth) & 1 as half
    from pareto_placed, range(62) as pareto_depths(depth)
    where (cast(1 as bigint) << depth) <= (select max(place) from pareto_placed)
),
pareto_least as (
    select
        place, p3, half,
        min(case when half = 0 then p3 end) over (partition by depth, place >> (depth + 1) order by p2) as step
    from pareto_split
)
select p1, p2, p3 from pareto_placed
where place not in (select place from pareto_least where half = 1 and step <= p3);
