"""What leans on what, checked by tools: import contracts, the bare kernels package, tasks.py, and the lock file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / ".ci" / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").split(".")[0])
    return names


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_tasks_leans_on_the_standard_library_only() -> None:
    assert imported(ROOT / "tasks.py") <= sys.stdlib_module_names


def test_importing_kernels_loads_no_numba() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import kernels; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], cwd=ROOT, timeout=60).returncode == 0


def test_the_extras_and_the_groups_are_the_same_lists(pyproject: dict[str, Any]) -> None:
    assert set(pyproject["dependency-groups"]) == {"dev", "charts", "bench"}
    assert pyproject["project"]["optional-dependencies"] == pyproject["dependency-groups"]


def test_the_lock_file_satisfies_every_requirement(pyproject: dict[str, Any]) -> None:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCK, flags=re.MULTILINE))
    wanted = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    for requirement in map(Requirement, [*wanted, *pyproject["build-system"]["requires"]]):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"{requirement} is not in .ci/requirements.txt: run `python tasks.py lock`"
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"
    assert "kernels" not in pinned, "that distribution imports as `kernels`, as ours does"


def test_every_pinned_package_has_its_hashes() -> None:
    """uv checks the hashes it finds; pip is asked to insist on them."""
    pins = re.findall(r"^[a-z0-9-]+==.*(?:\n +--hash=.*)*", LOCK, flags=re.MULTILINE)
    assert len(pins) > 40
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_lock_file_names_no_place() -> None:
    """It has to serve whichever index, and whichever folder, its reader has."""
    without_hashes = re.sub(r"--hash=sha256:[0-9a-f]{64}", "", LOCK)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|/\w+/", without_hashes)
