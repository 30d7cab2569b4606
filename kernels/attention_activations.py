"""What attention stores within itself for its backward pass, in bytes a token on one GPU: heads, scores.

Grouped and latent keys and values, norms and gates on them, and attention that never stores its scores; where what
attention takes in is stored is the layer's business.
"""

from kernels.graph import metric

KORTHIKANTI = "Korthikanti et al. 2022, arXiv:2205.05198"
TENSORS = f"{KORTHIKANTI}, section 4.1 and table 2"
FLASH = "Dao et al. 2022 (FlashAttention), arXiv:2205.14135, algorithm 1: a log-sum-exp a row in place of scores"


@metric(unit="", source="Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3; Ainslie et al. 2023 (GQA)")
def kv_width_per_gpu(num_kv_heads, head_dim, tensor_parallel):
    """Width of the keys on one GPU: its heads' share, one head at least, which then stands on several GPUs."""
    return (num_kv_heads + tensor_parallel - 1) // tensor_parallel * head_dim


@metric(unit="byte/token", source=f"{TENSORS}: queries, keys, values, and what the output projection takes in")
def attention_head_bytes_per_token(
    attention_kind,
    num_heads,
    head_dim,
    kv_width_per_gpu,
    qk_norm,
    attn_output_gate,
    qk_nope_head_dim,
    qk_rope_head_dim,
    v_head_dim,
    attention_copies,
    context_output_copy,
    context_parallel,
    tensor_parallel,
    activation_element_bytes,
):
    """Queries, keys, values and outputs of one softmax layer's heads, with what norms and gates on them take in.

    Keys and values of mla are expanded. A norm stores what it normalises, a gate stores itself and what it gates.
    """
    query = num_heads * head_dim / tensor_parallel
    normed = query + kv_width_per_gpu if qk_norm != "none" else 0.0
    taken = (1.0 + attention_copies) * (query + 2.0 * kv_width_per_gpu)
    gqa = taken + normed + (2.0 * query if attn_output_gate else 0.0)
    values = num_heads * v_head_dim / tensor_parallel
    keys = num_heads * (qk_nope_head_dim + qk_rope_head_dim) / tensor_parallel
    mla = (1.0 + attention_copies) * (2.0 * keys + values)
    output = values if attention_kind == "mla" else query
    copies = 2.0 if context_output_copy and context_parallel > 1 else 1.0
    return activation_element_bytes * ((mla if attention_kind == "mla" else gqa) + copies * output)


@metric(unit="byte/token", source=f"{TENSORS} (5 a s^2 b); {FLASH}")
def attention_core_bytes_per_token(
    num_heads, tensor_parallel, sequence_length, flash_attention, dropout, activation_element_bytes
):
    """What lies between queries and outputs in one softmax layer, and what selective recomputation does again.

    Scores after the softmax, with dropout its mask and its result too; or four bytes a head where they are not stored.
    """
    heads = num_heads / tensor_parallel
    copies = activation_element_bytes + dropout * (1.0 + activation_element_bytes)
    return heads * 4.0 if flash_attention else heads * sequence_length * copies


@metric(unit="byte/token", source="assumed: inputs and results of the kernels, states between chunks left out")
def linear_attention_bytes_per_token(
    linear_attention_kind,
    num_heads,
    head_dim,
    linear_key_width,
    linear_value_width,
    linear_num_value_heads,
    tensor_parallel,
    activation_element_bytes,
):
    """One linear attention layer between its projections: 0 without one.

    Lightning: query, key, value, gate, output before and after norm and gate. Gated delta: the convolution's input and
    result, gate, two numbers a head, output before and after norm and gate.
    """
    lightning = 6.0 * num_heads * head_dim
    delta = 4.0 * linear_key_width + 5.0 * linear_value_width + 2.0 * linear_num_value_heads
    width = (
        lightning
        if linear_attention_kind == "lightning"
        else (delta if linear_attention_kind == "gated_delta" else 0.0)
    )
    return activation_element_bytes * width / tensor_parallel


@metric(unit="byte/token", source=TENSORS)
def attention_kept_bytes_per_token(
    num_softmax_layers, num_layers, attention_head_bytes_per_token, num_linear_layers, linear_attention_bytes_per_token
):
    """Attention within itself but for its core, the mean over a hybrid's layers."""
    every = num_softmax_layers * attention_head_bytes_per_token + num_linear_layers * linear_attention_bytes_per_token
    return every / num_layers


@metric(unit="byte/token", source=TENSORS)
def attention_core_mean_bytes_per_token(num_softmax_layers, num_layers, attention_core_bytes_per_token):
    """The core of attention, the mean over a hybrid's layers."""
    return num_softmax_layers * attention_core_bytes_per_token / num_layers
