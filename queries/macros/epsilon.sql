-- Question:  which few rows stand for a whole frontier?
-- Input:     relation, the name of a table or a CTE of distinct objectives p1 to p8 on a frontier, all minimised;
--            steps.sql has been run
-- Parameter: epsilon, the share by which a row may be worse than one that stands for it, in each objective; 0 for all
-- Output:    pareto_representatives(relation, epsilon): p1 to p8 of those that stand for the rest, in no order
-- Ties:      none, since rows are distinct
--
-- Objectives are cut into cells whose edges are a factor of 1 + epsilon apart, and cells are compared as rows are
-- (Laumanns, Thiele, Deb and Zitzler 2002, Evolutionary Computation 10). Of each cell that no other beats, the first
-- row by its objectives in order stays. `sweep frontier --epsilon` has the same rule.

-- The logarithm of 1 + epsilon; its last factor makes up for what 1 + epsilon loses when it is rounded.
create or replace macro pareto_log1p(epsilon) as ln(1.0 + epsilon) * (epsilon / ((1.0 + epsilon) - 1.0));

-- The cell of a number, a whole number that rises with it: 2^40 cells lie between the sides of zero.
create or replace macro pareto_cell_of(p, epsilon) as
    case
        when p = 0 or isinf(cast(p as double)) then cast(p as double)
        when p > 0 then pow(2.0, 40) + floor(ln(cast(p as double)) / pareto_log1p(cast(epsilon as double)))
        else floor(-ln(-cast(p as double)) / pareto_log1p(cast(epsilon as double))) - pow(2.0, 40)
    end;

create or replace macro pareto_representatives(relation, epsilon) as table
with pareto_firsts as materialized (
    select
        pareto_cell_of(p1, epsilon) as q1, pareto_cell_of(p2, epsilon) as q2, pareto_cell_of(p3, epsilon) as q3,
        pareto_cell_of(p4, epsilon) as q4, pareto_cell_of(p5, epsilon) as q5, pareto_cell_of(p6, epsilon) as q6,
        pareto_cell_of(p7, epsilon) as q7, pareto_cell_of(p8, epsilon) as q8,
        min({'p1': p1, 'p2': p2, 'p3': p3, 'p4': p4, 'p5': p5, 'p6': p6, 'p7': p7, 'p8': p8}) as pareto_first
    from query_table(relation)
    where epsilon > 0
    group by all
),
pareto_cells as materialized (
    select q1 as p1, q2 as p2, q3 as p3, q4 as p4, q5 as p5, q6 as p6, q7 as p7, q8 as p8 from pareto_firsts
),
pareto_kept as materialized (from pareto_compared('pareto_cells'))
select unnest(pareto_first)
from pareto_firsts
where (q1, q2, q3, q4, q5, q6, q7, q8) in (select (p1, p2, p3, p4, p5, p6, p7, p8) from pareto_kept)
union all
select p1, p2, p3, p4, p5, p6, p7, p8 from query_table(relation) where coalesce(epsilon <= 0, true);
