-- Question:  which rows does no other row beat, step by step?
-- Input:     relation, the name of a table or a CTE of objectives p1 to p8, none of them null or nan, all minimised;
--            grid.sql has been run
-- Parameter: epsilon, the share by which a row may be worse than one that stands for it, in each objective
-- Output:    the macros of the steps that pareto.sql, pareto_per.sql and dominated_by.sql take, each described below;
--            of rows, they return p1 to p8, in no order
-- Ties:      rows of equal objectives are one row from pareto_settled on
--
-- A row beats another when it is <= in all objectives and < in at least one. All of it is exact: samples and ranks only
-- decide how many rows are left for the next step. An objective that is 0 in every row never matters.

-- Whether the row c, a struct of p1 to p8, beats the row p1 to p8.
create or replace macro pareto_beats(c, p1, p2, p3, p4, p5, p6, p7, p8) as
    c.p1 <= p1 and c.p2 <= p2 and c.p3 <= p3 and c.p4 <= p4 and c.p5 <= p5 and c.p6 <= p6 and c.p7 <= p7 and c.p8 <= p8
    and (c.p1 < p1 or c.p2 < p2 or c.p3 < p3 or c.p4 < p4 or c.p5 < p5 or c.p6 < p6 or c.p7 < p7 or c.p8 < p8);

-- Distinct rows p1 to p8, less those that one of the 120 rows of least summed ranks beats. Each of these is a bit; the
-- bits seen up to a value, objective by objective, have in common the rows that are <= in all of them.
create or replace macro pareto_thinned(relation) as table
with pareto_ranked as (
    select
        *,
        percent_rank() over (order by p1) + percent_rank() over (order by p2)
        + percent_rank() over (order by p3) + percent_rank() over (order by p4)
        + percent_rank() over (order by p5) + percent_rank() over (order by p6)
        + percent_rank() over (order by p7) + percent_rank() over (order by p8) as summed_ranks
    from query_table(relation)
),
pareto_placed as (
    select *, row_number() over (order by summed_ranks) as place from pareto_ranked
),
pareto_marked as (
    select
        * exclude (summed_ranks, place),
        case when place <= 120 then cast(1 as hugeint) << cast(place - 1 as integer) else 0 end as own_bit
    from pareto_placed
),
pareto_seen as (
    select
        *,
        bit_or(own_bit) over (order by p1) & bit_or(own_bit) over (order by p2)
        & bit_or(own_bit) over (order by p3) & bit_or(own_bit) over (order by p4)
        & bit_or(own_bit) over (order by p5) & bit_or(own_bit) over (order by p6)
        & bit_or(own_bit) over (order by p7) & bit_or(own_bit) over (order by p8) as bits_before
    from pareto_marked
)
select p1, p2, p3, p4, p5, p6, p7, p8 from pareto_seen
where bits_before = own_bit;

-- The cell of a row whose ranks are r1 to r8, from 0 to 1. Cells that share a number by chance only cost time.
create or replace macro pareto_cell(shares, r1, r2, r3, r4, r5, r6, r7, r8) as
    hash(
        floor(shares * r1), floor(shares * r2), floor(shares * r3), floor(shares * r4),
        floor(shares * r5), floor(shares * r6), floor(shares * r7), floor(shares * r8)
    );

-- Distinct rows p1 to p8, less those that any other beats. Each objective is cut into equal shares of rows, as many as
-- leave a sample few cells for its rows. A cell that begins after another ends is gone as a whole, and rows meet only
-- where the box around the cell of the one begins before the box around the cell of the other ends.
create or replace macro pareto_compared(relation) as table
with pareto_ranked as materialized (
    select
        *,
        percent_rank() over (order by p1) as r1, percent_rank() over (order by p2) as r2,
        percent_rank() over (order by p3) as r3, percent_rank() over (order by p4) as r4,
        percent_rank() over (order by p5) as r5, percent_rank() over (order by p6) as r6,
        percent_rank() over (order by p7) as r7, percent_rank() over (order by p8) as r8
    from query_table(relation)
),
pareto_cut as (
    select coalesce(max(shares), 1) as shares from (
        select shares
        from (from pareto_ranked using sample reservoir(20000 rows)),
            unnest([2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 512, 2048]) as candidates(shares)
        group by shares
        having count(distinct pareto_cell(shares, r1, r2, r3, r4, r5, r6, r7, r8))
            <= 20 * sqrt((select count(*) from pareto_ranked))
    )
),
pareto_numbered as materialized (
    select
        p1, p2, p3, p4, p5, p6, p7, p8,
        row_number() over () as row_id,
        pareto_cell(shares, r1, r2, r3, r4, r5, r6, r7, r8) as cell
    from pareto_ranked, pareto_cut
),
pareto_cells as materialized (
    select
        cell,
        min(p1) as low1, min(p2) as low2, min(p3) as low3, min(p4) as low4,
        min(p5) as low5, min(p6) as low6, min(p7) as low7, min(p8) as low8,
        max(p1) as high1, max(p2) as high2, max(p3) as high3, max(p4) as high4,
        max(p5) as high5, max(p6) as high6, max(p7) as high7, max(p8) as high8
    from pareto_numbered group by cell
),
pareto_meetings as materialized (
    select
        a.cell as better_cell,
        b.cell as worse_cell,
        a.high1 <= b.low1 and a.high2 <= b.low2 and a.high3 <= b.low3 and a.high4 <= b.low4
        and a.high5 <= b.low5 and a.high6 <= b.low6 and a.high7 <= b.low7 and a.high8 <= b.low8
        and (
            a.high1 < b.low1 or a.high2 < b.low2 or a.high3 < b.low3 or a.high4 < b.low4
            or a.high5 < b.low5 or a.high6 < b.low6 or a.high7 < b.low7 or a.high8 < b.low8
        ) as settled
    from pareto_cells as a, pareto_cells as b
    where a.low1 <= b.high1 and a.low2 <= b.high2 and a.low3 <= b.high3 and a.low4 <= b.high4
        and a.low5 <= b.high5 and a.low6 <= b.high6 and a.low7 <= b.high7 and a.low8 <= b.high8
),
pareto_gone as materialized (
    select distinct worse_cell as cell from pareto_meetings where settled
),
pareto_left as materialized (
    select * from pareto_numbered anti join pareto_gone using (cell)
),
pareto_challengers as materialized (
    select pareto_left.*, worse_cell
    from pareto_meetings join pareto_left on cell = better_cell
    where worse_cell not in (select cell from pareto_gone)
),
pareto_beaten as (
    select distinct worse.row_id
    from pareto_left as worse join pareto_challengers as better on worse.cell = better.worse_cell
    where better.p1 <= worse.p1 and better.p2 <= worse.p2 and better.p3 <= worse.p3 and better.p4 <= worse.p4
        and better.p5 <= worse.p5 and better.p6 <= worse.p6 and better.p7 <= worse.p7 and better.p8 <= worse.p8
        and better.row_id <> worse.row_id
)
select p1, p2, p3, p4, p5, p6, p7, p8 from pareto_left
where row_id not in (select row_id from pareto_beaten);

-- The distinct rows that no other beats. They are told apart by the ranks of their values, whole numbers whatever the
-- type of an objective: so a recursive query, whose columns keep the types of its first part, can exchange them. First
-- those are dropped that the grid of them all rules out, eight times, each time with another of four objectives as the
-- one that is not cut into buckets; the rest is thinned and compared.
create or replace macro pareto_settled(relation) as table
with recursive pareto_ranks as materialized (
    select
        *,
        dense_rank() over (order by p1) as r1, dense_rank() over (order by p2) as r2,
        dense_rank() over (order by p3) as r3, dense_rank() over (order by p4) as r4,
        dense_rank() over (order by p5) as r5, dense_rank() over (order by p6) as r6,
        dense_rank() over (order by p7) as r7, dense_rank() over (order by p8) as r8
    from (select distinct p1, p2, p3, p4, p5, p6, p7, p8 from query_table(relation))
),
pareto_turned as (
    select
        if(num_rows > 5000, 0, 8) as turn,
        r1 as p1, r2 as p2, r3 as p3, r4 as p4, r5 as p5, r6 as p6, r7 as p7, r8 as p8
    from pareto_ranks, (select count(*) as num_rows from pareto_ranks)
    union all
    select turn + 1, p2, p3, p4, p1, p5, p6, p7, p8
    from pareto_under8('pareto_turned', 'pareto_turned', 1000000), (select max(turn) as turn from pareto_turned)
    where turn < 8
),
pareto_close as materialized (
    select p1, p2, p3, p4, p5, p6, p7, p8 from pareto_turned where turn = 8
),
pareto_thin as materialized (from pareto_thinned('pareto_close')),
pareto_left as materialized (from pareto_compared('pareto_thin'))
select p1, p2, p3, p4, p5, p6, p7, p8 from pareto_ranks
where (r1, r2, r3, r4, r5, r6, r7, r8) in (select (p1, p2, p3, p4, p5, p6, p7, p8) from pareto_left);
