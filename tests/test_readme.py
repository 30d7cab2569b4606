"""Every command the README shows runs, and prints what stands below it."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sweep.resolve import loads
from tests.readme import README, Shown, run, shown

TEXT = README.read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


def test_commands_print_what_the_readme_says(folder: Path) -> None:
    """In order: later commands read the run that an earlier one wrote."""
    commands = list(shown(TEXT))
    assert len(commands) >= 8
    for entry in commands:
        check(entry, folder)


def test_a_process_of_its_own_prints_the_same(folder: Path) -> None:
    """The others are run in one process, which starts once."""
    command = next(entry.command for entry in shown(TEXT) if "list" in entry.command.split())
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == run(command, folder)


def check(entry: Shown, folder: Path) -> None:
    printed = run(entry.command, folder)
    assert printed.strip(), entry.command
    if entry.output.strip() != "...":
        assert printed == entry.output, entry.command


def test_the_first_command_is_a_task() -> None:
    tasks = Path(README.parent / "tasks.py").read_text()
    for task in re.findall(r"python tasks.py (\w+)", TEXT):
        assert f"def {task}(" in tasks


def test_the_spec_of_the_readme_is_one() -> None:
    text = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0]
    assert tomllib.loads(text)["name"] == "mine"
    assert loads(text).size > 0


def test_the_python_of_the_readme_runs(folder: Path) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "import sweep" in block)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_metric_of_the_readme_is_ours() -> None:
    import inspect

    from kernels import cache

    shown_there = next(b for b in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "@metric" in b)
    body = shown_there.split("\n", 1)[1].strip()
    assert body in inspect.getsource(cache)
