"""sensitivities(id) of a run: the same numbers as Python's, in whatever client opens the folder."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.api import Designs, loads
from sweep.columns import wanted
from sweep.database import Database
from sweep.run import write
from sweep.sqlsensitivity import MOST_CHARACTERS, statement

SPEC = """
columns = ["loss_nats", "lifetime_usd", "min_gpus_to_serve", "train_flops_6nd", "cost"]
[axes]
hidden_size = [1024, 2048]
num_experts = [1, 64]
gpu = ["h100_sxm", "a100_sxm_80"]
law = ["besiroglu_2024", "kaplan_L_ND", "joint_moe"]
train_tokens = [1e11, 1e12]
train_precision = ["bf16", "fp8_training"]
attention_flops_convention = ["full", "causal"]
[fixed]
num_layers = 16
[derived]
num_heads = "hidden_size / 128"
[metrics]
cost = "lifetime_usd / (num_layers // 2 + 0.5)"
[frontier]
minimize = ["loss_nats", "lifetime_usd"]
"""

READER = """
import duckdb
con = duckdb.connect()
for statement in con.extract_statements(open("open.sql", encoding="utf-8").read()):
    con.execute(statement.query)
print(con.execute("select * from sensitivities(5) where metric = 'cost' and input = 'gpu_usd_per_hour'").fetchall())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Designs, Path]:
    space, folder = loads(SPEC), tmp_path_factory.mktemp("runs") / "run"
    space.write(folder)
    return space, folder


# Kaplan on an H100, and a law of experts on an A100, which has no fp8
@pytest.mark.parametrize("design_id", [pytest.param(12, marks=pytest.mark.slow), 191])
def test_every_number_is_the_one_of_python(run: tuple[Designs, Path], design_id: int) -> None:
    """Metrics times inputs; what does not move is left out, what is none is none."""
    space, folder = run
    with Database.open_run(folder) as database:
        rows = database.query(f"select * from sensitivities({design_id})").pl()
    met = unknown = 0
    for metric in ("loss_nats", "lifetime_usd", "min_gpus_to_serve", "train_flops_6nd", "cost"):
        ours = {r["input"]: r for r in rows.filter(metric=metric).iter_rows(named=True)}
        python = space.sensitivities(design_id, metric)
        assert set(ours) <= set(python["input"])
        for there in python.iter_rows(named=True):
            here = ours.get(there["input"])
            if here is None:
                assert there["elasticity"] == 0.0 or math.isnan(there["elasticity"])
                continue
            assert here["value"] == pytest.approx(there["value"], rel=0, nan_ok=True)
            assert here["elasticity"] == pytest.approx(there["elasticity"], rel=1e-10, abs=1e-14, nan_ok=True)
            met += 1
            unknown += math.isnan(here["elasticity"])
    assert met > 50
    assert (unknown > 0) == (design_id == 191)


def test_any_client_has_it(run: tuple[Designs, Path]) -> None:
    """The bill is proportional to the price of a GPU."""
    done = subprocess.run([sys.executable, "-c", READER], cwd=run[1], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (row,) = eval(done.stdout)
    assert row[:2] == ("cost", "gpu_usd_per_hour")
    assert row[3] == pytest.approx(1.0, rel=1e-12)


def test_no_such_design_has_no_rows(run: tuple[Designs, Path]) -> None:
    with Database.open_run(run[1]) as database:
        assert database.query("select count(*) as n from sensitivities(-1)").pl()["n"][0] == 0


def test_the_statement_says_what_it_leaves_out_and_stays_short() -> None:
    """Repeats have no closed form: the optimum is searched for, and the text says so; a quantile is of all draws."""
    space = loads(
        SPEC.replace("num_layers = 16", "num_layers = 16\nunique_tokens = 1e10").replace(
            'cost"]', 'usd_optimal_params"]'
        )
    ).space
    text = statement(space, wanted(space))
    heading = text.partition("create")[0]
    assert "nan where" in heading
    assert "usd_optimal_params" in heading
    assert 0 < len(text) < MOST_CHARACTERS
    assert statement(space, ["loss_nats_p50", "in_fitted_range", "num_layers"]) == ""
    assert text == statement(space, wanted(space))


def test_a_run_writes_the_same_statement_again(run: tuple[Designs, Path]) -> None:
    before = (run[1] / "open.sql").read_bytes()
    write(run[0].space, run[1])
    assert (run[1] / "open.sql").read_bytes() == before
