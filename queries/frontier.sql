-- Question:  which designs does no other design beat on every objective?
-- Input:     objectives, one row per design: design_id and o1 to o8, all minimised, 0 where fewer are needed;
--            the files of queries/macros/ have been run
-- Parameter: none
-- Output:    design_id, o1, o2, o3, o4, o5, o6, o7, o8; one row per design on the
--            frontier, by objectives, then design_id
-- Ties:      all designs of equal objectives; never one with a null or a nan
select design_id, o1, o2, o3, o4, o5, o6, o7, o8
from pareto('objectives', o1, o2, o3, o4, o5, o6, o7, o8)
order by o1, o2, o3, o4, o5, o6, o7, o8, design_id;
