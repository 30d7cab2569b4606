-- Topic:     shape and experts
-- Question:  which released models are nearest to a design?
-- Input:     designs (design_id, params_total, params_active, loss_nats); models (model, kind, release_date,
--            total_params_oracle, active_params_oracle)
-- Parameter: $design_id = null, the design; the one of least loss where null
-- Parameter: $max_rows = 20, how many rows at most
-- Output:    model, kind, release_date, params_total, params_active, times_apart, design_id; one row per model whose
--            parameters are known, the nearest first, no more than $max_rows; times_apart is the larger of the two
--            factors between the parameters, all and active
-- Ties:      of designs of equal loss the lowest design_id; of models as near by name

set variable design_id = coalesce(getvariable('design_id'), null)::bigint;
set variable max_rows = coalesce(getvariable('max_rows'), 20)::bigint;

with chosen as (
    select coalesce(getvariable('design_id'), arg_min(design_id, (loss_nats, design_id))) as design_id
    from designs
    where not isnan(loss_nats)
),
design as (
    select design_id, params_total as own_total, params_active as own_active from chosen join designs using (design_id)
),
apart as (
    select model, kind, release_date, total_params_oracle as params_total, active_params_oracle as params_active,
        greatest(
            own_total / total_params_oracle, total_params_oracle / own_total,
            own_active / active_params_oracle, active_params_oracle / own_active
        ) as times_apart,
        design_id
    from models, design
    where total_params_oracle is not null and active_params_oracle is not null
)
from apart
order by times_apart, model
limit getvariable('max_rows')
