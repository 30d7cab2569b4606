"""The inputs of a training run on many GPUs: how the model is split, what a step holds, what a framework keeps.

A run is tensor x pipeline x context x data parallel ranks; experts are spread over ranks of the last two. Data
parallel ranks may share (shard) optimizer states, gradients and weights, which is what zero_stage says.
"""

from kernels.graph import Input, declared_input, default

ZERO = "Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054"


def _count(name: str, meaning: str, low: float = 1, high: float = 2**30) -> Input:
    return Input(name, "", "int", meaning, low, high)


def _flag(name: str, meaning: str) -> Input:
    return Input(name, "", "bool", meaning, 0, 1)


def _bytes(name: str, meaning: str, high: float = 64.0, unit: str = "byte") -> Input:
    return Input(name, unit, "float", meaning, 0.0, high)


PARALLEL = (
    _count("tensor_parallel", "GPUs that share every matrix of a layer: heads, MLP columns, rows of the vocabulary"),
    _count("pipeline_parallel", "stages that the layers are divided into"),
    _count("pipeline_interleave", "runs of layers that one stage holds (virtual stages); 1 is the plain 1F1B schedule"),
    _count("context_parallel", "GPUs that share the tokens of one sequence"),
    _count("expert_parallel", "GPUs that share the routed experts; they lie within the data and context ranks"),
    _count("micro_batch_size", "sequences of one forward and backward pass of a replica"),
    Input("zero_stage", "", "int", "what data parallel ranks share: 0 nothing, 1 optimizer states, 2 gradients too "
          "(FSDP SHARD_GRAD_OP), 3 weights too (FSDP FULL_SHARD)", 0, 3),
    _flag("flash_attention", "1 when scores are never stored: the kernel keeps one number a token and head instead"),
    _flag("dropout", "1 when layers have dropout, whose masks are stored"),
    _bytes("activation_element_bytes", "bytes of one stored number of an activation"),
)  # fmt: skip

OPTIMIZER = (
    _bytes("weight_bytes_per_param", "bytes of the weight that the passes compute with", unit="byte/param"),
    _bytes(
        "gradient_bytes_per_param",
        "bytes of the gradient that is kept from one micro batch to the next",
        unit="byte/param",
    ),
    _bytes(
        "master_bytes_per_param",
        "bytes of the copy that the optimizer steps in, 0 where it steps the weight",
        unit="byte/param",
    ),
    _bytes("state_bytes_per_param", "bytes of the optimizer's moments of a parameter in a layer", unit="byte/param"),
    _bytes(
        "table_state_bytes_per_param",
        "bytes of the moments of a parameter of the input table or head",
        unit="byte/param",
    ),
    _bytes(
        "host_bytes_per_param",
        "bytes moved in host memory to step a parameter there, 0 where its GPU steps it",
        unit="byte/param",
    ),
)

FRAMEWORK = (
    _bytes("logit_bytes", "bytes held at once for one logit: what is stored of it, its gradient, copies"),
    _flag("unfused_activation", "1 when a gated MLP stores the activated gate beside gate, up and their product"),
    _flag("in_place_activation", "1 when gradients of gate and up overwrite what was stored of them"),
    Input(
        "attention_copies",
        "",
        "float",
        "copies of queries, keys and values stored beside those attention takes in",
        0.0,
        4.0,
    ),
    _flag("context_output_copy", "1 when context ranks store attention's output before it is dealt out and after"),
    _flag(
        "alternate_matmuls", "1 when selective recomputation keeps every other matrix product and attention's output"
    ),
    _flag("stored_expert_outputs", "1 when a MoE layer stores what its experts give, to weigh it after they are done"),
    _flag("stand_in_gradients", "1 when one gradient-shaped stand-in is kept for every shape of a matrix"),
    _count("gathered_layers", "layers whose whole weights one GPU holds at a time under zero_stage 3", 0, 1000),
    _bytes(
        "framework_buffer_bytes",
        "bytes of buckets that gradients and gathered weights pass through, whatever the model",
        1e11,
    ),
    _bytes("train_context_bytes", "bytes outside the framework's allocator: driver context, kernels, libraries", 1e11),
    _bytes(
        "communicator_bytes", "bytes of buffers of one communicator; a GPU is in one for every split there is", 1e11
    ),
    Input(
        "train_fragmentation_share", "", "float", "what the allocator reserves beyond its peak, as a share", 0.0, 1.0
    ),
)


@default(low=1, high=2**30, source="arithmetic: what tensor, pipeline and context ranks leave of the GPUs")
def data_parallel(num_gpus, tensor_parallel, pipeline_parallel, context_parallel):
    """replicas that see different sequences"""
    return max(1, num_gpus // (tensor_parallel * pipeline_parallel * context_parallel))


@default(
    low=1, high=2**40, source="train_batch_tokens over sequence_length, and one micro batch for each replica at least"
)
def global_batch_size(train_batch_tokens, sequence_length, data_parallel, micro_batch_size):
    """sequences of one optimizer step"""
    return max(data_parallel * micro_batch_size, train_batch_tokens // sequence_length)


@default(
    low=0,
    high=1,
    kind="bool",
    source="Korthikanti et al. 2022, arXiv:2205.05198: no further traffic; assumed wherever tensor_parallel is above 1",
)
def sequence_parallel(tensor_parallel):
    """1 when tensor ranks also share the tokens of what they would all hold: norms, inputs of layers"""
    return tensor_parallel > 1


@default(low=1, high=2**40, source=f"{ZERO}; Megatron-Core's distributed optimizer: data and context ranks together")
def optimizer_shard_ranks(data_parallel, context_parallel):
    """ranks that share optimizer states, and what else zero_stage says"""
    return data_parallel * context_parallel


TRAIN_INPUTS: tuple[Input, ...] = (
    *PARALLEL,
    *OPTIMIZER,
    *FRAMEWORK,
    *(declared_input(f) for f in (data_parallel, global_batch_size, sequence_parallel, optimizer_shard_ranks)),
)
