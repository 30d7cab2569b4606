-- Question:  how much of the space of objectives does a frontier beat?
-- Input:     relation, the name of a table, a view or a CTE, in quotes; then the objectives, any numeric expressions of
--            its columns, all minimised, and as many coordinates of the reference point; pareto.sql has been run
-- Parameter: none
-- Output:    the table macros hypervolume2(relation, x, y, x_ref, y_ref) and hypervolume3(relation, x, y, z, x_ref,
--            y_ref, z_ref): one row, hypervolume, the area or volume between the rows and the reference point (Zitzler
--            and Thiele 1998), exact but for rounding; 0 where no row beats the point in all objectives
-- Ties:      equal rows count once; rows with a null or a nan in an objective not at all
--
-- The first sorts the frontier. The second sweeps along z and sorts at each step what came so far, so that its work
-- grows with the square of the frontier.
create or replace macro hypervolume2(relation, x, y, x_ref, y_ref) as table
with pareto_inside as not materialized (
    select cast(x as double) as p1, cast(y as double) as p2 from query_table(relation) where x < x_ref and y < y_ref
),
pareto_points as materialized (select distinct p1, p2 from pareto2('pareto_inside', p1, p2)),
pareto_strips as (
    select lead(p1, 1, cast(x_ref as double)) over (order by p1) - p1 as width, y_ref - p2 as height from pareto_points
)
select coalesce(sum(width * height), 0.0) as hypervolume from pareto_strips;

create or replace macro hypervolume3(relation, x, y, z, x_ref, y_ref, z_ref) as table
with pareto_inside as not materialized (
    select cast(x as double) as p1, cast(y as double) as p2, cast(z as double) as p3
    from query_table(relation) where x < x_ref and y < y_ref and z < z_ref
),
pareto_points as materialized (select distinct p1, p2, p3 from pareto3('pareto_inside', p1, p2, p3)),
pareto_levels as (
    select level, lead(level, 1, cast(z_ref as double)) over (order by level) - level as depth
    from (select distinct p3 as level from pareto_points)
),
pareto_edges as (
    select level, depth, p1, p2
    from pareto_levels join pareto_points on p3 <= level
    qualify coalesce(
        p2 < min(p2) over (partition by level order by p1, p2 rows between unbounded preceding and 1 preceding), true
    )
),
pareto_strips as (
    select
        depth,
        lead(p1, 1, cast(x_ref as double)) over (partition by level order by p1) - p1 as width,
        y_ref - p2 as height
    from pareto_edges
)
select coalesce(sum(depth * width * height), 0.0) as hypervolume from pareto_strips;
