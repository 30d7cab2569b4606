"""Energy and CO2 beside published figures of training runs and of machines that generate."""

import pytest

from kernels.energy import serve_kwh_per_million_tokens, train_gpu_power_w, train_kg_co2, train_kwh
from sweep import catalogue
from tests.test_laws_of_metrics import Design, value, values

TDP_ALONE: Design = {"train_power_share": 1.0, "host_power_share": 0.0, "pue": 1.0}  # what model cards multiply with


@pytest.mark.parametrize(
    ("hours", "watts", "tonnes"),
    [(184_320, 400, 31.22), (368_640, 400, 62.44), (1_720_320, 400, 291.42)],
)
def test_llama_2_emitted_what_its_model_card_says(hours: float, watts: float, tonnes: float) -> None:
    """meta-llama/llama-models, models/llama2/MODEL_CARD.md: GPU-hours, board power and tCO2eq.

    It prints no intensity; the same 0.42 kg of a kWh follows from all three rows.
    """
    kwh = train_kwh(hours, train_gpu_power_w(watts, 1.0, 0.0), 1.0)
    assert train_kg_co2(kwh, 0.4235) == pytest.approx(1000 * tonnes, rel=1e-3)


@pytest.mark.parametrize(("hours", "tonnes"), [(1.46e6, 420), (7.0e6, 2040), (30.84e6, 8930)])
def test_llama_3_1_emitted_what_its_model_card_says(hours: float, tonnes: float) -> None:
    """meta-llama/llama-models, models/llama3_1/MODEL_CARD.md: H100 at 700 W, location-based, rounded to 10 t.

    It prints no intensity; 0.4145 kg a kWh, PUE included, gives all three rows, and 0.375 of eGRID2022 with Meta's PUE
    of 1.09 gives 0.409.
    """
    kwh = train_kwh(hours, train_gpu_power_w(700, 1.0, 0.0), 1.0)
    assert train_kg_co2(kwh, 0.4145) == pytest.approx(1000 * tonnes, rel=0.01)
    national = float(catalogue.records("grid")["us_egrid"].values["grid_kg_co2_per_kwh"])
    assert train_kg_co2(kwh * 1.09, national) == pytest.approx(1000 * tonnes, rel=0.03)


def test_bloom_took_433_mwh_and_24_7_tonnes() -> None:
    """Luccioni et al. 2022, arXiv:2211.02001: 1,082,990 hours of A100 at 400 W, 433,196 kWh, 57 g a kWh."""
    bloom: Design = {"gpu": "a100_sxm_80", "grid": "france_bloom", "train_gpu_hours": 1_082_990, **TDP_ALONE}
    found = values(["train_kwh", "train_kg_co2"], bloom)
    assert found["train_kwh"] == pytest.approx(433_196, abs=0.5)
    assert found["train_kg_co2"] == pytest.approx(24_690, rel=1e-3)


def test_bloom_with_the_rest_of_its_machines_is_near_what_was_counted() -> None:
    """The same paper counts idle nodes and network as 256,646 kWh more: 689,842 kWh in all, before the site's PUE."""
    found = value("train_kwh", {"gpu": "a100_sxm_80", "train_gpu_hours": 1_082_990, "pue": 1.0})
    assert found == pytest.approx(433_196 + 256_646, rel=0.15)


def test_a_node_of_eight_h100_draws_what_was_measured() -> None:
    """Newkirk et al. 2025, arXiv:2506.14551: 76 % of 10.2 kW; at full board power the 8.4 kW of arXiv:2412.08602."""
    assert 8 * value("train_gpu_power_w", {"gpu": "h100_sxm"}) == pytest.approx(0.76 * 10_200, rel=0.01)
    assert 8 * value("train_gpu_power_w", {"gpu": "h100_sxm", "train_power_share": 1.0}) == pytest.approx(8400)


def test_energy_of_serving_is_power_times_time() -> None:
    """Two seconds at 100 W and three at 50 W of four GPUs for ten tokens: 1,400 J, 140 a token."""
    assert serve_kwh_per_million_tokens(2.0, 100.0, 3.0, 50.0, 4, 2, 5, 1.0) == pytest.approx(1e6 * 140 / 3.6e6)


NAMES = ["train_kwh", "serve_kwh_per_million_tokens", "lifetime_kwh", "train_kg_co2", "lifetime_kg_co2"]


def test_a_lifetime_is_training_and_serving() -> None:
    found = values([*NAMES, "serve_kg_co2_per_million_tokens"], {"gpu": "h100_sxm", "inference_tokens": 2e12})
    assert found["lifetime_kwh"] == found["train_kwh"] + found["serve_kwh_per_million_tokens"] * 2e12 / 1e6
    carbon = found["train_kg_co2"] + found["serve_kg_co2_per_million_tokens"] * 2e6
    assert found["lifetime_kg_co2"] == pytest.approx(carbon, rel=1e-14)


def test_twice_the_board_power_twice_the_energy_and_a_cleaner_grid_less_co2() -> None:
    once, twice = (values(NAMES, {"gpu": "h100_sxm", "gpu_tdp_w": watts}) for watts in (350.0, 700.0))
    for name in NAMES:
        assert twice[name] == 2 * once[name], name
    world, france = (values(NAMES, {"gpu": "h100_sxm", "grid": grid}) for grid in ("world", "france"))
    assert world["lifetime_kwh"] == france["lifetime_kwh"]
    assert france["lifetime_kg_co2"] == pytest.approx(world["lifetime_kg_co2"] * 56 / 481, rel=1e-12)


def test_every_grid_has_a_year_and_lies_between_hydropower_and_coal() -> None:
    for record in catalogue.records("grid").values():
        assert 0.02 <= float(record.values["grid_kg_co2_per_kwh"]) <= 1.0, record.id
        assert record.facts["year"], record.id
