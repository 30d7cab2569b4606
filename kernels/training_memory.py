"""Training memory of one GPU: weights, gradients, optimizer, activations, logits, and what a moment needs.

The GPU of the fullest pipeline stage is counted. What is summed is what tensors hold; what an allocator and a driver
keep beyond them are train_reserved_bytes_per_gpu and train_device_bytes_per_gpu. Where a figure is missing and stages
cannot be compared, train_largest_stage is nan, and so is what it chooses: hence the 0 times it.
"""

from kernels.graph import metric
from kernels.scalar import ceil, log

ZERO = "Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054, figure 1 and table 1"
KORTHIKANTI = "Korthikanti et al. 2022, arXiv:2205.05198"
FIT = "arithmetic: train_usable_bytes has to hold it"


@metric(unit="", source="definition")
def largest_stage_params(train_largest_stage, first_stage_params, later_stage_params):
    """Parameters of the fullest stage's layers on one GPU, routed experts apart."""
    chosen = first_stage_params if train_largest_stage == 1 else later_stage_params
    return chosen + 0.0 * train_largest_stage


@metric(unit="", source="definition")
def largest_stage_expert_params(
    train_largest_stage, first_stage_moe_layers, later_stage_moe_layers, expert_params_per_gpu
):
    """Parameters of the fullest stage's routed experts on one GPU."""
    layers = first_stage_moe_layers if train_largest_stage == 1 else later_stage_moe_layers
    return layers * expert_params_per_gpu + 0.0 * train_largest_stage


@metric(unit="", source="definition")
def largest_stage_table_params(train_largest_stage, first_stage_table_params, head_params_per_gpu):
    """Parameters before and after the layers on one GPU of the fullest stage."""
    last = head_params_per_gpu if train_largest_stage == 3 else 0
    return (first_stage_table_params if train_largest_stage == 1 else last) + 0.0 * train_largest_stage


@metric(unit="", source=ZERO)
def held_params_per_gpu(largest_stage_params, largest_stage_expert_params, largest_stage_table_params):
    """Parameters that one GPU of the fullest pipeline stage computes with."""
    return largest_stage_params + largest_stage_expert_params + largest_stage_table_params


@metric(unit="byte", source=ZERO)
def train_weight_bytes(
    weight_bytes_per_param,
    zero_stage,
    optimizer_shard_ranks,
    expert_parallel,
    held_params_per_gpu,
    largest_stage_expert_params,
):
    """Weights that one GPU holds all the time, those its optimizer steps apart."""
    shared = held_params_per_gpu + (expert_parallel - 1) * largest_stage_expert_params
    return weight_bytes_per_param * (shared / optimizer_shard_ranks if zero_stage == 3 else held_params_per_gpu)


@metric(unit="byte", source=ZERO)
def gradient_bytes(
    gradient_bytes_per_param,
    zero_stage,
    optimizer_shard_ranks,
    expert_parallel,
    held_params_per_gpu,
    largest_stage_expert_params,
):
    """Gradients that one GPU holds from one micro batch to the next."""
    shared = held_params_per_gpu + (expert_parallel - 1) * largest_stage_expert_params
    return gradient_bytes_per_param * (shared / optimizer_shard_ranks if zero_stage > 1 else held_params_per_gpu)


@metric(unit="byte", source=f"{ZERO}; see the optimizer's row")
def optimizer_bytes(
    master_bytes_per_param,
    state_bytes_per_param,
    table_state_bytes_per_param,
    zero_stage,
    optimizer_shard_ranks,
    expert_parallel,
    held_params_per_gpu,
    largest_stage_expert_params,
    largest_stage_table_params,
):
    """Optimizer states and the copy of the weights it steps, on one GPU."""
    tables = (table_state_bytes_per_param - state_bytes_per_param) * largest_stage_table_params
    shared = held_params_per_gpu + (expert_parallel - 1) * largest_stage_expert_params
    every = master_bytes_per_param + state_bytes_per_param
    return (every * shared + tables) / optimizer_shard_ranks if zero_stage > 0 else every * held_params_per_gpu + tables


@metric(unit="byte", source=f"{KORTHIKANTI}, table 2 and section 4.2.3")
def activation_bytes(
    train_largest_stage,
    first_stage_activation_bytes,
    later_stage_activation_bytes,
    second_stage_in_flight,
    last_stage_in_flight,
):
    """What the layers of one GPU store for the backward pass, of all micro batches in flight."""
    in_flight = second_stage_in_flight if train_largest_stage == 2 else last_stage_in_flight
    later = later_stage_activation_bytes * in_flight
    return (first_stage_activation_bytes if train_largest_stage == 1 else later) + 0.0 * train_largest_stage


@metric(unit="byte", source=f"{KORTHIKANTI}, section 4.3")
def train_logits_bytes(train_largest_stage, pipeline_parallel, head_bytes):
    """Logits of one micro batch with their gradient, and what the head takes in; 0 where the fullest stage has none."""
    ends = pipeline_parallel == 1 or train_largest_stage == 3
    return (head_bytes if ends else 0.0) + 0.0 * train_largest_stage


@metric(unit="byte", source=f"{KORTHIKANTI}, section 5; Zhao et al. 2023 (PyTorch FSDP), arXiv:2304.11277, section 4")
def train_workspace_bytes(
    train_largest_stage, pipeline_parallel, head_stage_working_bytes, head_bytes, body_stage_working_bytes
):
    """What the busiest moment needs beyond the logits, whose place it may take: see head_stage_working_bytes."""
    ends = pipeline_parallel == 1 or train_largest_stage == 3
    beyond = max(0.0, head_stage_working_bytes - head_bytes)
    return (beyond if ends else body_stage_working_bytes) + 0.0 * train_largest_stage


@metric(unit="byte", source=f"{ZERO}; {KORTHIKANTI}")
def train_bytes_per_gpu(
    train_weight_bytes,
    gradient_bytes,
    optimizer_bytes,
    activation_bytes,
    train_logits_bytes,
    train_workspace_bytes,
):
    """What the tensors of a training step hold at once on one GPU of the fullest stage."""
    states = train_weight_bytes + gradient_bytes + optimizer_bytes
    return states + activation_bytes + train_logits_bytes + train_workspace_bytes


@metric(unit="", source="definition")
def train_largest_term(
    train_weight_bytes,
    gradient_bytes,
    optimizer_bytes,
    activation_bytes,
    train_logits_bytes,
    train_workspace_bytes,
):
    """Most of training memory: 1 weights, 2 gradients, 3 optimizer, 4 activations, 5 logits, 6 workspace."""
    most = max(
        train_weight_bytes, gradient_bytes, optimizer_bytes, activation_bytes, train_logits_bytes, train_workspace_bytes
    )
    end = 5 if train_logits_bytes == most else 6
    late = 3 if optimizer_bytes == most else (4 if activation_bytes == most else end)
    return 1 if train_weight_bytes == most else (2 if gradient_bytes == most else late)


@metric(unit="byte", source="assumed planning rule: share of driver memory less a reserve, see the accelerator's row")
def train_usable_bytes(gpu_memory_bytes, gpu_usable_memory_share, gpu_reserved_bytes):
    """Bytes of one GPU that the tensors of a training step may take."""
    return gpu_memory_bytes * gpu_usable_memory_share - gpu_reserved_bytes


@metric(unit="", source=FIT)
def train_fits(train_bytes_per_gpu, train_usable_bytes):
    """1 when a GPU's usable memory holds a training step; what is not known does not fit."""
    return train_bytes_per_gpu <= train_usable_bytes


@metric(unit="", source=f"{FIT}; stage by stage: whole + shared / ranks has to fit")
def min_gpus_to_train(
    train_usable_bytes,
    first_stage_whole_bytes,
    first_stage_shared_bytes,
    second_stage_whole_bytes,
    later_stage_shared_bytes,
    last_stage_whole_bytes,
    last_stage_shared_bytes,
    tensor_parallel,
    pipeline_parallel,
    context_parallel,
    expert_parallel,
):
    """Fewest GPUs that hold a training step at these tensor, pipeline, context and expert degrees; inf if none do.

    Replicas are added until what they share is small enough, all of them sharing; micro batches in flight are as many
    as now.
    """
    first_room = train_usable_bytes - first_stage_whole_bytes
    second_room = train_usable_bytes - second_stage_whole_bytes
    last_room = train_usable_bytes - last_stage_whole_bytes
    never = -log(0.0)
    first = (
        max(1.0, first_stage_shared_bytes) / first_room
        if first_room > 0.0
        else (first_room if first_room != first_room else never)
    )
    second = (
        max(1.0, later_stage_shared_bytes) / second_room
        if second_room > 0.0
        else (second_room if second_room != second_room else never)
    )
    last = (
        max(1.0, last_stage_shared_bytes) / last_room
        if last_room > 0.0
        else (last_room if last_room != last_room else never)
    )
    ranks = max(first, last, second if pipeline_parallel > 2 else 0.0)
    together = max(1, (expert_parallel + context_parallel - 1) // context_parallel)
    replicas = ceil(ranks / (context_parallel * together)) * together
    return replicas * (tensor_parallel * pipeline_parallel * context_parallel)
