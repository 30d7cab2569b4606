"""Formulas into loops: one generated module per formula and operand pattern, compiled once and kept on disk.

A loop has two levels, ``(outer, inner)``, and its operands are specialised by type:

==========  ===================================  =========================
pattern     varies along                         read
==========  ===================================  =========================
``s``       nothing                              before both loops
``r`` row   inner                                as one contiguous run
``c`` col   outer                                once per outer index
``b`` block outer and inner                      as a run per outer index
==========  ===================================  =========================

All operands and the result lie in one workspace of 8-byte cells, seen as float64 (``wf``) and as int64 (``wi``);
``tabs`` holds the start of every outer index of an operand, and ``desc`` says where everything is. So every loop has
the same signature, and kernels.driver calls any of them by its address.

Numba's own disk cache does not notice an edit in another file, so the cache folder is keyed by a digest of all kernel
sources; a generated module is named by the digest of its text.
"""

import dis
import functools
import hashlib
import importlib.util
import os
import platform
import re
import sys
import tempfile
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from kernels import elementary, lifetime_steps, optimum_steps, roots, scalar, terms
from kernels.interpreter import interpret
from kernels.language import Formula, Kind, emit, unified

F = TypeVar("F", bound=Callable[..., Any])

Loop = Callable[[Any, Any, Any, Any], None]
OPERAND_CELLS = 2  # cells of desc per operand: its start, and where its outer starts lie in tabs
HEADER_CELLS = 3  # n_outer, n_inner, start of the result


def source_digest() -> str:
    """sha256 over every kernel source."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: below LLM_SWEEP_CACHE or the user's cache folder, else a temporary one."""
    import numba  # not at the top: what is small enough to be interpreted should not wait for the compiler to load

    machine = f"{sys.version_info[0]}.{sys.version_info[1]}-{numba.__version__}-{platform.machine()}"
    key = hashlib.sha256(f"{source_digest()} {machine}".encode()).hexdigest()[:20]
    named = os.environ.get("LLM_SWEEP_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "llm-sweep"
    )
    for parent in (Path(named), Path(tempfile.gettempdir()) / f"llm-sweep-{os.getuid()}"):
        folder = parent / key
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="llm-sweep-"))


OPTIONS: Mapping[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
UNCOUNTED: Mapping[str, Any] = {"_nrt": False}


def is_loaded() -> bool:
    """Whether the compiler is loaded, and compiles."""
    return "numba" in sys.modules and not sys.modules["numba"].config.DISABLE_JIT


class Deferred:
    """What is compiled, or made of parts of the compiler, once it is called or compiled code asks for it.

    So that importing kernels does not load the compiler, which what is small enough does without. py_func is the same
    in plain Python, over_arrays the same over arrays, where that is another function.
    """

    over_arrays: Callable[..., Any] | None = None

    def __init__(self, py_func: Callable[..., Any], make: Callable[[], Any]) -> None:
        functools.update_wrapper(self, py_func)
        self.py_func = py_func
        self._make = make

    @functools.cached_property
    def made(self) -> Any:
        """What stands for it in compiled code; where NUMBA_DISABLE_JIT says so, the plain function."""
        import numba

        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return self.py_func
        from kernels import intrinsics

        intrinsics.learn(Deferred)
        return self._make()

    def __call__(self, *arguments: Any) -> Any:
        return self.made(*arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.made, name)


def _deferred(function: F, **options: Any) -> F:
    def make() -> Any:
        import numba

        numba.config.CACHE_DIR = str(cache_folder() / "numba")  # type: ignore[attr-defined]
        return numba.njit(**options)(function)

    return cast(F, Deferred(function, make))


def jit(function: F, is_inlined: bool = False) -> F:
    """Compile a kernel: no GIL, numpy's rules for division, kept on disk.

    What is inlined becomes a part of every loop that calls it, however long, and is vectorised with it.
    """
    return _deferred(function, **OPTIONS, forceinline=is_inlined)


def inlined(function: F) -> F:
    """As jit, for what is called with many arrays so often that handing them over would cost as much as the work."""
    return jit(function, is_inlined=True)


def jit_uncounted(function: F) -> F:
    """As jit, for kernels that allocate nothing: whoever calls them keeps the arrays, so nobody counts references.

    Counting takes two atomic additions an array and call, which for a block's dozen calls is a microsecond.
    """
    return _deferred(function, **OPTIONS, **UNCOUNTED)


def part(function: F) -> F:
    """A piece of the kernels that call it, put into their text: much sooner compiled than functions of their own."""
    return _deferred(function, inline="always", error_model=OPTIONS["error_model"], **UNCOUNTED)


def over_arrays(kernel: Any) -> Callable[[F], F]:
    """Says that a function does over arrays, where nothing is compiled, what a kernel does element by element."""

    def says(function: F) -> F:
        kernel.over_arrays = function
        return function

    return says


def plain(function: F) -> F:
    """A kernel as the Python function that it is written as, and so whatever kernels it calls."""
    if isinstance(function, Deferred) and function.over_arrays is not None:
        return cast(F, function.over_arrays)
    python: Any = getattr(function, "py_func", function)
    scope = python.__globals__
    kernels = {name: plain(scope[name]) for name in python.__code__.co_names if hasattr(scope.get(name), "py_func")}
    return cast(F, types.FunctionType(python.__code__, scope | kernels, python.__name__))


class CompiledLoop:
    """A loop as machine code: called from compiled code by its address, and from Python by way of that.

    Nothing but the code itself is compiled: what Python would need to call each loop is a fifth of compiling it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        import numba

        from kernels.intrinsics import LOOP_ARGUMENTS

        numba.config.CACHE_DIR = str(cache_folder() / "numba")  # type: ignore[attr-defined]
        signature: Any = numba.void(*LOOP_ARGUMENTS)
        bare = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **UNCOUNTED}
        self._kept: Any = numba.njit(signature, **OPTIONS, **bare)(function)  # also keeps the code in memory
        (found,) = self._kept.overloads.values()
        self.address: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)

    @property
    def stats(self) -> Any:
        """How often the code was found on disk and how often not."""
        return self._kept.stats

    def __call__(self, wf: Any, wi: Any, tabs: Any, desc: Any) -> None:
        from kernels.address import run

        run(self.address, wf, wi, tabs, desc)


def loop_source(formula: Formula, pattern: str, kinds: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> str:
    """The text of the loop that evaluates a formula; pattern has a letter per parameter, kinds their types.

    kinds also holds the type of the result, under the formula's name.
    """
    typed = tuple((name, kinds[name]) for name in (*formula.parameters, formula.name))
    return _loop_source(formula, pattern, typed, tuple((p, words[p]) for p in formula.parameters if p in words))


@functools.lru_cache(maxsize=4096)
def _loop_source(
    formula: Formula, pattern: str, typed: tuple[tuple[str, Kind], ...], worded: tuple[tuple[str, tuple[str, ...]], ...]
) -> str:
    kinds, words = dict(typed), dict(worded)
    formula = unified(formula, kinds, words)
    before: list[str] = []
    outer: list[str] = []
    rename: dict[str, str] = {}
    for k, (parameter, letter) in enumerate(zip(formula.parameters, pattern, strict=True)):
        cells = "wf" if kinds[parameter] == "float" else "wi"
        start = f"desc[{HEADER_CELLS + OPERAND_CELLS * k}]"
        moved = f"{start} + tabs[desc[{HEADER_CELLS + OPERAND_CELLS * k + 1}] + i]"
        name = f"x{k}"
        if letter == "s":
            before.append(f"{name} = {cells}[{start}]")
        elif letter == "r":
            before.append(f"{name} = {cells}[{start} : {start} + n_inner]")
        elif letter == "c":
            outer.append(f"{name} = {cells}[{moved}]")
        else:
            outer += [f"p{k} = {moved}", f"{name} = {cells}[p{k} : p{k} + n_inner]"]
        rename[parameter] = name + ("[j]" if letter in "rb" else "")
    inner: list[str] = []
    for k, (name, value) in enumerate(formula.steps):
        inner.append(f"t{k} = {emit(value, rename, words)}")
        rename[name] = f"t{k}"
    cells = "wf" if kinds[formula.name] == "float" else "wi"
    inner.append(f"out[j] = {emit(formula.result, rename, words)}")
    return "\n".join(
        [
            f"def loop(wf, wi, tabs, desc):  # {formula.name}, {pattern}",
            "    n_outer = desc[0]",
            "    n_inner = desc[1]",
            *(f"    {line}" for line in before),
            "    for i in range(n_outer):",
            "        start = desc[2] + i * n_inner",
            f"        out = {cells}[start : start + n_inner]",
            *(f"        {line}" for line in outer),
            "        for j in range(n_inner):",
            *(f"            {line}" for line in inner),
            "",
        ]
    )


STRAIGHT = (elementary, terms, optimum_steps, lifetime_steps)  # arithmetic without a branch, to be vectorised


@functools.cache
def linked(name: str) -> Any:
    """A function of the language compiled, and first whatever functions of ours it calls."""
    known: dict[str, Any] = {}
    for module in (*STRAIGHT, roots):
        known |= vars(module)
    known |= scalar.FUNCTIONS
    function: Any = known[name]
    named = {step.argval for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL"}
    calls = [n for n in named if isinstance(known.get(n), types.FunctionType)]
    scope = function.__globals__ | {n: linked(n) for n in calls}
    is_straight = any(function.__module__ == module.__name__ for module in STRAIGHT)
    return jit(types.FunctionType(function.__code__, scope, name), is_straight)


_HEADER = '"""Generated by kernels.compiler; kept because compiling takes longer than loading."""\n\n'
_COMPILED = """from kernels.compiler import CompiledLoop, linked

"""


@functools.lru_cache(maxsize=4096)
def interpreted(source: str) -> Loop:
    """The loop as plain Python: for evaluations too small to be worth compiling, and without the compiler."""
    return interpret(source, "loop")


_loaded: dict[str, Loop] = {}  # by their sources


def compiled(source: str) -> Loop:
    """The loop compiled, from the cache on disk when it has been compiled before.

    Interpreted where NUMBA_DISABLE_JIT says so: bare Python numbers would raise where compiled ones give inf.
    """
    import numba

    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return interpreted(source)
    if source in _loaded:
        return _loaded[source]
    called = set(re.findall(r"\b(\w+)\(", source))
    named = [name for name in (*scalar.FUNCTIONS, *roots.ROOTS) if name in called]
    helpers = "".join(f"{name} = linked({name!r})\n" for name in named)
    text = _HEADER + _COMPILED + helpers + "\n\n@CompiledLoop\n" + source
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    folder = cache_folder() / "loops"
    folder.mkdir(exist_ok=True)
    path = folder / f"loop_{key}.py"
    if not path.exists():  # rewriting it would change its time stamp and throw the compiled code away
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_text(text)
        os.replace(scratch, path)
    spec = importlib.util.spec_from_file_location(f"llm_sweep_loop_{key}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what numba keeps on disk finds its globals by importing this name
    spec.loader.exec_module(module)
    loop: Loop = module.loop
    _loaded[source] = loop
    return loop


def workspace(cells: int) -> tuple[Any, Any]:
    """One run of 8-byte cells, as float64 and as int64."""
    integers = np.zeros(cells, np.int64)
    return integers.view(np.float64), integers
