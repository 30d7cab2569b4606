"""A training step's time on many GPUs, from its parts, and what utilisation that is."""

from kernels.graph import metric

PALM = "Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B (model FLOPs utilization)"
BUBBLE = "Narayanan et al. 2021, arXiv:2104.04473, section 2.2: (p - 1) / (v m) of the passes where stages are alike"


@metric(unit="s", source="arithmetic")
def balanced_passes_s(micro_batches, mean_stage_s):
    """Forward and backward passes of all micro batches if all stages took as long: no stage can take less."""
    return micro_batches * mean_stage_s


@metric(unit="s", source="arithmetic")
def passes_s(micro_batches, slowest_stage_s):
    """Forward and backward passes of all micro batches on the slowest stage."""
    return micro_batches * slowest_stage_s


@metric(unit="s", source=BUBBLE)
def pipeline_bubble_s(mean_stage_s, slowest_stage_s, pipeline_parallel, pipeline_interleave):
    """What the slowest stage idles while its pipeline fills and drains: a run of layers of every other stage."""
    return (pipeline_parallel * mean_stage_s - slowest_stage_s) / pipeline_interleave


@metric(unit="s", source="arithmetic")
def pipeline_wait_s(pipeline_transfer_s, micro_batches, pipeline_parallel, pipeline_interleave):
    """What a step waits for transfers between stages."""
    return pipeline_transfer_s * (micro_batches + (pipeline_parallel - 1.0) / pipeline_interleave)


@metric(unit="s", source="sum of its parts")
def pipelined_s(passes_s, pipeline_bubble_s, pipeline_wait_s):
    """Passes of all micro batches through all stages, which no sharding of states shortens."""
    return passes_s + pipeline_bubble_s + pipeline_wait_s


@metric(unit="s", source="sum of its parts")
def train_step_s(pipelined_s, data_wait_s, copies_wait_s, optimizer_step_s, host_step_s):
    """One optimizer step."""
    return pipelined_s + data_wait_s + copies_wait_s + optimizer_step_s + host_step_s


@metric(unit="token/s/GPU", source="arithmetic: whole micro batches on every replica")
def step_tokens_per_s_per_gpu(micro_batches, data_parallel, micro_batch_size, sequence_length, num_gpus, train_step_s):
    """Tokens that one GPU learns from in a second of the timed step."""
    tokens = micro_batches * data_parallel * micro_batch_size * sequence_length
    return tokens / (num_gpus * train_step_s)


@metric(unit="", source=PALM)
def step_mfu(step_tokens_per_s_per_gpu, train_flops_per_token, train_peak_flop_per_s):
    """Share of the dense peak that the timed step reaches, in model FLOPs."""
    return step_tokens_per_s_per_gpu * train_flops_per_token / train_peak_flop_per_s
