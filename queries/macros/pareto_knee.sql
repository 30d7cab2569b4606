-- Question:  where does a frontier of two objectives bend the most?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then two objectives, any numeric expressions of
--            its columns, both minimised; pareto.sql has been run
-- Parameter: none
-- Output:    the table macro pareto_knee(relation, x, y): all columns of the rows at the knee and knee_distance, how far
--            below the chord between the ends of the frontier they lie when both axes run from 0 to 1; no row where
--            none lies below it
-- Ties:      all rows as far from the chord as the farthest; rows with an infinite objective are left out
--
-- The knee is the point farthest from the chord (Das 1999, "On characterizing the knee of the Pareto curve based on
-- normal-boundary intersection", Structural Optimization 18; of a convex curve, Kneedle's too: Satopaa et al. 2011).
-- It depends on the axes: write ln(x) and ln(y) for a bend among factors.
create or replace macro pareto_knee(relation, x, y) as table
with pareto_finite as not materialized (
    select *, x as pareto_o1, y as pareto_o2 from query_table(relation)
    where isfinite(cast(x as double)) and isfinite(cast(y as double))
),
pareto_curve as materialized (from pareto2('pareto_finite', pareto_o1, pareto_o2)),
pareto_placed as (
    select
        *,
        (cast(pareto_o1 as double) - min(cast(pareto_o1 as double)) over ())
        / nullif(max(cast(pareto_o1 as double)) over () - min(cast(pareto_o1 as double)) over (), 0) as pareto_u,
        (cast(pareto_o2 as double) - min(cast(pareto_o2 as double)) over ())
        / nullif(max(cast(pareto_o2 as double)) over () - min(cast(pareto_o2 as double)) over (), 0) as pareto_v
    from pareto_curve
),
pareto_measured as (
    select * exclude (pareto_o1, pareto_o2, pareto_u, pareto_v), (1 - pareto_u - pareto_v) / sqrt(2.0) as knee_distance
    from pareto_placed
)
from pareto_measured
where knee_distance > 0
qualify knee_distance = max(knee_distance) over ();
