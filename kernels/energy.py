"""Energy and CO2: board power times what a phase draws of it, the server around it, the site and its grid.

What is counted is operation. Making the hardware is not in it, nor is idling between runs.
"""

from kernels.graph import metric

POWER = (
    "Luccioni et al. 2022 (BLOOM), arXiv:2211.02001: GPU-hours times power; Newkirk et al. 2025, arXiv:2506.14551: "
    "a node measured; shares in defaults"
)
SITE = "Patterson et al. 2021, arXiv:2104.10350: energy of the computers times PUE, times the grid's CO2"


@metric(unit="W", source=POWER)
def train_gpu_power_w(gpu_tdp_w, train_power_share, host_power_share):
    """Power of one GPU in training with its share of the server."""
    return gpu_tdp_w * (train_power_share + host_power_share)


@metric(unit="W", source=POWER)
def prefill_gpu_power_w(gpu_tdp_w, prefill_power_share, host_power_share):
    """Power of one GPU that reads prompts with its share of the server."""
    return gpu_tdp_w * (prefill_power_share + host_power_share)


@metric(unit="W", source=POWER)
def decode_gpu_power_w(gpu_tdp_w, decode_power_share, host_power_share):
    """Power of one GPU that generates with its share of the server."""
    return gpu_tdp_w * (decode_power_share + host_power_share)


@metric(unit="W", source=POWER)
def decode_wall_power_w(decode_gpu_power_w, serve_tensor_parallel):
    """Power of a replica that generates, at the server's plug: the site's cooling is not in it."""
    return decode_gpu_power_w * serve_tensor_parallel


@metric(unit="kWh", source=SITE)
def train_kwh(train_gpu_hours, train_gpu_power_w, pue):
    """Electricity that the site draws for the training run."""
    return train_gpu_hours * train_gpu_power_w * pue / 1000.0


@metric(unit="kWh/Mtoken", source=SITE)
def serve_kwh_per_million_tokens(
    prefill_phase_s, prefill_gpu_power_w, decode_phase_s, decode_gpu_power_w, serve_tensor_parallel, batch_size,
    context_tokens, pue,
):  # fmt: skip
    """Electricity of a busy replica per million tokens served, prompts and answers."""
    joules = (prefill_phase_s * prefill_gpu_power_w + decode_phase_s * decode_gpu_power_w) * serve_tensor_parallel
    return 1e6 * joules / (batch_size * context_tokens) * pue / 3.6e6


@metric(unit="kWh", source=SITE)
def lifetime_kwh(train_kwh, serve_kwh_per_million_tokens, inference_tokens):
    """Electricity for training and for serving inference_tokens."""
    return train_kwh + serve_kwh_per_million_tokens * inference_tokens / 1e6


@metric(unit="kg", source=f"{SITE}; see the grid's row")
def train_kg_co2(train_kwh, grid_kg_co2_per_kwh):
    """CO2 equivalents of the electricity of the training run."""
    return train_kwh * grid_kg_co2_per_kwh


@metric(unit="kg/Mtoken", source=f"{SITE}; see the grid's row")
def serve_kg_co2_per_million_tokens(serve_kwh_per_million_tokens, grid_kg_co2_per_kwh):
    """CO2 equivalents of the electricity of a million tokens served."""
    return serve_kwh_per_million_tokens * grid_kg_co2_per_kwh


@metric(unit="kg", source=f"{SITE}; see the grid's row")
def lifetime_kg_co2(lifetime_kwh, grid_kg_co2_per_kwh):
    """CO2 equivalents of the electricity of training and serving."""
    return lifetime_kwh * grid_kg_co2_per_kwh
