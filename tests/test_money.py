"""Prices of a GPU-hour, dollars by token, drafts, pools: reference values, laws, and what stays as it was."""

import math

import polars as pl
import pytest

from kernels.disaggregation import kv_transfer_bytes
from kernels.price import gpu_hour_usd, owned_gpu_hour_usd
from kernels.speculative import draft_expected_tokens
from sweep import catalogue, opensql
from sweep.cli.listing import listing
from sweep.cli.shared import notes
from sweep.errors import SpecError
from sweep.resolve import loads
from tests.test_laws_of_metrics import Design, value, values

PAID = ["train_usd", "serve_usd_per_million_tokens", "lifetime_usd"]
BY_TOKEN = ["serve_usd_per_million_input_tokens", "serve_usd_per_million_output_tokens"]
PRICED: Design = {"gpu": "h100_sxm", "price": "on_demand"}


# ------------------------------------------------------------------------------------------------------------ prices


@pytest.mark.parametrize(
    ("price", "column"),
    [
        ("on_demand", "gpu_usd_per_hour"),
        ("low", "price_low_usd_per_hour"),
        ("hyperscaler", "price_hyperscaler_usd_per_hour"),
    ],
)
def test_a_price_is_that_of_the_accelerators_row_or_none(price: str, column: str) -> None:
    """Missing is nan, never another price."""
    for gpu, record in catalogue.records("gpu").items():
        cell = record.facts[column]
        if gpu in ("h100_sxm", "gb200", "gh200_96", "t4"):
            found = value("gpu_hour_usd", {"gpu": gpu, "price": price})
            assert found == float(cell) if cell else math.isnan(found), gpu


def test_the_prices_of_an_h100() -> None:
    """data/accelerators.csv: 2.95 at Nebius, 2.29 at Verda, 55.04 / 8 for an AWS p5."""
    found = [
        value("gpu_hour_usd", {"gpu": "h100_sxm", "price": price}) for price in ("on_demand", "low", "hyperscaler")
    ]
    assert found == [2.95, 2.29, 55.04 / 8]


def test_dollars_follow_the_price_that_is_named() -> None:
    usual = values([*PAID, *BY_TOKEN], PRICED)
    low = values([*PAID, *BY_TOKEN], {**PRICED, "price": "low"})
    for name in (*PAID, *BY_TOKEN):
        assert low[name] == pytest.approx(usual[name] * 2.29 / 2.95, rel=1e-14), name
    own = values([*PAID, "gpu_hour_usd"], {**PRICED, "gpu_usd_per_hour": 1.0})
    assert own["gpu_hour_usd"] == 1.0
    assert own["train_usd"] == pytest.approx(usual["train_usd"] / 2.95, rel=1e-14)


def test_an_owned_gpu_hour_adds_up_by_hand() -> None:
    """An H100 at its launch price: depreciation over the hours it works, a fifth for upkeep, electricity."""
    price, utilisation = float(catalogue.records("gpu")["h100_sxm"].facts["launch_price_usd"]), 0.8
    hours_at_work = 5 * 365 * 24 * utilisation
    busy_kw, idle_kw = 0.7 * (0.88 + 0.5), 0.7 * (0.15 + 0.5)
    kwh = 5 * 365 * 24 * (utilisation * busy_kw + (1 - utilisation) * idle_kw) * 1.2
    owner_pays = price * 2.02 * (1 - 0.0) * 1.2 + kwh * 0.0806
    found = value("gpu_hour_usd", {"gpu": "h100_sxm", "price": "owned"})
    assert found == pytest.approx(owner_pays / hours_at_work, rel=1e-12)
    assert 2.0 < found < 3.0  # near what the cheapest renters ask, above their electricity


def test_what_owning_costs_moves_as_it_should() -> None:
    base: Design = {"gpu": "h100_sxm", "price": "owned"}
    usual = value("gpu_hour_usd", base)
    for name, number in (("depreciation_years", 6.0), ("residual_share", 0.2), ("owned_utilisation", 0.9)):
        assert value("gpu_hour_usd", {**base, name: number}) < usual, name
    for name, number in (("server_cost_factor", 2.5), ("staff_space_share", 0.3), ("electricity_usd_per_kwh", 0.2)):
        assert value("gpu_hour_usd", {**base, name: number}) > usual, name
    assert owned_gpu_hour_usd(1.0, 0.0, 0.5) == 1.5
    assert gpu_hour_usd("owned", 1.0, 2.0, 3.0, 4.0) == 4.0
    unlaunched = next(i for i, r in catalogue.records("gpu").items() if not r.facts["launch_price_usd"])
    assert math.isnan(value("train_usd", {"gpu": unlaunched, "price": "owned"}))


def test_tokens_of_prompts_and_answers_add_up_to_all_tokens() -> None:
    found = values([*PAID, *BY_TOKEN, "prompt_tokens", "output_tokens"], PRICED)
    parts = found[BY_TOKEN[0]] * found["prompt_tokens"] + found[BY_TOKEN[1]] * found["output_tokens"]
    whole = found["serve_usd_per_million_tokens"] * (found["prompt_tokens"] + found["output_tokens"])
    assert parts == pytest.approx(whole, rel=1e-13)
    assert found[BY_TOKEN[1]] > found[BY_TOKEN[0]]
    assert math.isnan(value(BY_TOKEN[1], {**PRICED, "output_token_share": 0.0}))  # nothing is generated


# ------------------------------------------------------------------------------------------------------------ drafts


@pytest.mark.parametrize(
    ("rate", "drafts", "tokens"),
    [(0.6, 2, 1.96), (0.7, 3, 2.53), (0.8, 2, 2.44), (0.8, 5, 3.69), (0.9, 2, 2.71), (0.9, 10, 6.86)],
)
def test_a_check_yields_what_leviathan_prints(rate: float, drafts: int, tokens: float) -> None:
    """Leviathan et al. 2022, arXiv:2211.17192, table 1, column speed at no cost of drafting (recalled)."""
    assert draft_expected_tokens(drafts, rate) == pytest.approx(tokens, abs=0.005)


def test_a_check_yields_one_token_when_nothing_is_kept_and_all_when_all_are() -> None:
    assert draft_expected_tokens(4, 0.0) == 1.0
    assert draft_expected_tokens(4, 1.0) == 5.0
    assert draft_expected_tokens(0, 0.7) == 1.0
    assert math.isnan(draft_expected_tokens(4, math.nan))


def test_yield_of_a_check_is_the_sum_over_how_many_are_kept() -> None:
    """Drafts up to the first refusal and one of the model: the mean of a geometric count that is cut off."""
    rate, drafts = 0.7, 5
    mean = sum((kept + 1) * rate**kept * (1 - rate) for kept in range(drafts)) + (drafts + 1) * rate**drafts
    assert draft_expected_tokens(drafts, rate) == pytest.approx(mean, rel=1e-12)


ALONE: Design = {"gpu": "h100_sxm", "batch_size": 1, "context_tokens": 1024}


def test_where_reading_bounds_a_step_drafts_gain_what_the_theorem_says() -> None:
    """Leviathan et al. 2022, theorem 3.8: (1 - a**(k + 1)) / ((1 - a) (k c + 1)); a batch of one on an H100."""
    drafted: Design = {**ALONE, "draft_tokens": 4, "draft_acceptance_rate": 0.8, "draft_cost_share": 0.05}
    gain = (1 - 0.8**5) / (0.2 * (4 * 0.05 + 1))
    assert value("speculative_speedup", drafted) == pytest.approx(gain, rel=1e-3)  # products weigh a little


def test_where_products_bound_a_step_drafts_cost_more_than_they_bring() -> None:
    crowded: Design = {
        **ALONE,
        "batch_size": 4096,
        "context_tokens": 32,
        "draft_tokens": 4,
        "draft_acceptance_rate": 0.6,
    }
    assert value("speculative_speedup", crowded) < 1.0


def test_a_mixture_reads_more_experts_for_a_check() -> None:
    mixture: Design = {**ALONE, "model": "mixtral-8x7b", "draft_tokens": 3}
    step, check = (value(name, mixture) for name in ("decode_step_s", "verify_step_s"))
    assert check > 1.5 * step  # four tokens choose two of eight each: 5.47 of them instead of 2
    assert value("verify_step_s", {**mixture, "draft_tokens": 0}) == step


# ------------------------------------------------------------------------------------------------------------- pools


def test_pools_cost_what_one_replica_does_while_the_network_keeps_up() -> None:
    one, two = (
        values([*PAID, "time_per_output_token_s", "decode_step_s"], {**PRICED, "disaggregation": on}) for on in (0, 1)
    )
    assert {name: one[name] for name in PAID} == {name: two[name] for name in PAID}
    assert two["time_per_output_token_s"] == two["decode_step_s"] < one["time_per_output_token_s"]


def test_a_slow_network_holds_both_pools() -> None:
    slow: Design = {**PRICED, "disaggregation": 1, "gpu_scaleout_bit_per_s": 1e8}
    found = values(["kv_transfer_s", "prefill_phase_s", "decode_phase_s", "prefill_replicas_per_decode_replica"], slow)
    assert found["prefill_phase_s"] == found["decode_phase_s"] == found["kv_transfer_s"]
    assert found["prefill_replicas_per_decode_replica"] == 1.0
    assert value("train_usd", slow) == value("train_usd", PRICED)
    # no link in its row, and one GPU needs none
    small: Design = {"gpu": "m4_max", "batch_size": 1, "context_tokens": 1024}
    unknown: Design = small | {"disaggregation": 1}
    assert math.isnan(value("serve_s_per_token", unknown))
    assert not math.isnan(value("serve_s_per_token", small))


def test_drafts_make_decoding_faster_where_most_are_kept() -> None:
    """Leviathan et al. 2022, arXiv:2211.17192, theorem 3.8: tokens a second go with what a token takes."""
    kept: Design = {
        **PRICED,
        "batch_size": 1,
        "draft_tokens": 4,
        "draft_acceptance_rate": 0.9,
        "draft_cost_share": 0.05,
    }
    plain, faster = (
        values(["decode_tokens_per_s", "speculative_speedup"], d) for d in ({**kept, "draft_tokens": 0}, kept)
    )
    assert plain["speculative_speedup"] == 1.0
    assert faster["speculative_speedup"] > 1.0
    assert faster["decode_tokens_per_s"] == pytest.approx(plain["decode_tokens_per_s"] * faster["speculative_speedup"])


def test_pools_are_as_large_as_their_work() -> None:
    """In a second, r prefill replicas read as many batches as one decode replica answers."""
    found = values(["prefill_phase_s", "decode_phase_s", "prefill_replicas_per_decode_replica"], PRICED)
    read = found["prefill_replicas_per_decode_replica"] / found["prefill_phase_s"]
    assert read == pytest.approx(1.0 / found["decode_phase_s"], rel=1e-14)


def test_the_cache_that_is_sent_is_that_of_the_prompts() -> None:
    """Llama 3.1 8B: 131,072 bytes a token (config.json), three quarters of 8192 tokens, 16 sequences."""
    design: Design = {"model": "llama-3.1-8b", "kv_precision": "kv_bf16", "batch_size": 16, "context_tokens": 8192}
    assert value("kv_transfer_bytes", design) == 131_072 * 6144 * 16
    assert kv_transfer_bytes(0, 2, 4, 100, 10, 16, 1, 0.0) == 2 * 4 * 10 * 2  # windows hold ten tokens each


# ------------------------------------------------------------------------------------------ where they can be seen


def test_prices_and_grids_are_listed_and_stand_beside_designs() -> None:
    for what, column in (("prices", "price_basis"), ("grids", "grid_kg_co2_per_kwh")):
        assert column in listing(what).columns
        statements = opensql.table(what)
        assert f"create or replace table {what} as" in statements
        assert f"comment on table {what} is " in statements
        assert f'comment on column {what}."{column}" is ' in statements
        assert what in opensql.CATALOGUE


def test_the_defaults_in_use_name_price_and_grid_where_columns_follow_from_them() -> None:
    space = loads('name = "one"\n[axes]\nnum_layers = [2, 4]\n')
    frame = pl.DataFrame({"train_usd": [1.0], "train_gpu_hours": [1.0]})
    assert "price = on_demand" in notes(space, frame)[-1]
    assert "grid" not in notes(space, frame)[-1]
    assert "grid = world" in notes(space, pl.DataFrame({"lifetime_kg_co2": [1.0]}))[-1]
    assert "price" not in notes(space, pl.DataFrame({"train_gpu_hours": [1.0]}))[-1]


def test_a_price_that_is_none_is_reported_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r'price = "onwed".*did you mean "owned"'):
        loads('name = "one"\n[axes]\nnum_layers = [2, 4]\n[fixed]\nprice = "onwed"\n')
