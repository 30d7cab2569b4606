"""Pipeline stages: how many layers, experts and micro batches the first, the second and the last of them hold.

Between them they bound every stage: the first has the input table and most micro batches in flight, the second has
layers that may be heavier where the first ones are dense, the last has the head. Where layers do not divide evenly the
fullest stage is counted. One micro batch in flight is all that a stage stores of it.
"""

from kernels.graph import metric
from kernels.scalar import ceil

ONE_F_ONE_B = (
    "Narayanan et al. 2021, arXiv:2104.04473, section 2.2; Korthikanti et al. 2022, arXiv:2205.05198, section 4"
)


@metric(unit="", source="arithmetic: sequences of a step over those that all replicas pass at once")
def micro_batches(global_batch_size, data_parallel, micro_batch_size):
    """Micro batches that a replica passes in one optimizer step."""
    return max(1.0, ceil(global_batch_size / (data_parallel * micro_batch_size)))


@metric(unit="", source=ONE_F_ONE_B)
def stage_layers(num_layers, pipeline_parallel, pipeline_interleave):
    """Layers of the fullest stage."""
    runs = pipeline_parallel * pipeline_interleave
    return (num_layers + runs - 1) // runs * pipeline_interleave


@metric(unit="", source="definition")
def first_stage_moe_layers(
    num_moe_layers, stage_layers, first_dense_layers, moe_layer_period, pipeline_parallel, pipeline_interleave
):
    """Layers with experts of the first stage, which has the leading dense ones."""
    dense = min(first_dense_layers, stage_layers // pipeline_interleave)
    counted = min(num_moe_layers, (stage_layers - dense) // moe_layer_period)
    return num_moe_layers if pipeline_parallel == 1 else counted


@metric(unit="", source="definition")
def later_stage_moe_layers(num_moe_layers, stage_layers, moe_layer_period, pipeline_parallel):
    """Layers with experts of any later stage."""
    counted = min(num_moe_layers, (stage_layers + moe_layer_period - 1) // moe_layer_period)
    return num_moe_layers if pipeline_parallel == 1 else counted


@metric(unit="", source=f"{ONE_F_ONE_B}.2.3: L (1 + (p - 1) / (p m)) layers for m runs a stage")
def first_stage_in_flight(pipeline_parallel, pipeline_interleave, micro_batches):
    """Micro batches that the first stage stores at once; interleaved ones as parts of a whole."""
    plain = 1.0 * pipeline_parallel
    interleaved = plain + (pipeline_parallel - 1) / pipeline_interleave
    return min(micro_batches, plain if pipeline_interleave == 1 else interleaved)


@metric(unit="", source=ONE_F_ONE_B)
def second_stage_in_flight(pipeline_parallel, pipeline_interleave, micro_batches):
    """Micro batches that the second stage stores at once; of use above two stages."""
    plain = max(1.0, pipeline_parallel - 1.0)
    interleaved = max(1.0, pipeline_parallel + (pipeline_parallel - 3) / pipeline_interleave)
    return min(micro_batches, plain if pipeline_interleave == 1 else interleaved)


@metric(unit="", source=ONE_F_ONE_B)
def last_stage_in_flight(pipeline_parallel, pipeline_interleave, micro_batches):
    """Micro batches that the last stage stores at once: one, or with interleaving its earlier runs' too."""
    interleaved = pipeline_parallel - (pipeline_parallel - 1) / pipeline_interleave
    return min(micro_batches, 1.0 if pipeline_interleave == 1 else interleaved)


@metric(unit="byte", source=ONE_F_ONE_B)
def first_stage_activation_bytes(
    activation_tokens,
    first_stage_in_flight,
    stage_layers,
    first_stage_moe_layers,
    dense_layer_activation_bytes_per_token,
    moe_layer_activation_bytes_per_token,
):
    """What the layers of the first stage store of all micro batches in flight."""
    dense = (stage_layers - first_stage_moe_layers) * dense_layer_activation_bytes_per_token
    return (
        activation_tokens
        * first_stage_in_flight
        * (dense + first_stage_moe_layers * moe_layer_activation_bytes_per_token)
    )


@metric(unit="byte", source=ONE_F_ONE_B)
def later_stage_activation_bytes(
    activation_tokens,
    stage_layers,
    later_stage_moe_layers,
    dense_layer_activation_bytes_per_token,
    moe_layer_activation_bytes_per_token,
):
    """What the layers of a later stage store of one micro batch."""
    dense = (stage_layers - later_stage_moe_layers) * dense_layer_activation_bytes_per_token
    return activation_tokens * (dense + later_stage_moe_layers * moe_layer_activation_bytes_per_token)


@metric(unit="", source="definition")
def first_stage_params(stage_layers, first_stage_moe_layers, dense_layer_params_per_gpu, moe_layer_params_per_gpu):
    """Parameters of the first stage's layers on one GPU, routed experts apart."""
    dense = (stage_layers - first_stage_moe_layers) * dense_layer_params_per_gpu
    return dense + first_stage_moe_layers * moe_layer_params_per_gpu


@metric(unit="", source="definition")
def later_stage_params(stage_layers, later_stage_moe_layers, dense_layer_params_per_gpu, moe_layer_params_per_gpu):
    """Parameters of a later stage's layers on one GPU, routed experts apart."""
    dense = (stage_layers - later_stage_moe_layers) * dense_layer_params_per_gpu
    return dense + later_stage_moe_layers * moe_layer_params_per_gpu
