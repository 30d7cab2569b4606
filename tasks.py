"""Set-up, checks and the demonstration, with nothing but a Python: `python tasks.py` lists what there is.

The environment is `.venv` beside this file. It is made from `.ci/requirements.txt`, with uv where it is at hand and
pip otherwise, the first time a task needs it and again whenever what it was made from changes; after that, nothing
asks the network.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent
LOCK = ROOT / ".ci" / "requirements.txt"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "made-from"  # written last: an environment without it is unfinished


class TaskError(Exception):
    """Something the person at the keyboard can mend."""


def say(text: str) -> None:
    print(text, flush=True)  # ahead of what the next child process prints


# The environment


def fingerprint() -> str:
    """Everything the environment was made from, and where: scripts and the editable install hold absolute paths."""
    digest = hashlib.sha256()
    for part in (sys.version.encode(), os.fsencode(ROOT), (ROOT / "pyproject.toml").read_bytes(), LOCK.read_bytes()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def is_ready() -> bool:
    try:
        return STAMP.read_text() == fingerprint() and PYTHON.exists()
    except FileNotFoundError:
        return False


def ensure_environment() -> None:
    """Make `.venv` unless it is complete and current. Two callers at once: the second waits and finds it made."""
    if is_ready():
        return
    ours = lock_path().exists() or (VENV / "pyvenv.cfg").exists()
    if VENV.is_dir() and not ours and any(VENV.iterdir()):
        raise TaskError(f"{VENV} is in the way and is no environment; move it and try again")
    with locked() as handles:
        if is_ready():
            return
        started = time.perf_counter()
        installer, commands = install_commands()
        remove_environment()
        say(f"making {VENV} with {installer} (once; needs a network or a full cache) ...")
        # No pip inside: that takes seconds, and some systems ship venv without ensurepip.
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=installer == "ensurepip").create(VENV)
        for command in commands:
            if run(command, pass_fds=handles):
                raise TaskError(
                    f"{installer} could not install the packages of {LOCK.relative_to(ROOT)}; it says above why.\n"
                    "Is there a network? Only this step needs one, or a package index set up for pip or uv. "
                    "The unfinished .venv is made anew next time."
                )
        STAMP.write_text(fingerprint())
        say(f"made {VENV} in {time.perf_counter() - started:.1f} s")


def remove_environment() -> None:
    STAMP.unlink(missing_ok=True)  # first, so that being stopped half-way leaves no half that looks whole
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        say(f"removing {VENV}: unfinished, or made from something else")
        shutil.rmtree(VENV)


def install_commands() -> tuple[str, list[list[str]]]:
    """Who installs, and with what: first the pinned packages, then this checkout, built by the pinned hatchling."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    pinned = ["--no-deps", "--only-binary", ":all:", "--requirement", str(LOCK)]
    this = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]

    uv = shutil.which("uv")
    if uv and works([uv, "--version"]):  # a version manager's stand-in may be on PATH without a uv behind it
        # It checks every hash in the file unasked; asked to require them, it wants one for [tool.uv]'s constraint too.
        install = [uv, "pip", "install", *quiet, "--python", str(PYTHON)]
        return "uv", [[*install, *pinned], [*install, *this]]

    base = str(getattr(sys, "_base_executable", sys.executable))
    outside = [sys.executable, base] if VENV not in Path(sys.executable).parents else [base]
    for python in outside:
        if works([python, "-m", "pip", "--version"]):
            install = [python, "-m", "pip", "--python", str(PYTHON), "install"]
            break
    else:
        if not works([base, "-c", "import ensurepip"]):
            raise TaskError(f"neither uv nor pip is here; install one (such as pip for {base}) and try again")
        python, install = "", [str(PYTHON), "-m", "pip", "install"]
    install += ["--disable-pip-version-check", "--no-warn-script-location", *quiet]
    return "pip" if python else "ensurepip", [[*install, "--require-hashes", *pinned], [*install, *this]]


def works(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def lock_path() -> Path:
    return VENV.with_name(VENV.name + ".lock")


@contextmanager
def locked() -> Iterator[Sequence[int]]:
    """Hold the lock, and give the handles to pass on: an installer that outlives us then still keeps others out."""
    with lock_path().open("a") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            yield ()
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is making {VENV} ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield (file.fileno(),)


# Running things


def run(command: Sequence[str | Path], environment: Mapping[str, str] = {}, *, pass_fds: Sequence[int] = ()) -> int:
    """Run it in the checkout, inside the environment, whatever the caller's directory and Python variables are."""
    inherited = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX"}}
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    env = {**inherited, "VIRTUAL_ENV": str(VENV), "PATH": path, **environment}
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=env, pass_fds=pass_fds) as child:
        try:
            return child.wait()
        except BaseException as stopped:
            if not isinstance(stopped, KeyboardInterrupt):  # Ctrl-C has reached the child as well
                child.terminate()
            try:
                child.wait(timeout=10)  # time to close what it was writing
            except subprocess.TimeoutExpired:
                child.kill()
            raise


def sweep(*arguments: str) -> int:
    say(f"\n$ sweep {shlex.join(arguments)}")
    return run([PYTHON, "-m", "sweep", *arguments])


class Checks:
    """Named steps that all run, and what came of each."""

    def __init__(self) -> None:
        self.results: list[tuple[str, bool, str, float]] = []

    def step(self, name: str, *command: str | Path, fine: Mapping[int, str] = {}, **environment: str) -> None:
        """Run one step; `fine` names exit codes other than 0 that are no failure."""
        words = [f"{key}={value}" for key, value in environment.items()]
        words += [part.name if isinstance(part, Path) else shlex.quote(part) for part in command]
        say(f"\n=== {name}\n$ {' '.join(words)}")
        started = time.perf_counter()
        code = run(command, environment)
        word = {0: "ok", **fine}.get(code, f"FAILED (exit code {code})")
        self.results.append((name, code == 0 or code in fine, word, time.perf_counter() - started))

    def finish(self) -> int:
        say("")
        for name, _, word, seconds in self.results:
            say(f"{name:<28} {seconds:6.1f} s  {word}")
        return 0 if all(passed for _, passed, _, _ in self.results) else 1


# The tasks: the first line of each docstring is its help


def demo(arguments: Sequence[str]) -> int:
    """evaluate the first-look space into runs/first-look and print its frontier"""
    no_arguments("demo", arguments)
    ensure_environment()
    folder = "runs/first-look"
    code = sweep("run", "first-look", "-o", folder) or sweep("frontier", folder)
    if not code:
        say(f"\nThe run is in {ROOT / folder}")
    return code


def test(arguments: Sequence[str]) -> int:
    """lint, then every test that is not slow; more arguments go to pytest"""
    ensure_environment()
    checks = Checks()
    lint_steps(checks)
    pytest: list[str | Path] = [PYTHON, "-m", "pytest", "-n", "2", "--dist", "worksteal"]
    # The main run comes last: what reads this output judges by the last closing line of a test runner.
    nothing_marked = {5: "ok (no test is marked nojit)"}
    without = [*pytest, "-q", *arguments, "-m", "nojit and not slow"]
    checks.step("tests without the compiler", *without, fine=nothing_marked, NUMBA_DISABLE_JIT="1")
    checks.step("tests", *pytest, "-m", "not slow", *arguments)
    return checks.finish()


def lint(arguments: Sequence[str]) -> int:
    """ruff, mypy and the import contracts"""
    no_arguments("lint", arguments)
    ensure_environment()
    checks = Checks()
    lint_steps(checks)
    return checks.finish()


def lint_steps(checks: Checks) -> None:
    checks.step("ruff check", PYTHON, "-m", "ruff", "check", ".")
    checks.step("ruff format", PYTHON, "-m", "ruff", "format", "--check", ".")
    checks.step("mypy", PYTHON, "-m", "mypy")
    checks.step("import contracts", BIN / "lint-imports")


def bench(arguments: Sequence[str]) -> int:
    """measure beside other programs, in tests/bench; more arguments go to it"""
    ensure_environment()
    return run([PYTHON, "-m", "tests.bench", *arguments])


def validate(arguments: Sequence[str]) -> int:
    """our numbers beside published ones, then the slow tests; more arguments go to pytest"""
    ensure_environment()
    params, laws = sweep("validate", "params"), sweep("validate", "laws")
    serve, train = sweep("validate", "serve"), sweep("validate", "train")
    say("\nthe tests marked slow:")
    code = run([PYTHON, "-m", "pytest", "-m", "slow", *arguments])
    if code == 5 and not arguments:
        say("no test is marked slow yet")
        code = 0
    return params or laws or serve or train or code


def setup(arguments: Sequence[str]) -> int:
    """make .venv, if it is not there yet, and say where it is"""
    no_arguments("setup", arguments)
    ensure_environment()
    say(f"{PYTHON} is ready; the command is {BIN / 'sweep'}")
    return 0


def lock(arguments: Sequence[str]) -> int:
    """choose the versions of .ci/requirements.txt anew (needs uv); more arguments go to `uv pip compile`"""
    uv = shutil.which("uv")
    if not uv:
        raise TaskError("only uv can write .ci/requirements.txt, and it is not on PATH")
    fixed = [
        "--universal",
        "--fork-strategy",
        "fewest",
        "--python-version",
        "3.11",
        "--extra",
        "dev",
        "--generate-hashes",
        "--quiet",
    ]
    name = ["--custom-compile-command", "python tasks.py lock", "--output-file", str(LOCK.relative_to(ROOT))]
    return run([uv, "pip", "compile", "pyproject.toml", *fixed, *name, *arguments])


TASKS: dict[str, Callable[[Sequence[str]], int]] = {
    task.__name__: task for task in (demo, test, lint, bench, validate, setup, lock)
}


def no_arguments(task: str, arguments: Sequence[str]) -> None:
    if arguments:
        raise TaskError(f"{task} takes no arguments, and was given {shlex.join(arguments)}")


def listing() -> str:
    lines = [f"  {name:<9} {(task.__doc__ or '').splitlines()[0]}" for name, task in TASKS.items()]
    return "\n".join(["usage: python tasks.py TASK [ARGUMENTS]", "", *lines])


def complain_about_python() -> str:
    names = [f"python3.{minor}" for minor in range(13, OLDEST_PYTHON[1] - 1, -1)]
    newer = next((name for name in names if shutil.which(name) and works([name, "-c", ""])), None)
    advice = f"; there is a {newer}: try {newer} tasks.py" if newer else ""
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return f"tasks.py: Python {wanted} or newer is needed, and this is {sys.version.split()[0]}{advice}"


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < OLDEST_PYTHON:
        print(complain_about_python(), file=sys.stderr)
        return 1
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        say(listing())
        return 0
    name, *rest = arguments
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        print(f"tasks.py: there is no task {name!r}{hint}\n\n{listing()}", file=sys.stderr)
        return 2
    # Ended by another process, end the child too instead of leaving it behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return TASKS[name](rest)
    except TaskError as error:
        print(f"tasks.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tasks.py: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
