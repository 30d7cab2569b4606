"""The inputs of serving: how many GPUs are one replica, and what an engine takes beside what the model needs.

An engine is a record (``data/engines.csv``): its times are what is left of measured steps once bytes and FLOPs are
counted at the pace a GPU's kernels reach.
"""

from kernels.graph import Input, declared_input, default


def _number(name: str, unit: str, meaning: str, low: float = 0.0, high: float = float("inf")) -> Input:
    return Input(name, unit, "float", meaning, low, high)


ENGINE = (
    _number("engine_bandwidth_factor", "", "what its kernels reach of the bandwidth share of the GPU", 0.01, 1.2),
    _number("engine_expert_bandwidth_factor", "", "the same for the matrices of experts, beside dense ones", 0.01, 1.2),
    _number("engine_cache_share", "", "share of the bandwidth that attention reads the cache at", 0.01, 1.0),
    _number("engine_compute_factor", "", "what its prefill reaches of the compute share of the GPU", 0.01, 1.5),
    _number("engine_expert_compute_factor", "", "the same for the matrices of experts, beside dense ones", 0.01, 1.5),
    _number("engine_attention_share", "", "share of the 16-bit peak that attention reaches in prefill", 0.001, 1.0),
    _number("engine_decode_layer_s", "s", "fixed time of a layer of a decode step, matrix products apart", 0.0, 1.0),
    _number("engine_decode_step_s", "s", "fixed time of a decode step: scheduler, sampler", 0.0, 1.0),
    _number("engine_decode_sequence_s", "s", "time a decode step takes for every sequence of it", 0.0, 1.0),
    _number("engine_prefill_layer_s", "s", "time the host takes to launch a layer of a prefill", 0.0, 1.0),
    _number("engine_prefill_s", "s", "fixed time of a prompt: reading it, the answer's way back", 0.0, 10.0),
    _number("engine_collective_factor", "", "fixed time of its collectives beside the library measured", 0.0, 100.0),
    _number("engine_queue_share", "", "share of the other prompts of a full batch that a prompt waits for", 0.0, 1.0),
    _number("engine_pipeline_overlap", "", "what its pipeline reaches of the overlap of chunks of a prompt", 0.0, 1.0),
    _number("engine_chunk_tokens", "", "tokens of one pass of a prefill, 1e9 where prompts are read whole", 1.0),
    _number("engine_profiled_sequences", "", "sequences whose logits it sets memory aside for at the least"),
    _number("engine_logit_bytes", "byte", "bytes set aside for one logit: copies in several formats", 0.0, 1e3),
    _number("engine_activation_bytes", "byte", "bytes a token of a prefill holds per number of its residual", 0.0, 1e4),
    _number("engine_context_bytes", "byte", "bytes of a GPU's context, kernels and libraries", 0.0, 1e11),
    _number("engine_communicator_bytes", "byte", "bytes of communication buffers where GPUs share a model", 0.0, 1e11),
)  # fmt: skip
FORMAT = (
    _number("served_bandwidth_factor", "", "what kernels reading weights of this format reach of the bandwidth share",
            0.01, 1.2),
)  # fmt: skip
REPLICA = (
    Input("serve_attention_data_parallel", "", "int", "groups of a replica that hold attention whole and share the "
          "sequences; its experts are spread over all of its GPUs", 1, 2**20),
)  # fmt: skip


@default(low=1, high=2**20, kind="float", source="definition: the fewest GPUs that hold it, unless said")
def serve_tensor_parallel(min_gpus_to_serve):
    """GPUs of one replica, which share its weights, cache and work"""
    return min_gpus_to_serve


SERVE_INPUTS: tuple[Input, ...] = (*ENGINE, *FORMAT, *REPLICA, declared_input(serve_tensor_parallel))
