"""tasks.py on its own: it starts anywhere, names its tasks, and knows a finished environment from any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tasks

ROOT = Path(__file__).resolve().parent.parent


def run_tasks(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ROOT / "tasks.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of two files, with everything tasks.py would install replaced by nothing."""
    venv = tmp_path / ".venv"
    (tmp_path / ".ci").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".ci" / "requirements.txt").write_text("numpy==2.4.6\n")
    for name, value in {
        "ROOT": tmp_path,
        "LOCK": tmp_path / ".ci" / "requirements.txt",
        "VENV": venv,
        "BIN": venv / tasks.BIN.name,
        "PYTHON": venv / tasks.BIN.name / tasks.PYTHON.name,
        "STAMP": venv / "made-from",
    }.items():
        monkeypatch.setattr(tasks, name, value)
    monkeypatch.setattr(tasks, "install_commands", lambda: ("nothing", [[sys.executable, "-c", ""]]))
    return tmp_path


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_help_names_every_task(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = run_tasks(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    listed = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert [words[0] for words in listed] == ["demo", "test", "lint", "bench", "validate", "setup", "lock"]
    assert all(len(words) > 3 for words in listed)


def test_an_unknown_task_is_met_with_the_nearest_one(tmp_path: Path) -> None:
    result = run_tasks("tset", cwd=tmp_path)
    assert result.returncode == 2
    assert "no task 'tset'; did you mean test?" in result.stderr


def test_a_task_without_arguments_refuses_them_before_any_work() -> None:
    result = run_tasks("demo", "--fast")
    assert (result.returncode, result.stdout) == (1, "")
    assert "demo takes no arguments, and was given --fast" in result.stderr


def test_an_old_python_is_told_which_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "OLDEST_PYTHON", (4, 2))
    assert tasks.main(["test"]) == 1
    assert "Python 4.2 or newer is needed, and this is 3." in capsys.readouterr().err


def test_an_environment_is_made_once(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks.ensure_environment()
    assert tasks.is_ready()
    assert "making" in capsys.readouterr().out
    tasks.ensure_environment()
    assert capsys.readouterr().out == ""
    assert not (checkout / ".venv" / "bin" / "pip").exists()


@pytest.mark.parametrize("changed", ["pyproject.toml", ".ci/requirements.txt"])
def test_a_change_to_what_it_was_made_from_makes_it_anew(checkout: Path, changed: str) -> None:
    tasks.ensure_environment()
    (leftover := checkout / ".venv" / "leftover").touch()
    with (checkout / changed).open("a") as file:
        file.write("# changed\n")
    assert not tasks.is_ready()
    tasks.ensure_environment()
    assert tasks.is_ready()
    assert not leftover.exists()


def test_another_python_or_another_place_is_another_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tasks.fingerprint()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "3.99.0")
        assert tasks.fingerprint() != here
    (moved := checkout / "moved").mkdir()
    monkeypatch.setattr(tasks, "ROOT", moved)
    (moved / "pyproject.toml").write_bytes((checkout / "pyproject.toml").read_bytes())
    assert tasks.fingerprint() != here


def test_a_failed_install_leaves_nothing_that_looks_whole(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = ("nothing", [[sys.executable, "-c", "raise SystemExit(3)"]])
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "install_commands", lambda: failing)
        with pytest.raises(tasks.TaskError, match="nothing could not install the packages of"):
            tasks.ensure_environment()
    assert (checkout / ".venv").is_dir()
    assert not tasks.is_ready()
    tasks.ensure_environment()
    assert tasks.is_ready()


def test_a_removal_that_was_cut_short_is_no_environment(checkout: Path) -> None:
    tasks.ensure_environment()
    tasks.PYTHON.unlink()
    assert not tasks.is_ready()
    (checkout / ".venv" / "pyvenv.cfg").unlink()
    tasks.ensure_environment()
    assert tasks.is_ready()


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (precious := checkout / ".venv" / "thesis.txt").write_text("years of work")
    with pytest.raises(tasks.TaskError, match="in the way"):
        tasks.ensure_environment()
    assert precious.exists()


def test_children_run_in_the_checkout_and_in_its_environment(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    code = "import os; open('seen', 'w').write(repr([os.environ.get(k) for k in ('PYTHONPATH', 'VIRTUAL_ENV', 'A')]))"
    assert tasks.run([sys.executable, "-c", code], {"A": "1"}) == 0
    assert (checkout / "seen").read_text() == repr([None, str(checkout / ".venv"), "1"])


def test_every_step_runs_and_one_failure_fails_the_whole(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = tasks.Checks()
    checks.step("first", sys.executable, "-c", "raise SystemExit(7)")
    checks.step("second", sys.executable, "-c", "raise SystemExit(5)", fine={5: "ok (nothing to do)"})
    checks.step("third", sys.executable, "-c", "open('third', 'w')")
    assert checks.finish() == 1
    assert (checkout / "third").exists()
    summary = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [(words[0], words[3]) for words in summary] == [
        ("first", "FAILED (exit code 7)"),
        ("second", "ok (nothing to do)"),
        ("third", "ok"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="needs fcntl")
def test_a_second_caller_waits_for_an_installer_that_outlived_the_first(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tasks.locked() as handles:
        orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=handles)
    tasks.ensure_environment()
    assert "waiting for another process" in capsys.readouterr().out
    assert orphan.poll() is not None or orphan.wait(timeout=5) == 0
