"""Quantiles over the draws of a law's coefficients: what a plain loop over data/law_draws.csv comes to, everywhere."""

from math import isnan, nan
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import sweep
from kernels.model import GRAPH
from kernels.quantiles import BASES, PERCENTS
from sweep import draws, plan, points
from sweep.catalogue import LAW_COEFFICIENTS, read_rows
from sweep.cli import cli
from sweep.database import Database
from sweep.dataset import dataset
from sweep.lazyframe import scan
from sweep.resolve import loads, single
from sweep.resources import resource_dir
from tests import naive
from tests.effort import compiled_only
from tests.test_engine import all_rows

pytestmark = pytest.mark.nojit

EXACT = 1e-12  # a few powers, each within an ulp or two
COLUMNS = [f"{base}_p{percent:02d}" for base in ("loss_nats", "compute_optimal_params") for percent in PERCENTS]

# E, A, alpha, B, beta of every draw
DRAWS = [[float(line[name]) for name in LAW_COEFFICIENTS] for line in read_rows(resource_dir("data") / "law_draws.csv")]


def loss(draw: list[float], params: float, tokens: float) -> float:
    floor, params_scale, alpha, tokens_scale, beta = draw
    return float(floor + params_scale * params**-alpha + tokens_scale * tokens**-beta)


def best_params(draw: list[float], params: float, tokens: float) -> float:
    """N of the least loss at equal N D: Hoffmann et al. 2022, arXiv:2203.15556, equation 4."""
    _, params_scale, alpha, tokens_scale, beta = draw
    scale = (alpha * params_scale / (beta * tokens_scale)) ** (1.0 / (alpha + beta))
    return float(scale * (params * tokens) ** (beta / (alpha + beta)))


PLAIN = {"loss_nats": loss, "compute_optimal_params": best_params}


def expected(name: str, params: float, tokens: float) -> float:
    """The column of that name, one draw after another."""
    base, _, percent = name.rpartition("_p")
    return float(np.quantile([PLAIN[base](draw, params, tokens) for draw in DRAWS], int(percent) / 100.0))


def quantiles(frame: pl.DataFrame) -> list[tuple[float, ...]]:
    """The expected columns of every row, nan under a law that has no draws."""
    found = []
    for row in frame.iter_rows(named=True):
        has = (row.get("law") or "besiroglu_2024") == "besiroglu_2024"
        found.append(tuple(expected(n, row["params_total"], row["train_tokens"]) if has else nan for n in COLUMNS))
    return found


def agree(frame: pl.DataFrame) -> None:
    for found, rows in zip(frame.select(COLUMNS).rows(), quantiles(frame), strict=True):
        assert found == pytest.approx(rows, rel=EXACT, nan_ok=True)


SPEC = """
name = "drawn"
columns = ["loss_nats_p05", "loss_nats_p50", "loss_nats_p95", "lifetime_usd", "params_total"]
[axes]
hidden_size = [1024, 4096]
train_tokens = [1e10, 2e11, 1.5e12]
law = ["besiroglu_2024", "hoffmann_a3_tex"]
"""
ONE_LAW = SPEC.replace(', "hoffmann_a3_tex"', "")


# The numbers


def test_a_space_has_the_quantiles_of_a_plain_loop() -> None:
    frame = scan(loads(SPEC)).select("law", "params_total", "train_tokens", *COLUMNS).collect()
    assert len(frame) == 12
    agree(frame)
    assert frame.filter(pl.any_horizontal(pl.col(COLUMNS).is_nan()))["law"].unique().to_list() == ["hoffmann_a3_tex"]


def test_a_table_has_the_quantiles_of_a_plain_loop() -> None:
    """Rows of other inputs, one that leaves its law to the default, and one under a law without draws."""
    table = pl.DataFrame(
        {
            "model": ["llama-3.1-8b", "gpt2", None, "llama-3.1-70b"],
            "law": ["besiroglu_2024", "hoffmann_a3_tex", None, None],
            "train_tokens": [1.5e13, 1e10, 2e12, 1.5e13],
        }
    )
    frame = sweep.evaluate(table, columns=["params_total", *COLUMNS])
    agree(frame)
    assert [isnan(value) for value in frame["loss_nats_p50"]] == [False, True, False, False]


def test_loops_that_are_compiled_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "[fixed]\nlaw_params = 1e9\nlaw_active_params = 1e9"
    space = loads(f"[axes]\ntrain_tokens = {{ log10 = [9, 12], points = 20 }}\n{given}")
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 0.0)
    compiled = all_rows(space, ["loss_nats_p95", "train_tokens"]).columns
    tokens = compiled["train_tokens"].tolist()
    assert compiled["loss_nats_p95"].tolist() == pytest.approx(
        [expected("loss_nats_p95", 1e9, d) for d in tokens], rel=EXACT
    )
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 1e18)
    interpreted = all_rows(space, ["loss_nats_p95"]).columns
    assert interpreted["loss_nats_p95"].tobytes() == compiled["loss_nats_p95"].tobytes()


@compiled_only
def test_corrections_are_in_every_draw() -> None:
    """Rows along all draws, and their quantile by polars, against the columns: for everything that has them."""
    drawn = loads("""
        [axes]
        train_tokens = [1e10, 1.5e12]
        law_draw = { start = 1, stop = 1000, step = 1 }
        [fixed]
        hidden_size = 2048
        num_experts = 8
        moe_law = "ling_el"
        unique_tokens = 1e11
        repetition_law = "muennighoff_data"
        train_precision = "fp8_training"
        precision_law = "by_format"
        inference_tokens = 1e12
    """)
    columns = [f"{base}_p{percent:02d}" for base in BASES for percent in PERCENTS]
    rows = scan(drawn).select("train_tokens", *BASES).collect()
    assert len(rows) == 2 * len(DRAWS)
    # whichever the draw of a row, its quantiles are those of all draws: found anew a row, so asked for of a few
    some = (
        scan(drawn)
        .filter(pl.col("law_draw").is_in(["1", "2", "517", "1000"]))
        .select("train_tokens", *columns)
        .collect()
    )
    assert len(some) == 2 * 4
    for (tokens,), group in rows.group_by("train_tokens"):
        for base in BASES:
            found = []
            for percent in PERCENTS:
                column = some.filter(train_tokens=tokens)[f"{base}_p{percent:02d}"]
                assert column.n_unique() == 1
                found.append(column[0])
                assert column[0] == pytest.approx(group[base].quantile(percent / 100.0, "linear"), rel=EXACT)
            assert found == sorted(found)
            assert found[0] < found[2]


def test_a_quantile_is_the_same_at_every_draw() -> None:
    """Of a space, of its designs by their ids, and of a table, even of one row; the metric itself is not."""
    text = ONE_LAW + "law_draw = [0, 1, 17, 1000]\n"
    frame = scan(loads(text)).select("params_total", "train_tokens", "law_draw", "loss_nats", *COLUMNS).collect()
    assert len(frame) == 24
    assert frame["loss_nats"].n_unique() == 24
    agree(frame)
    front = sweep.loads(text).frontier(minimize=["loss_nats_p50"])
    assert front["law_draw"].to_list() == ["0", "1", "17", "1000"]
    params = front["params_total"][0]
    assert front["loss_nats_p50"].to_list() == pytest.approx([expected("loss_nats_p50", params, 1.5e12)] * 4, rel=EXACT)
    for drawn in ([17], [None], [0, 17, None, 1000]):
        table = pl.DataFrame({"law_draw": drawn, "train_tokens": [2e11] * len(drawn)})
        agree(sweep.evaluate(table, columns=["params_total", *COLUMNS]))
    fixed = scan(loads(ONE_LAW + "[fixed]\nlaw_draw = 17\n"))
    agree(fixed.select("params_total", "train_tokens", *COLUMNS).collect())


@pytest.mark.parametrize(
    "given", [{}, {"train_tokens": "1e9", "hidden_size": "512"}, {"moe_law": "joint_moe", "num_experts": "64"}]
)
def test_the_median_lies_between_the_others(given: dict[str, str]) -> None:
    found = all_rows(single(given), [f"{base}_p{p:02d}" for base in BASES for p in PERCENTS], threads=1).columns
    for base in BASES:
        low, median, high = (found[f"{base}_p{percent:02d}"][0] for percent in PERCENTS)
        assert low < median < high, base


def test_tokens_per_param_of_the_optimum_span_what_is_published() -> None:
    """Besiroglu et al. 2024, arXiv:2404.10102, section 4: the 80 % interval is within 4 to 40 at 1e26 FLOP."""
    drawn = loads("""
        [axes]
        law_draw = { start = 1, stop = 1000, step = 1 }
        [fixed]
        law_params = 1e12
        train_tokens = 16666666666666.666
        [metrics]
        best_tokens_per_param = "compute_optimal_tokens / compute_optimal_params"
    """)
    columns = [f"compute_optimal_{what}_p{percent:02d}" for what in ("params", "tokens") for percent in PERCENTS]
    rows = scan(drawn).select("best_tokens_per_param", *columns).collect()
    low, high = (rows["best_tokens_per_param"].quantile(tail, "linear") for tail in (0.1, 0.9))
    assert low is not None
    assert high is not None
    assert 4.0 < low < 20.0 < high < 40.0
    at = rows.row(0, named=True)
    ratios = [1e26 / 6.0 / at[f"compute_optimal_params_p{percent:02d}"] ** 2 for percent in (95, 50, 5)]
    assert ratios[0] < low < ratios[1] < high < ratios[2]  # 90 % are wider than 80 %
    # the budget is spent: few parameters are many tokens, but for the straight line between two draws of a thousand
    for less, more in ((5, 95), (50, 50), (95, 5)):
        spent = 6.0 * at[f"compute_optimal_params_p{less:02d}"] * at[f"compute_optimal_tokens_p{more:02d}"]
        assert spent == pytest.approx(1e26, rel=1e-4)


# However they are computed


@pytest.mark.parametrize("cells", [1, 1500, 2500, 10**9])
def test_quantiles_do_not_depend_on_how_the_draws_are_cut(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    """One design at a time, slabs that do not divide an axis, all at once: to the last bit."""
    space = loads(SPEC)
    whole = all_rows(space, COLUMNS, threads=1)
    monkeypatch.setattr(draws, "CELLS_AT_ONCE", cells)
    cut = all_rows(space, COLUMNS, threads=1)
    assert cut.design_id.tobytes() == whole.design_id.tobytes()
    assert all(cut.columns[name].tobytes() == whole.columns[name].tobytes() for name in COLUMNS)


def test_quantiles_do_not_depend_on_threads_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    space = loads(SPEC)
    names = [*COLUMNS, "loss_nats"]
    one = all_rows(space, names, threads=1)
    monkeypatch.setattr(plan.cut, "__defaults__", (5,))
    many = all_rows(space, names, threads=5, points=1)
    order, other = np.argsort(one.design_id), np.argsort(many.design_id)
    for name in names:
        assert one.columns[name][order].tobytes() == many.columns[name][other].tobytes(), name
    table = pl.DataFrame({"train_tokens": [1e10 * (k + 1) for k in range(12)]})
    alone, together = (points.evaluate(table, COLUMNS, threads=threads) for threads in (1, 5))
    assert alone.equals(together)


@pytest.mark.parametrize("where", ["", "train_tokens > 1e11", "loss_nats_p95 < 2.6", "lifetime_usd < 0"])
def test_rows_do_not_depend_on_the_pieces_that_their_quantiles_are_found_in(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Pieces of a point, of some and of all, of axes of which the quantile varies along some."""
    text = SPEC.replace("[axes]", '[axes]\ngpu = ["h100_sxm", "b200_sxm"]\nnum_layers = [16, 24, 40]')
    space = loads(f'{text}[where]\n"some" = "{where}"\n' if where else text)
    asked = ["design_id", "gpu", *COLUMNS]
    whole = scan(space).select(asked).collect().sort("design_id")
    assert whole.is_empty() == (where == "lifetime_usd < 0")
    for nanoseconds in (1.0, 1e6, 4e6):
        monkeypatch.setattr(draws, "NANOSECONDS_A_PIECE", nanoseconds)
        assert scan(space).select(asked).collect().sort("design_id").equals(whole)
        table = dataset(space)
        assert len(table.head(3, columns=["design_id", "loss_nats_p05"])) == min(3, len(whole))
        assert nanoseconds > 1.0 or where or table.evaluated < space.size


def test_where_nothing_is_left_there_is_no_quantile() -> None:
    for condition in (
        "hidden_size > 1e6",
        "train_tokens > 1e20",
        "loss_nats_p05 > 100",
        "loss_nats_p05 != loss_nats_p05",
    ):
        space = loads(f'{ONE_LAW}[where]\n"none" = "{condition}"\n')
        assert scan(space).select("loss_nats_p05").collect().is_empty()


# Wherever they are asked for


@pytest.fixture(scope="module")
def plain() -> dict[int, dict[str, float]]:
    """Every design of the space of one law, with its quantiles from the plain loop."""
    rows = dict(naive.designs(loads(ONE_LAW), ["params_total", "train_tokens", "lifetime_usd"]))
    for row in rows.values():
        row |= {name: expected(name, row["params_total"], row["train_tokens"]) for name in COLUMNS}
        row["band"] = row["loss_nats_p95"] - row["loss_nats_p05"]
    return rows


NARROW = 0.0205  # nats: three of the six have bands narrower than that


def narrow(rows: dict[int, dict[str, float]]) -> list[int]:
    kept = sorted(k for k, row in rows.items() if row["band"] < NARROW)
    assert 0 < len(kept) < len(rows)
    return kept


def test_quantiles_in_conditions_and_in_metrics_of_a_spec(plain: dict[int, dict[str, float]]) -> None:
    own = '[metrics]\nband = "loss_nats_p95 - loss_nats_p05"\n'
    frame = scan(loads(f'{ONE_LAW}{own}[where]\n"sure" = "band < {NARROW}"\n')).collect()
    assert sorted(frame["design_id"]) == narrow(plain)
    found = dict(frame.select("design_id", "band").rows())
    assert found == {k: pytest.approx(plain[k]["band"], rel=1e-9) for k in found}  # a difference of losses


def test_quantiles_as_objectives_and_in_where(tmp_path: Path, plain: dict[int, dict[str, float]]) -> None:
    """Of a space, of its command, and of the run that was written of it."""
    objectives = ["loss_nats_p95", "lifetime_usd"]
    where = f"loss_nats_p95 - loss_nats_p05 < {NARROW}"
    kept = [(k, plain[k]) for k in narrow(plain)]
    best = naive.frontier(kept, objectives, [])
    front = sweep.loads(ONE_LAW).frontier(minimize=objectives, where=[where])
    assert front["design_id"].to_list() == best
    assert front["loss_nats_p95"].to_list() == pytest.approx([plain[k]["loss_nats_p95"] for k in best], rel=EXACT)
    (tmp_path / "spec.toml").write_text(ONE_LAW)
    runner = CliRunner()
    command = [f"--minimize={name}" for name in objectives] + ["--where", where, "--format", "csv"]
    runner.invoke(cli, ["run", str(tmp_path / "spec.toml"), "-o", str(tmp_path / "run")], catch_exceptions=False)
    for source in ("spec.toml", "run"):
        done = runner.invoke(cli, ["frontier", str(tmp_path / source), *command], catch_exceptions=False)
        assert pl.read_csv(done.stdout.encode())["design_id"].to_list() == best, source


def test_quantiles_in_sql_over_a_space_and_over_a_run(tmp_path: Path, plain: dict[int, dict[str, float]]) -> None:
    query = """
        select design_id, loss_nats_p05, loss_nats_p50, loss_nats_p95 from designs
        where loss_nats_p95 - loss_nats_p05 < $most order by design_id
    """
    designs = sweep.loads(ONE_LAW)
    designs.write(tmp_path / "run")
    with Database.open_run(tmp_path / "run") as database:
        written = database.query(query, {"most": NARROW}).pl()
    virtual = designs.sql(query, {"most": NARROW})
    assert written.rows() == virtual.rows()
    assert virtual["design_id"].to_list() == narrow(plain)
    for name in ("loss_nats_p05", "loss_nats_p50", "loss_nats_p95"):
        assert virtual[name].to_list() == pytest.approx([plain[k][name] for k in narrow(plain)], rel=EXACT)


def test_what_was_not_named_can_still_be_asked_for(plain: dict[int, dict[str, float]]) -> None:
    """Of the virtual table, which offers every metric."""
    found = sweep.loads(ONE_LAW).sql(
        "select median(compute_optimal_params_p50) as n from designs where law is not null"
    )
    assert found["n"][0] == pytest.approx(
        np.median([r["compute_optimal_params_p50"] for r in plain.values()]), rel=EXACT
    )


def test_a_quantile_is_declared_in_the_unit_of_its_metric() -> None:
    for base in BASES:
        for percent in PERCENTS:
            declared = GRAPH.metrics[f"{base}_p{percent:02d}"]
            assert declared.unit == GRAPH.metrics[base].unit
            assert declared.meaning.startswith(f"{percent} % of the draws")
            assert "arXiv:2404.10102" in declared.source


@pytest.mark.parametrize("law", ["kaplan_alloc", "kaplan_L_Cmin"])
def test_a_law_without_draws_has_no_quantiles(law: str) -> None:
    """Not even of what takes nothing of a draw, which would look like certainty; in spaces of several laws too."""
    for laws in ([law], [law, "besiroglu_2024"], ["besiroglu_2024", law]):
        listed = ", ".join(f'"{name}"' for name in laws)
        space = loads(f"[axes]\nlaw = [{listed}]\nhidden_size = [1024, 2048]")
        names = [f"{base}_p50" for base in BASES]
        found = scan(space).select("law", *names).collect()
        for name in names:
            none = found.filter(pl.col("law") == law)[name]
            assert none.is_nan().all(), name
        others = found.filter(pl.col("law") != law)
        assert len(others) == 2 * (len(laws) - 1)
        assert not others["loss_nats_p50"].is_nan().any()
        with Database.open_space(space) as database:
            told = database.query(f"select law, {', '.join(names)} from what_if(vocab_size := 50000)").pl()
            assert told.filter(pl.col("law") == law).select(pl.col(names).is_nan().all()).row(0) == (True,) * len(names)


@pytest.mark.parametrize(
    "text",
    [
        "[axes]\nhidden_size = [1024]\n[fixed]\nlaw_floor_nats = 1.0",
        "[axes]\nlaw_params_exponent = [0.3, 0.4]\nlaw = ['besiroglu_2024', 'kaplan_L_Cmin']",
        "[axes]\nhidden_size = [1024]\n[derived]\nlaw_tokens_scale = 'hidden_size * 2.0'",
    ],
)
def test_coefficients_of_ones_own_have_no_quantiles(text: str) -> None:
    """The draws are of the law's own, all of them together."""
    found = scan(loads(text)).select("loss_nats", "loss_nats_p05", "loss_nats_p95").collect()
    assert not found.filter(pl.col("loss_nats").is_not_nan()).is_empty()
    assert found["loss_nats_p05"].is_nan().all()
    assert found["loss_nats_p95"].is_nan().all()


def test_a_row_with_a_coefficient_of_its_own_has_no_quantiles() -> None:
    table = pl.DataFrame({"hidden_size": [1024, 1024], "law_floor_nats": [1.0, None]})
    found = points.evaluate(table, ["loss_nats", "loss_nats_p50"])
    assert found["loss_nats"][0] < found["loss_nats"][1]
    assert isnan(found["loss_nats_p50"][0])
    assert found["loss_nats_p50"][1] == pytest.approx(found["loss_nats"][1], rel=0.01)
