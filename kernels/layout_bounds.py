"""What a layout takes at least, known before all its degrees are: metrics of the search of layouts alone.

Stages and micro batches being fixed, runs of layers and zero_stage are left: ``CORNER`` says of each formula that reads
them where it is least, and what follows from it rises with it. Once zero_stage is known, runs alone are left: what a
stage holds, and what a step does with its parameters (``STEPPED``). Others hold whatever the stages. A billionth of
slack is for what is summed in another order than the definition's.
"""

from collections.abc import Callable
from typing import Any

from kernels.graph import Graph, Metric, metric
from kernels.supposing import Corner, supposing

SUM = "arithmetic"
CORNER: Corner = {  # runs have to be even where there is more than one, so that stages hold as many layers in one
    "pipeline_interleave": {"": "1", "pipeline_bubble_s": "most_pipeline_interleave"},
    "zero_stage": {"": "most_zero_stage", "gathered_bytes_per_param": "0", "head_working_bytes": "0"},
}
STEPPED: Corner = {  # of what a step does with its parameters
    "stepped_params_per_gpu": {"": "stepped_params_least"},
    "stepped_expert_params_per_gpu": {"": "stepped_expert_params_least"},
    "stage_layers": {"": "stage_layers_least"},
}
SHORT_RUNS = dict(CORNER["pipeline_interleave"]) | {"first_stage_moe_layers": "most_pipeline_interleave"}


@metric(unit="byte", source=SUM)
def first_stage_bytes(first_stage_whole_bytes, first_stage_shared_bytes, optimizer_shard_ranks):
    """What a GPU of the first stage holds."""
    return first_stage_whole_bytes + first_stage_shared_bytes / optimizer_shard_ranks


@metric(unit="byte", source=SUM)
def second_stage_bytes(second_stage_whole_bytes, later_stage_shared_bytes, optimizer_shard_ranks, pipeline_parallel):
    """What a GPU of the second stage holds; 0 unless there are three."""
    held = second_stage_whole_bytes + later_stage_shared_bytes / optimizer_shard_ranks
    return held if pipeline_parallel > 2 else 0.0


@metric(unit="byte", source=SUM)
def last_stage_bytes(last_stage_whole_bytes, last_stage_shared_bytes, optimizer_shard_ranks):
    """What a GPU of the last stage holds; 0 where it is the first one too."""
    return last_stage_whole_bytes + last_stage_shared_bytes / optimizer_shard_ranks


@metric(unit="byte", source=SUM)
def stages_bytes_least(
    first_stage_bytes_least, first_stage_bytes_fewer, second_stage_bytes_least, last_stage_bytes_least
):
    """What the fullest stage holds at least; leading dense layers are all in the first one, or as few as may be."""
    first = min(first_stage_bytes_least, first_stage_bytes_fewer)
    return max(first, second_stage_bytes_least, last_stage_bytes_least) * 0.999999999


@metric(unit="", source=SUM)
def stage_batches_least(global_batch_size, num_gpus, tensor_parallel, context_parallel, micro_batch_size):
    """Micro batches of a replica at least, over the number of stages, on which they do not depend."""
    return global_batch_size * (tensor_parallel * context_parallel) / (1.0 * num_gpus * micro_batch_size)


@metric(unit="s", source=SUM)
def balanced_passes_s_least(stage_batches_least, num_layers, layer_s, head_s):
    """Forward and backward passes of all micro batches at least, whatever the stages."""
    return stage_batches_least * (num_layers * layer_s + head_s) * 0.999999999


@metric(unit="s", source=SUM)
def balanced_pipeline_s(balanced_passes_s, mean_stage_s, pipeline_parallel, most_pipeline_interleave):
    """Passes and bubble if all stages took as long: what a slower one adds to passes is more than it idles less."""
    return (balanced_passes_s + (pipeline_parallel - 1) * mean_stage_s / most_pipeline_interleave) * 0.999999999


@metric(unit="", source=SUM)
def stepped_params_least(
    stage_layers_least,
    num_layers,
    num_moe_layers,
    first_dense_layers,
    moe_layer_period,
    dense_layer_params_per_gpu,
    moe_layer_params_per_gpu,
    first_stage_table_params,
):
    """Parameters of the first stage on one GPU at least, routed experts apart."""
    routed = num_moe_layers == num_layers and first_dense_layers == 0 and moe_layer_period == 1
    either = min(dense_layer_params_per_gpu, moe_layer_params_per_gpu)
    layer = moe_layer_params_per_gpu if routed else (dense_layer_params_per_gpu if num_moe_layers == 0 else either)
    return stage_layers_least * layer + first_stage_table_params


@metric(unit="", source=SUM)
def stepped_expert_params_least(later_stage_moe_layers_least, expert_params_per_gpu):
    """Parameters of a stage's routed experts on one GPU at least."""
    return later_stage_moe_layers_least * expert_params_per_gpu


@metric(unit="s", source=SUM)
def train_step_s_least(
    pipelined_s_least, data_exchange_s_least, data_hidden_share, optimizer_step_s_least, host_step_s_least
):
    """A step at least at a zero_stage, however its layers are cut in runs: passes hide all that they may."""
    waited = data_exchange_s_least * (1.0 - data_hidden_share)
    return (pipelined_s_least + waited + optimizer_step_s_least + host_step_s_least) * 0.999999999


@metric(unit="byte", source=SUM)
def sharded_bytes_least(
    first_stage_bytes_sharded, first_stage_bytes_sharded_fewer, second_stage_bytes_sharded, last_stage_bytes_sharded
):
    """What the fullest stage holds at least at a zero_stage, however its layers are cut in runs."""
    first = min(first_stage_bytes_sharded, first_stage_bytes_sharded_fewer)
    return max(first, second_stage_bytes_sharded, last_stage_bytes_sharded) * 0.999999999


@metric(unit="byte", source=SUM)
def train_bytes_least(
    activation_tokens,
    stage_batches_least,
    num_layers,
    num_moe_layers,
    first_dense_layers,
    moe_layer_period,
    num_gpus,
    tensor_parallel,
    expert_parallel,
    most_pipeline_parallel,
    whole_bytes_per_param_least,
    shared_bytes_per_param_least,
    dense_layer_params_per_gpu,
    moe_layer_params_per_gpu,
    expert_params_per_gpu,
    dense_layer_activation_bytes_per_token,
    moe_layer_activation_bytes_per_token,
    body_stage_working_bytes_least,
    head_stage_working_bytes_least,
):
    """What the fullest stage holds at least, whatever the stages: the first has a micro batch in flight for each.

    So its layers in flight are all layers, unless there are more stages than micro batches; its shares of states are
    between fewer ranks the more stages there are.
    """
    tokens = activation_tokens * min(1.0, stage_batches_least)
    whole = whole_bytes_per_param_least / min(most_pipeline_parallel, num_layers)
    shared = shared_bytes_per_param_least * tensor_parallel / num_gpus
    dense = tokens * dense_layer_activation_bytes_per_token + (whole + shared) * dense_layer_params_per_gpu
    experts = (whole + shared * expert_parallel) * expert_params_per_gpu
    moe = tokens * moe_layer_activation_bytes_per_token + (whole + shared) * moe_layer_params_per_gpu + experts
    routed = num_moe_layers == num_layers and first_dense_layers == 0 and moe_layer_period == 1
    layer = moe if routed else (dense if num_moe_layers == 0 else min(dense, moe))
    return max(num_layers * layer + body_stage_working_bytes_least, head_stage_working_bytes_least) * 0.999999999


def _declared(*functions: Callable[..., Any]) -> list[Metric]:
    return [f.__metric__ for f in functions]  # type: ignore[attr-defined]


def bounded(graph: Graph) -> Graph:
    """A graph with these metrics, each corner's under its name with an ending."""
    stages = _declared(first_stage_bytes, second_stage_bytes, last_stage_bytes)
    graph = graph.extended(stages, {})
    at_corner = {
        m.name: m
        for name in ("pipelined_s", *(m.name for m in stages))
        for m in supposing(graph, name, CORNER, "least")
    }
    runs = {"pipeline_interleave": CORNER["pipeline_interleave"]}
    at_runs = {m.name: m for stage in stages for m in supposing(graph, stage.name, runs, "sharded")}
    short = {"pipeline_interleave": SHORT_RUNS}
    fewer = supposing(graph, "first_stage_bytes", {**CORNER, **short}, "fewer")
    fewer += supposing(graph, "first_stage_bytes", short, "sharded_fewer")
    steps = ("data_exchange_s", "optimizer_step_s", "host_step_s")
    stepped = {m.name: m for name in steps for m in supposing(graph, name, STEPPED, "least")}
    bounds = _declared(stages_bytes_least, stage_batches_least, balanced_passes_s_least, train_bytes_least)
    bounds += _declared(balanced_pipeline_s, sharded_bytes_least)
    bounds += _declared(stepped_params_least, stepped_expert_params_least, train_step_s_least)
    return graph.extended([*at_corner.values(), *at_runs.values(), *stepped.values(), *fewer, *bounds], {})


def own(graph: Graph) -> frozenset[str]:
    """The names that bounded adds."""
    return frozenset(bounded(graph).metrics) - frozenset(graph.metrics)
