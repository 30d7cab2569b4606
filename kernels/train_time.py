"""How long training takes: GPU-hours and days at the share of peak that it reaches, assumed or timed."""

from kernels.graph import metric

PALM = "Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B (model FLOPs utilization)"


@metric(unit="FLOP/s", source="accelerator row; nan where the GPU lacks the format, never a silent fallback")
def train_peak_flop_per_s(
    train_compute_format,
    gpu_fp32_flop_per_s,
    gpu_tf32_flop_per_s,
    gpu_fp16_flop_per_s,
    gpu_bf16_flop_per_s,
    gpu_fp8_flop_per_s,
    gpu_fp6_flop_per_s,
    gpu_int8_flop_per_s,
    gpu_fp4_flop_per_s,
    gpu_int4_flop_per_s,
):
    """Dense peak of one GPU in the format the training matmuls are done in."""
    wide = gpu_fp32_flop_per_s if train_compute_format == "fp32" else gpu_tf32_flop_per_s
    half = gpu_fp16_flop_per_s if train_compute_format == "fp16" else gpu_bf16_flop_per_s
    eight = (
        gpu_int8_flop_per_s
        if train_compute_format == "int8"
        else (gpu_fp6_flop_per_s if train_compute_format == "fp6" else gpu_fp8_flop_per_s)
    )
    four = gpu_int4_flop_per_s if train_compute_format == "int4" else gpu_fp4_flop_per_s
    is_eight = train_compute_format == "int8" or train_compute_format == "fp6" or train_compute_format == "fp8"
    low = eight if is_eight else four
    high = half if train_compute_format == "fp16" or train_compute_format == "bf16" else low
    return wide if train_compute_format == "fp32" or train_compute_format == "tf32" else high


@metric(
    unit="",
    source=f"{PALM}; assumed: accelerator row, train_mfu_basis; format and routing factors in defaults and precisions",
)
def assumed_mfu(gpu_train_mfu, train_mfu_factor, moe_mfu_factor, num_moe_layers):
    """Share of the dense peak that training is assumed to reach under a good layout, in model FLOPs."""
    return gpu_train_mfu * train_mfu_factor * (moe_mfu_factor if num_moe_layers > 0 else 1.0)


@metric(unit="", source=f"{PALM}; assumed, or timed under the layout that is given: parallelism")
def mfu(parallelism, assumed_mfu, step_mfu):
    """Share of the dense peak that training reaches, in model FLOPs; over 1 if most of them are scores that are masked.

    The full convention counts both halves of the square of scores, kernels compute one.
    """
    return assumed_mfu if parallelism == "assumed" else step_mfu


@metric(unit="", source=f"{PALM}: with what the backward pass computes again")
def hfu(mfu, train_hardware_flops_per_token, train_flops_per_token):
    """Share of the dense peak that training reaches, recomputed FLOPs included."""
    return mfu * train_hardware_flops_per_token / train_flops_per_token


@metric(unit="token/s/GPU", source=PALM)
def train_tokens_per_s_per_gpu(train_peak_flop_per_s, mfu, train_flops_per_token):
    """Tokens that one GPU learns from in a second, at that utilization."""
    return train_peak_flop_per_s * mfu / train_flops_per_token


@metric(unit="GPU-hour", source=PALM)
def train_gpu_hours(train_flops, train_peak_flop_per_s, mfu):
    """GPU-hours of the whole training run at that utilization; restarts and failed runs are not in it."""
    return train_flops / (train_peak_flop_per_s * mfu * 3600.0)


@metric(unit="day", source="arithmetic")
def train_days(train_gpu_hours, num_gpus):
    """Days of training on num_gpus GPUs."""
    return train_gpu_hours / (24.0 * num_gpus)
