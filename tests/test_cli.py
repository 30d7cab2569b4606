"""The command line as a person meets it: help, examples, exit codes, messages, files."""

import re
import shlex
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path

import click
import polars as pl
import pytest
import xlsxwriter
from click.testing import CliRunner

from sweep.cli import COMMANDS, cli
from sweep.cli.shared import notes
from sweep.errors import SpecError, SweepError
from sweep.resolve import loads


def sweep(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sweep", *arguments], input=stdin, capture_output=True, text=True, check=False
    )


def invoke(*arguments: str) -> str:
    """What a command prints to standard output, run in this process; errors come out as they are raised."""
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False, standalone_mode=False).stdout


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples(command: click.Command) -> list[str]:
    return re.findall(r"^ +(sweep .*)$", command.help or "", re.MULTILINE)


def test_every_command_has_one_sentence_and_an_example() -> None:
    for command in COMMANDS:
        first = (command.help or "").split("\n\n")[0].strip()
        assert first.endswith("."), command.name
        assert ". " not in first, command.name
        assert examples(command), command.name


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.name != "run"], ids=lambda c: str(c.name))
def test_examples_of_help_run(command: click.Command, elsewhere: Path) -> None:
    (elsewhere / "designs.csv").write_text("hidden_size,num_layers\n1024,16\n")
    for example in examples(command):
        assert invoke(*shlex.split(example)[1:]) or list(elsewhere.iterdir())


def test_the_example_of_run_in_small() -> None:
    """Its example is the main job, which the demo runs; here the same on a small spec, and then again."""
    fits = "select count(*) from designs where min_gpus_to_serve <= 1"
    held = int(invoke("sql", "laptop", fits, "--format", "csv").split()[1])
    first = invoke("run", "laptop", "-o", "runs/laptop")
    assert f"{held:,} of {13 * 9 * 2 * 6 * 9:,} designs met all conditions" in first
    assert "complete already" in invoke("run", "laptop", "-o", "runs/laptop")
    assert invoke("sql", "runs/laptop", "select count(*) from designs", "--format", "csv").split()[1] == str(held)


def test_help_answers_at_once() -> None:
    """Under 0.3 s, the best of five: numba, polars and duckdb load inside the commands that need them."""
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        assert sweep("--help").returncode == 0
        best = min(best, time.perf_counter() - start)
    assert best < 0.3
    heavy = "numba polars duckdb pyarrow pydantic rich numpy"
    code = f"import sys, sweep.cli; assert not set(sys.modules) & set('{heavy}'.split())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_mistake_ends_with_code_2_and_leaves_nothing(elsewhere: Path) -> None:
    (elsewhere / "bad.toml").write_text("[axes]\ngpu = ['h100_smx']\n")
    for arguments in (["run", "bad.toml", "-o", "out"], ["frontier", "bad.toml"], ["sql", "bad.toml", "select 1"]):
        done = sweep(*arguments)
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == "bad.toml: 1 problem, nothing was run"
        assert 'did you mean "h100_sxm"?' in done.stderr
        assert done.stdout == ""
    assert [p.name for p in elsewhere.iterdir()] == ["bad.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frontier", "lap"], 'did you mean "laptop"'),
        (["frontier", "laptop", "--minimize", "serve_byte"], 'did you mean "serve_bytes"'),
        (["frontier", "laptop", "--where", "serve_bytes"], "not a condition"),
        (["eval", "--set", "gpu=h100"], "not a known gpu"),
        (["eval", "--set", "hidden_size=-1"], "hidden_size is at least 1"),
        (["eval", "--set", "ffn_size=inf"], "ffn_size is a whole number, not inf"),
        (["eval", "--set", "ffn_size=9223372036854775807"], r"at most 2\*\*53"),
        (["eval", "--set", "params_total=inf"], "params_total is a whole number"),
        (["eval", "--set", "params_total=8.5"], "params_total is a whole number"),
        (["eval", "--set", "params_total=1e30"], r"params_total is at most 2\*\*53"),
        (["eval", "--set", "d=64", "--set", "hidden_size=64"], "d and hidden_size +both are hidden_size"),
        (["eval", "--columns", "zzz"], "see `sweep list metrics`"),
        (["eval", "--columns", "gpu"], "an input, and no metric to add"),
        (["eval", "missing.csv"], "missing.csv"),
        (["explain", "laptop", "99999999"], "the space has ids 0 to 12635"),
        (["explain", "laptop", "0", "--metric", "params_totl"], 'did you mean "params_total"'),
        (["sql", "laptop", "selct 1"], "syntax error"),
        (["sql", "laptop", "select foo from designs"], "foo"),
        (["export", "laptop", "plan.csv"], "xlsx"),
        (["run", "laptop", "-o", "."], "name a folder that is empty or not there yet"),
    ],
)
def test_errors_say_what_would_be_right(arguments: list[str], message: str, elsewhere: Path) -> None:
    (elsewhere / "something.txt").write_text("not ours")
    with pytest.raises(SweepError, match=message):
        invoke(*arguments)
    assert (elsewhere / "something.txt").read_text() == "not ours"


@pytest.mark.parametrize("name", ["../escape", "/escape", "..", "a/b", "a\\\\b"])
def test_a_name_does_not_lead_out_of_runs(name: str, elsewhere: Path) -> None:
    (elsewhere / "spec.toml").write_text(f'name = "{name}"\n[axes]\nhidden_size = [1024]\n')
    with pytest.raises(SpecError, match="is no name of a folder in runs; name one with -o"):
        invoke("run", "spec.toml")
    assert [p.name for p in elsewhere.iterdir()] == ["spec.toml"]
    invoke("run", "spec.toml", "-o", "here")
    assert (elsewhere / "here" / "manifest.json").is_file()


def test_a_run_is_no_spec_and_names_its_own(elsewhere: Path) -> None:
    (elsewhere / "spec.toml").write_text("[axes]\nhidden_size = [1024]\n")
    invoke("run", "spec.toml", "-o", "here")
    with pytest.raises(SpecError, match=re.escape(f"is a run  its spec is {Path('here') / 'spec.toml'}")):
        invoke("run", "here")
    assert "complete already" in invoke("run", "here/spec.toml", "-o", "here")


def test_a_spec_may_begin_with_a_byte_order_mark(elsewhere: Path) -> None:
    (elsewhere / "spec.toml").write_bytes(b"\xef\xbb\xbf[axes]\nhidden_size = [1024]\n")
    invoke("run", "spec.toml", "-o", "here")
    assert "design_id" in invoke("sql", "here", "select design_id from designs")


@pytest.mark.parametrize("more", [("--flops", "1e21"), ("--expansion", "8")])
def test_published_optima_take_no_compute(more: tuple[str, str]) -> None:
    with pytest.raises(click.UsageError, match="it takes no --flops and no --expansion"):
        invoke("compare", "--published", *more)


def test_eval_keeps_rows_order_and_the_columns_it_does_not_know(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text(
        'label,hidden_size,num_layers,price,gpu\n"b, second",2048,16,007,\na,1024,8,1.50,t4\n,,,,\n'
    )
    invoke("eval", "in.csv", "--columns", "params_total", "-o", "out.csv")
    lines = (elsewhere / "out.csv").read_text().splitlines()
    assert lines[0] == "label,hidden_size,num_layers,price,gpu,params_total"
    assert lines[1].startswith('"b, second",2048,16,007,,')
    assert lines[2].startswith("a,1024,8,1.50,t4,")
    # Llama 3.1 8B (8,030,261,248), but for 32 MLPs of 11,008, the 8/3 d of a default, in place of 14,336
    assert lines[3] == f",,,,,{8_030_261_248 - 32 * 3 * 4096 * (14_336 - 11_008)}"


def test_eval_names_a_row_it_cannot_evaluate_and_loses_no_other(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text(
        "model,hidden_size\nllama-3.1-8b,\nno-such-model,\nmine,x\nllama-3.1-8b,-3\ngpt2,\n"
    )
    done = sweep("eval", "in.csv", "--columns", "params_total", "--format", "csv")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "llama-3.1-8b,,8030261248"
    assert done.stdout.splitlines()[2] == "no-such-model,,"
    assert (
        done.stdout.splitlines()[5] == "gpt2,,124439808"
    )  # openai-community/gpt2: 124M, 124,439,808 in the checkpoint
    for line in ("line 3: model", "line 4: ", "line 5: hidden_size"):
        assert line in done.stderr
    strict = sweep("eval", "in.csv", "--columns", "params_total", "--strict", "-o", "out.csv")
    assert strict.returncode == 2
    assert "line 3" in strict.stderr
    assert not (elsewhere / "out.csv").exists()


@pytest.mark.parametrize("cell", ["inf", "1e30", "1e19", str(2**63 - 1), str(2**53 + 2)])
def test_eval_refuses_a_count_that_is_no_exact_whole_number(elsewhere: Path, cell: str) -> None:
    """As text and as a number; the row beside it, at the limit, is evaluated."""
    frame = pl.DataFrame({"model": ["gpt2", "gpt2"], "ffn_size": [cell, str(2**53)]})
    frame.write_csv("in.csv")
    frame.with_columns(pl.col("ffn_size").cast(pl.Float64)).write_parquet("in.parquet")
    for name in ("in.csv", "in.parquet"):
        done = CliRunner().invoke(cli, ["eval", name, "--columns", "ffn_size", "-o", "out.parquet"])
        assert pl.read_parquet("out.parquet")["ffn_size_computed"].to_list() == [None, 2**53]
        assert "1: ffn_size: " in done.stderr or "2: ffn_size: " in done.stderr


@pytest.mark.parametrize("headers", [("hidden_size", "hidden_size"), ("d", "hidden_size"), ("GPU", " gpu")])
def test_eval_refuses_two_columns_of_the_same_input(elsewhere: Path, headers: tuple[str, str]) -> None:
    """One header twice too, which a frame has under another name the second time."""
    (elsewhere / "in.csv").write_text(",".join(headers) + "\n64,128\n")
    with xlsxwriter.Workbook("in.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, headers)
        sheet.write_row(1, 0, [64, 128])
    for name in ("in.csv", "in.xlsx"):
        with pytest.raises(SpecError, match=f"{headers[0]} and {headers[1].strip()} +both are"):
            invoke("eval", name)
    piped = CliRunner().invoke(cli, ["eval", "-"], input=(elsewhere / "in.csv").read_bytes())
    assert isinstance(piped.exception, SpecError)
    if headers[0] != headers[1]:
        pl.DataFrame(dict(zip(headers, [[64], [128]], strict=True))).write_parquet("in.parquet")
        with pytest.raises(SpecError, match="both are"):
            invoke("eval", "in.parquet")


def test_a_table_may_begin_with_blank_lines(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("\n\nhidden_size,num_layers\n64,2\n")
    assert "64,2,64\n" in invoke("eval", "in.csv", "--columns", "d", "--format", "csv")
    (elsewhere / "in.csv").write_text("\n\ngpu,gpu\nt4,t4\n")
    with pytest.raises(SpecError, match="gpu and gpu"):
        invoke("eval", "in.csv")


def test_a_setting_is_given_once() -> None:
    for command in ("eval", "explain"):
        with pytest.raises(click.BadParameter, match="num_layers is given twice"):
            invoke(command, "--set", "num_layers=2", "--set", "num_layers=3")


def test_eval_reads_a_header_without_the_spaces_around_it(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("model, ffn_size\nllama-3.1-8b,\nmine,1024\n")
    out = invoke("eval", "in.csv", "--set", "model=llama-3.1-8b", "--columns", "ffn_size", "--format", "csv")
    assert out == "model, ffn_size,ffn_size\nllama-3.1-8b,,14336\nmine,1024,1024\n"


def test_a_model_that_is_not_known_is_a_label_of_a_row_that_says_what_it_is(elsewhere: Path) -> None:
    """Under short names too."""
    (elsewhere / "in.csv").write_text("model,d,L,V\nmine,64,2,100\n")
    assert invoke("eval", "in.csv", "--columns", "hidden_size", "--format", "csv").endswith("mine,64,2,100,64\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"hidden_size;num_layers\n64;2\n", "separated by commas"),
        (b"hidden_size\tnum_layers\n64\t2\n", "separated by commas"),
        ("hidden_size,num_layers\n64,2\n".encode("utf-16"), "UTF-8"),
        (b"label,owner\na,b\n", "sweep list inputs"),
        (b"label,hiden_size\na,64\n", "hidden_size"),
    ],
    ids=["semicolons", "tabs", "utf-16", "labels", "near miss"],
)
def test_eval_says_that_no_column_is_an_input(elsewhere: Path, text: bytes, message: str) -> None:
    """An error, unless --set says what the rows are: a table may hold labels only."""
    (elsewhere / "in.csv").write_bytes(text)
    with pytest.raises(SweepError, match=f"in.csv: none of its columns is an input(?s:.*){message}"):
        invoke("eval", "in.csv", "--columns", "params_total")
    done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", "params_total", "--set", "model=gpt2"])
    assert done.exit_code == 0
    assert message in done.stderr


def test_eval_names_the_columns_that_are_almost_inputs(elsewhere: Path) -> None:
    """Not those that are nowhere near, are metrics, or stand beside the input they are called like."""
    (elsewhere / "in.csv").write_text("hiden_size,Num_Layers,gpu,gpus,label,params_total\n64,2,t4,8,a,1\n")
    done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", "params_head"])
    assert done.stderr.splitlines() == [
        'in.csv: hiden_size is no input; did you mean "hidden_size"? it is passed through',
        'in.csv: Num_Layers is no input; did you mean "num_layers"? it is passed through',
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (date(2026, 1, 2), "takes a number, not 2026-01-02"),
        (datetime(2026, 1, 2, 3), "takes a number, not 2026-01-02 03:00:00"),
        ([64], r"takes a number, not \[64\]"),
        ({"a": 64}, "takes a number, not {'a': 64}"),
        (b"64", "takes a number, not b'64'"),
        ("1_000", "takes a number, not '1_000'"),
        ("６４", "takes a number, not '６４'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_eval_refuses_a_cell_that_is_no_number(elsewhere: Path, cell: object, reason: str) -> None:
    pl.DataFrame({"hidden_size": [None, cell], "num_layers": 2}).write_parquet("in.parquet")
    done = CliRunner().invoke(cli, ["eval", "in.parquet", "--columns", "num_layers", "-o", "out.parquet"])
    assert re.search(f"line 2: hidden_size: hidden_size {reason}", done.stderr)
    assert pl.read_parquet("out.parquet")["num_layers_computed"].to_list() == [2, None]


def test_eval_refuses_a_date_in_a_workbook(elsewhere: Path) -> None:
    pl.DataFrame({"hidden_size": [date(2026, 1, 2)], "gpu": "t4"}).write_excel("in.xlsx")
    done = CliRunner().invoke(cli, ["eval", "in.xlsx", "--columns", "params_total"])
    assert "line 2: hidden_size: hidden_size takes a number, not 2026-01-02" in done.stderr


@pytest.mark.parametrize("cell", [["t4"], {"a": "t4"}, b"\xff", date(2026, 1, 2)], ids=lambda v: type(v).__name__)
def test_eval_refuses_a_cell_that_is_no_word(elsewhere: Path, cell: object) -> None:
    for column, reason in (("gpu", "is not a known gpu"), ("norm_kind", "is not a word that norm_kind takes")):
        pl.DataFrame({column: [None, cell]}).write_parquet("in.parquet")
        done = CliRunner().invoke(cli, ["eval", "in.parquet", "--columns", "params_total"])
        assert done.exit_code == 0
        assert f"line 2: {column}: " in done.stderr
        assert reason in done.stderr


def test_eval_reads_categories_as_the_words_they_are(elsewhere: Path) -> None:
    """Numbers among them too, whose place among the categories is another."""
    words = {"gpu": ["t4", None, "h100_sxm"], "norm_kind": ["layernorm", "rmsnorm", None], "ffn_size": ["8", "7", None]}
    pl.DataFrame(words, schema=dict.fromkeys(words, pl.Categorical)).write_parquet("in.parquet")
    pl.DataFrame(words).write_csv("in.csv")
    for name in ("in.csv", "in.parquet"):
        invoke("eval", name, "--columns", "params_total,gpu_memory_bytes", "-o", f"{name}.parquet")
    found = [
        pl.read_parquet(f"{name}.parquet")["params_total", "gpu_memory_bytes"] for name in ("in.csv", "in.parquet")
    ]
    assert found[0].equals(found[1])
    assert found[0]["params_total"].n_unique() == 3


@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("1", "0")])
def test_a_truth_value_is_given_as_people_write_it(elsewhere: Path, yes: str, no: str) -> None:
    """By --set, in a CSV and as the text of a workbook; no other input takes one."""
    pl.DataFrame({"model": "llama-3.1-8b", "ffn_gated": [yes, no]}).write_csv("in.csv")
    pl.DataFrame({"model": "llama-3.1-8b", "ffn_gated": [yes, no]}).write_excel("in.xlsx")
    for name in ("in.csv", "in.xlsx"):
        invoke("eval", name, "--columns", "params_total", "-o", "out.parquet")
        gated, plain = pl.read_parquet("out.parquet")["params_total"]
        assert gated == 8_030_261_248
        assert gated - plain == 32 * 4096 * 14_336
    sets = ["--set", "model=llama-3.1-8b", "--set", f"ffn_gated={no}"]
    assert str(plain) in invoke("eval", *sets, "--columns", "params_total", "--format", "csv")
    assert f"params_total = {plain}" in invoke("explain", *sets, "--metric", "params_total").replace(",", "")
    if not yes.isdigit():
        with pytest.raises(SpecError, match="hidden_size takes a number"):
            invoke("eval", "--set", f"hidden_size={yes}")
        with pytest.raises(SpecError, match="hidden_size takes a number"):
            invoke("explain", "--set", f"hidden_size={yes}")
        (elsewhere / "counts.csv").write_text(f"hidden_size\n{yes}\n")
        assert "takes a number" in CliRunner().invoke(cli, ["eval", "counts.csv"]).stderr


def test_eval_counts_the_lines_of_a_file_and_not_its_rows(elsewhere: Path) -> None:
    """Rows that go over several lines, the header among them, and one that is blank."""
    text = '"a\nlabel",hidden_size\n"one\ntwo\r\nthree",x\n\nfour,y\n"five\nsix",64\nseven,z\n'
    (elsewhere / "in.csv").write_bytes(text.encode())
    done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", "params_total"])
    assert re.findall(r"line (\d+): .*'(.)'", done.stderr) == [("3", "x"), ("7", "y"), ("10", "z")]


def test_eval_reads_a_pipe() -> None:
    done = sweep("eval", "-", "--columns", "params_total", "--format", "csv", stdin="model\nllama-3.1-70b\n")
    assert done.stdout == "model,params_total\nllama-3.1-70b,70553706496\n"


def test_eval_sets_an_input_whatever_the_row_says(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("model,vocab_size\nllama-3.1-8b,32000\n")
    frame = pl.read_csv(
        invoke("eval", "in.csv", "--set", "V=128256", "--columns", "params_total", "--format", "csv").encode()
    )
    assert frame["params_total"].to_list() == [8030261248]


def test_a_metric_that_the_table_has_already_comes_out_beside_it(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("model,params_total\nllama-3.1-8b,8.0B\n")
    out = invoke("eval", "in.csv", "--columns", "params_total", "--format", "csv")
    assert out == "model,params_total,params_total_computed\nllama-3.1-8b,8.0B,8030261248\n"


def test_a_table_may_be_evaluated_again_and_again(elsewhere: Path) -> None:
    """No column of before is replaced, and what is said of extrapolation is of what was computed."""
    (elsewhere / "in.csv").write_text("model,train_tokens\nllama-3.1-8b,1.5e13\n")
    arguments = ["--set", "train_tokens=1e10", "--columns", "loss_nats"]
    invoke("eval", "in.csv", "--columns", "loss_nats", "-o", "1.csv")
    invoke("eval", "1.csv", *arguments, "-o", "2.csv")
    done = CliRunner().invoke(cli, ["eval", "2.csv", *arguments, "-o", "3.csv"])
    assert done.stderr == ""
    first, second, third = (pl.read_csv(f"{k}.csv") for k in (1, 2, 3))
    assert third[second.columns].equals(second)
    assert second[first.columns].equals(first)
    assert third["loss_nats_computed_computed"].equals(second["loss_nats_computed"])
    assert first["in_fitted_range"].to_list() == [False]
    again = CliRunner().invoke(cli, ["eval", "1.csv", "--columns", "in_fitted_range"])
    assert "extrapolated" in again.stderr
    assert "false" in again.stdout  # the text that the table has


MARKS = ["in_fitted_range", "times_outside_fitted_range"]


def test_eval_says_what_is_extrapolated(elsewhere: Path) -> None:
    """besiroglu_2024 was fitted on up to 1.3e22 FLOP: 8.03e9 parameters on 1.5e13 tokens are 6 N D = 7.2e23."""
    (elsewhere / "in.csv").write_text("model,train_tokens\nllama-3.1-8b,1e11\nllama-3.1-8b,1.5e13\ngpt2,1e10\n")
    for written in ("loss_nats", "loss_nats_p95", f"loss_nats,{MARKS[1]}", "compute_optimal_params"):
        done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", written, "--format", "csv"])
        frame = pl.read_csv(done.stdout.encode())
        assert set(frame.columns) == {"model", "train_tokens", *written.split(","), *MARKS}
        assert frame["in_fitted_range"].to_list() == [True, False, True]
        assert frame["times_outside_fitted_range"].to_list() == pytest.approx(
            [1.0, 6 * 8_030_261_248 * 1.5e13 / 1.3e22, 1.0]
        )
        assert done.stderr == "1 of 3 rows lie outside the range the law was fitted on: extrapolated\n"


def test_eval_marks_nothing_that_follows_from_no_law(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("model,train_tokens\nllama-3.1-8b,1.5e13\n")
    for written in ("params_total", "train_flops", "kv_cache_bytes"):
        done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", written, "--format", "csv"])
        assert done.stdout.splitlines()[0] == f"model,train_tokens,{written}"
        assert done.stderr == ""


def test_eval_of_one_design_says_whether_it_is_extrapolated() -> None:
    inside = CliRunner().invoke(cli, ["eval", "--set", "train_tokens=1e11", "--columns", "loss_nats"])
    assert [line.split()[0] for line in inside.stdout.splitlines()] == ["loss_nats", *MARKS]
    assert inside.stderr == ""
    outside = CliRunner().invoke(cli, ["eval", "--set", "train_tokens=1e14", "--columns", "loss_nats"])
    assert "extrapolated" in outside.stdout
    assert outside.stderr == "this lies outside the range the law was fitted on: extrapolated\n"


def test_a_row_that_was_not_evaluated_is_not_called_extrapolated(elsewhere: Path) -> None:
    (elsewhere / "in.csv").write_text("model,train_tokens\nllama-3.1-8b,1.5e13\nno-such-model,1e10\n")
    done = CliRunner().invoke(cli, ["eval", "in.csv", "--columns", "loss_nats", "--format", "csv"])
    assert done.stdout.splitlines()[2] == "no-such-model,1e10,,,"
    assert done.stderr.startswith("1 of 2 rows lie outside the range the law was fitted on: extrapolated\n")


def test_an_engine_measured_on_other_gpus_is_named() -> None:
    """MI300X is AMD's, which has a record of vLLM of its own; M3 Max is Apple's, llama.cpp the same."""
    found = pl.DataFrame(schema=["decode_step_s"])
    space = loads('[axes]\ngpu = ["h100_sxm", "mi300x"]\n[fixed]\nmodel = "llama-2-7b"\n')
    assert any("vllm serves mi300x too; engine = vllm_rocm is" in note for note in notes(space, found))
    for engine, gpu, own in (("vllm_rocm", "mi300x", ""), ("vllm", "h20", ""), ("llama_cpp", "m3_max", "_metal")):
        text = f'[axes]\nbatch_size = [1, 2]\n[fixed]\nmodel = "llama-2-7b"\ngpu = "{gpu}"\nengine = "{engine}"\n'
        said = [note for note in notes(loads(text), found) if " too; engine" in note]
        assert len(said) == bool(own)
        assert all(f"engine = {engine}{own} is" in note for note in said)


def test_a_frontier_says_how_many_are_extrapolated(elsewhere: Path) -> None:
    """Below its table, and among the assumptions of its workbook."""
    (elsewhere / "s.toml").write_text("[axes]\ntrain_tokens = [1e10, 1e14]\n")
    note = "{} rows lie outside the range their law was fitted on: extrapolated"
    both = ["s.toml", "--minimize", "loss_nats", "--minimize", "train_flops"]
    assert note.format("1 of 2") in invoke("frontier", *both)
    assert note.format("1 of 1") in invoke("frontier", "s.toml", "--minimize", "loss_nats_p95")
    assert "extrapolated" not in invoke("frontier", *both, "--where", "train_tokens < 1e11")
    invoke("export", *both, "plan.xlsx")
    assumed = pl.read_excel("plan.xlsx", sheet_name="assumptions").rows()
    assert ("note", note.format("1 of 2")) in assumed
    assert "shaded rows" in {what for what, _ in assumed}


def test_formats_agree(elsewhere: Path) -> None:
    arguments = ["frontier", "laptop", "--minimize", "serve_bytes", "--maximize", "decode_tokens_per_s"]
    for name in ("f.csv", "f.parquet", "f.json", "f.xlsx"):
        invoke(*arguments, "-o", name)
    parquet = pl.read_parquet("f.parquet")
    assert pl.read_csv("f.csv")["design_id"].to_list() == parquet["design_id"].to_list()
    assert pl.read_json("f.json")["serve_bytes"].to_list() == parquet["serve_bytes"].to_list()
    assert pl.read_excel("f.xlsx")["model"].to_list() == parquet["model"].cast(pl.String).to_list()


def test_a_spec_and_its_run_have_the_same_frontier() -> None:
    """The compiled kernel over the space, and the SQL of queries/ over the run: row for row."""
    invoke("run", "laptop", "-o", "run")
    for options in (
        [],
        ["--minimize", "serve_bytes", "--maximize", "decode_tokens_per_s"],
        [
            "--minimize",
            "serve_bytes",
            "--minimize",
            "prefill_s",
            "--maximize",
            "params_total",
            "--maximize",
            "context_tokens",
        ],
        ["--maximize", "decode_tokens_per_s", "--where", "gpu != 'rtx_5090' and context_tokens >= 16384"],
    ):
        invoke("frontier", "laptop", *options, "-o", "spec.parquet")
        invoke("frontier", "run", *options, "-o", "run.parquet")
        there, here = pl.read_parquet("spec.parquet"), pl.read_parquet("run.parquet")
        assert len(there) > 0
        assert here.columns == there.columns
        assert here.cast(pl.String).equals(there.cast(pl.String))


def test_dry_run_says_what_there_is_and_does_nothing(elsewhere: Path) -> None:
    said = invoke("run", "laptop", "-o", "run", "--dry-run")
    assert "12,636" in said
    assert "memory" in said
    assert list(elsewhere.iterdir()) == []


def test_listing_formats() -> None:
    metrics = pl.read_csv(invoke("list", "metrics", "--format", "csv").encode())
    assert {"name", "unit", "meaning", "formula", "source", "depends_on"} <= set(metrics.columns)
    assert metrics["source"].null_count() == 0
    for what in ("inputs", "gpus", "precisions", "laws", "models", "specs"):
        assert invoke("list", what)


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m sweep list models --format csv | head -1", shell=True, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_spec_errors_are_sweep_errors() -> None:
    assert issubclass(SpecError, SweepError)
