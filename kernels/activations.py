"""What one layer stores for its backward pass, tensor by tensor, in bytes a token on one GPU.

After Korthikanti et al. 2022, section 4, whose count of a GPT layer this repeats to the byte: a tensor is either split
over the tensor ranks, or whole on each and split only where sequence_parallel says so. Beyond it: grouped and latent
keys and values, gated MLPs, experts, norms on queries and keys, and attention that never stores its scores.
Routing is taken as even. Masks are stored with dropout only, a byte each.
"""

from kernels.graph import metric

KORTHIKANTI = "Korthikanti et al. 2022, arXiv:2205.05198"
TENSORS = f"{KORTHIKANTI}, section 4.1 and table 2"


@metric(unit="token", source=TENSORS)
def activation_tokens(micro_batch_size, sequence_length, context_parallel):
    """Tokens of one micro batch on one GPU."""
    return micro_batch_size * (sequence_length / context_parallel)


@metric(unit="", source=f"{KORTHIKANTI}, section 4.2.2")
def whole_share(sequence_parallel, tensor_parallel):
    """Share one GPU stores of what tensor parallelism does not split: all, or its tokens' under sequence_parallel."""
    return 1.0 / tensor_parallel if sequence_parallel else 1.0


@metric(unit="byte/token", source=f"{TENSORS}; latents: DeepSeek-AI 2024 (DeepSeek-V2), arXiv:2405.04434, section 2.1")
def layer_whole_bytes_per_token(
    attention_kind,
    hidden_size,
    norms_per_layer,
    parallel_block,
    q_lora_rank,
    kv_lora_rank,
    dropout,
    whole_share,
    activation_element_bytes,
):
    """What a layer stores that tensor parallelism does not split: inputs of norms, attention and MLP, latents, masks.

    A parallel block with one norm has one input for both. Latents are stored before and after their norm.
    """
    inputs = 1 if parallel_block and norms_per_layer < 2 else 2
    latents = 2 * (q_lora_rank + kv_lora_rank) if attention_kind == "mla" else 0
    stored = activation_element_bytes * ((norms_per_layer + inputs) * hidden_size + latents)
    return whole_share * (stored + dropout * 2.0 * hidden_size)


@metric(unit="", source=f"{TENSORS}; gated: Shazeer 2020, arXiv:2002.05202")
def ffn_tensors(ffn_matrices, unfused_activation):
    """Tensors of MLP width an MLP stores: what its first matrices give, and what its last takes in."""
    return ffn_matrices + (1 if unfused_activation and ffn_matrices > 2 else 0)


@metric(unit="byte/token", source=TENSORS)
def dense_ffn_bytes_per_token(ffn_size, ffn_tensors, tensor_parallel, activation_element_bytes):
    """A dense MLP within itself."""
    return activation_element_bytes * ffn_tensors * ffn_size / tensor_parallel


@metric(unit="byte/token", source="Shazeer et al. 2017, arXiv:1701.06538")
def moe_inner_bytes_per_token(
    experts_per_token,
    expert_ffn_size,
    shared_expert_ffn_size,
    dense_residual_ffn_size,
    tensor_parallel,
    activation_element_bytes,
):
    """One tensor of MLP width of all MLPs that a token visits in a MoE layer."""
    inner = experts_per_token * expert_ffn_size + shared_expert_ffn_size + dense_residual_ffn_size
    return activation_element_bytes * inner / tensor_parallel


@metric(
    unit="byte/token",
    source="Shazeer et al. 2017, arXiv:1701.06538; tensors of Megatron-Core's dropless MoE layer, even routing",
)
def moe_ffn_bytes_per_token(
    hidden_size,
    num_experts,
    experts_per_token,
    moe_inner_bytes_per_token,
    ffn_tensors,
    stored_expert_outputs,
    whole_share,
    activation_element_bytes,
):
    """The MLP of a MoE layer within itself: router logits in fp32, copies of the input for each expert, all MLPs.

    A token's copies are as many as its experts; so are what the experts give, where that is stored.
    """
    copies = experts_per_token * hidden_size * (2 if stored_expert_outputs else 1)
    routed = whole_share * (activation_element_bytes * copies + 4.0 * num_experts)
    return routed + ffn_tensors * moe_inner_bytes_per_token


@metric(unit="byte/token", source=f"{KORTHIKANTI}, sections 4.1 and 5: 2 s b h for a layer that is done again")
def layer_input_bytes_per_token(hidden_size, whole_share, activation_element_bytes):
    """The input of a layer, all that is stored of one that is recomputed."""
    return activation_element_bytes * hidden_size * whole_share


@metric(
    unit="byte/token",
    source="pytorch/torchtitan b5bcd76, torchtitan/parallelisms/parallelize_llama.py: every second matrix product of"
    " q, k, v, output, gate, up, down is done again",
)
def alternate_matmul_bytes_per_token(
    layer_input_bytes_per_token,
    attention_kind,
    num_heads,
    head_dim,
    v_head_dim,
    kv_width_per_gpu,
    tensor_parallel,
    activation_element_bytes,
):
    """What a layer stores where selective recomputation keeps every other product: queries, values, result.

    With them the layer's input, and attention's output with its fp32 number a head.
    """
    heads = num_heads / tensor_parallel
    output = heads * (v_head_dim if attention_kind == "mla" else head_dim)
    kept = heads * head_dim + kv_width_per_gpu + output
    return 2.0 * layer_input_bytes_per_token + activation_element_bytes * kept + 4.0 * heads


@metric(unit="byte/token", source=f"{KORTHIKANTI}, table 2")
def dense_layer_activation_bytes_per_token(
    recompute,
    layer_input_bytes_per_token,
    layer_whole_bytes_per_token,
    attention_kept_bytes_per_token,
    attention_core_mean_bytes_per_token,
    dense_ffn_bytes_per_token,
    alternate_matmuls,
    alternate_matmul_bytes_per_token,
    ffn_tensors,
):
    """One layer with a dense MLP, under the recomputation asked for."""
    kept = layer_whole_bytes_per_token + attention_kept_bytes_per_token + dense_ffn_bytes_per_token
    every = kept + attention_core_mean_bytes_per_token
    selective = (
        alternate_matmul_bytes_per_token + dense_ffn_bytes_per_token / ffn_tensors if alternate_matmuls else kept
    )
    return layer_input_bytes_per_token if recompute == "full" else (selective if recompute == "selective" else every)


@metric(unit="byte/token", source=f"{KORTHIKANTI}, table 2, with experts in place of the MLP")
def moe_layer_activation_bytes_per_token(
    recompute,
    layer_input_bytes_per_token,
    layer_whole_bytes_per_token,
    attention_kept_bytes_per_token,
    attention_core_mean_bytes_per_token,
    moe_ffn_bytes_per_token,
    alternate_matmuls,
    alternate_matmul_bytes_per_token,
    moe_inner_bytes_per_token,
):
    """One layer with experts, under the recomputation asked for."""
    kept = layer_whole_bytes_per_token + attention_kept_bytes_per_token + moe_ffn_bytes_per_token
    every = kept + attention_core_mean_bytes_per_token
    selective = alternate_matmul_bytes_per_token + moe_inner_bytes_per_token if alternate_matmuls else kept
    return layer_input_bytes_per_token if recompute == "full" else (selective if recompute == "selective" else every)
