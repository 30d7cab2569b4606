"""Tao et al. 2024, arXiv:2407.13623: tokens of a character, the best vocabulary, and what another one costs."""

import math

import mpmath  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from tests import naive_laws
from tests.law_designs import Inputs, inputs, value, values

VOCAB = st.integers(1000, 200_000)
BODY = st.floats(7.0, 12.5).map(lambda x: int(10.0**x))
WIDTH = st.integers(2, 200).map(lambda k: 128 * k)


def model(body: int, width: int, record: str = "tao_a3") -> Inputs:
    design = inputs("besiroglu_2024", vocabulary_law=record)
    return design | {"params_active_non_embedding": body, "hidden_size": width, "vocabulary_correction": 1}


@given(st.integers(2, 2**24))
@settings(deadline=None)
def test_tokens_of_a_character_are_the_papers(vocab: int) -> None:
    """The parabola is the difference of two terms near 2: 1e-14."""
    found = values(["tokens_per_char", "bits_per_char"], inputs("besiroglu_2024"), vocab_size=vocab, loss_nats=2.0)
    exact = float(naive_laws.tokens_per_char(mpf(vocab)))
    assert found["tokens_per_char"] == pytest.approx(exact, rel=1e-13)
    assert found["bits_per_char"] == pytest.approx(2.0 * exact / math.log(2.0), rel=1e-13)


@given(VOCAB, st.floats(1.001, 50.0), st.integers(1, 2**24))
@settings(deadline=None)
def test_a_larger_vocabulary_takes_fewer_tokens_up_to_the_cap(vocab: int, more: float, beyond: int) -> None:
    few, many = sorted((vocab, min(200_000, int(vocab * more))))
    design = inputs("besiroglu_2024")
    at_few, at_many = (value("tokens_per_char", design, vocab_size=v) for v in (few, many))
    assert at_many < at_few or few == many
    at_cap = value("tokens_per_char", design, vocab_size=200_000)
    assert value("tokens_per_char", design, vocab_size=200_000 + beyond) == at_cap


@pytest.mark.parametrize(
    ("body", "width", "by_compute", "by_params", "by_surface"),
    [  # integer parts equal the output of the authors' script, with their widths
        (3e9, 3200, 39367.882, 42538.939, 36648.056),
        (13e9, 5120, 83429.463, 90503.672, 81347.272),
        (70e9, 8192, 211860.46, 230861.2, 217961.3),
        (300e9, 16384, 355894.39, 389324.29, 383659.3),
    ],
)
def test_published_vocabularies(
    body: float, width: int, by_compute: float, by_params: float, by_surface: float
) -> None:
    for record, expected in (("tao_a1", by_compute), ("tao_a2", by_params), ("tao_a3", by_surface)):
        assert value("optimal_vocab_size", model(int(body), width, record)) == pytest.approx(expected, rel=1e-7)


def test_published_vocabulary_of_llama_2_70b() -> None:
    """The abstract: at least 216,000 entries rather than 32,000."""
    assert value("optimal_vocab_size", model(70 * 10**9, 8192)) == pytest.approx(216e3, rel=0.02)


@given(BODY, WIDTH, st.sampled_from(["tao_a1", "tao_a2", "tao_a3"]))
@settings(deadline=None, max_examples=40)
def test_best_vocabulary_is_the_papers(body: int, width: int, record: str) -> None:
    """The surface's by trying at 40 digits."""
    exact = float(naive_laws.best_vocabulary(record, mpf(body), mpf(width)))
    assert value("optimal_vocab_size", model(body, width, record)) == pytest.approx(exact, rel=1e-10)


@given(BODY, WIDTH, st.integers(100, 2**22))
@settings(deadline=None)
def test_no_vocabulary_is_better_than_the_best_on_the_surface(body: int, width: int, vocab: int) -> None:
    """The penalty is the surface there less at the best, at equal compute; off unless it is asked for."""
    design = model(body, width)
    found = values(["vocabulary_penalty_nats", "optimal_vocab_size"], design, vocab_size=vocab)
    flops = naive_laws.vocabulary_body_flops(mpf(body))
    own, best = (
        naive_laws.vocabulary_surface(mpf(v), mpf(body), mpf(width), flops)
        for v in (vocab, found["optimal_vocab_size"])
    )
    assert found["vocabulary_penalty_nats"] == pytest.approx(float(own - best), rel=1e-9, abs=1e-14)
    assert found["vocabulary_penalty_nats"] >= -1e-14
    off = {"vocabulary_correction": 0, "vocab_size": vocab}
    assert value("vocabulary_penalty_nats", design, **off) == 0.0


@given(BODY, WIDTH, st.floats(1.05, 20.0))
@settings(deadline=None)
def test_a_larger_body_wants_a_larger_vocabulary(body: int, width: int, more: float) -> None:
    for record in ("tao_a1", "tao_a2", "tao_a3"):
        small, large = (value("optimal_vocab_size", model(b, width, record)) for b in (body, int(body * more)))
        assert small < large


def test_the_surface_is_flat_at_the_best() -> None:
    """A derivative at 40 digits."""
    body, width = mpf(7 * 10**9), mpf(4096)
    best = naive_laws.best_vocabulary("tao_a3", body, width)
    flops = naive_laws.vocabulary_body_flops(body)
    slope = mpmath.diff(lambda v: naive_laws.vocabulary_surface(v, body, width, flops), best)
    assert abs(slope * best) < 1e-15
