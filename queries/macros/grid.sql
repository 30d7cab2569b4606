-- Question:  which rows of four to eight objectives do a few of them rule out, without sorting all?
-- Input:     relation, the name of a table or a CTE of objectives p1 to p8, none of them null or nan, all minimised;
--            those that are not asked for are 0 in every row
-- Parameter: num_cells, the most cells of the grid; where rows are few it has fewer
-- Output:    pareto_under8(relation, few, num_cells): p1 to p8 of the rows of the relation that none of few, another
--            relation of some of its rows, rules out
-- Ties:      rows of equal objectives are ruled out or kept alike
--
-- All objectives but the first are cut into buckets. Of every cell of the grid of buckets the least first objective is
-- known among those of few that lie in lower buckets throughout: it rules out what has a first objective no better.
-- Buckets hold equal shares of few, and end where bins do, which are finer towards the least value. The bin of a value
-- never falls while the value rises, for it is made by operations that are each rounded to the nearest: so a lower
-- bucket is strictly better, and all of it is exact for any rows, whichever the buckets were made from. An objective
-- that is the same in all of few has no buckets: there a row is ruled out unless it has less.

-- How to cut the values of a column into 1024 bins; without a scale where they are infinite or too far apart.
create or replace macro pareto_binning(p) as {
    'is_cut': coalesce(min(p) < max(p), false),
    'least': min(p),
    'low': min(cast(p as double)) filter (where isfinite(cast(p as double))),
    'span': max(cast(p as double)) filter (where isfinite(cast(p as double)))
        - min(cast(p as double)) filter (where isfinite(cast(p as double)))
};

-- The bin of a number, 1 to 1024, that never falls while it rises: 1 of all that is not above the least finite value.
create or replace macro pareto_bin(b, p) as
    case
        when b.span > 0 and b.span < 1e300
            then 1 + cast(
                1023 / sqrt(sqrt(sqrt(b.span)))
                * sqrt(sqrt(sqrt(least(greatest(cast(p as double) - b.low, 0), b.span)))) as integer
            )
    end;

-- The least of best among cells that are the same but for one coordinate, and no higher in that; step is stride raised
-- to the coordinate.
create or replace macro pareto_lowest(place, best, stride, step) as
    min(best) over (
        partition by place - step * (place // step % stride)
        order by place
        rows between unbounded preceding and current row
    );

-- What pareto_under8 needs to know of few rows: one row.
create or replace macro pareto_grid(relation, num_cells) as table
with recursive pareto_range as materialized (
    select
        count(*) as num_rows,
        pareto_binning(p2) as b2, pareto_binning(p3) as b3, pareto_binning(p4) as b4,
        pareto_binning(p5) as b5, pareto_binning(p6) as b6, pareto_binning(p7) as b7,
        pareto_binning(p8) as b8
    from query_table(relation)
),
pareto_cut as materialized (
    select
        cast(b2.is_cut as integer) + cast(b3.is_cut as integer) + cast(b4.is_cut as integer)
        + cast(b5.is_cut as integer) + cast(b6.is_cut as integer) + cast(b7.is_cut as integer)
        + cast(b8.is_cut as integer) as num_cut,
        cast(
            greatest(2, floor(pow(least(num_cells, 64 + 4 * num_rows), 1.0 / greatest(num_cut, 1)) + 1e-9)) as bigint
        ) as stride,
        *
    from pareto_range
),
pareto_binned as materialized (
    select
        p1,
        pareto_bin(b2, p2) as bin2, pareto_bin(b3, p3) as bin3, pareto_bin(b4, p4) as bin4,
        pareto_bin(b5, p5) as bin5, pareto_bin(b6, p6) as bin6, pareto_bin(b7, p7) as bin7,
        pareto_bin(b8, p8) as bin8
    from query_table(relation), pareto_cut
),
pareto_counted as (
    select objective, bin, count(*) as num_rows
    from (
        select
            unnest(range(2, 9)) as objective,
            unnest([bin2, bin3, bin4, bin5, bin6, bin7, bin8]) as bin
        from pareto_binned
    )
    group by objective, bin
),
pareto_objectives as (
    select
        unnest(range(2, 9)) as objective,
        unnest([b2.is_cut, b3.is_cut, b4.is_cut, b5.is_cut, b6.is_cut, b7.is_cut, b8.is_cut]) as is_cut
    from pareto_cut
),
pareto_bucketed as (
    select
        objective,
        bin,
        coalesce(
            sum(num_rows) over (
                partition by objective order by bin rows between unbounded preceding and 1 preceding
            ),
            0
        ) as num_lower
    from (select objective from pareto_objectives where is_cut)
    cross join (select unnest(range(1, 1025)) as bin)
    left join pareto_counted using (objective, bin)
),
pareto_buckets as (
    select
        objective,
        list(cast((stride - 1) * num_lower // greatest(num_rows, 1) as integer) order by bin) as buckets
    from pareto_bucketed, pareto_cut
    group by objective
),
pareto_frame as materialized (
    select
        *,
        1 as m2,
        if(b2.is_cut, stride, 1) * m2 as m3,
        if(b3.is_cut, stride, 1) * m3 as m4,
        if(b4.is_cut, stride, 1) * m4 as m5,
        if(b5.is_cut, stride, 1) * m5 as m6,
        if(b6.is_cut, stride, 1) * m6 as m7,
        if(b7.is_cut, stride, 1) * m7 as m8
    from pareto_cut
    cross join (
        select
            any_value(buckets) filter (where objective = 2) as e2,
            any_value(buckets) filter (where objective = 3) as e3,
            any_value(buckets) filter (where objective = 4) as e4,
            any_value(buckets) filter (where objective = 5) as e5,
            any_value(buckets) filter (where objective = 6) as e6,
            any_value(buckets) filter (where objective = 7) as e7,
            any_value(buckets) filter (where objective = 8) as e8
        from pareto_buckets
    )
),
pareto_best as (
    select
        if(b2.is_cut, m2 * (e2[bin2] + 1), 0) + if(b3.is_cut, m3 * (e3[bin3] + 1), 0)
        + if(b4.is_cut, m4 * (e4[bin4] + 1), 0) + if(b5.is_cut, m5 * (e5[bin5] + 1), 0)
        + if(b6.is_cut, m6 * (e6[bin6] + 1), 0) + if(b7.is_cut, m7 * (e7[bin7] + 1), 0)
        + if(b8.is_cut, m8 * (e8[bin8] + 1), 0) as place,
        min(p1) as best
    from pareto_binned, pareto_frame
    where num_cut > 0
    group by place
),
pareto_cells as materialized (
    select place, best, stride, num_cut
    from (select unnest(range(cast(pow(stride, num_cut) as bigint))) as place, stride, num_cut from pareto_cut)
    left join pareto_best using (place)
),
pareto_sums as (
    select 0 as coordinate, place, best, stride, num_cut from pareto_cells
    union all
    select
        coordinate + 1,
        place,
        pareto_lowest(place, best, stride, cast(pow(stride, coordinate) as bigint)),
        stride,
        num_cut
    from pareto_sums
    where coordinate < num_cut
)
select b2, b3, b4, b5, b6, b7, b8, m2, m3, m4, m5, m6, m7, m8, e2, e3, e4, e5, e6, e7, e8, steps
from pareto_frame, (
    select list(best order by place) as steps from pareto_sums where coordinate = num_cut
) as pareto_lists;

-- The part of a bucket in the place of a cell.
create or replace macro pareto_part(b, m, e, p) as
    case when b.is_cut then m * e[pareto_bin(b, p)] when p >= b.least then 0 end;

create or replace macro pareto_under8(relation, few, num_cells) as table
select p1, p2, p3, p4, p5, p6, p7, p8
from query_table(relation), pareto_grid(few, num_cells)
where (
    steps[
        1 + pareto_part(b2, m2, e2, p2) + pareto_part(b3, m3, e3, p3)
        + pareto_part(b4, m4, e4, p4) + pareto_part(b5, m5, e5, p5)
        + pareto_part(b6, m6, e6, p6) + pareto_part(b7, m7, e7, p7)
        + pareto_part(b8, m8, e8, p8)
    ] <= p1
) is not true;
