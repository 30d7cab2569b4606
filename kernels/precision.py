"""What training in few bits costs: fewer effective parameters (Kumar et al.) or an added term (Capybara)."""

from kernels.graph import metric
from kernels.roots import optimal_bits
from kernels.scalar import exp, log2

KUMAR = "Kumar et al. 2024, arXiv:2411.04330, equations 3 and 4 with the offsets of appendix K, table 2"
CAPYBARA = "Sun et al. 2025 (Capybara), arXiv:2501.02423, equation 26"


@metric(unit="", source=KUMAR)
def kumar_applies(law_precision, precision_form, train_number_kind):
    """1 when few bits cost effective parameters, by weights, activations and cache."""
    asked = precision_form == "kumar" or (precision_form == "by_format" and train_number_kind == "integer")
    return law_precision == "kumar" or (law_precision == "transferred" and asked)


@metric(unit="", source="Kumar et al. 2024, arXiv:2411.04330, appendix N")
def kumar_float_applies(law_precision, precision_form):
    """1 when few bits of floating-point weights cost effective parameters."""
    return law_precision == "kumar_float" or (law_precision == "transferred" and precision_form == "kumar_float")


@metric(unit="", source=CAPYBARA)
def capybara_applies(law_precision, precision_form, train_number_kind):
    """1 when few bits of a float add a term to the loss."""
    asked = precision_form == "capybara" or (precision_form == "by_format" and train_number_kind == "float")
    return law_precision == "capybara" or (law_precision == "transferred" and asked)


@metric(unit="", source=KUMAR)
def kumar_weight_factor(train_weight_bits, kumar_weight_bits, kumar_weight_offset):
    """Share of the parameters left by this many bits of weights; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_weight_bits / kumar_weight_bits + kumar_weight_offset))


@metric(unit="", source=KUMAR)
def kumar_activation_factor(train_activation_bits, kumar_activation_bits, kumar_activation_offset):
    """Share of the parameters left by this many bits of activations; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_activation_bits / kumar_activation_bits + kumar_activation_offset))


@metric(unit="", source=KUMAR)
def kumar_kv_factor(train_kv_bits, kumar_kv_bits, kumar_kv_offset):
    """Share of the parameters left by this many bits of keys and values; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_kv_bits / kumar_kv_bits + kumar_kv_offset))


@metric(unit="", source="Kumar et al. 2024, arXiv:2411.04330, appendix N; sign of the offset as for integers")
def kumar_float_factor(train_weight_bits, kumar_float_bits, kumar_float_offset):
    """Share of the parameters left by this many bits of floating-point weights."""
    return max(0.0, 1.0 - exp(-train_weight_bits / kumar_float_bits + kumar_float_offset))


@metric(unit="", source=f"{KUMAR}; transferred to another law, the factor is over its value at 16 bits")
def precision_params_factor(
    kumar_applies,
    kumar_float_applies,
    law_precision,
    kumar_weight_factor,
    kumar_activation_factor,
    kumar_kv_factor,
    kumar_weight_bits,
    kumar_weight_offset,
    kumar_activation_bits,
    kumar_activation_offset,
    kumar_kv_bits,
    kumar_kv_offset,
    kumar_float_factor,
    kumar_float_bits,
    kumar_float_offset,
):
    """What is left of the parameters by training in few bits; 1 at 16 bits under a law fitted in 16 bits."""
    weights = 1.0 - exp(-16.0 / kumar_weight_bits + kumar_weight_offset)
    activations = 1.0 - exp(-16.0 / kumar_activation_bits + kumar_activation_offset)
    cached = 1.0 - exp(-16.0 / kumar_kv_bits + kumar_kv_offset)
    full = weights * activations * cached if law_precision == "transferred" else 1.0
    full_float = 1.0 - exp(-16.0 / kumar_float_bits + kumar_float_offset) if law_precision == "transferred" else 1.0
    integer = min(1.0, kumar_weight_factor * kumar_activation_factor * kumar_kv_factor / full)
    floating = min(1.0, kumar_float_factor / full_float)
    return integer if kumar_applies else (floating if kumar_float_applies else 1.0)


@metric(unit="bit", source="Kumar et al. 2024, arXiv:2411.04330, equation 5: cost in proportion to N D P, alpha = beta")
def optimal_train_bits(
    kumar_weight_bits,
    kumar_weight_offset,
    kumar_activation_bits,
    kumar_activation_offset,
    kumar_kv_bits,
    kumar_kv_offset,
):
    """Bits of weights, activations and cache that train the best model of a budget when cost grows with bits."""
    return optimal_bits(
        kumar_weight_bits,
        kumar_weight_offset,
        kumar_activation_bits,
        kumar_activation_offset,
        kumar_kv_bits,
        kumar_kv_offset,
    )


@metric(unit="", source=f"{CAPYBARA}; formats of 16 bits and more are its own baseline")
def capybara_coefficient(
    capybara_applies,
    train_weight_bits,
    train_exponent_bits,
    train_mantissa_bits,
    train_scale_block,
    capybara_scale,
    capybara_exponent_bits_power,
    capybara_mantissa_bits_power,
):
    """What the format puts before D**beta / N**alpha in the term that few bits add; 0 at 16 bits."""
    exponent = (train_exponent_bits + 0.5) ** capybara_exponent_bits_power
    mantissa = (train_mantissa_bits + 0.5) ** capybara_mantissa_bits_power
    coefficient = log2(train_scale_block) / (capybara_scale * exponent * mantissa)
    return coefficient if capybara_applies and train_weight_bits < 16.0 else 0.0


@metric(unit="", source=CAPYBARA)
def capybara_params_factor(capybara_coefficient, params_active_non_embedding, capybara_params_exponent):
    """The part of the added term that is the model's: coefficient over N**alpha."""
    factor = capybara_coefficient * params_active_non_embedding ** (-capybara_params_exponent)
    return factor if capybara_coefficient > 0.0 else 0.0


@metric(unit="", source=CAPYBARA)
def capybara_tokens_factor(capybara_coefficient, train_tokens, capybara_tokens_exponent):
    """The part of the added term that is the tokens': D**beta."""
    return train_tokens**capybara_tokens_exponent if capybara_coefficient > 0.0 else 0.0


@metric(unit="nat", source=CAPYBARA)
def capybara_penalty_nats(capybara_params_factor, capybara_tokens_factor):
    """What training in a float of few bits adds to the loss."""
    return capybara_params_factor * capybara_tokens_factor


@metric(unit="token", source="Sun et al. 2025, arXiv:2501.02423, equation 41: where more tokens stop helping")
def critical_tokens(
    loss_tokens_scale,
    loss_tokens_exponent,
    capybara_params_factor,
    capybara_tokens_exponent,
):
    """Tokens beyond which training in this format gets worse: where the law's term and the added one balance."""
    falling = loss_tokens_exponent * loss_tokens_scale
    rising = capybara_tokens_exponent * capybara_params_factor
    return (falling / rising) ** (1.0 / (loss_tokens_exponent + capybara_tokens_exponent))


@metric(unit="bit", source="Sun et al. 2025, arXiv:2501.02423, equation 31")
def optimal_mantissa_bits(train_weight_bits, capybara_exponent_bits_power, capybara_mantissa_bits_power):
    """Mantissa bits of the best float of train_weight_bits, not rounded."""
    both = capybara_exponent_bits_power + capybara_mantissa_bits_power
    return capybara_mantissa_bits_power * train_weight_bits / both - 0.5


@metric(unit="bit", source="Sun et al. 2025, arXiv:2501.02423, equation 31")
def optimal_exponent_bits(train_weight_bits, capybara_exponent_bits_power, capybara_mantissa_bits_power):
    """Exponent bits of the best float of train_weight_bits, not rounded."""
    both = capybara_exponent_bits_power + capybara_mantissa_bits_power
    return capybara_exponent_bits_power * train_weight_bits / both - 0.5
