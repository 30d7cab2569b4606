"""Every input a design starts from, declared once: name, unit, type, allowed range, meaning.

Values are not here: constant defaults are facts with sources and live in ``data/defaults.csv``; defaults that follow
from other inputs are the formulas at the end.
"""

from kernels.graph import Input, declared_input, default
from kernels.law_inputs import LAW_INPUTS
from kernels.link_inputs import LINK_INPUTS
from kernels.price_inputs import PRICE_INPUTS
from kernels.serve_inputs import SERVE_INPUTS
from kernels.step_inputs import STEP_INPUTS
from kernels.train_inputs import TRAIN_INPUTS

FORMATS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp6", "int8", "fp4", "int4")


def _count(name: str, meaning: str, low: float = 0, high: float = 2**40) -> Input:
    return Input(name, "", "int", meaning, low, high)


def _flag(name: str, meaning: str) -> Input:
    return Input(name, "", "bool", meaning, 0, 1)


def _word(name: str, meaning: str, *words: str) -> Input:
    return Input(name, "", "word", meaning, words=words)


def _number(name: str, unit: str, meaning: str, low: float = 0.0, high: float = float("inf")) -> Input:
    return Input(name, unit, "float", meaning, low, high)


SHAPE = (
    _count("hidden_size", "width d of the residual stream", 1, 2**20),
    _count("num_layers", "depth L: transformer blocks", 1, 10_000),
    _count("vocab_size", "rows V of the embedding table as shipped, padding included", 1, 2**24),
    _count("head_dim", "width of one query or key head", 1, 2**16),
    _word("attention_kind", "gqa (MHA and MQA too), mla, or hybrid: gqa but for num_linear_layers linear layers",
          "gqa", "mla", "hybrid"),
    _count("q_lora_rank", "mla: width of the query latent, 0 when queries come straight from the hidden state"),
    _count("kv_lora_rank", "mla: width of the key-value latent, which is what the cache holds"),
    _count("qk_nope_head_dim", "mla: part of a query or key head without rotary positions"),
    _count("qk_rope_head_dim", "mla: part of a query or key head with rotary positions, the key's shared by all heads"),
    _count("v_head_dim", "mla: width of one value head"),
    _flag("qkv_bias", "1 when the query, key and value projections have biases"),
    _flag("attn_out_bias", "1 when the attention output projection has a bias"),
    _word("qk_norm", "norm weights on queries and keys: per head width, over the full width, or none",
          "none", "head", "full"),
    _flag("attn_sinks", "1 when every query head of every layer has one trainable sink"),
    _flag("attn_output_gate", "1 when the query projection is twice as wide, to gate the attention output"),
    _flag("ffn_gated", "1 when an MLP has three matrices (gate, up, down), 0 when it has two"),
    _flag("mlp_bias", "1 when every dense MLP matrix has a bias"),
    _count("activation_params_per_layer", "trainable numbers inside the activation function of a layer"),
    _word("norm_kind", "rmsnorm and layernorm_nobias: 1 weight a channel; layernorm: 2; nonparametric: none",
          "rmsnorm", "layernorm", "layernorm_nobias", "nonparametric"),
    _count("norms_per_layer", "hidden_size-wide norms in a layer", 0, 16),
    _flag("final_norm", "1 when a norm follows the last layer"),
    _flag("embedding_norm", "1 when a norm follows the embedding"),
    _word("position_kind", "how positions enter; only learned tables hold parameters",
          "rope", "learned", "alibi", "none"),
    _count("learned_position_rows", "rows of the learned position table, 0 without one"),
    _count("embedding_proj_dim", "width of the embedding when two projections map it to and from hidden_size, else 0"),
    _flag("tied_embeddings", "1 when the output head reuses the embedding table"),
    _flag("lm_head_bias", "1 when the output head has a bias"),
    _count("num_experts", "routed experts of one MoE layer; a dense model has 1", 1, 2**20),
    _flag("expert_bias", "1 when every expert matrix has a bias"),
    _count("shared_expert_ffn_size", "total width of the always-on shared experts of a MoE layer, 0 without"),
    _flag("shared_expert_gate", "1 when a hidden_size-long vector gates the shared expert"),
    _flag("router_bias", "1 when the router has a bias"),
    _count("first_dense_layers", "leading layers that keep a dense MLP in a MoE model"),
    _count("moe_layer_period", "every how many-th layer after the dense ones is MoE", 1, 10_000),
    _count("dense_residual_ffn_size", "width of a dense MLP beside the experts in every MoE layer, 0 without"),
    _flag("router_correction_bias", "1 when every MoE layer has load-balancing offsets, which are no parameters"),
    _word("linear_attention_kind", "kind of the linear attention layers of a hybrid",
          "none", "lightning", "gated_delta"),
    _count("num_linear_layers", "layers with linear attention in place of softmax attention"),
    _count("linear_num_key_heads", "gated_delta: heads of queries and keys"),
    _count("linear_num_value_heads", "gated_delta: heads of values"),
    _count("linear_key_head_dim", "gated_delta: width of one query or key head"),
    _count("linear_value_head_dim", "gated_delta: width of one value head"),
    _count("linear_conv_kernel", "gated_delta: length of the convolution over queries, keys and values"),
    _flag("parallel_block", "1 when attention and MLP read the same input; norms_per_layer holds what that saves"),
    _count("sliding_window", "tokens a sliding layer attends to, 0 without"),
    _count("num_sliding_layers", "layers that attend within sliding_window"),
    _count("context_length", "positions the model was made for; nothing is computed from it"),
    _count("mtp_layers", "multi-token-prediction layers beside the model: in their own count and in a training step"),
)  # fmt: skip

TRAINING = (
    _number("train_tokens", "", "tokens D trained on, repeats included", 1.0, 1e18),
    _count("sequence_length", "tokens in one sequence of a training or forward pass", 1, 2**30),
    _word("attention_flops_convention", "whether attention FLOPs count the full square of scores or its causal half",
          "full", "causal"),
    _word("train_compute_format", "format the training matmuls are done in", *FORMATS),
    _number("train_mfu_factor", "", "what the number format does to the share of peak that training reaches", 0.0, 2.0),
    _number("moe_mfu_factor", "", "what routing to experts does to the share of peak that training reaches", 0.0, 2.0),
    _word("recompute", "what the backward pass computes again: nothing, attention scores, or whole layers",
          "none", "selective", "full"),
    _count("num_gpus", "GPUs that train together", 1, 10**7),
)  # fmt: skip

SERVING = (
    _number("weight_bits", "bit", "bits a served weight takes, scales included", 0.1, 64.0),
    _number("embedding_bits", "bit", "bits a weight of the embedding table and head takes", 0.1, 64.0),
    _number("kv_bits", "bit", "bits one cached key or value element takes, scales included", 0.1, 64.0),
    _word("kv_cache_reading", "whether sliding layers hold every token (uniform_page) or their window only (ideal)",
          "uniform_page", "ideal"),
    _number("linear_state_bits", "bit", "bits one element of a linear-attention state takes", 0.1, 64.0),
    _word("compute_format", "format the serving matmuls are done in", *FORMATS),
    _count("context_tokens", "tokens held in the cache by every served sequence", 1, 2**40),
    _count("batch_size", "sequences served at once by one replica", 1, 2**30),
    _number("output_token_share", "", "share of a served sequence that is generated; the rest is prompt", 0.0, 1.0),
    _number("inference_tokens", "", "tokens served over the lifetime, prompts and answers", 0.0, 1e20),
    _number("gemms_per_layer", "", "matrix multiplications launched per layer in a decode step", 0.0, 1000.0),
)  # fmt: skip

HARDWARE = (
    _number("gpu_memory_bytes", "byte", "memory of one GPU as its driver reports it"),
    _number("gpu_usable_memory_share", "", "share of the memory that weights and cache may take", 0.0, 1.0),
    _number("gpu_reserved_bytes", "byte", "bytes set aside for context, kernels and workspaces"),
    _number("gpu_memory_byte_per_s", "byte/s", "memory bandwidth of one GPU"),
    *(_number(f"gpu_{f}_flop_per_s", "FLOP/s", f"dense {f} peak of one GPU; nan where it has none") for f in FORMATS),
    *(
        _number(f"gpu_{what}_{width}", unit, f"{meaning}, {width.removesuffix('bit')}-bit formats")
        for what, unit, meaning in (
            ("bandwidth_share", "", "share of the bandwidth that a decode step reaches"),
            ("compute_share", "", "share of the peak that a prefill reaches"),
            ("gemm_overhead_s", "s", "fixed time of one matrix multiplication while decoding"),
        )
        for width in ("16bit", "8bit", "4bit")
        if (what, width) != ("bandwidth_share", "4bit")  # 4-bit weights are read as fast as 16-bit ones
    ),
    _number("gpu_train_mfu", "", "assumed share of the dense peak that training a dense model reaches", 0.0, 1.0),
    _number("gpu_usd_per_hour", "USD/hour", "price of one GPU for an hour, on demand"),
    _number("gpu_tdp_w", "W", "board power of one GPU"),
)


@default(low=1, high=2**20, source="assumed: as many heads as fit the width, the Llama family's choice")
def num_heads(hidden_size, head_dim):
    """query heads of a layer"""
    return max(1, hidden_size // head_dim)


@default(
    low=1, high=2**20, source="assumed: 8 as in Llama 3 (arXiv:2407.21783), one per query head where 8 do not divide"
)
def num_kv_heads(num_heads):
    """key-value heads of a layer"""
    return 8 if num_heads % 8 == 0 else num_heads


@default(
    source="Touvron et al. 2023 (LLaMA), arXiv:2302.13971, section 2.2: 2/3 of 4 d, up to a multiple of 256; else 4 d"
)
def ffn_size(hidden_size, ffn_gated):
    """width of the dense MLP"""
    return (8 * hidden_size + 767) // 768 * 256 if ffn_gated else 4 * hidden_size


@default(
    low=1,
    high=2**20,
    source="assumed: a quarter of the experts, at most 8, between Mixtral (2 of 8) and DeepSeekMoE (arXiv:2401.06066)",
)
def experts_per_token(num_experts):
    """routed experts that one token visits in a MoE layer"""
    return min(8, max(1, num_experts // 4))


@default(
    source="assumed: the dense MLP split over the experts a token visits, so that a token does a dense model's work"
)
def expert_ffn_size(ffn_size, experts_per_token):
    """width of one routed expert, a multiple of 64"""
    return (ffn_size + 64 * experts_per_token - 1) // (64 * experts_per_token) * 64


@default(
    source="all layers after the leading dense ones, every moe_layer_period-th, when there is more than one expert"
)
def num_moe_layers(num_layers, num_experts, first_dense_layers, moe_layer_period):
    """layers with routed experts"""
    return max(0, num_layers - first_dense_layers) // moe_layer_period if num_experts > 1 else 0


DERIVED = tuple(
    declared_input(function)
    for function in (num_heads, num_kv_heads, ffn_size, experts_per_token, expert_ffn_size, num_moe_layers)
)
INPUTS: tuple[Input, ...] = (
    *(*SHAPE, *TRAINING, *SERVING, *HARDWARE, *LAW_INPUTS, *DERIVED),
    *(*TRAIN_INPUTS, *STEP_INPUTS, *LINK_INPUTS, *SERVE_INPUTS, *PRICE_INPUTS),
)
