"""The pace of one GPU that serves: peak, bandwidth and launches, with the shares that kernels reach of them.

The shares and the time of a launch are fitted per GPU to published kernel timings, see the accelerator's row; what a
number format or an engine does to them is in their rows.
"""

from kernels.graph import metric

ROOFLINE = "Williams et al. 2009, doi:10.1145/1498765.1498785; Pope et al. 2022, arXiv:2211.05102, section 2"
FITTED = "accelerator row, roofline_basis"


@metric(unit="FLOP/s", source="accelerator row; nan where the GPU lacks the format, never a silent fallback")
def serve_peak_flop_per_s(
    compute_format,
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
    """Dense peak of one GPU in the format the serving matmuls are done in."""
    wide = gpu_fp32_flop_per_s if compute_format == "fp32" else gpu_tf32_flop_per_s
    half = gpu_fp16_flop_per_s if compute_format == "fp16" else gpu_bf16_flop_per_s
    eight = (
        gpu_int8_flop_per_s
        if compute_format == "int8"
        else (gpu_fp6_flop_per_s if compute_format == "fp6" else gpu_fp8_flop_per_s)
    )
    four = gpu_int4_flop_per_s if compute_format == "int4" else gpu_fp4_flop_per_s
    low = eight if compute_format == "int8" or compute_format == "fp6" or compute_format == "fp8" else four
    high = half if compute_format == "fp16" or compute_format == "bf16" else low
    return wide if compute_format == "fp32" or compute_format == "tf32" else high


@metric(unit="", source="definition: the class of formats that a GPU's calibrated shares were measured in")
def compute_class(compute_format):
    """Width class of the format the serving matmuls are done in: 16 for fp32 to bf16, 8, or 4."""
    four = compute_format == "fp4" or compute_format == "int4"
    eight = compute_format == "fp8" or compute_format == "fp6" or compute_format == "int8"
    return 4 if four else (8 if eight else 16)


@metric(unit="", source=f"{FITTED}; kernels of 4-bit weights stream as 16-bit ones do: tests/fit_serve.py")
def serve_bandwidth_share(
    compute_class,
    gpu_bandwidth_share_16bit,
    gpu_bandwidth_share_8bit,
    served_bandwidth_factor,
    engine_bandwidth_factor,
):
    """Share of the memory bandwidth that reading weights reaches in this format and engine."""
    share = gpu_bandwidth_share_8bit if compute_class == 8 else gpu_bandwidth_share_16bit
    return min(1.0, share * served_bandwidth_factor * engine_bandwidth_factor)


@metric(unit="", source=FITTED)
def serve_compute_share(compute_class, gpu_compute_share_16bit, gpu_compute_share_8bit, gpu_compute_share_4bit):
    """Share of the dense peak that a prefill reaches in this format."""
    low = gpu_compute_share_8bit if compute_class == 8 else gpu_compute_share_4bit
    return gpu_compute_share_16bit if compute_class == 16 else low


@metric(unit="s", source=FITTED)
def serve_gemm_overhead_s(compute_class, gpu_gemm_overhead_s_16bit, gpu_gemm_overhead_s_8bit, gpu_gemm_overhead_s_4bit):
    """Fixed time of one matrix multiplication while decoding in this format."""
    low = gpu_gemm_overhead_s_8bit if compute_class == 8 else gpu_gemm_overhead_s_4bit
    return gpu_gemm_overhead_s_16bit if compute_class == 16 else low


@metric(unit="FLOP/s", source=ROOFLINE)
def serve_flop_per_s(serve_peak_flop_per_s, serve_compute_share):
    """FLOPs one GPU does in a second of prefill."""
    return serve_peak_flop_per_s * serve_compute_share


@metric(unit="byte/s", source=ROOFLINE)
def serve_byte_per_s(gpu_memory_byte_per_s, serve_bandwidth_share):
    """Bytes of weights one GPU reads in a second."""
    return gpu_memory_byte_per_s * serve_bandwidth_share


@metric(unit="FLOP/s", source="accelerator row; fp16 where the GPU has no bf16")
def serve_attention_flop_per_s(gpu_bf16_flop_per_s, gpu_fp16_flop_per_s, engine_attention_share):
    """FLOPs of attention one GPU does in a second; scores are computed in 16 bits whatever the weights are in."""
    peak = gpu_bf16_flop_per_s if gpu_bf16_flop_per_s > 0.0 else gpu_fp16_flop_per_s
    return peak * engine_attention_share
