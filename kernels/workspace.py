"""What a step needs for a moment: a layer done again, gradients on their way, weights gathered, the head's logits.

Two moments may be the busiest: the head, when its logits stand, and a layer's backward pass, when they are gone.
"""

from kernels.graph import metric

ZERO3 = "Zhao et al. 2023 (PyTorch FSDP), arXiv:2304.11277, section 4: whole layers are gathered one ahead"
KORTHIKANTI = "Korthikanti et al. 2022, arXiv:2205.05198"


@metric(unit="byte", source=f"{KORTHIKANTI}, section 4.3: logits in fp32, inputs of the last norm and of the head")
def head_bytes(
    activation_tokens,
    logit_bytes,
    vocab_size,
    tensor_parallel,
    hidden_size,
    embedding_width,
    whole_share,
    activation_element_bytes,
):
    """Logits of one micro batch with their gradient, and what the last norm and the head take in."""
    logits = logit_bytes * ((vocab_size + tensor_parallel - 1) // tensor_parallel)
    return activation_tokens * (logits + whole_share * activation_element_bytes * (hidden_size + embedding_width))


@metric(unit="byte/token", source="arithmetic: gradients of what a layer's widest part stores, beside what is stored")
def backward_bytes_per_token(
    hidden_size,
    num_moe_layers,
    num_layers,
    attention_head_bytes_per_token,
    attention_core_bytes_per_token,
    flash_attention,
    dense_ffn_bytes_per_token,
    moe_ffn_bytes_per_token,
    in_place_activation,
    ffn_tensors,
    activation_element_bytes,
):
    """Gradients alive at once in the backward pass of a layer: its MLP's or its attention's, and two of its input."""
    attention = attention_head_bytes_per_token + (0.0 if flash_attention else attention_core_bytes_per_token)
    dense = dense_ffn_bytes_per_token if num_moe_layers < num_layers else 0.0
    ffn = max(dense, moe_ffn_bytes_per_token if num_moe_layers > 0 else 0.0) / (
        ffn_tensors if in_place_activation else 1
    )
    return 2.0 * activation_element_bytes * hidden_size + max(attention, ffn)


@metric(unit="byte/token", source=f"{KORTHIKANTI}, section 5: the layer that is being done again is whole for a while")
def recomputed_bytes_per_token(
    recompute,
    alternate_matmuls,
    num_moe_layers,
    num_layers,
    layer_whole_bytes_per_token,
    attention_kept_bytes_per_token,
    attention_core_mean_bytes_per_token,
    dense_ffn_bytes_per_token,
    moe_ffn_bytes_per_token,
):
    """What recomputation puts back for one layer: its attention core, or all of it where more is done again."""
    dense = dense_ffn_bytes_per_token if num_moe_layers < num_layers else 0.0
    ffn = max(dense, moe_ffn_bytes_per_token if num_moe_layers > 0 else 0.0)
    layer = layer_whole_bytes_per_token + attention_kept_bytes_per_token + ffn + attention_core_mean_bytes_per_token
    core = layer if alternate_matmuls else attention_core_mean_bytes_per_token
    return layer if recompute == "full" else (core if recompute == "selective" else 0.0)


@metric(unit="byte/param", source=ZERO3)
def gathered_bytes_per_param(zero_stage, gathered_layers, weight_bytes_per_param):
    """Bytes of a layer's parameter that stand whole for a moment: gathered weights, and a gradient to be shared out."""
    weights = gathered_layers * weight_bytes_per_param if zero_stage == 3 else 0.0
    return weights + (weight_bytes_per_param if zero_stage > 1 else 0.0)


@metric(unit="byte", source="Transformer Engine 2.x, get_dummy_wgrad: one tensor a shape, for fused gradient sums")
def stand_in_bytes(
    stand_in_gradients,
    activation_element_bytes,
    attention_params_per_gpu,
    num_moe_layers,
    num_layers,
    dense_ffn_matrix_params,
    expert_matrix_params,
    ffn_matrices,
    hidden_size,
    shared_expert_ffn_size,
    tensor_parallel,
):
    """Stand-ins for gradients of a layer's matrices, one for every shape."""
    dense = dense_ffn_matrix_params if num_moe_layers < num_layers else 0
    shared = ffn_matrices * hidden_size * shared_expert_ffn_size
    experts = expert_matrix_params + shared if num_moe_layers > 0 else 0
    shapes = attention_params_per_gpu + (dense + experts) / tensor_parallel
    return stand_in_gradients * activation_element_bytes * shapes


@metric(unit="byte", source=f"{KORTHIKANTI}, section 5; {ZERO3}")
def layer_working_bytes(
    activation_tokens,
    backward_bytes_per_token,
    recomputed_bytes_per_token,
    gathered_bytes_per_param,
    num_moe_layers,
    num_layers,
    dense_layer_params_per_gpu,
    moe_layer_params_per_gpu,
    expert_params_per_gpu,
):
    """What the backward pass of one layer needs beside what is stored: the heaviest layer there is."""
    dense = dense_layer_params_per_gpu if num_moe_layers < num_layers else 0.0
    routed = moe_layer_params_per_gpu + expert_params_per_gpu if num_moe_layers > 0 else 0.0
    return activation_tokens * (backward_bytes_per_token + recomputed_bytes_per_token) + gathered_bytes_per_param * max(
        dense, routed
    )


@metric(unit="byte", source=ZERO3)
def head_working_bytes(
    activation_tokens,
    hidden_size,
    activation_element_bytes,
    zero_stage,
    gathered_layers,
    weight_bytes_per_param,
    table_params_per_gpu,
    stand_in_gradients,
):
    """What the head needs beside its logits: the gradient of its input, its weights gathered, a gradient shared out."""
    weights = min(1, gathered_layers) * weight_bytes_per_param if zero_stage == 3 else 0.0
    whole = weights + (weight_bytes_per_param if zero_stage > 1 else 0.0)
    stand_in = stand_in_gradients * activation_element_bytes
    return activation_tokens * activation_element_bytes * hidden_size + table_params_per_gpu * (whole + stand_in)
