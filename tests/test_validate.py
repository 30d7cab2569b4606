"""`sweep validate params`: what agrees is counted, what does not is named, what cannot be evaluated is not covered."""

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sweep import catalogue
from sweep.cli import cli
from sweep.errors import SweepError
from sweep.files import read
from sweep.resources import resource_dir
from sweep.validate import COUNTS, FLOPS, Group, Miss, validate_params

# Worked out by hand from the shapes, none of them ours.
# GPT-2 small: 50,257 x 768 + 1,024 x 768 + 12 x (12 x 768^2 + 13 x 768) + 2 x 768
GPT2 = 124_439_808
# Mixtral 8x7B: 2 x 32,000 x 4,096 + 4,096 + 32 x (2 x 4,096^2 + 2 x 4,096 x 1,024 + 8 x 4,096 + 8 x 3 x 4,096 x 14,336
# + 2 x 4,096); mistralai/Mixtral-8x7B-v0.1: total_size 93,405,585,408 bytes in bf16
MIXTRAL = 46_702_792_704
# of each token, two experts of eight in 32 layers
MIXTRAL_ACTIVE = MIXTRAL - 32 * 6 * 3 * 4096 * 14336
GPT2_SHAPE = {
    "hidden_size": 768, "num_layers": 12, "num_heads": 12, "num_kv_heads": 12, "head_dim": 64, "attention_kind": "gqa",
    "qkv_bias": 1, "attn_out_bias": 1, "ffn_size": 3072, "ffn_gated": 0, "mlp_bias": 1, "norm_kind": "layernorm",
    "norms_per_layer": 2, "final_norm": 1, "position_kind": "learned", "learned_position_rows": 1024,
    "vocab_size": 50257, "tied_embeddings": 1, "num_moe_layers": 0,
}  # fmt: skip
MIXTRAL_SHAPE = {
    "hidden_size": 4096, "num_layers": 32, "num_heads": 32, "num_kv_heads": 8, "head_dim": 128, "attention_kind": "gqa",
    "ffn_gated": 1, "norm_kind": "rmsnorm", "norms_per_layer": 2, "final_norm": 1, "position_kind": "rope",
    "vocab_size": 32000, "tied_embeddings": 0, "num_experts": 8, "experts_per_token": 2, "expert_ffn_size": 14336,
    "num_moe_layers": 32,
}  # fmt: skip


def validate(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["validate", "params", *arguments], catch_exceptions=False, standalone_mode=False)


def table(*rows: Mapping[str, object]) -> pl.DataFrame:
    """Rows as a CSV is read: text, an empty cell where a row says nothing."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String))


def counts(groups: list[Group]) -> dict[str, tuple[int, int, int]]:
    return {g.group: (g.rows, g.covered, g.passed) for g in groups}


def misses(groups: list[Group]) -> list[Miss]:
    return [miss for group in groups for miss in group.misses]


@pytest.fixture(scope="module")
def models() -> pl.DataFrame:
    return read(resource_dir("data") / "models.csv")


@pytest.fixture
def changed(models: pl.DataFrame, tmp_path: Path) -> Path:
    """The released models, of which one is said to be one parameter larger."""
    larger = (pl.col("total_params_oracle").cast(pl.Int64) + (pl.col("model") == "gpt2").cast(pl.Int64)).cast(pl.String)
    models.with_columns(total_params_oracle=larger).write_csv(tmp_path / "changed.csv")
    return tmp_path / "changed.csv"


def test_every_shipped_figure_is_covered_and_agrees() -> None:
    """134 models and 130 random configurations; the reference says nothing of two caches and two passes."""
    done = validate("--format", "json")
    said = {g["group"]: g for g in json.loads(done.stdout)}
    assert (done.exit_code, done.stderr) == (0, "")
    assert {(g["covered"], g["passed"]) == (g["rows"], g["rows"]) for g in said.values()} == {True}
    fewer = {"kv_elements_per_token_oracle": 262, "kv_bytes_per_token_bf16_oracle": 262} | dict.fromkeys(FLOPS, 262)
    only_models = {"kv_elements_per_token_unwindowed_layers": 132, "mtp_layer_params": 4}
    rows = dict.fromkeys(COUNTS, 264) | fewer | only_models
    assert {name: g["rows"] for name, g in said.items()} == rows | {"total": sum(rows.values())}
    assert sum(rows.values()) == 3822


def test_the_json_is_a_list_of_objects_with_the_total_last() -> None:
    said = json.loads(validate("--format", "json").stdout)
    assert {tuple(group) for group in said} == {("group", "rows", "covered", "passed")}
    assert [group["group"] for group in said].index("total") == len(said) - 1


def test_formats_say_the_same(tmp_path: Path) -> None:
    validate("-o", str(tmp_path / "said.csv"))
    said = pl.read_csv(tmp_path / "said.csv")
    assert said.to_dicts() == json.loads(validate("--format", "json").stdout)
    assert validate().stdout.splitlines()[-1].split() == ["total", "3,822", "3,822", "3,822"]


def test_a_changed_cell_is_found_and_named(changed: Path, models: pl.DataFrame) -> None:
    done = validate(str(changed), "--format", "json")
    assert done.exit_code == 1
    total = next(g for g in json.loads(done.stdout) if g["group"] == "total_params_oracle")
    assert (total["rows"], total["covered"], total["passed"]) == (134, 134, 133)
    line = changed.read_text().splitlines().index(next(t for t in changed.read_text().splitlines() if t[:5] == "gpt2,"))
    where = f"changed.csv: line {line + 1}: gpt2: total_params_oracle"
    assert done.stderr.splitlines()[0] == f"{where}: expected {GPT2 + 1}, ours {GPT2}"
    assert "1 of 134 rows" in done.stderr.splitlines()[1]


def test_so_many_misses_are_named_as_are_asked_for(tmp_path: Path) -> None:
    table(*({**GPT2_SHAPE, "case": f"c{k}", "total_params_oracle": k} for k in range(30))).write_csv(tmp_path / "t.csv")
    assert len(validate(str(tmp_path / "t.csv")).stderr.splitlines()) == 20 + 1
    few = validate(str(tmp_path / "t.csv"), "--failing", "2").stderr.splitlines()
    assert few[1] == f"t.csv: line 3: c1: total_params_oracle: expected 1, ours {GPT2}"
    assert "28 more misses: --failing 30" in few[2]


def test_shapes_worked_out_by_hand() -> None:
    frame = table(
        {"case": "gpt2", **GPT2_SHAPE, "total_params_oracle": GPT2, "lm_head_params_oracle": 0}
        | {"position_params_oracle": 1024 * 768, "token_embedding_params_oracle": 50257 * 768},
        {"case": "mixtral", **MIXTRAL_SHAPE, "total_params_oracle": MIXTRAL, "active_params_oracle": MIXTRAL_ACTIVE}
        | {"lm_head_params_oracle": 32000 * 4096, "kv_elements_per_token_oracle": 32 * 2 * 8 * 128}
        | {"kv_bytes_per_token_bf16_oracle": 131072, "attention_core_flops_oracle": 32 * 4 * 4096 * 512**2}
        | {"flops_seq": 512, "routed_expert_params_oracle": 32 * 8 * 3 * 4096 * 14336},
    )
    groups = validate_params(frame)
    assert misses(groups) == []
    assert counts(groups)["total_params_oracle"] == (2, 2, 2)
    assert counts(groups)["active_params_oracle"] == (1, 1, 1)
    assert counts(groups)["total"] == (11, 11, 11)


def test_deepseek_v3_by_its_name_alone() -> None:
    """DeepSeek-V3, arXiv:2412.19437: 671B in all, 37B of them for each token."""
    frame = table({"model": "deepseek-v3", "total_params_oracle": 671_026_404_352, "flops_seq": 4096})
    assert counts(validate_params(frame))["total"] == (1, 1, 1)


def test_a_kind_of_attention_nobody_knows_is_not_covered_and_loses_no_other(tmp_path: Path) -> None:
    strange = MIXTRAL_SHAPE | {"attention_kind": "mamba"}
    frame = table(
        {"case": "a", **GPT2_SHAPE, "total_params_oracle": GPT2},
        {"case": "b", **strange, "total_params_oracle": MIXTRAL},
        {"case": "c", **MIXTRAL_SHAPE, "total_params_oracle": MIXTRAL},
    )
    groups = validate_params(frame)
    assert counts(groups) == {"total_params_oracle": (3, 2, 2), "total": (3, 2, 2)}
    (miss,) = misses(groups)
    assert (miss.row, miss.label, miss.ours) == (1, "b", "")
    assert "'mamba' is not a word that attention_kind takes" in miss.reason
    frame.write_csv(tmp_path / "strange.csv")
    done = validate(str(tmp_path / "strange.csv"))
    assert done.exit_code == 1
    assert "strange.csv: line 3: b: total_params_oracle: not covered: attention_kind: 'mamba'" in done.stderr


def test_columns_we_do_not_know_and_names_we_do_not_know_are_no_matter(tmp_path: Path) -> None:
    """Nor is what has no say in a count: a law, a GPU, a number of tokens."""
    mine = {"model": "my-own", "colour": "blue", "gpu": "none yet", "law": "?", "train_tokens": "lots"}
    table(mine | GPT2_SHAPE | {"total_params_oracle": GPT2, "params_total": 1}).write_csv(tmp_path / "mine.csv")
    assert validate(str(tmp_path / "mine.csv")).exit_code == 0


def test_a_row_that_describes_itself_is_not_filled_up_from_the_model_of_its_name() -> None:
    """Mixtral in name, GPT-2 in shape: the experts of the one are not those of the other."""
    frame = table({"model": "mixtral-8x7b", **GPT2_SHAPE, "num_moe_layers": None, "total_params_oracle": GPT2})
    assert misses(validate_params(frame)) == []


def test_a_row_that_says_too_little_is_not_taken_for_the_default_design() -> None:
    frame = table(
        {"num_layers": 12, "vocab_size": 50257, "total_params_oracle": GPT2}, {"model": "no-such", "num_layers": 1}
    )
    (miss,) = misses(validate_params(frame))
    assert miss.reason == "neither a model that is known nor hidden_size, num_layers, vocab_size"
    unknown = table({"model": "gpt-2", "total_params_oracle": GPT2})
    assert 'did you mean "gpt2"?' in misses(validate_params(unknown))[0].reason


def test_cells_that_are_no_number_are_rows_that_are_not_covered() -> None:
    gpt2 = {"model": "gpt2", "flops_seq": "", "total_params_oracle": "124M", "forward_flops_oracle": "1"}
    groups = validate_params(table(gpt2, {"model": "gpt2", "total_params_oracle": str(GPT2)}))
    assert counts(groups) == {
        "total_params_oracle": (2, 1, 1),
        "forward_flops_oracle": (1, 0, 0),
        "total": (3, 1, 1),
    }
    reasons = [miss.reason for miss in misses(groups)]
    assert reasons == ["'124M' is not a number", "flops_seq is not a number of tokens"]


def test_counts_agree_exactly_and_flops_as_floats_do() -> None:
    flops = 32 * 4 * 4096 * 512**2
    row = {**MIXTRAL_SHAPE, "flops_seq": 512}
    for off, passed in ((0, 1), (flops * 1e-13, 1), (flops * 1e-11, 0)):
        frame = table({**row, "attention_core_flops_oracle": repr(flops + off)})
        assert counts(validate_params(frame))["total"] == (1, 1, passed)
    for cell, passed in ((MIXTRAL, 1), (f"{MIXTRAL}.0", 1), (f"{MIXTRAL}.5", 0), (MIXTRAL - 1, 0)):
        assert counts(validate_params(table({**row, "total_params_oracle": cell})))["total"] == (1, 1, passed)


def test_nothing_to_compare_with_is_an_error_that_names_the_columns() -> None:
    with pytest.raises(
        SweepError, match=r"mine\.csv: nothing to compare with.*total_params_oracle.*linear_flops_oracle"
    ):
        validate_params(table({"model": "gpt2"}), "mine.csv")
    with pytest.raises(SweepError, match="no row has a value in any of total_params_oracle"):
        validate_params(table({"model": "gpt2", "total_params_oracle": None}))
    with pytest.raises(SweepError, match="no row has a value"):
        validate_params(table({"model": "gpt2", "total_params_oracle": 1}).head(0))


def test_a_parquet_file_is_read_as_a_csv_is(models: pl.DataFrame, tmp_path: Path) -> None:
    catalogue.frame("models").with_columns(tags=pl.lit([["a"]])).write_parquet(tmp_path / "models.parquet")
    models.write_csv(tmp_path / "models.csv")
    typed, text = (validate(str(tmp_path / f"models.{end}"), "--format", "json") for end in ("parquet", "csv"))
    assert typed.stdout == text.stdout
    assert (typed.exit_code, text.exit_code) == (0, 0)


def test_what_cannot_be_validated_is_refused() -> None:
    done = CliRunner().invoke(cli, ["validate", "everything"])
    assert done.exit_code == 2
    assert "'everything' is not" in done.stderr
    assert "params" in done.stderr


def test_models_are_listed_with_the_published_total_and_why_it_differs() -> None:
    listed = pl.read_csv(CliRunner().invoke(cli, ["list", "models", "--format", "csv"]).stdout.encode())
    assert listed["params_total"].equals(listed["total_params_oracle"].alias("params_total"))
    assert listed["params_active"].equals(listed["active_params_oracle"].alias("params_active"))
    away = listed.filter(pl.col("deviation_pct") != 0.0)
    assert away["published_agreement"].null_count() == 0
    grok = away.row(by_predicate=pl.col("model") == "grok-1", named=True)  # the README prints 314B
    assert grok["deviation_pct"] == pytest.approx(100 * (315_684_820_992 / 314e9 - 1))
    printed = CliRunner().invoke(cli, ["list", "models"]).stdout.splitlines()
    differing = away.filter(pl.col("published_agreement") != "agrees when rounded")["model"]
    assert [line.split()[0] for line in printed[-len(differing) :]] == differing.to_list()
    assert printed[-len(differing) - 1].startswith("134 models: 99 of the published totals are equal to ours")
