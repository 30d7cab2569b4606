-- Question:  how many frontiers have to be taken away before a row is on one?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then the objectives, any numeric expressions of
--            its columns, all minimised; pareto.sql has been run
-- Parameter: layers := 10, of three or more objectives the frontiers that are counted
-- Output:    the table macro pareto_rank(relation, x, y), and pareto_rank(relation, o1, ..., o8) for three to eight
--            objectives: all columns and pareto_rank, 1 on the frontier, 2 on the frontier of what is then left
--            (Goldberg 1989; Deb, Pratap, Agarwal and Meyarivan 2002, NSGA-II), in no order
-- Ties:      rows of equal objectives have the same rank; null with a null or a nan in an objective or past layers
--
-- One round a layer. Of two objectives each sorts what is left; of more, each compares what is left with itself, so that
-- it is for thousands of rows rather than millions.
create or replace macro pareto_rank
(relation, x, y) as table (
    with recursive pareto_distinct as materialized (
        select row_number() over () as pareto_n, * from (
            select distinct x as pareto_p1, y as pareto_p2 from query_table(relation)
            where not isnan(cast(x as double)) and not isnan(cast(y as double))
        )
    ),
    pareto_peeled(pareto_n, pareto_p1, pareto_p2, pareto_layer, pareto_on) using key (pareto_n) as (
        select pareto_n, pareto_p1, pareto_p2, 0, false from pareto_distinct
        union all
        select
            pareto_n, pareto_p1, pareto_p2, pareto_layer + 1,
            coalesce(pareto_p2 < min(pareto_p2) over (order by pareto_p1, pareto_p2 rows between unbounded preceding and 1 preceding), true)
        from pareto_peeled where not pareto_on
    ),
    pareto_rows as (
        select *, x as pareto_o1, y as pareto_o2 from query_table(relation)
    )
    select pareto_rows.* exclude (pareto_o1, pareto_o2), pareto_layer as pareto_rank
    from pareto_rows left join pareto_peeled on pareto_o1 = pareto_p1 and pareto_o2 = pareto_p2
),
(relation, o1, o2, o3, o4 := 0, o5 := 0, o6 := 0, o7 := 0, o8 := 0, layers := 10) as table (
    with recursive pareto_distinct as materialized (
        select row_number() over () as pareto_n, * from (
            select distinct o1 as pareto_p1, o2 as pareto_p2, o3 as pareto_p3, o4 as pareto_p4, o5 as pareto_p5, o6 as pareto_p6, o7 as pareto_p7, o8 as pareto_p8
            from query_table(relation)
            where not isnan(cast(o1 as double)) and not isnan(cast(o2 as double)) and not isnan(cast(o3 as double))
                and not isnan(cast(o4 as double)) and not isnan(cast(o5 as double)) and not isnan(cast(o6 as double))
                and not isnan(cast(o7 as double)) and not isnan(cast(o8 as double))
        )
    ),
    pareto_peeled(pareto_n, pareto_p1, pareto_p2, pareto_p3, pareto_p4, pareto_p5, pareto_p6, pareto_p7, pareto_p8, pareto_layer, pareto_on) using key (pareto_n) as (
        select pareto_n, pareto_p1, pareto_p2, pareto_p3, pareto_p4, pareto_p5, pareto_p6, pareto_p7, pareto_p8, 0, false from pareto_distinct
        union all
        select
            pareto_n, pareto_p1, pareto_p2, pareto_p3, pareto_p4, pareto_p5, pareto_p6, pareto_p7, pareto_p8, pareto_layer + 1,
            pareto_n not in (
                select worse.pareto_n
                from pareto_peeled as worse join pareto_peeled as better
                    on not worse.pareto_on and not better.pareto_on
                    and better.pareto_p1 <= worse.pareto_p1 and better.pareto_p2 <= worse.pareto_p2 and better.pareto_p3 <= worse.pareto_p3
                    and better.pareto_p4 <= worse.pareto_p4 and better.pareto_p5 <= worse.pareto_p5 and better.pareto_p6 <= worse.pareto_p6
                    and better.pareto_p7 <= worse.pareto_p7 and better.pareto_p8 <= worse.pareto_p8 and better.pareto_n <> worse.pareto_n
            )
        from pareto_peeled where not pareto_on and pareto_layer < layers
    ),
    pareto_rows as (
        select
            *, o1 as pareto_o1, o2 as pareto_o2, o3 as pareto_o3, o4 as pareto_o4, o5 as pareto_o5, o6 as pareto_o6,
            o7 as pareto_o7, o8 as pareto_o8
        from query_table(relation)
    )
    select
        pareto_rows.* exclude (
            pareto_o1, pareto_o2, pareto_o3, pareto_o4, pareto_o5, pareto_o6, pareto_o7, pareto_o8
        ),
        case when pareto_on then pareto_layer end as pareto_rank
    from pareto_rows left join pareto_peeled
        on pareto_o1 = pareto_p1 and pareto_o2 = pareto_p2 and pareto_o3 = pareto_p3 and pareto_o4 = pareto_p4
        and pareto_o5 = pareto_p5 and pareto_o6 = pareto_p6 and pareto_o7 = pareto_p7 and pareto_o8 = pareto_p8
);
