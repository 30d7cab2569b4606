-- Question:  which rows of two or three objectives do a few of them rule out, without sorting all?
-- Input:     relation, the name of a table or a CTE of objectives p1 to p3, none of them null or nan, all minimised
-- Parameter: none
-- Output:    pareto_stairs(relation) and pareto_terraces(relation): one row of what pareto_under2 and pareto_under3 need
--            to say of any row of the same objectives whether it may be on the frontier
-- Ties:      rows of equal objectives are ruled out or kept alike
--
-- An objective is cut into buckets, finer towards the least value found. A row is ruled out when rows of a lower bucket
-- (of two objectives: of lower buckets in both) have something as good in the last objective: they are better in the
-- bucketed ones. So it is exact for any rows, whichever the buckets were made from.

-- The bucket of a number, from 0 to num_buckets - 1; it never falls while p rises. low and high may be null.
create or replace macro pareto_bucket(p, low, high, num_buckets) as
    cast(coalesce(greatest(0, least(num_buckets - 1, floor(
        num_buckets * (1 + ln(greatest(1e-12, least(1, (cast(p as double) - low) / (high - low)))) / 28)
    ))), 0) as integer);

create or replace macro pareto_stairs(relation) as table
with pareto_range as materialized (
    select min(cast(p1 as double)) as low1, max(cast(p1 as double)) as high1
    from query_table(relation) where isfinite(cast(p1 as double))
),
pareto_best as (
    select pareto_bucket(p1, low1, high1, 2048) as bucket1, min(p2) as best
    from query_table(relation), pareto_range group by bucket1
),
pareto_steps as (
    select
        bucket1,
        min(best) over (order by bucket1 rows between unbounded preceding and 1 preceding) as step
    from range(2048) as pareto_buckets(bucket1) left join pareto_best using (bucket1)
)
select any_value(low1) as low1, any_value(high1) as high1, list(step order by bucket1) as steps
from pareto_steps, pareto_range;

-- Whether no row that s, a struct of the row above, was made from rules out p1 and p2.
create or replace macro pareto_under2(s, p1, p2) as
    (s.steps[1 + pareto_bucket(p1, s.low1, s.high1, 2048)] <= p2) is not true;

create or replace macro pareto_terraces(relation) as table
with pareto_range as materialized (
    select
        min(cast(p1 as double)) filter (where isfinite(cast(p1 as double))) as low1,
        max(cast(p1 as double)) filter (where isfinite(cast(p1 as double))) as high1,
        min(cast(p2 as double)) filter (where isfinite(cast(p2 as double))) as low2,
        max(cast(p2 as double)) filter (where isfinite(cast(p2 as double))) as high2
    from query_table(relation)
),
pareto_best as (
    select
        pareto_bucket(p1, low1, high1, 256) as bucket1, pareto_bucket(p2, low2, high2, 256) as bucket2, min(p3) as best
    from query_table(relation), pareto_range group by bucket1, bucket2
),
pareto_rows as (
    select
        bucket1, bucket2,
        min(best) over (
            partition by bucket1 order by bucket2 rows between unbounded preceding and 1 preceding
        ) as step
    from range(256) as pareto_ones(bucket1) cross join range(256) as pareto_twos(bucket2)
    left join pareto_best using (bucket1, bucket2)
),
pareto_steps as (
    select
        256 * bucket1 + bucket2 as place,
        min(step) over (
            partition by bucket2 order by bucket1 rows between unbounded preceding and 1 preceding
        ) as step
    from pareto_rows
)
select
    any_value(low1) as low1, any_value(high1) as high1, any_value(low2) as low2, any_value(high2) as high2,
    list(step order by place) as steps
from pareto_steps, pareto_range;

create or replace macro pareto_under3(s, p1, p2, p3) as
    (s.steps[1 + 256 * pareto_bucket(p1, s.low1, s.high1, 256) + pareto_bucket(p2, s.low2, s.high2, 256)] <= p3)
    is not true;
