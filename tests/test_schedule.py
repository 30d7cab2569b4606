"""Learning rates and batches that fitted laws suggest, and what a batch costs in tokens and in steps."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf  # type: ignore[import-untyped]

from tests import naive_laws
from tests.law_designs import TOKENS, inputs, value, values

BATCH = st.floats(3.0, 9.0).map(lambda x: 10.0**x)
SIZE = st.floats(6.0, 12.0).map(lambda x: int(10.0**x))
RATE, SUGGESTED, CRITICAL = "optimal_learning_rate", "optimal_batch_tokens", "critical_batch_tokens"


@pytest.mark.parametrize(
    ("record", "params", "tokens", "flops_per_token", "rate", "batch"),
    [  # closed form at 40 digits of the published formulas; the last two of 1e20 FLOPs
        ("step_law", 1e9, 1e11, 1.0, 0.00163249940244708, 1107714.88996842),
        ("deepseek_hparams", 1e9, 1e10, 1e10, 9.85998174440501e-4, 1017144.95990515),
        ("ling_hparams", 1e9, 1e10, 1e10, 0.00101288121820328, 1346974.79904939),
    ],
)
def test_suggestions_are_the_reference_values(
    record: str, params: float, tokens: float, flops_per_token: float, rate: float, batch: float
) -> None:
    design = inputs("besiroglu_2024", hyperparameter_law=record) | {"train_tokens": tokens}
    design |= {"params_active_non_embedding": int(params), "non_embedding_flops_per_token": flops_per_token}
    assert list(values([RATE, SUGGESTED], design).values()) == pytest.approx([rate, batch], rel=1e-12)


@given(SIZE, st.integers(1, 64))
@settings(deadline=None)
def test_learning_rate_of_the_joint_law(params: int, experts: int) -> None:
    """Ludziejewski et al. 2025, arXiv:2502.05172, equation 8: exp(8.39 - 0.81 ln N - 0.25 ln E); no batch stated."""
    design = inputs("joint_moe", hyperparameter_law="joint_moe_lr") | {"params_active_non_embedding": params}
    expected = math.exp(8.39 - 0.81 * math.log(params) - 0.25 * math.log(experts))
    assert value(RATE, design, expert_expansion=float(experts)) == pytest.approx(expected, rel=1e-12)
    assert math.isnan(value(SUGGESTED, design))


@given(st.floats(1.5, 8.0))
@settings(deadline=None)
def test_critical_batch_of_a_loss(loss: float) -> None:
    """Kaplan et al. 2020, arXiv:2001.08361, equation 1.4: 1.12e6 tokens at 3 nats."""
    design = inputs("besiroglu_2024", batch_law="kaplan_bcrit")
    exact = float(naive_laws.kaplan_critical_batch(mpf(loss)))
    assert value(CRITICAL, design, loss_nats=loss) == pytest.approx(exact, rel=1e-13)
    assert value(CRITICAL, design, loss_nats=3.0) == pytest.approx(1122569.71074743, rel=1e-12)


def test_critical_batch_of_a_size() -> None:
    """Zhang et al. 2024, arXiv:2410.21676: sequences of 512 tokens, at 151M."""
    for record, sequences in (("cbs_zhang_chinchilla", 985.224215280293), ("cbs_zhang_fixed_data", 961.39311245906)):
        found = value(CRITICAL, inputs("besiroglu_2024", batch_law=record), law_active_params=151e6)
        assert found / 512 == pytest.approx(sequences, rel=1e-12)


@given(BATCH, BATCH)
@settings(deadline=None)
def test_what_a_batch_costs_is_mccandlishs_relation(batch: float, critical: float) -> None:
    """(S / S_min - 1) (E / E_min - 1) = 1 with S_min = E_min / B_crit, solved by halving a bracket."""
    names = ["batch_steps_overhead", "batch_tokens_overhead"]
    given_ = {"train_batch_tokens": batch, CRITICAL: critical}
    steps, tokens = values(names, inputs("besiroglu_2024"), **given_).values()
    exact = naive_laws.steps_overhead(mpf(batch) / mpf(critical))
    assert steps == pytest.approx(float(exact), rel=1e-12)
    assert tokens == pytest.approx(float(exact * mpf(batch) / mpf(critical)), rel=1e-12)
    assert (steps - 1.0) * (tokens - 1.0) == pytest.approx(1.0, rel=1e-6)


def test_the_critical_batch_takes_twice_the_steps_and_twice_the_tokens() -> None:
    names = ["batch_steps_overhead", "batch_tokens_overhead"]
    same = {"train_batch_tokens": 1e6, CRITICAL: 1e6}
    assert list(values(names, inputs("besiroglu_2024"), **same).values()) == [2.0, 2.0]


@given(st.floats(6.0, 11.0).map(lambda x: 10.0**x), TOKENS, BATCH)
@settings(deadline=None, max_examples=40)
def test_steps_of_an_endless_batch_are_those_of_the_loss_they_reach(params: float, tokens: float, batch: float) -> None:
    """Kaplan et al. 2020, arXiv:2001.08361, equations 1.6 and 5.4: B_crit depends on L and L on S_min."""
    where = {"law_params": params, "law_active_params": params, "train_tokens": tokens, "train_batch_tokens": batch}
    found = values(["loss_nats", "min_training_steps", "training_steps"], inputs("kaplan_L_NS"), **where)
    run = naive_laws.Run(mpf(params), mpf(tokens), batch=mpf(batch))
    loss = naive_laws.kaplan_size_and_steps(run)
    assert found["loss_nats"] == pytest.approx(float(loss), rel=1e-12)
    assert found["min_training_steps"] == pytest.approx(float(naive_laws.kaplan_min_steps(run, loss)), rel=1e-11)
    assert found["min_training_steps"] < found["training_steps"] == tokens / batch
    assert value("min_training_steps", inputs("besiroglu_2024"), **where) == found["training_steps"]


@given(SIZE)
@settings(deadline=None)
def test_tokens_that_keep_a_model_from_overfitting(params: int) -> None:
    """Kaplan et al. 2020, equation 4.4: 5e3 N**0.74, 2.29e10 at 1e9."""
    found = value("overfitting_free_tokens", inputs("kaplan_L_ND"), params_active_non_embedding=params)
    assert found == pytest.approx(22854409480.7438 * (params / 1e9) ** 0.74, rel=1e-12)
