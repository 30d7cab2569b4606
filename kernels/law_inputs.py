"""The inputs that scaling laws are made of: their coefficients, what they count, where they were fitted.

A law is a record that sets the first group. What corrects a law (repeated data, low precision, experts, shape,
vocabulary, quantisation after training) and what is fitted beside losses (learning rate, batch) are records of their
own, so each can be switched, compared and traced to its source.
"""

from kernels.graph import Input


def _number(name: str, unit: str, meaning: str, low: float = float("-inf"), high: float = float("inf")) -> Input:
    return Input(name, unit, "float", meaning, low, high)


def _word(name: str, meaning: str, *words: str) -> Input:
    return Input(name, "", "word", meaning, words=words)


def _bounds(prefix: str, what: str, meaning: str) -> tuple[Input, Input]:
    return (
        _number(f"{prefix}_min_{what}", "", f"fewest {meaning} among the fitted runs", 0.0),
        _number(f"{prefix}_max_{what}", "", f"most {meaning} among the fitted runs", 0.0),
    )


LAW = (
    _word("law_form", "power: E + (A N**-alpha + B D**-beta)**kappa; routed, granular, sparse: with experts; shaped: "
          "with width and depth; steps: optimiser steps for tokens; allocation: an optimum without a loss",
          "power", "routed", "granular", "sparse", "shaped", "steps", "allocation"),
    _word("law_params_counted", "which parameters the law was fitted with: those a token passes through, with tables "
          "(total) or without, or without but with the head; those of all experts, or these without tables and "
          "routers; or training FLOPs a token without the head, over six",
          "total", "non_embedding", "non_embedding_and_head", "all_experts", "all_experts_non_embedding",
          "flops_per_token"),
    _word("law_tokens_counted", "which tokens the law was fitted with: all that were seen, unique ones, or steps",
          "seen", "unique", "steps"),
    _word("law_compute", "whether training compute is 6 N D under the law, or the law has no compute of its own",
          "6nd", "none"),
    _word("law_repetition", "whether the law states what repeated data is worth itself (own)", "transferred", "own"),
    _word("law_precision", "the low-precision term that the law itself contains",
          "transferred", "kumar", "kumar_float", "capybara"),
    Input("law_has_draws", "", "bool", "1 when the draws of the coefficients are of this law", 0, 1),
    _number("law_floor_nats", "nat", "E: the loss no model goes below", 0.0),
    _number("law_params_scale", "nat", "A: scale of the term that falls with parameters", 0.0),
    _number("law_params_exponent", "", "alpha: how fast it falls", 0.0, 10.0),
    _number("law_tokens_scale", "nat", "B: scale of the term that falls with tokens", 0.0),
    _number("law_tokens_exponent", "", "beta: how fast it falls", 0.0, 10.0),
    _number("law_outer_exponent", "", "kappa: power of the sum of both terms", 0.0, 10.0),
    _number("law_experts_start", "", "routed: effective experts of a dense model", 0.0),
    _number("law_experts_max", "", "routed: effective experts that no number of experts goes beyond", 0.0),
    _number("law_experts_params_power", "", "routed: power of the effective experts in A", -10.0, 10.0),
    _number("law_experts_params_slope", "", "routed: what alpha loses per e-fold of effective experts", -1.0, 1.0),
    _number("law_experts_tokens_power", "", "routed: power of the effective experts in B", -10.0, 10.0),
    _number("law_experts_tokens_slope", "", "routed: what beta loses per e-fold of effective experts", -1.0, 1.0),
    _number("law_granularity_scale", "nat", "granular: part of A that falls with granularity", 0.0),
    _number("law_granularity_exponent", "", "granular: how fast it falls", 0.0, 10.0),
    _number("law_activation_scale", "nat", "sparse: scale of the term that only the active share moves", 0.0),
    _number("law_activation_exponent", "", "sparse: how fast it rises with that share", -10.0, 10.0),
    _number("law_sparse_params_scale", "nat", "sparse: scale of the second term in parameters", 0.0),
    _number("law_sparse_params_exponent", "", "sparse: how fast it falls with parameters", 0.0, 10.0),
    _number("law_sparse_activation_exponent", "", "sparse: how fast it falls with the active share", -10.0, 10.0),
    _number("law_width_scale", "nat", "shaped: scale of the term that falls with width", 0.0),
    _number("law_width_exponent", "", "shaped: how fast it falls", 0.0, 10.0),
    _number("law_depth_scale", "nat", "shaped: scale of the term that falls with depth", 0.0),
    _number("law_depth_exponent", "", "shaped: how fast it falls", 0.0, 10.0),
    _number("law_optimal_params_scale", "", "allocation: k of N = k C**a", 0.0),
    _number("law_optimal_params_exponent", "", "allocation: a of N = k C**a", 0.0, 2.0),
    _number("law_optimal_tokens_scale", "token", "allocation: k of D = k C**b", 0.0),
    _number("law_optimal_tokens_exponent", "", "allocation: b of D = k C**b", 0.0, 2.0),
    _number("law_optimal_loss_scale", "nat", "allocation: k of L = k C**-c", 0.0),
    _number("law_optimal_loss_exponent", "", "allocation: c of L = k C**-c", 0.0, 2.0),
    *_bounds("law", "params", "parameters"),
    *_bounds("law", "tokens", "tokens"),
    *_bounds("law", "tokens_per_param", "tokens per parameter"),
    *_bounds("law", "flops", "training FLOPs"),
    *_bounds("law", "expansion", "experts per active expert"),
)  # fmt: skip

MOE_LAW = (
    _word("moe_gain_form", "what experts gain a dense law: nothing, by a law of effective experts, or by a leverage",
          "none", "effective_experts", "leverage"),
    _number("moe_experts_start", "", "effective experts of a dense model", 0.0),
    _number("moe_experts_max", "", "effective experts that no number of experts goes beyond", 0.0),
    _number("moe_params_scale", "nat", "a: scale of the term that falls with active parameters", 0.0),
    _number("moe_params_exponent", "", "how fast it falls in a dense model", 0.0, 10.0),
    _number("moe_params_power", "", "power of the effective experts in a", -10.0, 10.0),
    _number("moe_params_slope", "", "what the exponent loses per e-fold of effective experts", -1.0, 1.0),
    _number("moe_tokens_scale", "nat", "b: scale of the term that falls with tokens", 0.0),
    _number("moe_tokens_exponent", "", "how fast it falls in a dense model", 0.0, 10.0),
    _number("moe_tokens_power", "", "power of the effective experts in b", -10.0, 10.0),
    _number("moe_tokens_slope", "", "what the exponent loses per e-fold of effective experts", -1.0, 1.0),
    _number("leverage_exponent", "", "leverage: exponent of the effective activation ratio"),
    _number("leverage_compute_slope", "", "leverage: what the exponent changes per decade of compute"),
    _number("leverage_granularity_square", "", "leverage: what it changes with the square of log2 granularity"),
    _number("leverage_granularity_slope", "", "leverage: what it changes with log2 granularity"),
    _number("leverage_activation_start", "", "leverage: where the activation ratio starts to saturate", 0.0),
    _number("leverage_activation_max", "", "leverage: largest effective activation ratio", 0.0),
    *_bounds("moe", "expansion", "experts per active expert"),
    *_bounds("moe", "flops", "training FLOPs"),
)  # fmt: skip

REPETITION_LAW = (
    _word("repetition_form", "what a repeated token is worth: as much as a new one, or less with every repeat",
          "none", "decay"),
    _number("repetition_tokens_decay", "", "R_D*: repeats after which a token is worth 1/e of a new one", 0.0),
    _number("repetition_params_decay", "", "R_N*: the same of parameters beyond what the unique tokens can use", 0.0),
)  # fmt: skip

PRECISION_LAW = (
    _word("precision_form", "what training in few bits costs: nothing, fewer effective parameters (integers, or the "
          "weights of floats), an added term (floats), or by the format: integers the one, floats the other",
          "none", "kumar", "kumar_float", "capybara", "by_format"),
    _number("kumar_weight_bits", "bit", "gamma_w: how fast more bits of weights pay"),
    _number("kumar_weight_offset", "", "n_w, added in the exponent"),
    _number("kumar_activation_bits", "bit", "gamma_a: how fast more bits of activations pay"),
    _number("kumar_activation_offset", "", "n_a, added in the exponent"),
    _number("kumar_kv_bits", "bit", "gamma_kv: how fast more bits of keys and values pay"),
    _number("kumar_kv_offset", "", "n_kv, added in the exponent"),
    _number("kumar_float_bits", "bit", "gamma_w of floating-point weights"),
    _number("kumar_float_offset", "", "n_w of floating-point weights"),
    _number("capybara_scale", "", "gamma: divides the added term"),
    _number("capybara_params_exponent", "", "alpha: how the added term falls with parameters"),
    _number("capybara_tokens_exponent", "", "beta: how it grows with tokens"),
    _number("capybara_exponent_bits_power", "", "delta: power of the exponent bits"),
    _number("capybara_mantissa_bits_power", "", "nu: power of the mantissa bits"),
)  # fmt: skip

PTQ_LAW = (
    _word("ptq_params_counted", "which parameters this was fitted with", "total", "non_embedding"),
    _number("ptq_scale", "nat", "scale of what quantising after training costs; 0 for nothing", 0.0),
    _number("ptq_tokens_exponent", "", "how it grows with training tokens"),
    _number("ptq_params_exponent", "", "how it falls with parameters"),
    _number("ptq_bits_exponent", "", "how it falls with bits, as a power"),
    _number("ptq_bits_decay", "bit", "bits that cut it to 1/e", 0.0),
    *_bounds("ptq", "bits", "bits a weight"),
    *_bounds("ptq", "params", "parameters"),
    *_bounds("ptq", "tokens", "tokens"),
)  # fmt: skip

SHAPE_LAW = (
    _word("shape_form", "what width and depth do at equal size: nothing, or two terms of their own", "none", "terms"),
    _number("shape_width_scale", "nat", "scale of the term that falls with width", 0.0),
    _number("shape_width_exponent", "", "how fast it falls", 0.0, 10.0),
    _number("shape_depth_scale", "nat", "scale of the term that falls with depth", 0.0),
    _number("shape_depth_exponent", "", "how fast it falls", 0.0, 10.0),
    *_bounds("shape", "width", "channels"),
    *_bounds("shape", "depth", "layers"),
)

VOCABULARY_LAW = (
    _word("vocabulary_form", "how the best vocabulary is found: from compute, from parameters, or on a loss surface",
          "compute", "params", "surface"),
    _number("vocabulary_body_scale", "", "k1 of non-vocabulary parameters = k1 C**0.5", 0.0),
    _number("vocabulary_scale", "", "compute: k2 of vocabulary parameters = k2 C**g", 0.0),
    _number("vocabulary_exponent", "", "g, of compute or of non-vocabulary parameters", 0.0, 2.0),
    _number("vocabulary_reference_params", "", "params: vocabulary parameters at the reference", 0.0),
    _number("vocabulary_reference_body_params", "", "params: non-vocabulary parameters at the reference", 0.0),
    _number("vocabulary_surface_scale", "nat", "surface: A2, of the term in millions of vocabulary parameters", 0.0),
    _number("vocabulary_surface_exponent", "", "surface: alpha2", 0.0, 10.0),
    _number("vocabulary_tokens_scale", "nat", "surface: B, of the term in billions of tokens", 0.0),
    _number("vocabulary_tokens_exponent", "", "surface: beta", 0.0, 10.0),
)  # fmt: skip

HYPERPARAMETER_LAW = (
    _number("rate_scale", "", "k of the learning rate k N**n D**d C**c E**e", 0.0),
    _number("rate_params_exponent", "", "n of the learning rate"),
    _number("rate_tokens_exponent", "", "d of the learning rate"),
    _number("rate_compute_exponent", "", "c of the learning rate, compute without the head"),
    _number("rate_experts_exponent", "", "e of the learning rate"),
    _number("batch_scale", "token", "k of the batch k D**d C**c", 0.0),
    _number("batch_tokens_exponent", "", "d of the batch"),
    _number("batch_compute_exponent", "", "c of the batch, compute without the head"),
)

BATCH_LAW = (
    _number("critical_batch_scale", "token", "k of the critical batch k (N / 1e6)**n L**-l", 0.0),
    _number("critical_batch_params_exponent", "", "n of the critical batch"),
    _number("critical_batch_loss_exponent", "", "l of the critical batch"),
)

DRAW = (
    _number("draw_floor_nats", "nat", "E of a draw; nan for the law as printed"),
    _number("draw_params_scale", "nat", "A of a draw"),
    _number("draw_params_exponent", "", "alpha of a draw"),
    _number("draw_tokens_scale", "nat", "B of a draw"),
    _number("draw_tokens_exponent", "", "beta of a draw"),
)

OTHER = (
    _number("unique_tokens", "token", "tokens of unique text; inf when nothing is repeated", 1.0),
    _number("train_batch_tokens", "token", "tokens of one optimiser step", 1.0),
    _word("train_number_kind", "kind of number the training matmuls are done in", "float", "integer"),
    _number("train_weight_bits", "bit", "bits of a weight in the training matmuls", 1.0, 64.0),
    _number("train_activation_bits", "bit", "bits of an activation in the training matmuls", 1.0, 64.0),
    _number("train_kv_bits", "bit", "bits of keys and values in training", 1.0, 64.0),
    _number("train_exponent_bits", "bit", "exponent bits of the training format, when it is a float", 0.0, 16.0),
    _number("train_mantissa_bits", "bit", "mantissa bits of the training format, when it is a float", 0.0, 64.0),
    _number("train_scale_block", "", "elements that share a scale in training; 1 where a scale loses nothing", 1.0),
    _number("served_bits", "bit", "bits of a served weight, without its scales", 0.1, 64.0),
    _number("reference_aspect_ratio", "", "width over depth that a shape correction is measured from", 1.0),
    _word("vocabulary_correction", "whether loss_nats has the experimental penalty of another vocabulary than the best",
          "off", "on"),
    _number("chars_a", "", "a of tokens per character a ln(V)**2 + b ln(V) + c"),
    _number("chars_b", "", "b of tokens per character"),
    _number("chars_c", "", "c of tokens per character"),
    _number("chars_vocab_cap", "", "vocabulary beyond which a character takes no fewer tokens"),
)  # fmt: skip

LAW_INPUTS: tuple[Input, ...] = (
    *LAW,
    *DRAW,
    *MOE_LAW,
    *REPETITION_LAW,
    *PRECISION_LAW,
    *PTQ_LAW,
    *SHAPE_LAW,
    *VOCABULARY_LAW,
    *HYPERPARAMETER_LAW,
    *BATCH_LAW,
    *OTHER,
)
