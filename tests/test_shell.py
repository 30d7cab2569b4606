"""sweep shell: statements and commands, piped in or typed, with completion and history."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from sweep.cli import dots
from sweep.cli.completion import SqlCompleter
from sweep.cli.shell import _prompts, _talk
from sweep.cli.statements import is_whole, statements
from sweep.database import Database
from sweep.errors import SweepError
from sweep.resolve import loads

SPEC = """
name = "small"
columns = ["params_total"]
[axes]
hidden_size = [1024, 2048]
gpu = ["h100_sxm", "b200_sxm"]
"""


@pytest.fixture(scope="module")
def session() -> Iterator[dots.Session]:
    space = loads(SPEC)
    with Database.open_space(space) as database:
        yield dots.Session(database, lambda: space, timer=False)


# ------------------------------------------------------------------------------------------- cutting what is typed

PIECES = st.lists(
    st.sampled_from(["select 1", "';'", '";"', "/* ; */", "$$ ; $$", "a", " ", "\n", "-- ; '\n", "''", "'it''s;'"]),
    max_size=8,
).map("".join)


@given(st.lists(PIECES, max_size=5))
def test_statements_are_cut_at_semicolons_that_are_not_quoted_or_commented(pieces: list[str]) -> None:
    """Each piece has no semicolon of its own, so that as many statements come back as pieces say something."""
    text = "".join(f"x{piece}\n;\n" for piece in pieces)
    found = list(statements(text.splitlines(keepends=True)))
    assert len(found) == len(pieces)
    assert "\n".join(found) == text.strip()


def test_commands_stand_on_a_line_and_sql_goes_on_until_its_semicolon() -> None:
    script = ".rows 3\nselect\n  .5 as a\n;\n\n-- nothing\n.help\nselect 2"
    assert list(statements(script.splitlines())) == [".rows 3", "select\n  .5 as a\n;", "-- nothing\n.help\nselect 2"]
    assert is_whole(".help")
    assert is_whole("")
    assert not is_whole("select 1")
    assert not is_whole("select ';")
    assert is_whole("select ';';  ")


# ------------------------------------------------------------------------------------------------------- piped in


def piped(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "small.toml").write_text(SPEC)
    command = [sys.executable, "-m", "sweep", "shell", str(tmp_path / "small.toml")]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


def test_a_script_is_run_up_to_its_first_mistake(tmp_path: Path) -> None:
    script = ".format csv\nselect gpu, count(*) as n\nfrom designs group by gpu order by gpu;\n.rowz 3\nselect 7;\n"
    done = piped(script, tmp_path)
    assert done.stdout == "gpu,n\nb200_sxm,2\nh100_sxm,2\n"
    assert done.stderr == '.rowz is not a command; did you mean ".rows"?\n'
    assert done.returncode == 2


def test_the_last_statement_may_lack_its_semicolon_and_quit_ends(tmp_path: Path) -> None:
    done = piped(".format csv\nselect 1 as a", tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("a\n1\n", "", 0)
    done = piped(".quit\nselect 1 as a;", tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


# ---------------------------------------------------------------------------------------------------------- typed


def typed(session: dots.Session, keys: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person types, key by key; the shell ends with Ctrl-D."""
    monkeypatch.setattr("click.get_app_dir", lambda name: str(home / name))
    with create_pipe_input() as stdin, create_app_session(input=stdin, output=DummyOutput()):
        stdin.send_text(keys + "\x04")
        _talk(session, _prompts(session))


def test_what_is_typed_is_answered_and_mistakes_do_not_end_it(
    session: dots.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mistakes = "select nothing\n from designs;\n.query best_per_budget budgets_usd\n"
    typed(session, f"{mistakes}select 3\n as three;\n\x03.explan\n", tmp_path, monkeypatch)
    out, err = capsys.readouterr()
    assert out.split() == ["three", "─────", "3"]
    assert "'budgets_usd' is not name=value" in err
    assert 'column "nothing" not found' in err
    assert '.explan is not a command; did you mean ".explain"?' in err
    assert "+select 3" in (tmp_path / "llm-sweep" / "history").read_text(encoding="utf-8")


def test_no_place_for_a_history_is_no_reason_to_fail(
    session: dots.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    typed(session, "select 5;\n", tmp_path / "file", monkeypatch)
    assert "5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select param", "params_total"),
        ("select kv_cache_bytes_", "kv_cache_bytes_of"),
        ("from acc", "accelerators"),
        ("select gpu from designs where gpu = 'h1", "h100_sxm"),
        (".ex", ".explain"),
        (".explain 3 lifetime_u", "lifetime_usd"),
        ("from what", "what_if"),
    ],
)
def test_names_are_completed(session: dots.Session, text: str, expected: str) -> None:
    completer = SqlCompleter(session.database.columns, ["select"])
    found = [c.text for c in completer.get_completions(Document(text), CompleteEvent())]
    assert expected in found
    assert len(found) < 40


# ------------------------------------------------------------------------------------------------------- commands


def test_every_command_says_something(
    session: dots.Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answer = None
    with pytest.raises(SweepError, match="no answer to save yet"):
        dots.run(session, ".save x.csv")
    session.answer = pl.DataFrame({"a": [1]})
    dots.run(session, f".save '{tmp_path / 'a b.csv'}'")
    assert pl.read_csv(tmp_path / "a b.csv").item() == 1
    for line, said in {
        ".help": ".explain ID",
        ".tables": "accelerators",
        ".columns params_total": "params_total",
        ".metrics lifetime usd": "lifetime_usd",
        ".inputs head": "head_dim",
        ".macros what": "what_if",
        ".query": "best_per_budget",
        ".query price_change price_factor=0.1": "target_nats",
        ".explain 3 params_total": "params_total =",
    }.items():
        dots.run(session, line)
        assert said in capsys.readouterr().out, line
    for line, state in {".rows 3": 3, ".format json": "json", ".timer on": True}.items():
        dots.run(session, line)
        assert getattr(session, line.split()[0][1:]) == state
    session.rows, session.format, session.timer = 40, "table", False


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (".rows none", "it is 40"),
        (".format xml", "table, csv, json"),
        (".timer", "it is off"),
        (".explain", "takes the id of a design"),
        (".explain 99 params_total", "99"),
        (".columns no_such", "nothing has no_such in it"),
        (".save", "takes a file"),
        (".save 'x", "No closing quotation"),
    ],
)
def test_mistakes_are_answered_with_what_would_be_right(session: dots.Session, line: str, said: str) -> None:
    with pytest.raises(SweepError, match=said):
        dots.run(session, line)
