"""The vocabulary: tokens a character takes, the best size for a model or a budget, and what another size costs."""

from kernels.graph import metric
from kernels.roots import surface_vocabulary
from kernels.scalar import log

TAO = "Tao et al. 2024, arXiv:2407.13623"


@metric(unit="token/char", source=f"{TAO}, section 2: byte-pair encoding of SlimPajama-like English")
def tokens_per_char(vocab_size, chars_a, chars_b, chars_c, chars_vocab_cap):
    """Tokens one character of text takes."""
    size = log(min(vocab_size, chars_vocab_cap))
    return chars_a * size * size + chars_b * size + chars_c


@metric(unit="", source=f"{TAO}: N_nv, everything but the vocabulary matrices")
def body_params(params_active_non_embedding):
    """Parameters that are not of the vocabulary."""
    return 1.0 * params_active_non_embedding


@metric(unit="FLOP", source=f"{TAO}, section 4.1: N_nv = k1 C**0.5")
def vocabulary_flops(body_params, vocabulary_body_scale):
    """Compute at which a body of this size is trained best, which the best vocabulary is found for."""
    return (body_params / vocabulary_body_scale) ** 2.0


@metric(unit="", source=f"{TAO}, section 4.3; the root of the derivative of the surface at equal compute")
def surface_vocab_size(
    body_params,
    embedding_width,
    vocabulary_flops,
    vocabulary_surface_scale,
    vocabulary_surface_exponent,
    vocabulary_tokens_scale,
    vocabulary_tokens_exponent,
):
    """Best vocabulary on the loss surface."""
    return surface_vocabulary(
        body_params,
        embedding_width,
        vocabulary_flops,
        vocabulary_surface_scale,
        vocabulary_surface_exponent,
        vocabulary_tokens_scale,
        vocabulary_tokens_exponent,
    )


@metric(unit="", source=f"{TAO}, sections 4.1 to 4.3")
def optimal_vocab_size(
    vocabulary_form,
    embedding_width,
    body_params,
    vocabulary_flops,
    vocabulary_scale,
    vocabulary_exponent,
    vocabulary_reference_params,
    vocabulary_reference_body_params,
    surface_vocab_size,
):
    """Rows of the embedding table that serve a model of this body and width best."""
    by_compute = vocabulary_scale * vocabulary_flops**vocabulary_exponent
    by_params = vocabulary_reference_params * (body_params / vocabulary_reference_body_params) ** vocabulary_exponent
    by_formula = (by_compute if vocabulary_form == "compute" else by_params) / embedding_width
    return surface_vocab_size if vocabulary_form == "surface" else by_formula


@metric(unit="nat", source=f"{TAO}, section 4.3: the surface at equal compute; only its differences mean anything")
def vocabulary_penalty_nats(
    vocabulary_correction,
    vocab_size,
    surface_vocab_size,
    embedding_width,
    body_params,
    vocabulary_flops,
    vocabulary_surface_scale,
    vocabulary_surface_exponent,
    vocabulary_tokens_scale,
    vocabulary_tokens_exponent,
):
    """Experimental: loss of this vocabulary less that of the surface's best, at equal compute; off by default."""
    million = body_params / 1e6
    own = vocab_size * embedding_width / 1e6
    best = surface_vocab_size * embedding_width / 1e6
    budget = vocabulary_flops / 6e15
    own_tokens = budget / (million + own)
    best_tokens = budget / (million + best)
    of_size = own ** (-vocabulary_surface_exponent) - best ** (-vocabulary_surface_exponent)
    of_tokens = own_tokens ** (-vocabulary_tokens_exponent) - best_tokens ** (-vocabulary_tokens_exponent)
    penalty = vocabulary_surface_scale * of_size + vocabulary_tokens_scale * of_tokens
    return penalty if vocabulary_correction == "on" else 0.0
