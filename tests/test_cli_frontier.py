"""How `sweep frontier` is asked: epsilon, ties, the best few, one by one, by reasoning or by walking; its mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sweep.errors import SweepError
from tests.test_cli import invoke

SPEC = """
name = "cards"
columns = ["params_total", "train_flops"]
[axes]
hidden_size = [512, 1024, 2048]
num_layers = [8, 16]
kv_precision = ["kv_bf16", "kv_q4_0"]
[frontier]
minimize = ["train_flops"]
maximize = ["params_total"]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cards.toml").write_text(SPEC)
    return tmp_path


def lines(*options: str) -> list[str]:
    return invoke("frontier", "cards.toml", *options, "--format", "csv").splitlines()


def test_reasoning_and_walking_print_the_same() -> None:
    assert lines("--reason") == lines("--walk") == lines()
    assert len(lines()) == 1 + 12  # a card's cache says nothing of parameters: every design ties with another


def test_one_of_those_that_are_equal_with_their_number() -> None:
    header, *rows = lines("--ties", "one")
    assert header.split(",")[-1] == "num_equal"
    assert [row.split(",")[-1] for row in rows] == ["2"] * 6
    assert lines("--ties", "one", "--reason") == [header, *rows]


def test_a_share_in_percent_or_as_a_number() -> None:
    assert lines("--epsilon", "50%") == lines("--epsilon", "0.5")
    assert lines("--epsilon", "50%") == lines("--epsilon", "50%", "--reason")
    assert 1 < len(lines("--epsilon", "100%")) < len(lines("--epsilon", "0.1%")) <= 7


def test_the_best_few_and_those_of_each_value() -> None:
    best = lines("--minimize", "train_flops", "--top", "2")
    assert [row.split(",")[0] for row in best[1:]] == ["0", "1"]
    per = lines("--minimize", "train_flops", "--top", "1", "--per", "hidden_size")
    assert [row.split(",")[0] for row in per[1:]] == ["0", "4", "8"]
    said = invoke("frontier", "cards.toml", "--minimize", "train_flops", "--top", "2")
    assert "the best 2 designs of cards" in said


def test_what_was_found_out_is_said() -> None:
    said = invoke("frontier", "cards.toml", "--reason")
    assert "12 designs reasoned about" in said
    assert "1 of 2 choices of kv_precision are left" in said
    assert "12 designs, 12 met all conditions" in invoke("frontier", "cards.toml", "--walk")
    assert re.search(r"5 of 5 parts of cards agree", invoke("frontier", "cards.toml", "--exact-check"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epsilon", "2"], "give a share from 1e-09 to 1"),
        (["--epsilon", "0"], "give a share from 1e-09 to 1"),
        (["--epsilon", "nan"], "give a share from 1e-09 to 1"),
        (["--epsilon", "-1%"], "give a share from 1e-09 to 1"),
        (["--top", "3"], "several objectives have a frontier and no order"),
        (["--per", "gpu"], "not an axis of the space; it has hidden_size, num_layers, kv_precision"),
    ],
)
def test_what_cannot_be_asked_of_a_spec(options: list[str], message: str) -> None:
    with pytest.raises(SweepError, match=re.escape(message)):
        lines(*options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epsilon", "much"], "'much' is not a share such as 0.001 or 0.1%"),
        (["--epsilon", "%"], "'%' is not a share"),
        (["--top", "0"], "0 is not in the range x>=1"),
        (["--top", "2", "--epsilon", "1%"], "--epsilon and --ties are of frontiers"),
        (["--top", "2", "--ties", "one"], "--epsilon and --ties are of frontiers"),
        (["--ties", "some"], "'some' is not one of 'all', 'one'"),
    ],
)
def test_what_is_no_answer_to_an_option(options: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        lines(*options)
    assert message in caught.value.format_message()


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--top", "2"], "--top"), (["--per", "num_layers"], "--per"), (["--epsilon", "1%"], "--epsilon"),
     (["--ties", "one"], "--ties one"), (["--walk"], "--reason/--walk"), (["--reason"], "--reason/--walk")],
)  # fmt: skip
def test_a_run_has_its_frontier_and_no_more(options: list[str], named: str) -> None:
    invoke("run", "cards.toml", "-o", "run")
    one = ["--minimize", "train_flops"]
    with pytest.raises(click.UsageError, match=f"{re.escape(named)}: of a spec, not of a run; ask run/spec.toml"):
        invoke("frontier", "run", *one, *options)
    assert "designs on the frontier of run" in invoke("frontier", "run")
