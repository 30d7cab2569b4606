"""Dollars: the rent of training, of serving at the roofline's pace, and of a lifetime of both."""

from kernels.graph import metric

PRICES = "on-demand list price of one GPU; see the accelerator's row for source and date"


@metric(unit="USD", source=PRICES)
def train_usd(train_gpu_hours, gpu_usd_per_hour):
    """Rent of the GPUs for the training run."""
    return train_gpu_hours * gpu_usd_per_hour


@metric(unit="s/token", source="Pope et al. 2022, arXiv:2211.05102: prefill, then one step per generated token")
def serve_s_per_token(prefill_s, output_tokens, decode_step_s, batch_size, context_tokens):
    """Time of one replica per token served, prompts and answers, with every step at the full context."""
    return (prefill_s + output_tokens * decode_step_s) / (batch_size * context_tokens)


@metric(unit="USD/Mtoken", source=PRICES)
def serve_usd_per_million_tokens(serve_s_per_token, serve_tensor_parallel, gpu_usd_per_hour):
    """Rent of a busy replica per million tokens served, prompts and answers."""
    return 1e6 * serve_s_per_token * serve_tensor_parallel * gpu_usd_per_hour / 3600.0


@metric(unit="USD", source="Sardana et al. 2023, arXiv:2401.00448: training plus inference over the lifetime")
def lifetime_usd(train_usd, serve_usd_per_million_tokens, inference_tokens):
    """Rent for training and for serving inference_tokens."""
    return train_usd + serve_usd_per_million_tokens * inference_tokens / 1e6
