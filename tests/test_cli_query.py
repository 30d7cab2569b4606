"""sweep query: what it lists, tells, answers, and says of a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import sweep
from sweep.cli import cli
from sweep.database import Database
from sweep.errors import SweepError
from sweep.queryfile import TOPICS, all_files, load
from sweep.queryvalue import Parameter
from sweep.resolve import loads
from sweep.run import write
from sweep.tables import render

FEW = """
name = "few"
columns = ["params_total", "serve_bytes", "min_gpus_to_serve"]
[axes]
hidden_size = [1024, 2048, 8192]
precision = ["bf16", "int4_g128"]
gpu = ["b200_sxm", "h100_sxm"]
law = ["besiroglu_2024", "gadre_c4"]
"""


def told(*args: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(cli, ["query", *args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def mistake(*args: str) -> str:
    """What is said of a mistake."""
    with pytest.raises(SweepError) as caught:
        CliRunner().invoke(cli, ["query", *args], catch_exceptions=False, standalone_mode=False)
    return str(caught.value)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "few.toml"
    path.write_text(FEW, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(spec: Path) -> Path:
    write(loads(FEW), spec.parent / "run")
    return spec.parent / "run"


def test_the_list_names_every_question_by_topic() -> None:
    lines = told("--list").splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == list(TOPICS)
    assert [line.split()[0] for line in lines if line.startswith(" ")] == [file.name for file in all_files()]
    assert "  fits_on                 what is the largest model that fits on so many GPUs" in "\n".join(lines)


def test_without_a_space_the_header_is_told() -> None:
    text = told("price_change")
    assert text.startswith("what changes when the price of one GPU does")
    for part in ("designs (design_id, gpu, loss_nats, lifetime_usd)", "price_factor = 0.5", "target_nats, gpu_before"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 120


def test_every_header_can_be_told() -> None:
    for file in all_files():
        assert all(parameter.name in told(file.name) for parameter in file.parameters)


def test_a_run_and_its_spec_answer_alike(spec: Path, run: Path, tmp_path: Path) -> None:
    of_run = told("fits_on", str(run), "--format", "csv", "--param", "num_gpus=8").splitlines()
    assert of_run[0] == "gpu,precision,designs,design_id,params_total,serve_bytes"
    of_spec = json.loads(told("fits_on", str(spec), "--format", "json", "--param", "$num_gpus = 8"))
    assert [",".join(map(str, row.values())) for row in of_spec] == of_run[1:]
    told("fits_on", str(run), "-o", str(tmp_path / "answer.xlsx"))
    ours = pl.read_excel(tmp_path / "answer.xlsx")
    assert ours.rows() == sweep.load(spec).query("fits_on").rows()
    assert f"... {len(ours) - 1} more rows" in told("fits_on", str(run), "--rows", "1")


def test_ids_are_shown_to_be_typed_again() -> None:
    shown = render(pl.DataFrame({"design_id": [1], "first_id": [24_729_965], "last_id": [None]}))
    assert shown.splitlines()[-1].split() == ["1", "24729965"]


def test_conditions_of_the_question(spec: Path, run: Path) -> None:
    """A run that is asked with --where is evaluated anew, by its own spec."""
    lines = told("fits_on", str(run), "--where", "gpu == 'b200_sxm'", "--format", "csv").splitlines()[1:]
    found = sweep.load(spec).query("fits_on", where=["gpu == 'b200_sxm'"])
    assert lines == [",".join(map(str, row)) for row in found.rows()]
    assert found["gpu"].unique().to_list() == ["b200_sxm"]


def test_what_a_reader_has_to_know_is_said(spec: Path) -> None:
    none_left = told("best_per", str(spec), "--param", "max_loss_nats=0.1")
    assert "losses of different laws are compared" in none_left
    assert "no row; with other parameters" in none_left
    assert "losses of different laws" not in told("best_per", str(spec), "--where", "law == 'gadre_c4'")
    assert "loss_nats" not in told("fits_on", str(spec))


def test_names_that_are_not_known(spec: Path) -> None:
    assert (
        mistake("fit_on") == "no question is called 'fit_on'; sweep query --list names them; did you mean \"fits_on\"?"
    )
    assert mistake("macros").startswith("no question is called 'macros'")
    assert mistake("../queries/fits_on").startswith("no question is called")
    said = mistake("fits_on", str(spec), "--param", "gpus=2")
    assert said.startswith("fits_on has no parameter gpus; it has num_gpus")
    assert mistake("best_per", str(spec), "--param", "axis=gpuu").endswith(
        "axis = 'gpuu' is not a column of designs; did you mean \"gpu\"?"
    )
    assert mistake("best_per", str(spec), "--param", "cost=gpu").endswith(
        "cost = 'gpu' is a column of words, and numbers are needed"
    )


@pytest.mark.parametrize(
    ("question", "given", "said"),
    [
        ("fits_on", "num_gpus=two", "num_gpus = 'two' is not a whole number, such as 3"),
        ("fits_on", "num_gpus=1.5", "num_gpus = '1.5' is not a whole number"),
        ("days_to_train", "max_days=nan", "max_days = 'nan' is not a number, such as 1e6"),
        ("best_per_budget", "budgets_usd=1e6,soon", "budgets_usd = 'soon' is not a number"),
        ("best_per_budget", "budgets_usd=[]", "is not a list of one number or more, such as [1e5, 3e5"),
        ("price_change", "gpu=", "gpu = '' is not a text, such as gpu"),
    ],
)
def test_values_that_cannot_be(question: str, given: str, said: str, spec: Path) -> None:
    assert said in mistake(question, str(spec), "--param", given)


def test_columns_that_are_missing_are_named_with_what_adds_them(spec: Path, run: Path, tmp_path: Path) -> None:
    said = mistake("serving_cost", str(run))
    assert said.splitlines()[0] == (
        "serving_cost reads serve_usd_per_million_tokens, which this run has not: "
        'add "serve_usd_per_million_tokens" to columns = [...] of the spec'
    )
    assert "ask the spec instead of the run" in said
    assert told("serving_cost", str(run / "spec.toml"), "--format", "csv").count("\n") > 1
    assert "make model an axis of the spec, under [axes]" in mistake("longest_context", str(spec))
    one = tmp_path / "one.toml"
    one.write_text('[fixed]\nlaw = "besiroglu_2024"\n[axes]\ngpu = ["h100_sxm"]\n', encoding="utf-8")
    assert "regret_across reads precision" in mistake("regret_across", str(one))


def test_wrong_ways_to_ask() -> None:
    for args in ([], ["fits_on", "--param", "num_gpus=2"], ["fits_on", "laptop", "--param", "num_gpus"]):
        result = CliRunner().invoke(cli, ["query", *args])
        assert result.exit_code == 2
        assert "Error" in result.output


def test_values_from_python_and_from_a_command_line_are_the_same() -> None:
    number, ids = Parameter("x", "1e6", "what"), Parameter("id", "null", "which")
    many, words = Parameter("x", "[1e5, 3.0]", "what"), Parameter("w", "['a']", "columns")
    assert number.value == 1e6
    assert number.read("1_000", "here") == number.read(1000, "here") == 1000.0
    assert isinstance(number.read(3, "here"), float)
    assert ids.value is None
    assert ids.read("12", "here") == ids.read(12.0, "here") == 12
    assert many.read("[1, 2e3]", "here") == many.read("1,2e3", "here") == many.read((1, 2e3), "here") == [1.0, 2000.0]
    assert words.read("['a', 'b']", "here") == words.read("a,b", "here") == ["a", "b"]
    for wrong in (True, None, "", [1]):
        with pytest.raises(SweepError):
            number.read(wrong, "here")


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, sweep.cli.query; print(sorted({'polars', 'duckdb', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_answer_without_axes_is_refused_where_axes_are_asked_for() -> None:
    one = loads('[axes]\ngpu = ["h100_sxm"]\n')
    with Database.open_space(one) as database:
        columns = [column for column in database.columns if not column.is_axis]
    from sweep.querycolumns import lacking

    assert "this space has no axis" in str(lacking(load("marginal_bests"), {}, columns))
