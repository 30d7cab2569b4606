"""Traffic between GPUs: against a ring that sends its messages one by one, and against what was timed."""

import math

import pytest

from kernels.collectives import (
    serve_all_reduce_s_per_byte,
    serve_all_to_all_latency_s,
    serve_all_to_all_s_per_token,
    serve_attention_gpus,
    serve_collective_latency_s,
    serve_domain_gpus,
)
from sweep import catalogue
from tests.fit_collectives import fitted, rows

UP, OUT, SHARE = 450e9, 400e9, 0.8  # of a Hopper node: bytes a second, bits a second


def ring_s(gpus: int, size: float, byte_per_s: float) -> float:
    """Every GPU passes a part of the message on, all at once: once round to add up, once round to hand out."""
    return sum(size / gpus / byte_per_s for _ in ("add up", "hand out") for _ in range(gpus - 1))


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_within_a_domain_the_bytes_go_round_a_ring(gpus: int) -> None:
    inside = serve_domain_gpus(gpus, 8)
    assert inside == gpus
    each = serve_all_reduce_s_per_byte(gpus, inside, UP, OUT, SHARE)
    assert 1e6 * each == pytest.approx(ring_s(gpus, 1e6, UP * SHARE), rel=1e-12)


@pytest.mark.parametrize("domains", [2, 4])
def test_between_domains_every_gpu_takes_its_part_over_its_own_adapter(domains: int) -> None:
    gpus = 8 * domains
    each = serve_all_reduce_s_per_byte(gpus, serve_domain_gpus(gpus, 8), UP, OUT, SHARE)
    parts = ring_s(8, 1e6, UP * SHARE) + ring_s(domains, 1e6 / 8, OUT / 8 * SHARE)
    assert 1e6 * each == pytest.approx(parts, rel=1e-12)


def test_without_a_scale_up_link_everything_goes_over_the_network() -> None:
    inside = serve_domain_gpus(4, 1)
    each = serve_all_reduce_s_per_byte(4, inside, math.nan, OUT, SHARE)
    assert 1e6 * each == pytest.approx(ring_s(4, 1e6, OUT / 8 * SHARE), rel=1e-12)


def test_a_link_that_nobody_states_matters_only_between_gpus() -> None:
    assert serve_all_reduce_s_per_byte(1, 1, math.nan, math.nan, SHARE) == 0.0
    assert math.isnan(serve_all_reduce_s_per_byte(2, 2, math.nan, OUT, SHARE))
    assert math.isnan(serve_all_reduce_s_per_byte(16, 8, UP, math.nan, SHARE))
    assert serve_collective_latency_s(1, 1, 5e-6, 2e-6, 8, 1e-5, 1.0) == 0.0
    assert serve_collective_latency_s(16, 8, 5e-6, 2e-6, 8, 1e-5, 1.0) == pytest.approx(5e-6 + 7 * 2e-6 + 1e-5)
    assert serve_collective_latency_s(72, 72, 5e-6, 2e-6, 8, 1e-5, 0.5) == pytest.approx(0.5 * (5e-6 + 7 * 2e-6))


def test_tokens_go_to_experts_only_where_groups_share_the_sequences() -> None:
    """8 experts a token, 4096 numbers of 2 bytes: a GPU sends 7 of 8 copies of its eighth of the tokens."""
    assert serve_attention_gpus(8, 8) == 1
    assert serve_all_to_all_latency_s(1, 8, 8, 5e-6, 2e-6, 1e-5, 1.0) == 0.0
    assert serve_all_to_all_s_per_token(1, 8, 8, 4096, 8, UP, OUT, SHARE) == 0.0
    within = serve_all_to_all_s_per_token(8, 8, 8, 4096, 8, UP, OUT, SHARE)
    assert within == pytest.approx(8 * 4096 * 2 / 8 * 7 / 8 / (UP * SHARE), rel=1e-12)
    # over two domains half of the copies leave, over adapters that are slower
    apart = serve_all_to_all_s_per_token(16, 16, 8, 4096, 8, UP, OUT, SHARE)
    assert apart == pytest.approx(8 * 4096 * 2 / 16 / 2 / (OUT / 8 * SHARE), rel=1e-12)


def test_the_columns_are_what_the_timings_give() -> None:
    """data/collectives.csv; small all-reduces are met within 4 %."""
    gpus = catalogue.records("gpu")
    for name, (base, hop, share, worst) in fitted().items():
        assert worst < 0.04
        found = gpus[name].values
        assert float(found["gpu_collective_base_s"]) == pytest.approx(base, rel=5e-3)
        assert float(found["gpu_collective_hop_s"]) == pytest.approx(hop, rel=5e-3)
        assert float(found["gpu_collective_share"]) == pytest.approx(share, rel=5e-3)
    for row in rows():
        card, number = gpus[row["gpu"]].values, float(row["gpus"])
        fixed = (card["gpu_collective_base_s"], card["gpu_collective_hop_s"])
        latency = serve_collective_latency_s(number, number, *fixed, 8, 0.0, 1.0)
        assert latency == pytest.approx(float(row["latency_floor_us"]) * 1e-6, rel=0.04)
