"""Counts of released models, exact to the last parameter, byte and FLOP.

The reference is independent: the Hugging Face classes (transformers 5.23.0) built on torch's meta device, their
parameters summed and their matmuls counted; columns ``*_oracle`` of data/models.csv, whose oracle_status says where a
class of identical shapes stood in and where only a recount of the released code was to be had.
"""

import polars as pl
import pytest

from sweep import catalogue
from sweep.errors import SpecError
from sweep.points import evaluate, evaluate_rows
from sweep.resources import resource_dir

pytestmark = pytest.mark.nojit

CASES = resource_dir("data") / "param_cases.csv"
ORACLE = {
    "params_total": pl.col("total_params_oracle"),
    "params_active": pl.col("active_params_oracle"),
    "params_active_non_embedding": pl.col("active_params_excl_embedding_and_head_oracle"),
    "params_embedding": pl.col("token_embedding_params_oracle") + pl.col("position_params_oracle"),
    "params_head": pl.col("lm_head_params_oracle"),
    "params_routed_experts": pl.col("routed_expert_params_oracle"),
    "kv_elements_per_token": pl.col("kv_elements_per_token_oracle"),
    "forward_flops": pl.col("forward_flops_oracle").cast(pl.Float64),
    "attention_flops": pl.col("attention_core_flops_oracle").cast(pl.Float64),
}
METRICS = [*(n for n in ORACLE if not n.endswith("_flops")), "forward_flops_per_token", "attention_flops_per_token"]
# the classes of these cache keys and values after broadcasting them to all query heads: no reference for the cache
NO_CACHE_ORACLE = ["falcon-180b", "falcon-40b"]
# how many FLOPs the chunked kernels of hybrids do depends on their chunk: no reference
NO_FLOPS_ORACLE = ["minimax-text-01", "qwen3-next-80b-a3b"]


def compared(frame: pl.DataFrame) -> pl.DataFrame:
    """Our counts beside the oracle's; a pass over flops_seq tokens, the whole square of scores counted."""
    frame = frame.with_columns(sequence_length=pl.col("flops_seq"))
    result = evaluate(frame, METRICS, {"attention_flops_convention": "full"})
    return result.with_columns(
        forward_flops=pl.col("forward_flops_per_token") * pl.col("flops_seq"),
        attention_flops=pl.col("attention_flops_per_token") * pl.col("flops_seq"),
    )


def differing(table: pl.DataFrame, metric: str, label: str) -> list[dict[str, object]]:
    beside = table.with_columns(oracle=ORACLE[metric]).filter(pl.col("oracle").is_not_null())
    wrong = beside.filter(pl.col(metric).ne_missing(pl.col("oracle")))
    return wrong.select(label, metric, "oracle").to_dicts()


def evaluated_models() -> pl.DataFrame:
    """Every row of the catalogue, by its name alone."""
    return models().select("model", "flops_seq", *(c for c in models().columns if c.endswith("_oracle")))


def models() -> pl.DataFrame:
    return catalogue.frame("models")


@pytest.fixture(scope="module")
def released() -> pl.DataFrame:
    return compared(evaluated_models())


@pytest.mark.parametrize("metric", ORACLE)
def test_released_models_count_exactly(metric: str, released: pl.DataFrame) -> None:
    assert len(released) == 134
    assert differing(released, metric, "model") == []


def test_every_row_has_an_oracle_for_everything(released: pl.DataFrame) -> None:
    """So that no comparison above is with nothing; for two caches and two passes there is none."""
    missing = {m: released.filter(ORACLE[m].is_null())["model"].sort().to_list() for m in ORACLE}
    assert {m: names for m, names in missing.items() if names} == {
        "kv_elements_per_token": NO_CACHE_ORACLE,
        "forward_flops": NO_FLOPS_ORACLE,
        "attention_flops": NO_FLOPS_ORACLE,
    }


def test_published_totals_that_are_exact_are_met(released: pl.DataFrame) -> None:
    """Published by the authors, not rounded, and in agreement with their own module by the note of the row."""
    published = models().filter(
        (pl.col("total_params_published_precision") == "exact") & (pl.col("oracle_minus_published") == 0)
    )
    both = published.join(released.select("model", "params_total"), on="model")
    assert len(both) == len(published) > 10
    assert both.filter(pl.col("params_total") != pl.col("total_params_published")).to_dicts() == []


@pytest.mark.parametrize("metric", ORACLE)
def test_random_configurations_count_exactly(metric: str) -> None:
    """130 random configurations of the same kinds, the same oracle; every input is read from the table's columns."""
    frame = pl.read_csv(CASES, infer_schema_length=None)
    assert len(frame) == 130
    assert differing(compared(frame), metric, "case") == []


def test_a_model_by_name_is_the_model_by_its_columns(released: pl.DataFrame) -> None:
    described = models().drop("train_tokens", "train_gpu_hours")
    by_columns = compared(described.rename({"model": "label"}))
    assert by_columns.select(METRICS).equals(released.select(METRICS))


def test_a_kind_of_attention_nobody_knows_is_reported_by_row_and_loses_no_other() -> None:
    table = models().drop("model", "train_tokens", "train_gpu_hours")
    table = table.with_columns(pl.col("attention_kind").replace("hybrid", "mamba"))
    result, bad = evaluate_rows(table, ["params_total"])
    rows = [i for i, kind in enumerate(table["attention_kind"]) if kind == "mamba"]
    assert [(b.row, b.column) for b in bad] == [(row, "attention_kind") for row in rows]
    assert all("'mamba' is not a word that attention_kind takes" in b.reason for b in bad)
    assert result["params_total"].null_count() == len(rows) == 2


def test_evaluating_an_unknown_model_names_its_row() -> None:
    with pytest.raises(SpecError, match=r"row 2, model.*'minimax-text-1' is not a known model; did you mean"):
        evaluate(pl.DataFrame({"model": ["llama-2-7b", "minimax-text-1"]}), ["params_total"])


def test_numbers_that_no_float_holds_are_refused() -> None:
    for name in ("hidden_size", "params_total"):
        with pytest.raises(SpecError, match=f"{name} (takes|is) a number"):
            evaluate(pl.DataFrame({"num_layers": [2]}), ["num_layers"], {name: 10**400})
