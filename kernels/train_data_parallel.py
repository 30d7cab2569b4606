"""What data parallel ranks exchange in a step: gradients, weights; and the optimizer's own work."""

from kernels.graph import metric

ZERO = "Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054, section 7"
CHUNKS = (
    "NVIDIA NeMo user guide, Communication Overlap: collectives of data ranks go on by layers, in a pipeline by the"
    " layers of a virtual stage; Megatron-Core, pipeline_parallel/schedules.py: grad_sync_func after a run's last pass"
)
FSDP = "Zhao et al. 2023 (PyTorch FSDP), arXiv:2304.11277, section 3.3"


@metric(unit="", source="arithmetic: the fullest stage, a table or head beside its layers")
def stepped_params_per_gpu(first_stage_params, first_stage_table_params):
    """Parameters of the first stage on one GPU, routed experts apart."""
    return first_stage_params + first_stage_table_params


@metric(unit="", source="arithmetic")
def stepped_expert_params_per_gpu(later_stage_moe_layers, expert_params_per_gpu):
    """Parameters of a stage's routed experts on one GPU."""
    return later_stage_moe_layers * expert_params_per_gpu


@metric(unit="", source=f"{ZERO}: ranks that keep no whole gradient sum it after every backward pass")
def gradient_rounds(zero_stage, micro_batches):
    """How often in a step gradients are summed over data parallel ranks, below stage 3."""
    return micro_batches if zero_stage == 2 else 1.0


@metric(unit="byte", source=ZERO)
def gradient_exchange_bytes(
    stepped_params_per_gpu,
    stepped_expert_params_per_gpu,
    data_ranks,
    expert_parallel,
    gradient_rounds,
    gradient_bytes_per_param,
    weight_bytes_per_param,
    zero_stage,
):
    """Bytes through one GPU's links for gradients summed and stepped weights gathered, in a step below stage 3."""
    others = (data_ranks - 1.0) / data_ranks
    expert_others = max(0.0, 1.0 - expert_parallel / data_ranks)
    every = stepped_params_per_gpu * others + stepped_expert_params_per_gpu * expert_others
    back = gradient_bytes_per_param if zero_stage == 0 else weight_bytes_per_param
    return every * (gradient_rounds * gradient_bytes_per_param + back)


@metric(unit="byte", source=FSDP)
def gather_exchange_bytes(
    stepped_params_per_gpu, stepped_expert_params_per_gpu, shard_ranks, expert_parallel, weight_bytes_per_param
):
    """Bytes through one GPU's links for weights gathered twice and gradients dealt out, each micro batch at stage 3."""
    others = (shard_ranks - 1.0) / shard_ranks
    expert_others = max(0.0, 1.0 - expert_parallel / shard_ranks)
    every = stepped_params_per_gpu * others + stepped_expert_params_per_gpu * expert_others
    return every * 3.0 * weight_bytes_per_param


@metric(unit="byte", source=f"{FSDP}: hybrid sharding")
def copies_exchange_bytes(
    stepped_params_per_gpu, stepped_expert_params_per_gpu, data_ranks, shard_ranks, weight_bytes_per_param
):
    """Bytes through one GPU's links for the gradients of its share summed over copies, once a step, at stage 3."""
    copies = data_ranks / shard_ranks
    held = (stepped_params_per_gpu + stepped_expert_params_per_gpu) / shard_ranks
    return 2.0 * (copies - 1.0) / copies * held * weight_bytes_per_param


@metric(unit="s", source=f"{ZERO}; {FSDP}")
def data_exchange_s(
    zero_stage,
    gradient_exchange_bytes,
    gather_exchange_bytes,
    gradient_rounds,
    data_byte_per_s,
    data_ring_s,
    shard_byte_per_s,
    shard_ring_s,
    micro_batches,
    stage_layers,
    data_ranks,
):
    """Collectives of the data parallel ranks that share weights or states in a step, as if nothing hid them."""
    once = gradient_exchange_bytes / data_byte_per_s + (gradient_rounds + 1.0) * data_ring_s
    each = gather_exchange_bytes / shard_byte_per_s + 3.0 * stage_layers * shard_ring_s
    every = micro_batches * each if zero_stage == 3 else once
    return every if data_ranks > 1 else 0.0


@metric(unit="", source="fitted: data_overlap_share, or more by the framework's row")
def data_hidden_share(data_overlap_share, exchange_overlap_share):
    """Share of data parallel collectives that passes can hide."""
    return max(data_overlap_share, exchange_overlap_share)


@metric(unit="", source=CHUNKS)
def hiding_batches(zero_stage, micro_batches, pipeline_parallel, pipeline_interleave):
    """Micro batches whose passes hide data parallel collectives: the last of each run of layers, so those of a round
    of the stages but for one run; from stage 2 on all."""
    last = (1.0 + pipeline_parallel * (pipeline_interleave - 1.0)) / pipeline_interleave
    return 1.0 * micro_batches if zero_stage > 1 else min(last, 1.0 * micro_batches)


@metric(unit="s", source=CHUNKS)
def data_wait_s(data_exchange_s, slowest_stage_s, hiding_batches, data_hidden_share):
    """What a step waits for data parallel collectives."""
    passes = slowest_stage_s * hiding_batches
    return max(data_exchange_s * (1.0 - data_hidden_share), data_exchange_s - data_hidden_share * passes)


@metric(unit="s", source=f"{FSDP}: hybrid sharding")
def copies_exchange_s(zero_stage, copies_exchange_bytes, scaleout_byte_per_s):
    """Gradients of sharded weights summed over copies, once a step, as if nothing hid it."""
    each = copies_exchange_bytes / scaleout_byte_per_s if copies_exchange_bytes > 0.0 else 0.0
    return each if zero_stage == 3 else 0.0


@metric(unit="s", source="the framework's row: a stream of its own, layer by layer; else as data_wait_s")
def copies_wait_s(copies_exchange_s, slowest_stage_s, data_hidden_share, copies_overlap_share):
    """What a step waits for that sum; the last micro batch hides it, on links other than those of its gathers."""
    share = max(data_hidden_share, copies_overlap_share)
    return max(copies_exchange_s * (1.0 - share), copies_exchange_s - share * slowest_stage_s)


@metric(unit="", source=ZERO)
def own_params_per_gpu(
    stepped_params_per_gpu, stepped_expert_params_per_gpu, zero_stage, optimizer_shard_ranks, expert_parallel
):
    """Parameters that the optimizer steps for one GPU, which has their states."""
    ranks = optimizer_shard_ranks if zero_stage > 0 else 1
    expert_ranks = max(1.0, optimizer_shard_ranks / expert_parallel) if zero_stage > 0 else 1.0
    return stepped_params_per_gpu / ranks + stepped_expert_params_per_gpu / expert_ranks


@metric(unit="s", source="Ren et al. 2021 (ZeRO-Offload), arXiv:2101.06840, section 4.2; fitted: host_byte_per_s")
def host_step_s(own_params_per_gpu, host_bytes_per_param, host_byte_per_s):
    """Stepping in host memory, gradients on their way there and weights on theirs back, which nothing hides."""
    return own_params_per_gpu * host_bytes_per_param / host_byte_per_s


@metric(
    unit="s",
    source="arithmetic: gradients cleared, read for their norm, scaled and read; master copy read, written and read to"
    " be cast; moments read and written; weights written",
)
def optimizer_step_s(
    own_params_per_gpu,
    stepped_params_per_gpu,
    stepped_expert_params_per_gpu,
    zero_stage,
    weight_bytes_per_param,
    gradient_bytes_per_param,
    master_bytes_per_param,
    state_bytes_per_param,
    elementwise_byte_per_s,
):
    """The optimizer's passes over what one GPU steps, and over the gradients it clears."""
    cleared = own_params_per_gpu if zero_stage > 1 else stepped_params_per_gpu + stepped_expert_params_per_gpu
    states = 3.0 * master_bytes_per_param + 2.0 * state_bytes_per_param + weight_bytes_per_param
    moved = own_params_per_gpu * (4.0 * gradient_bytes_per_param + states) + cleared * gradient_bytes_per_param
    return moved / elementwise_byte_per_s
