"""The inputs of the time of a training step: what links and kernels reach of their peaks, what hides behind what."""

from kernels.graph import Input


def _share(name: str, meaning: str) -> Input:
    return Input(name, "", "float", meaning, 0.0, 1.0)


def _factor(name: str, meaning: str, high: float = 100.0) -> Input:
    return Input(name, "", "float", meaning, 0.0, high)


def _seconds(name: str, meaning: str) -> Input:
    return Input(name, "s", "float", meaning, 0.0, 10.0)


GPU = (
    _factor("gpu_matmul_factor", "what large matmuls reach hour after hour over gpu_compute_share_* of one at a time"),
    _factor(
        "gpu_earlier_attention_factor",
        "what fused attention written for earlier GPUs reaches, of a large matmul's rate, over what it does there",
    ),
)

PRECISION = (
    _factor("train_matmul_factor", "what matmuls in the number format reach over the device's share of its peak"),
    Input("train_cast_bytes", "byte", "float", "bytes moved to round one number that a matmul takes in", 0.0, 64.0),
)

FRAMEWORK = (
    _share("framework_overhead_share", "work of a layer beyond what is counted, and gaps between kernels, as a share"),
    _share(
        "tensor_kernel_overlap_share", "share of tensor parallel collectives that matmul kernels hide, in both passes"
    ),
    _share(
        "exchange_overlap_share",
        "share of data parallel collectives that passes can hide under this framework; at least data_overlap_share",
    ),
    _share(
        "copies_overlap_share",
        "share of gradients' sum over copies of sharded weights that passes hide; at least what they can of the others",
    ),
    _factor(
        "flash_attention_factor",
        "what fused attention reaches on long sequences over a large matmul; 1 where it is written for the GPU",
    ),
    Input(
        "recompute_stops_early",
        "",
        "bool",
        "1 when a layer that is done again stops at the last tensor that is needed, before its last matmul",
        0,
        1,
    ),
    _factor("collective_rails", "network cards of a domain that the ring of a collective uses at most", 1e9),
)

STEP = (
    Input("parallelism", "", "word", "assumed: training reaches an assumed share of the peak; given: its step is timed"
          " under the degrees given, which is what a degree, micro_batch_size or zero_stage of one's own says; best:"
          " under those of the fastest layout that fits", words=("assumed", "given", "best")),
    _share("scaleup_share", "share of its scale-up links that a collective reaches on large messages"),
    _share("scaleout_share", "share of its network that a collective reaches on large messages"),
    _seconds("collective_launch_s", "fixed time of one collective"),
    _seconds("scaleup_hop_s", "time of one step of a ring between GPUs of a domain, beyond its bytes"),
    _seconds("scaleout_hop_s", "time of one step of a ring between domains, beyond its bytes"),
    _factor("flash_half_tokens", "length of sequence at which fused attention reaches half of what it can", 1e6),
    _factor("grouped_half_width", "half the harmonic mean of the sides of an expert's matrix, per GPU, at which its"
            " matmuls reach half of what those of a dense MLP do", 1e6),
    _factor("matmul_traffic_factor", "bytes of a matmul's operands that take time beside its FLOPs, as a share"),
    _share("misaligned_factor", "what attention over heads that are no multiple of 8 wide reaches over one that is"),
    _seconds("layer_launch_s", "least time of one pass of one layer: its kernels are launched one after the other"),
    _factor("moe_launch_factor", "that of a layer with experts over that of a dense one"),
    _share("tensor_overlap_share", "share of the backward pass' tensor parallel collectives that matmuls hide"),
    _share("context_overlap_share", "share of the exchange of keys and values that attention hides"),
    _share("expert_overlap_share", "share of the exchange between experts that other work hides"),
    _share("pipeline_overlap_share", "share of the transfers between stages that passes hide"),
    _share("data_overlap_share", "share of data parallel collectives that passes can hide"),
    Input("host_byte_per_s", "byte/s", "float", "bytes that a host moves in its memory to step what a GPU holds", 1.0),
)  # fmt: skip

STEP_INPUTS: tuple[Input, ...] = (*GPU, *PRECISION, *FRAMEWORK, *STEP)
