"""GPU-hours and dollars: training at an assumed share of peak, serving at the roofline's pace, the lifetime of both."""

from kernels.graph import metric

PALM = "Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B (model FLOPs utilization)"
PRICES = "on-demand list price of one GPU; see the accelerator's row for source and date"


@metric(unit="FLOP/s", source="accelerator row; nan where the GPU lacks the format, never a silent fallback")
def train_peak_flop_per_s(
    train_compute_format,
    gpu_fp32_flop_per_s,
    gpu_tf32_flop_per_s,
    gpu_fp16_flop_per_s,
    gpu_bf16_flop_per_s,
    gpu_fp8_flop_per_s,
    gpu_fp4_flop_per_s,
):
    """Dense peak of one GPU in the format the training matmuls are done in."""
    wide = gpu_fp32_flop_per_s if train_compute_format == "fp32" else gpu_tf32_flop_per_s
    half = gpu_fp16_flop_per_s if train_compute_format == "fp16" else gpu_bf16_flop_per_s
    low = gpu_fp8_flop_per_s if train_compute_format == "fp8" else gpu_fp4_flop_per_s
    high = half if train_compute_format == "fp16" or train_compute_format == "bf16" else low
    return wide if train_compute_format == "fp32" or train_compute_format == "tf32" else high


@metric(
    unit="",
    source=f"{PALM}; assumed: accelerator row, train_mfu_basis; format and routing factors in defaults and precisions",
)
def mfu(gpu_train_mfu, train_mfu_factor, moe_mfu_factor, num_moe_layers):
    """Share of the dense peak that training is assumed to reach, in model FLOPs."""
    return gpu_train_mfu * train_mfu_factor * (moe_mfu_factor if num_moe_layers > 0 else 1.0)


@metric(unit="GPU-hour", source=PALM)
def train_gpu_hours(train_flops, train_peak_flop_per_s, mfu):
    """GPU-hours of the whole training run at the assumed utilization; restarts and failed runs are not in it."""
    return train_flops / (train_peak_flop_per_s * mfu * 3600.0)


@metric(unit="day", source="arithmetic")
def train_days(train_gpu_hours, num_gpus):
    """Days of training on num_gpus GPUs."""
    return train_gpu_hours / (24.0 * num_gpus)


@metric(unit="USD", source=PRICES)
def train_usd(train_gpu_hours, gpu_usd_per_hour):
    """Rent of the GPUs for the training run."""
    return train_gpu_hours * gpu_usd_per_hour


@metric(unit="s/token", source="Pope et al. 2022, arXiv:2211.05102: prefill, then one step per generated token")
def serve_s_per_token(prefill_s, output_tokens, decode_step_s, batch_size, context_tokens):
    """Time of one replica per token served, prompts and answers, with every step at the full context."""
    return (prefill_s + output_tokens * decode_step_s) / (batch_size * context_tokens)


@metric(unit="USD/Mtoken", source=PRICES)
def serve_usd_per_million_tokens(serve_s_per_token, min_gpus_to_serve, gpu_usd_per_hour):
    """Rent of a busy replica per million tokens served, prompts and answers."""
    return 1e6 * serve_s_per_token * min_gpus_to_serve * gpu_usd_per_hour / 3600.0


@metric(unit="USD", source="Sardana et al. 2023, arXiv:2401.00448: training plus inference over the lifetime")
def lifetime_usd(train_usd, serve_usd_per_million_tokens, inference_tokens):
    """Rent for training and for serving inference_tokens."""
    return train_usd + serve_usd_per_million_tokens * inference_tokens / 1e6
