"""Dollars: what GPUs cost for training, for serving tokens of prompts and of answers, and for a lifetime of both."""

from kernels.graph import metric

PRICES = "price of a GPU-hour as price_basis says; see the accelerator's and the price's rows"


@metric(unit="USD", source=PRICES)
def train_usd(train_gpu_hours, gpu_hour_usd):
    """Price of the GPU-hours of the training run."""
    return train_gpu_hours * gpu_hour_usd


@metric(unit="s/token", source="Pope et al. 2022, arXiv:2211.05102: prefill, then one step per generated token")
def serve_s_per_token(prefill_phase_s, decode_phase_s, batch_size, context_tokens):
    """Time of one replica per token served, prompts and answers, with every step at the full context."""
    return (prefill_phase_s + decode_phase_s) / (batch_size * context_tokens)


@metric(unit="USD/Mtoken", source=PRICES)
def serve_usd_per_million_tokens(serve_s_per_token, serve_tensor_parallel, gpu_hour_usd):
    """Price of a busy replica per million tokens served, prompts and answers."""
    return 1e6 * serve_s_per_token * serve_tensor_parallel * gpu_hour_usd / 3600.0


@metric(unit="USD/Mtoken", source=PRICES)
def serve_usd_per_million_input_tokens(prefill_phase_s, batch_size, prompt_tokens, serve_tensor_parallel, gpu_hour_usd):
    """Price of a busy replica per million tokens of prompts, for the time it reads them."""
    return 1e6 * prefill_phase_s / (batch_size * prompt_tokens) * serve_tensor_parallel * gpu_hour_usd / 3600.0


@metric(unit="USD/Mtoken", source=PRICES)
def serve_usd_per_million_output_tokens(decode_phase_s, batch_size, output_tokens, serve_tensor_parallel, gpu_hour_usd):
    """Price of a busy replica per million tokens generated, for the time it generates them."""
    return 1e6 * decode_phase_s / (batch_size * output_tokens) * serve_tensor_parallel * gpu_hour_usd / 3600.0


@metric(unit="USD", source="Sardana et al. 2023, arXiv:2401.00448: training plus inference over the lifetime")
def lifetime_usd(train_usd, serve_usd_per_million_tokens, inference_tokens):
    """Price of training and of serving inference_tokens."""
    return train_usd + serve_usd_per_million_tokens * inference_tokens / 1e6
