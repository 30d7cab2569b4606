"""Parameters that one GPU holds of a layer, a table, an expert, and bytes of each by what data parallel ranks share.

Tensor parallelism splits the matrices of attention and MLPs and the rows of the vocabulary; norms, biases, routers and
latent projections stand on every rank. A GPU with the most is counted: whole heads, whole rows.
"""

from kernels.graph import metric

MEGATRON = "Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3"
ZERO = "Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054, figure 1 and table 1"
EXPERTS = "Lepikhin et al. 2020 (GShard), arXiv:2006.16668, section 3; Megatron-Core MoE"


@metric(unit="", source=f"{MEGATRON}; mla: Megatron-Core, latent projections on every rank")
def attention_params_per_gpu(
    attention_kind,
    hidden_size,
    num_heads,
    head_dim,
    kv_width_per_gpu,
    attn_output_gate,
    q_lora_rank,
    kv_lora_rank,
    qk_nope_head_dim,
    qk_rope_head_dim,
    v_head_dim,
    tensor_parallel,
):
    """Weights of the projections of one softmax layer on one GPU, biases and norms apart."""
    query = num_heads * head_dim / tensor_parallel
    gqa = hidden_size * (query * (3 if attn_output_gate else 2) + 2.0 * kv_width_per_gpu)
    head = qk_nope_head_dim + qk_rope_head_dim
    heads = num_heads / tensor_parallel
    down = hidden_size * (q_lora_rank + kv_lora_rank + qk_rope_head_dim)
    queries = heads * head * (q_lora_rank if q_lora_rank > 0 else hidden_size)
    mla = down + queries + heads * (kv_lora_rank * (qk_nope_head_dim + v_head_dim) + v_head_dim * hidden_size)
    return mla if attention_kind == "mla" else gqa


@metric(unit="", source=MEGATRON)
def layer_params_per_gpu(
    num_layers,
    num_softmax_layers,
    attention_params_per_gpu,
    num_linear_layers,
    linear_attention_matrix_params,
    attention_vector_params_total,
    norms_per_layer,
    norm_params,
    activation_params_per_layer,
    tensor_parallel,
):
    """Parameters of a layer on one GPU, its MLP apart, the mean over a hybrid's layers."""
    linear = num_linear_layers * linear_attention_matrix_params / tensor_parallel
    attention = num_softmax_layers * attention_params_per_gpu + linear + attention_vector_params_total
    return attention / num_layers + norms_per_layer * norm_params + activation_params_per_layer


@metric(unit="", source=MEGATRON)
def dense_layer_params_per_gpu(layer_params_per_gpu, dense_ffn_matrix_params, dense_ffn_vector_params, tensor_parallel):
    """Parameters of a layer with a dense MLP on one GPU."""
    return layer_params_per_gpu + dense_ffn_matrix_params / tensor_parallel + dense_ffn_vector_params


@metric(unit="", source=f"{MEGATRON}; {EXPERTS}")
def moe_layer_params_per_gpu(
    layer_params_per_gpu,
    moe_always_on_params,
    router_bias,
    hidden_size,
    num_experts,
    shared_expert_gate,
    tensor_parallel,
):
    """Parameters of a layer with experts on one GPU, routed experts apart; router and gate stand on every rank."""
    whole = (num_experts + shared_expert_gate) * hidden_size
    return layer_params_per_gpu + whole + router_bias * num_experts + (moe_always_on_params - whole) / tensor_parallel


@metric(unit="", source=EXPERTS)
def expert_params_per_gpu(num_experts, expert_parallel, expert_matrix_params, expert_vector_params, tensor_parallel):
    """Parameters of the routed experts of one layer on one GPU."""
    return num_experts / expert_parallel * (expert_matrix_params / tensor_parallel + expert_vector_params)


@metric(unit="", source=f"{MEGATRON}, section 3: rows of the vocabulary")
def table_params_per_gpu(vocab_size, tensor_parallel, embedding_width):
    """Parameters of one GPU's rows of the input table; its share of an output head is as large."""
    return (vocab_size + tensor_parallel - 1) // tensor_parallel * embedding_width


@metric(unit="", source=MEGATRON)
def embedding_params_per_gpu(
    table_params_per_gpu, params_positions, embedding_norm, norm_params, embedding_proj_dim, hidden_size
):
    """Parameters before the first layer on one GPU: rows of the table, positions, a norm, a projection."""
    return table_params_per_gpu + params_positions + embedding_norm * norm_params + embedding_proj_dim * hidden_size


@metric(unit="", source=f"{MEGATRON}; Narayanan et al. 2021, arXiv:2104.04473: a tied head is a copy on the last stage")
def head_params_per_gpu(
    table_params_per_gpu,
    tied_embeddings,
    pipeline_parallel,
    lm_head_bias,
    vocab_size,
    final_norm,
    norm_params,
    embedding_proj_dim,
    hidden_size,
):
    """Parameters after the last layer on one GPU; a tied head is none where the table stands on the same GPU."""
    shared = tied_embeddings and pipeline_parallel == 1
    ends = lm_head_bias * vocab_size + final_norm * norm_params + embedding_proj_dim * hidden_size
    return (0 if shared else table_params_per_gpu) + ends


@metric(unit="byte/param", source=ZERO)
def whole_bytes_per_param(
    zero_stage, weight_bytes_per_param, gradient_bytes_per_param, master_bytes_per_param, state_bytes_per_param
):
    """Bytes of a layer's parameter that every data parallel rank holds."""
    weight = weight_bytes_per_param if zero_stage < 3 else 0.0
    gradient = gradient_bytes_per_param if zero_stage < 2 else 0.0
    return weight + gradient + (master_bytes_per_param + state_bytes_per_param if zero_stage < 1 else 0.0)


@metric(unit="byte/param", source=ZERO)
def shared_bytes_per_param(
    whole_bytes_per_param,
    weight_bytes_per_param,
    gradient_bytes_per_param,
    master_bytes_per_param,
    state_bytes_per_param,
):
    """Bytes of a layer's parameter that data parallel ranks share."""
    every = weight_bytes_per_param + gradient_bytes_per_param + master_bytes_per_param + state_bytes_per_param
    return every - whole_bytes_per_param
