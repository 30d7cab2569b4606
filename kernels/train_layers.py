"""One layer's forward and backward pass of one micro batch on one GPU, the head's, and the slowest stage's."""

from kernels.graph import metric

RECOMPUTE = "Korthikanti et al. 2022, arXiv:2205.05198, section 5"
EARLY = "PyTorch 2.1, torch.utils.checkpoint, early_stop: what no gradient needs is not computed again"
LAUNCH = "fitted: kernels are launched one by one; a GPU that is done sooner waits for the next"


@metric(unit="s", source="parts in order")
def dense_matmul_s(attention_matmul_s, dense_ffn_matmul_s, framework_overhead_share):
    """Matmuls of a layer with a dense MLP, forward, the core of attention apart."""
    return (1.0 + framework_overhead_share) * (attention_matmul_s + dense_ffn_matmul_s)


@metric(unit="s", source="parts in order")
def dense_traffic_s(attention_traffic_s, dense_ffn_traffic_s, framework_overhead_share):
    """Elementwise work of a layer with a dense MLP, forward, scores apart."""
    return (1.0 + framework_overhead_share) * (attention_traffic_s + dense_ffn_traffic_s)


@metric(unit="s", source="parts in order")
def dense_layer_work_s(dense_matmul_s, dense_traffic_s):
    """Matmuls and elementwise work of a layer with a dense MLP, forward, the core of attention apart."""
    return dense_matmul_s + dense_traffic_s


@metric(unit="s", source="parts in order")
def moe_matmul_s(attention_matmul_s, moe_ffn_matmul_s, framework_overhead_share):
    """Matmuls of a layer with experts, forward, the core of attention apart."""
    return (1.0 + framework_overhead_share) * (attention_matmul_s + moe_ffn_matmul_s)


@metric(unit="s", source="parts in order")
def moe_traffic_s(attention_traffic_s, moe_ffn_traffic_s, framework_overhead_share):
    """Elementwise work of a layer with experts, forward, scores apart."""
    return (1.0 + framework_overhead_share) * (attention_traffic_s + moe_ffn_traffic_s)


@metric(unit="s", source="parts in order")
def moe_layer_work_s(moe_matmul_s, moe_traffic_s):
    """Matmuls and elementwise work of a layer with experts, forward, the core of attention apart."""
    return moe_matmul_s + moe_traffic_s


@metric(unit="s", source="parts in order")
def core_work_s(core_forward_s, core_traffic_s):
    """Attention between queries and outputs, forward."""
    return core_forward_s + core_traffic_s


@metric(unit="s", source=LAUNCH)
def dense_layer_forward_s(dense_layer_work_s, core_work_s, tensor_forward_s, context_forward_s, layer_launch_s):
    """The forward pass of a layer with a dense MLP."""
    return max(layer_launch_s, dense_layer_work_s + core_work_s + tensor_forward_s + context_forward_s)


@metric(unit="s", source=LAUNCH)
def moe_layer_forward_s(
    moe_layer_work_s,
    core_work_s,
    tensor_forward_s,
    context_forward_s,
    expert_forward_s,
    layer_launch_s,
    moe_launch_factor,
):
    """The forward pass of a layer with experts."""
    work = moe_layer_work_s + core_work_s + tensor_forward_s + context_forward_s + expert_forward_s
    return max(layer_launch_s * moe_launch_factor, work)


@metric(unit="s", source=EARLY)
def last_matmul_s(
    activation_tokens,
    hidden_size,
    ffn_size,
    tensor_parallel,
    activation_element_bytes,
    train_matmul_flop_per_s,
    matmul_traffic_factor,
    elementwise_byte_per_s,
    train_gemm_overhead_s,
    framework_overhead_share,
    tensor_forward_s,
):
    """The last matmul of a layer with a dense MLP and the sum of its parts, which no gradient needs the result of."""
    inner = ffn_size / tensor_parallel
    operands = matmul_traffic_factor * activation_element_bytes * (hidden_size + inner)
    each = 2.0 * hidden_size * inner / train_matmul_flop_per_s + operands / elementwise_byte_per_s
    matmul = activation_tokens * each + train_gemm_overhead_s
    return (1.0 + framework_overhead_share) * matmul + 0.5 * tensor_forward_s


@metric(unit="s", source=f"{RECOMPUTE}; {EARLY}")
def dense_recompute_s(
    recompute,
    recompute_stops_early,
    alternate_matmuls,
    dense_layer_forward_s,
    dense_layer_work_s,
    core_work_s,
    last_matmul_s,
):
    """What the backward pass of a layer with a dense MLP does again first."""
    selective = 0.5 * dense_layer_work_s if alternate_matmuls else core_work_s
    full = dense_layer_forward_s - (last_matmul_s if recompute_stops_early else 0.0)
    return full if recompute == "full" else (selective if recompute == "selective" else 0.0)


@metric(unit="s", source=RECOMPUTE)
def moe_recompute_s(recompute, alternate_matmuls, moe_layer_forward_s, moe_layer_work_s, core_work_s):
    """What the backward pass of a layer with experts does again first; what experts give is weighed, so needed."""
    selective = 0.5 * moe_layer_work_s if alternate_matmuls else core_work_s
    return moe_layer_forward_s if recompute == "full" else (selective if recompute == "selective" else 0.0)


@metric(unit="s", source=f"{RECOMPUTE}; {LAUNCH}")
def dense_layer_backward_s(
    dense_matmul_s,
    dense_traffic_s,
    core_backward_s,
    core_traffic_s,
    dense_weight_traffic_s,
    tensor_backward_s,
    context_forward_s,
    dense_recompute_s,
    layer_launch_s,
):
    """The backward pass of a layer with a dense MLP, with what it does again."""
    work = 2.0 * dense_matmul_s + 1.5 * (dense_traffic_s + core_traffic_s) + core_backward_s + dense_weight_traffic_s
    return dense_recompute_s + max(2.0 * layer_launch_s, work + tensor_backward_s + 2.0 * context_forward_s)


@metric(unit="s", source=f"{RECOMPUTE}; {LAUNCH}")
def moe_layer_backward_s(
    moe_matmul_s,
    moe_traffic_s,
    core_backward_s,
    core_traffic_s,
    moe_weight_traffic_s,
    tensor_backward_s,
    context_forward_s,
    expert_forward_s,
    moe_recompute_s,
    layer_launch_s,
    moe_launch_factor,
):
    """The backward pass of a layer with experts, with what it does again."""
    work = 2.0 * moe_matmul_s + 1.5 * (moe_traffic_s + core_traffic_s) + core_backward_s + moe_weight_traffic_s
    every = work + tensor_backward_s + 2.0 * context_forward_s + expert_forward_s
    return moe_recompute_s + max(2.0 * layer_launch_s * moe_launch_factor, every)


@metric(unit="s", source="arithmetic")
def dense_layer_s(dense_layer_forward_s, dense_layer_backward_s):
    """Both passes of a layer with a dense MLP."""
    return dense_layer_forward_s + dense_layer_backward_s


@metric(unit="s", source="arithmetic")
def moe_layer_s(moe_layer_forward_s, moe_layer_backward_s):
    """Both passes of a layer with experts."""
    return moe_layer_forward_s + moe_layer_backward_s


@metric(unit="s", source="arithmetic: the mean over layers")
def layer_forward_s(num_layers, num_moe_layers, dense_layer_forward_s, moe_layer_forward_s):
    """The forward pass of one layer on one GPU, one micro batch."""
    routed = num_moe_layers * moe_layer_forward_s if num_moe_layers > 0 else 0.0
    dense = (num_layers - num_moe_layers) * dense_layer_forward_s if num_moe_layers < num_layers else 0.0
    return (routed + dense) / num_layers


@metric(unit="s", source="arithmetic: the mean over layers")
def layer_s(num_layers, num_moe_layers, dense_layer_s, moe_layer_s):
    """Both passes of one layer on one GPU, one micro batch."""
    routed = num_moe_layers * moe_layer_s if num_moe_layers > 0 else 0.0
    dense = (num_layers - num_moe_layers) * dense_layer_s if num_moe_layers < num_layers else 0.0
    return (routed + dense) / num_layers


@metric(unit="s", source="arithmetic; multi-token prediction: DeepSeek-AI 2024, arXiv:2412.19437, section 2.2")
def head_s(head_matmul_s, head_traffic_s, mtp_layers, layer_s):
    """Both passes of head and loss of one micro batch, with the layers that predict further tokens."""
    return (1.0 + mtp_layers) * (3.0 * head_matmul_s + head_traffic_s) + mtp_layers * layer_s


@metric(unit="s", source="arithmetic")
def mean_stage_s(num_layers, layer_s, head_s, pipeline_parallel):
    """Both passes of one micro batch on a stage, all stages taken together."""
    return (num_layers * layer_s + head_s) / pipeline_parallel


@metric(unit="s", source="arithmetic: layers that do not divide evenly are dealt out so that the head counts as theirs")
def slowest_stage_s(
    num_layers,
    pipeline_parallel,
    pipeline_interleave,
    stage_layers,
    later_stage_moe_layers,
    dense_layer_s,
    moe_layer_s,
    head_s,
    mean_stage_s,
):
    """Both passes of one micro batch on the stage that takes longest."""
    routed = later_stage_moe_layers * moe_layer_s if later_stage_moe_layers > 0 else 0.0
    dense = (stage_layers - later_stage_moe_layers) * dense_layer_s if later_stage_moe_layers < stage_layers else 0.0
    even = num_layers % (pipeline_parallel * pipeline_interleave) == 0
    last = dense + routed + (head_s if even else 0.0)
    return mean_stage_s if pipeline_parallel == 1 else max(last, mean_stage_s)
