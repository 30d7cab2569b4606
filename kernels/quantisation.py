"""What quantising after training adds to the loss: a column apart, never in the loss as trained."""

from kernels.graph import metric
from kernels.scalar import exp, log

QUANTISED = "Ouyang et al. 2024, arXiv:2411.17691, equation 8; Kumar et al. 2024, arXiv:2411.04330, equation 2"


@metric(unit="nat", source=QUANTISED)
def ptq_penalty_unclipped_nats(
    served_bits,
    train_weight_bits,
    train_tokens,
    ptq_params_counted,
    params_active,
    params_active_non_embedding,
    ptq_scale,
    ptq_tokens_exponent,
    ptq_params_exponent,
    ptq_bits_exponent,
    ptq_bits_decay,
):
    """What serving in fewer bits than were trained in adds to the loss, as the law says however far outside it is."""
    params = params_active_non_embedding if ptq_params_counted == "non_embedding" else params_active
    size = train_tokens**ptq_tokens_exponent * params ** (-ptq_params_exponent)
    bits = exp(-served_bits / ptq_bits_decay) * served_bits ** (-ptq_bits_exponent)
    return ptq_scale * size * bits if served_bits < min(16.0, train_weight_bits) else 0.0


@metric(unit="nat", source=f"{QUANTISED}; clipped: no model need be worse than guessing evenly among the vocabulary")
def ptq_penalty_nats(ptq_penalty_unclipped_nats, loss_nats, vocab_size):
    """What serving in fewer bits than were trained in adds to the loss; never in loss_nats, always apart."""
    return min(ptq_penalty_unclipped_nats, max(0.0, log(vocab_size) - loss_nats))


@metric(unit="nat", source=QUANTISED)
def served_loss_nats(loss_nats, ptq_penalty_nats):
    """Predicted loss as served: as trained, and what quantising after training adds."""
    return loss_nats + ptq_penalty_nats


@metric(unit="", source="the record of the correction")
def ptq_in_fitted_range(
    served_bits,
    ptq_min_bits,
    ptq_max_bits,
    ptq_params_counted,
    params_active,
    params_active_non_embedding,
    ptq_min_params,
    ptq_max_params,
    train_tokens,
    ptq_min_tokens,
    ptq_max_tokens,
    train_weight_bits,
):
    """1 when bits, parameters and tokens lie among the models quantisation was measured on, or nothing is quantised."""
    params = params_active_non_embedding if ptq_params_counted == "non_embedding" else params_active
    bits = not (served_bits < ptq_min_bits or served_bits > ptq_max_bits)
    size = not (params < ptq_min_params or params > ptq_max_params)
    tokens = not (train_tokens < ptq_min_tokens or train_tokens > ptq_max_tokens)
    return not (served_bits < min(16.0, train_weight_bits)) or (bits and size and tokens)
