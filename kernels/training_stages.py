"""Bytes of the first, the second and the last pipeline stage: what each GPU holds, and what data parallel ranks share.

A stage holds whole + shared / optimizer_shard_ranks. The fullest of the three is what training memory is counted for.
"""

from kernels.graph import metric

ZERO = "Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054, figure 1 and table 1"
STAGES = f"{ZERO}; Korthikanti et al. 2022, arXiv:2205.05198, sections 4 and 5"


@metric(unit="byte/param", source=ZERO)
def table_whole_bytes_per_param(zero_stage, whole_bytes_per_param, state_bytes_per_param, table_state_bytes_per_param):
    """Bytes of a parameter of the input table or head that every data parallel rank holds."""
    more = table_state_bytes_per_param - state_bytes_per_param
    return whole_bytes_per_param + (more if zero_stage < 1 else 0.0)


@metric(unit="byte/param", source=ZERO)
def table_shared_bytes_per_param(
    zero_stage, shared_bytes_per_param, state_bytes_per_param, table_state_bytes_per_param
):
    """Bytes of a parameter of the input table or head that data parallel ranks share."""
    more = table_state_bytes_per_param - state_bytes_per_param
    return shared_bytes_per_param + (0.0 if zero_stage < 1 else more)


@metric(unit="", source="definition")
def first_stage_table_params(embedding_params_per_gpu, head_params_per_gpu, pipeline_parallel):
    """Parameters before and after the layers that the first stage holds: the head only where it is the last one too."""
    return embedding_params_per_gpu + (head_params_per_gpu if pipeline_parallel == 1 else 0)


@metric(unit="byte", source="arithmetic: the busier of two moments, the head's and a layer's")
def head_stage_working_bytes(
    layer_working_bytes, head_bytes, head_working_bytes, stand_in_bytes, framework_buffer_bytes
):
    """What the stage with the head needs for a moment, its logits in it, and what its framework keeps."""
    return framework_buffer_bytes + stand_in_bytes + max(layer_working_bytes, head_bytes + head_working_bytes)


@metric(unit="byte", source="arithmetic")
def body_stage_working_bytes(layer_working_bytes, stand_in_bytes, framework_buffer_bytes):
    """What a stage without the head needs for a moment, and what its framework keeps."""
    return framework_buffer_bytes + stand_in_bytes + layer_working_bytes


@metric(unit="byte", source=STAGES)
def first_stage_whole_bytes(
    whole_bytes_per_param,
    table_whole_bytes_per_param,
    first_stage_params,
    first_stage_moe_layers,
    expert_params_per_gpu,
    first_stage_table_params,
    first_stage_activation_bytes,
    head_stage_working_bytes,
    body_stage_working_bytes,
    pipeline_parallel,
):
    """What a GPU of the first stage holds that no other rank shares."""
    layers = whole_bytes_per_param * (first_stage_params + first_stage_moe_layers * expert_params_per_gpu)
    working = head_stage_working_bytes if pipeline_parallel == 1 else body_stage_working_bytes
    return layers + table_whole_bytes_per_param * first_stage_table_params + first_stage_activation_bytes + working


@metric(unit="byte", source=STAGES)
def first_stage_shared_bytes(
    shared_bytes_per_param,
    table_shared_bytes_per_param,
    first_stage_params,
    first_stage_moe_layers,
    expert_params_per_gpu,
    expert_parallel,
    first_stage_table_params,
):
    """What ranks share of the first stage, all of it; an expert's share is between the ranks that hold it."""
    experts = first_stage_moe_layers * expert_params_per_gpu * expert_parallel
    return shared_bytes_per_param * (first_stage_params + experts) + (
        table_shared_bytes_per_param * first_stage_table_params
    )


@metric(unit="byte", source=STAGES)
def second_stage_whole_bytes(
    whole_bytes_per_param,
    later_stage_params,
    later_stage_moe_layers,
    expert_params_per_gpu,
    later_stage_activation_bytes,
    second_stage_in_flight,
    body_stage_working_bytes,
    pipeline_parallel,
):
    """What a GPU of the second stage holds that no other rank shares; 0 unless there are three."""
    layers = whole_bytes_per_param * (later_stage_params + later_stage_moe_layers * expert_params_per_gpu)
    held = layers + later_stage_activation_bytes * second_stage_in_flight + body_stage_working_bytes
    return held if pipeline_parallel > 2 else 0.0


@metric(unit="byte", source=STAGES)
def last_stage_whole_bytes(
    whole_bytes_per_param,
    table_whole_bytes_per_param,
    later_stage_params,
    later_stage_moe_layers,
    expert_params_per_gpu,
    head_params_per_gpu,
    later_stage_activation_bytes,
    last_stage_in_flight,
    head_stage_working_bytes,
    pipeline_parallel,
):
    """What a GPU of the last stage holds that no other rank shares; 0 where it is the first one too."""
    layers = whole_bytes_per_param * (later_stage_params + later_stage_moe_layers * expert_params_per_gpu)
    activations = later_stage_activation_bytes * last_stage_in_flight
    held = layers + table_whole_bytes_per_param * head_params_per_gpu + activations + head_stage_working_bytes
    return held if pipeline_parallel > 1 else 0.0


@metric(unit="byte", source=STAGES)
def later_stage_shared_bytes(
    shared_bytes_per_param,
    later_stage_params,
    later_stage_moe_layers,
    expert_params_per_gpu,
    expert_parallel,
    pipeline_parallel,
):
    """What ranks share of the layers of a later stage, all of it; 0 where there is none."""
    experts = later_stage_moe_layers * expert_params_per_gpu * expert_parallel
    return shared_bytes_per_param * (later_stage_params + experts) if pipeline_parallel > 1 else 0.0


@metric(unit="byte", source=STAGES)
def last_stage_shared_bytes(
    later_stage_shared_bytes, table_shared_bytes_per_param, head_params_per_gpu, pipeline_parallel
):
    """What ranks share of the last stage, all of it; 0 where it is the first one too."""
    head = table_shared_bytes_per_param * head_params_per_gpu
    return later_stage_shared_bytes + (head if pipeline_parallel > 1 else 0.0)


@metric(unit="", source="definition")
def train_largest_stage(
    first_stage_whole_bytes,
    first_stage_shared_bytes,
    second_stage_whole_bytes,
    later_stage_shared_bytes,
    last_stage_whole_bytes,
    last_stage_shared_bytes,
    optimizer_shard_ranks,
    pipeline_parallel,
):
    """Which pipeline stage holds most: 1 the first, 2 the second, 3 the last; the earlier of equals, nan if unknown."""
    first = first_stage_whole_bytes + first_stage_shared_bytes / optimizer_shard_ranks
    second = second_stage_whole_bytes + later_stage_shared_bytes / optimizer_shard_ranks
    last = last_stage_whole_bytes + last_stage_shared_bytes / optimizer_shard_ranks
    inner = second if pipeline_parallel > 2 else 0.0
    most = max(first, inner, last)
    return (1.0 if first == most else (2.0 if inner == most else 3.0)) + 0.0 * most
