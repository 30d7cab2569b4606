"""Memory-bound work of a training step: bytes of what is read and written between matmuls, and the time they take.

Counted kernel by kernel, each reading its inputs and writing its output once: a norm 2 d, a residual sum 3 d, a
product of two tensors of MLP width 3 f, queries and keys rotated in place. Backward passes read what was stored, too.
"""

from kernels.graph import metric

OPERANDS = "fitted: matmul_traffic_factor; rows and columns of a matmul are read and written while units wait"
COUNT = "arithmetic: tensors read and written by each kernel, see the module"
KORTHIKANTI = "Korthikanti et al. 2022, arXiv:2205.05198, sections 4.1 and 4.2.2"


@metric(unit="byte/token", source=f"{COUNT}; {KORTHIKANTI}")
def whole_traffic_bytes_per_token(hidden_size, norms_per_layer, dropout, whole_share, activation_element_bytes):
    """Norms, residual sums and dropout of one layer, forward: what tensor parallel ranks do alike or share by token."""
    tensors = 2 * norms_per_layer + 6 + dropout
    return whole_share * activation_element_bytes * hidden_size * tensors


@metric(unit="byte/token", source=COUNT)
def head_traffic_bytes_per_token(attention_head_bytes_per_token):
    """Queries, keys, values and outputs arranged, rotated and normalised in one layer, forward."""
    return 2.0 * attention_head_bytes_per_token


@metric(unit="byte/token", source=f"{KORTHIKANTI}: softmax, its mask, and dropout on the scores, 16 bits")
def core_traffic_bytes_per_token(
    num_heads,
    tensor_parallel,
    sequence_length,
    flash_attention,
    dropout,
    activation_element_bytes,
    num_softmax_layers,
    num_layers,
):
    """Scores written and read between the matmuls of one layer's attention, forward; 0 where they are never stored."""
    passes = 4.0 * activation_element_bytes + dropout * (2.0 * activation_element_bytes + 1.0)
    scores = num_heads / tensor_parallel * sequence_length * num_softmax_layers / num_layers
    return 0.0 if flash_attention else scores * passes


@metric(unit="byte/token", source=COUNT)
def dense_ffn_traffic_bytes_per_token(ffn_size, ffn_matrices, tensor_parallel, activation_element_bytes):
    """The activation function of one dense MLP, forward."""
    return activation_element_bytes * ffn_matrices * ffn_size / tensor_parallel


@metric(unit="byte/token", source=f"{COUNT}; copies in and out of experts: Megatron-Core's dropless MoE layer")
def moe_ffn_traffic_bytes_per_token(
    hidden_size, experts_per_token, ffn_matrices, moe_inner_bytes_per_token, whole_share, activation_element_bytes
):
    """The activation functions of a MoE layer's MLPs, and tokens sorted by expert and put back, forward."""
    copies = (6.0 * experts_per_token + 2.0) * hidden_size
    return ffn_matrices * moe_inner_bytes_per_token + whole_share * activation_element_bytes * copies


@metric(unit="byte/token", source="precision row: bytes moved for a number that a low-precision matmul takes in")
def cast_bytes_per_token(train_cast_bytes, hidden_size, num_heads, head_dim, tensor_parallel):
    """Inputs of attention's matmuls scaled and rounded to the training format, forward."""
    return train_cast_bytes * (hidden_size + num_heads * head_dim / tensor_parallel)


@metric(unit="byte/token", source="precision row")
def dense_cast_bytes_per_token(train_cast_bytes, hidden_size, ffn_size, tensor_parallel):
    """Inputs of a dense MLP's matmuls scaled and rounded, forward."""
    return train_cast_bytes * (hidden_size + ffn_size / tensor_parallel)


@metric(unit="byte/token", source="precision row")
def moe_cast_bytes_per_token(
    train_cast_bytes, hidden_size, experts_per_token, moe_inner_bytes_per_token, activation_element_bytes
):
    """Inputs of a MoE layer's matmuls scaled and rounded, forward."""
    return train_cast_bytes * (experts_per_token * hidden_size + moe_inner_bytes_per_token / activation_element_bytes)


@metric(unit="byte/token", source=OPERANDS)
def attention_operand_bytes_per_token(
    hidden_size, attention_head_bytes_per_token, activation_element_bytes, matmul_traffic_factor
):
    """What the projections of attention of one layer read and write, forward, as far as it takes time of its own."""
    return matmul_traffic_factor * (2.0 * activation_element_bytes * hidden_size + attention_head_bytes_per_token)


@metric(unit="byte/token", source=OPERANDS)
def dense_operand_bytes_per_token(
    hidden_size, ffn_size, ffn_matrices, tensor_parallel, activation_element_bytes, matmul_traffic_factor
):
    """What the matmuls of a dense MLP read and write, forward, as far as it takes time of its own."""
    numbers = 2.0 * hidden_size + ffn_matrices * ffn_size / tensor_parallel
    return matmul_traffic_factor * activation_element_bytes * numbers


@metric(unit="byte/token", source=OPERANDS)
def moe_operand_bytes_per_token(
    hidden_size,
    experts_per_token,
    ffn_matrices,
    moe_inner_bytes_per_token,
    activation_element_bytes,
    matmul_traffic_factor,
):
    """What the matmuls of a MoE layer's MLPs read and write, forward, as far as it takes time of its own."""
    outer = 2.0 * experts_per_token * hidden_size * activation_element_bytes
    return matmul_traffic_factor * (outer + ffn_matrices * moe_inner_bytes_per_token)


@metric(unit="s", source=COUNT)
def attention_traffic_s(
    activation_tokens,
    whole_traffic_bytes_per_token,
    head_traffic_bytes_per_token,
    cast_bytes_per_token,
    attention_operand_bytes_per_token,
    elementwise_byte_per_s,
):
    """Memory-bound work of one layer, forward, scores and MLP apart."""
    every = whole_traffic_bytes_per_token + head_traffic_bytes_per_token + cast_bytes_per_token
    return activation_tokens * (every + attention_operand_bytes_per_token) / elementwise_byte_per_s


@metric(unit="s", source=KORTHIKANTI)
def core_traffic_s(activation_tokens, core_traffic_bytes_per_token, elementwise_byte_per_s):
    """Memory-bound work on the scores of one layer, forward."""
    return activation_tokens * core_traffic_bytes_per_token / elementwise_byte_per_s


@metric(unit="s", source=COUNT)
def dense_ffn_traffic_s(
    activation_tokens,
    dense_ffn_traffic_bytes_per_token,
    dense_cast_bytes_per_token,
    dense_operand_bytes_per_token,
    elementwise_byte_per_s,
):
    """Memory-bound work of one dense MLP, forward."""
    every = dense_ffn_traffic_bytes_per_token + dense_cast_bytes_per_token + dense_operand_bytes_per_token
    return activation_tokens * every / elementwise_byte_per_s


@metric(unit="s", source=COUNT)
def moe_ffn_traffic_s(
    activation_tokens,
    moe_ffn_traffic_bytes_per_token,
    moe_cast_bytes_per_token,
    moe_operand_bytes_per_token,
    elementwise_byte_per_s,
):
    """Memory-bound work of a MoE layer's MLPs, forward."""
    every = moe_ffn_traffic_bytes_per_token + moe_cast_bytes_per_token + moe_operand_bytes_per_token
    return activation_tokens * every / elementwise_byte_per_s


@metric(unit="s", source="arithmetic: weights read twice, gradients read and written, once a micro batch")
def dense_weight_traffic_s(
    dense_layer_params_per_gpu, weight_bytes_per_param, gradient_bytes_per_param, elementwise_byte_per_s
):
    """Weights and gradients of a layer with a dense MLP moved in one forward and backward pass."""
    each = 2.0 * weight_bytes_per_param + 2.0 * gradient_bytes_per_param
    return dense_layer_params_per_gpu * each / elementwise_byte_per_s


@metric(unit="s", source="arithmetic: weights read twice, gradients read and written, once a micro batch")
def moe_weight_traffic_s(
    moe_layer_params_per_gpu,
    expert_params_per_gpu,
    weight_bytes_per_param,
    gradient_bytes_per_param,
    elementwise_byte_per_s,
):
    """Weights and gradients of a layer with experts moved in one forward and backward pass."""
    each = 2.0 * weight_bytes_per_param + 2.0 * gradient_bytes_per_param
    held = moe_layer_params_per_gpu + expert_params_per_gpu
    return held * each / elementwise_byte_per_s


@metric(unit="s", source="arithmetic: what a framework holds of a logit is written and read once")
def head_traffic_s(activation_tokens, logit_bytes, vocab_size, tensor_parallel, elementwise_byte_per_s):
    """Logits and their loss, forward and backward."""
    return activation_tokens * (2.0 * logit_bytes + 4.0) * vocab_size / tensor_parallel / elementwise_byte_per_s
