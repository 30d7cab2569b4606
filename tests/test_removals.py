"""What conditions remove where designs are too many for plain Python: compiled walks beside polars."""

import polars as pl
import pytest

import sweep
from sweep.emptiness import why_empty
from sweep.removals import tally
from sweep.resolve import loads, narrow

SPEC = """
name = "long"
columns = ["params_total", "weight_bytes", "kv_cache_bytes"]
[axes]
hidden_size = { start = 1024, stop = 8192, step = 128 }
num_layers = { start = 8, stop = 120, step = 1 }
precision = ["bf16", "fp8_e4m3", "int4_g128"]
batch_size = [1, 8]
"""
COLUMNS = ["hidden_size", "num_layers", "params_total", "weight_bytes", "kv_cache_bytes"]
CONDITIONS = {
    "params_total >= 2e10": pl.col("params_total") >= 2e10,
    "weight_bytes < 8e9": pl.col("weight_bytes") < 8e9,
    "0.4e9 >= kv_cache_bytes": pl.col("kv_cache_bytes") <= 0.4e9,
    "hidden_size >= 64 * num_layers": pl.col("hidden_size") >= 64 * pl.col("num_layers"),
}


def test_counts_and_relaxed_numbers_agree_with_polars() -> None:
    frame = sweep.loads(SPEC).scan().select(COLUMNS).collect()
    found = why_empty(narrow(loads(SPEC), CONDITIONS))
    assert len(frame.filter(*CONDITIONS.values())) == 0
    assert found.is_empty
    assert [loss.text for loss in found.losses] == list(CONDITIONS)
    before: list[pl.Expr] = []
    for loss in found.losses:
        kept = CONDITIONS[loss.text]
        others = [other for text, other in CONDITIONS.items() if text != loss.text]
        assert loss.removed == len(frame.filter(~kept))
        assert loss.share == pytest.approx(loss.removed / len(frame))
        assert loss.alone == len(frame.filter(~kept, *others))
        before.append(kept)
        assert loss.left == len(frame.filter(*before))
        relaxed = [r for r in found.relaxations if r.text == loss.text]
        assert bool(relaxed) == bool(loss.alone and "num_layers" not in loss.text)
        for relaxation in relaxed:
            reached = frame.filter(*others)[relaxation.expression]
            assert relaxation.best == (reached.min() if relaxation.sense in ("<", "<=") else reached.max())
    assert found.relaxations


def test_what_no_condition_looks_at_is_multiplied() -> None:
    """Counted over 57 widths and 113 depths, whatever stands beside them."""
    more = SPEC.replace("batch_size = [1, 8]", "batch_size = { start = 1, stop = 100000, step = 1 }")
    space = narrow(loads(more), ["hidden_size >= 64 * num_layers"])
    found = tally(space, largest=57 * 113)
    wide = sum(h >= 64 * layers for h in range(1024, 8193, 128) for layers in range(8, 121))
    assert found.is_exact
    assert (found.designs, found.left) == (57 * 113 * 300_000, wide * 300_000)
    assert not tally(space, largest=57 * 113 - 1).is_exact


def test_a_sample_is_near_the_count() -> None:
    space = narrow(loads(SPEC), CONDITIONS)
    exact, sampled = tally(space), tally(space, largest=0)
    assert (sampled.designs, sampled.counted) == (exact.designs, 200_000)
    for k in range(len(exact.conditions)):
        share = exact.share(exact.removed(k))
        spread = (share * (1 - share) / 200_000) ** 0.5
        assert sampled.share(sampled.removed(k)) == pytest.approx(share, abs=5 * spread + 1e-12)
        assert sampled.of_all(sampled.removed(k)) == pytest.approx(exact.removed(k), rel=0.02)
