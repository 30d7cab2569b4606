"""The metric graph, and the loops it is compiled to: the same bits as plain Python, and kept on disk."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kernels import compiler
from kernels.arrays import array_loop
from kernels.compiler import compiled, interpreted, loop_source, workspace
from kernels.evaluate import compute, evaluate
from kernels.graph import Graph, GraphError, Input, Metric, default, metric
from kernels.language import Formula, from_text
from kernels.model import GRAPH
from kernels.quantiles import quantile_of

ROOT = Path(__file__).parent.parent


def number(name: str, formula: str | None = None, kind: Any = "float", words: tuple[str, ...] = ()) -> Input:
    return Input(name, "", kind, name, words=words, formula=from_text(name, formula) if formula else None)


def rule(name: str, formula: str) -> Metric:
    return Metric(name, "", "a test", name, from_text(name, formula))


WIDTH, DEPTH = number("width", kind="int"), number("depth", kind="int")

# ---------------------------------------------------------------------------------------------------- the graph


@pytest.mark.nojit
def test_a_cycle_is_refused_by_its_path() -> None:
    with pytest.raises(GraphError, match=r"a cycle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)$"):
        Graph([WIDTH], [rule("a", "b + width"), rule("b", "c"), rule("c", "a + 1"), rule("d", "a")])


@pytest.mark.nojit
def test_a_cycle_through_a_default_is_refused() -> None:
    with pytest.raises(GraphError, match="a cycle: heads -> size -> heads"):
        Graph([number("heads", "size / 2"), WIDTH], [rule("size", "heads * width")])


@pytest.mark.nojit
def test_a_graph_that_grows_puts_each_name_after_what_it_depends_on() -> None:
    """Names added, an input given a formula of an added one, a default replaced by one of a later input."""
    small = Graph([WIDTH, number("heads", "width / 64"), DEPTH], [rule("size", "depth * width")])
    added, formula = [rule("area", "size * size"), rule("half", "area / 2")], from_text("heads", "depth + 1")
    for graph in (
        small.extended(added, {}),
        small.extended(added, {"heads": formula}),
        small.extended(added, {"width": from_text("width", "tier + 1")}, [number("tier")]),
    ):
        assert sorted(graph.order) == sorted([*graph.inputs, *graph.metrics])
        for name in graph.order:
            made = graph.formula(name)
            assert all(graph.place(p) < graph.place(name) for p in (made.parameters if made else ()))
    with pytest.raises(GraphError, match="a cycle"):
        small.extended(added, {"width": from_text("width", "half")})


@pytest.mark.nojit
def test_a_metric_of_itself_is_a_cycle() -> None:
    with pytest.raises(GraphError, match="a cycle: a -> a"):
        Graph([], [rule("a", "a + 1")])


@pytest.mark.nojit
def test_an_unknown_parameter_is_named_with_its_near_miss() -> None:
    with pytest.raises(GraphError, match='area depends on widht, which nothing declares; did you mean "width"'):
        Graph([WIDTH, DEPTH], [rule("area", "widht * depth")])


@pytest.mark.nojit
@pytest.mark.parametrize("second", [rule("width", "depth"), WIDTH])
def test_a_name_declared_twice_is_refused(second: Any) -> None:
    inputs, metrics = ([WIDTH, DEPTH], [second]) if isinstance(second, Metric) else ([WIDTH, DEPTH, second], [])
    with pytest.raises(GraphError, match="width is declared twice"):
        Graph(inputs, metrics)


@pytest.mark.nojit
def test_a_formula_of_the_wrong_type_names_its_metric() -> None:
    with pytest.raises(GraphError, match="area: 'norm' takes words"):
        Graph([number("norm", kind="word", words=("rms", "layer"))], [rule("area", "norm * 2")])
    with pytest.raises(GraphError, match="norm takes a word and cannot be derived"):
        Graph([WIDTH, number("norm", "width * 2", kind="word", words=("rms", "layer"))], [])


@pytest.mark.nojit
def test_a_metric_needs_a_meaning() -> None:
    def silent(width):
        return width

    with pytest.raises(GraphError, match="silent: a metric says what it counts"):
        metric(unit="", source="a test")(silent)


@pytest.mark.nojit
def test_a_default_is_an_input_with_a_formula() -> None:
    @default(source="a test", low=1)
    def heads(width):
        """heads of a layer"""
        return width // 128

    declared = heads.__input__  # type: ignore[attr-defined]
    assert (declared.name, declared.low, declared.formula.text) == ("heads", 1, "width // 128")


@pytest.mark.nojit
def test_order_puts_every_name_after_what_it_depends_on() -> None:
    place = {name: i for i, name in enumerate(GRAPH.order)}
    assert sorted(place) == sorted([*GRAPH.inputs, *GRAPH.metrics])
    for name in place:
        formula = GRAPH.formula(name)
        for parameter in formula.parameters if formula else ():
            assert place[parameter] < place[name]


@pytest.mark.nojit
@pytest.mark.parametrize("name", GRAPH.metrics)
def test_resolve_gives_dependencies_first_and_nothing_else(name: str) -> None:
    nodes, leaves = GRAPH.resolve([name], [])
    seen = set(leaves)
    for node in nodes:
        assert set(node.formula.parameters) <= seen
        seen.add(node.name)
    assert nodes[-1].name == name
    used = {p for node in nodes for p in node.formula.parameters}
    assert seen == used | {name}
    assert all(GRAPH.formula(leaf) is None for leaf in leaves)


@pytest.mark.nojit
def test_a_given_metric_cuts_what_lies_below_it() -> None:
    nodes, leaves = GRAPH.resolve(["weight_bytes"], ["params_total", "params_at_embedding_bits"])
    assert [n.name for n in nodes] == ["weight_bytes"]
    assert set(leaves) == {"params_total", "params_at_embedding_bits", "weight_bits", "embedding_bits"}


@pytest.mark.nojit
def test_a_given_input_is_not_computed() -> None:
    nodes, leaves = GRAPH.resolve(["num_kv_heads"], ["num_heads"])
    assert ([n.name for n in nodes], leaves) == (["num_kv_heads"], ["num_heads"])
    nodes, leaves = GRAPH.resolve(["num_kv_heads"], ["num_kv_heads"])
    assert (nodes, leaves) == ([], ["num_kv_heads"])


@pytest.mark.nojit
def test_an_unknown_name_is_asked_about() -> None:
    with pytest.raises(GraphError, match='params_totl is neither an input nor a metric; did you mean "params_total"'):
        GRAPH.resolve(["params_totl"], [])


@pytest.mark.nojit
def test_evaluating_without_an_input_names_it() -> None:
    with pytest.raises(KeyError, match="train_tokens"):
        evaluate(GRAPH, ["train_flops_6nd"], {"params_active": 1})


@pytest.mark.nojit
def test_types_follow_from_the_formulas() -> None:
    graph = Graph(
        [WIDTH, DEPTH, number("half", "width / 2", kind="int"), number("price")],
        [
            *(rule("area", "width * depth"), rule("ratio", "width / depth"), rule("usd", "area * price")),
            *(rule("wide", "width > depth"), rule("both", "wide and area > 3"), rule("chosen", "area if wide else 0")),
        ],
    )
    kinds = {name: graph.kinds[name] for name in graph.metrics}
    assert " ".join(f"{name}:{kind}" for name, kind in kinds.items()) == (
        "area:int ratio:float usd:float wide:bool both:bool chosen:int"
    )
    assert graph.kinds["half"] == "int"  # an input keeps its declared type


@pytest.mark.nojit
def test_counts_are_whole_and_measures_are_not() -> None:
    """DESIGN: counts are int64 while exact, FLOPs are float64."""
    for name, declared in GRAPH.metrics.items():
        if name.startswith("params_") and not name.endswith("range"):
            assert GRAPH.kinds[name] == "int", name
        if declared.unit:
            assert GRAPH.kinds[name] == "float", name


@pytest.mark.nojit
def test_every_metric_has_a_source_and_ends_in_its_unit() -> None:
    endings: dict[str, str | tuple[str, ...]] = {
        "byte": ("_bytes", "_bytes_per_gpu"), "s": "_s", "USD": "_usd", "nat": "_nats",
        "FLOP": ("_flops", "_flops_6nd"),
        "FLOP/s": "_flop_per_s", "byte/s": "_byte_per_s", "token/s": "_tokens_per_s", "s/token": "_s_per_token",
        "token/s/GPU": "_tokens_per_s_per_gpu", "token/s/user": "_tokens_per_s_per_user", "s/byte": "_s_per_byte",
        "day": "_days", "GPU-hour": "_gpu_hours", "byte/token": "_bytes_per_token",
    }  # fmt: skip
    for name, declared in GRAPH.metrics.items():
        assert declared.source
        assert declared.meaning
        if declared.unit in endings:
            measure = re.sub(r"_p\d\d$", "", name)  # a quantile of it
            assert measure.endswith(endings[declared.unit]), name


@pytest.mark.nojit
def test_extending_adds_and_replaces_without_touching_the_graph() -> None:
    graph = GRAPH.extended([rule("width_squared", "hidden_size ** 2")], {"num_heads": from_text("num_heads", "7")})
    assert evaluate(graph, ["width_squared", "num_heads"], {"hidden_size": 3, "head_dim": 1}) == {
        "hidden_size": 3, "width_squared": 9.0, "num_heads": 7,
    }  # fmt: skip
    assert "width_squared" not in GRAPH
    assert evaluate(GRAPH, ["num_heads"], {"hidden_size": 256, "head_dim": 128})["num_heads"] == 2


# ---------------------------------------------------------------------------------------------------- the loops

OUTER, INNER = 3, 41  # more than a vector's width of the compiler's, and a rest
CELLS = {"s": 1, "r": INNER, "c": OUTER, "b": OUTER * INNER}
Bits = npt.NDArray[np.int64]


def random_cells(name: str, count: int, rng: np.random.Generator, graph: Graph) -> npt.NDArray[Any]:
    """Values an operand may have; floats with the odd ones out: nan, infinity, zero, the very large and small."""
    kind = graph.kinds[name]
    if kind == "word":
        return rng.integers(0, len(graph.words[name]), count)
    if kind == "bool":
        return rng.integers(0, 2, count)
    if kind == "int":
        declared = graph.inputs.get(name)
        low = int(declared.low) if declared else 0
        return rng.choice([rng.integers(low, low + 10), rng.integers(low, 5000)], count)
    usual = rng.uniform(0.0, 10.0, count) * 10.0 ** rng.integers(-3, 13, count)
    odd = rng.choice([np.nan, np.inf, 0.0, 1.0, 1e300, 1e-300], count)
    return np.where(rng.random(count) < 0.15, odd, usual)


def prepared(formula: Formula, pattern: str, graph: Graph, seed: int) -> tuple[Any, Any, Bits, Bits]:
    """A loop's arguments: operands at random behind the cells of the result."""
    rng = np.random.default_rng(seed)
    floats, integers = workspace(OUTER * INNER * (1 + len(pattern)))
    starts = {"s": [0] * OUTER, "c": list(range(OUTER)), "b": [i * INNER for i in range(OUTER)]}
    tabs = np.array([*starts["s"], *starts["c"], *starts["b"]], np.int64)
    at = {"s": 0, "r": 0, "c": OUTER, "b": 2 * OUTER}
    desc = [OUTER, INNER, 0]
    position = OUTER * INNER
    for parameter, letter in zip(formula.parameters, pattern, strict=True):
        count = CELLS[letter]
        cells = floats if graph.kinds[parameter] == "float" else integers
        cells[position : position + count] = random_cells(parameter, count, rng, graph)
        desc += [position, at[letter]]
        position += count
    return floats, integers, tabs, np.array(desc, np.int64)


def evaluated(loop: Any, formula: Formula, pattern: str, graph: Graph = GRAPH, seed: int = 0) -> Bits:
    """The cells of the result, computed by a loop from operands that follow from the seed."""
    floats, integers, tabs, desc = prepared(formula, pattern, graph, seed)
    integers[: OUTER * INNER] = -1
    with np.errstate(all="ignore"):
        loop(floats, integers, tabs, desc)
    cells: Bits = integers[: OUTER * INNER]
    return cells


def one_by_one(formula: Formula, pattern: str, seed: int) -> Bits:
    """The same cells, each the value of the formula for one design."""
    floats, integers, _, desc = prepared(formula, pattern, GRAPH, seed)
    kind = GRAPH.kinds[formula.name]
    found = np.zeros(OUTER * INNER, np.float64 if kind == "float" else np.int64)
    steps = {"s": (0, 0), "r": (0, 1), "c": (1, 0), "b": (INNER, 1)}  # of an operand, along outer and inner
    starts = desc[3::2].tolist()
    for place in range(OUTER * INNER):
        i, j = divmod(place, INNER)
        values = {}
        for parameter, letter, start in zip(formula.parameters, pattern, starts, strict=True):
            cells = floats if GRAPH.kinds[parameter] == "float" else integers
            values[parameter] = cells[start + steps[letter][0] * i + steps[letter][1] * j].item()
        found[place] = compute(GRAPH, formula, kind, values)
    return found.view(np.int64)


def assert_same_bits(formula: Formula, pattern: str, graph: Graph = GRAPH, seed: int = 0) -> None:
    """By the compiled and by the interpreted loop, and over arrays."""
    source = loop_source(formula, pattern, graph.kinds, graph.words)
    ours, plain = (evaluated(loop(source), formula, pattern, graph, seed) for loop in (compiled, interpreted))
    assert_equal(ours, plain, formula, graph)
    over_arrays = array_loop(formula, pattern, graph.kinds, graph.words)
    assert_equal(ours, evaluated(over_arrays, formula, pattern, graph, seed), formula, graph)


def assert_equal(ours: Bits, plain: Bits, formula: Formula, graph: Graph) -> None:
    if graph.kinds[formula.name] == "float":  # the payload of a nan may be anything
        both = np.isnan(ours.view(np.float64)) & np.isnan(plain.view(np.float64))
        ours, plain = np.where(both, 0, ours), np.where(both, 0, plain)
    np.testing.assert_array_equal(ours, plain)


COMPUTED = [
    name
    for name in (*GRAPH.inputs, *GRAPH.metrics)
    if (formula := GRAPH.formula(name)) is not None and quantile_of(formula) is None and name != "train_layout"
]


def mixed(name: str) -> tuple[Formula, str, int]:
    """A formula, a mix of operand patterns, a different one for each, and its place among all."""
    formula = GRAPH.formula(name)
    assert formula is not None
    start = COMPUTED.index(name)
    return formula, "".join("bcrs"[(start + k) % 4] for k in range(len(formula.parameters))), start


def made_of(name: str) -> set[Any]:
    """What a formula's loop has in it: functions, operators with the types they meet, operands of each type."""
    formula, pattern, _ = mixed(name)
    kind = GRAPH.kinds[name]
    found: set[Any] = {(letter, GRAPH.kinds[p], kind) for p, letter in zip(formula.parameters, pattern, strict=True)}
    found.add(("steps", min(len(formula.steps), 4), kind))
    for tree in (*(value for _, value in formula.steps), formula.result):
        for node in ast.walk(tree):
            met = frozenset(
                GRAPH.kinds.get(n.id, "step") for n in ast.iter_child_nodes(node) if isinstance(n, ast.Name)
            )
            if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
                found.add((type(node.op).__name__, met))
            elif isinstance(node, ast.Compare):
                found |= {(type(op).__name__, met) for op in node.ops}
            elif isinstance(node, ast.IfExp):
                found.add(("if", kind))
            elif isinstance(node, ast.Call):
                found.add(ast.unparse(node.func))
    return found


def compiled_alone() -> list[Any]:
    """All formulas; slow but for those with something in their loops that none before them has."""
    seen: set[Any] = set()
    found = []
    for name in COMPUTED:
        found.append(pytest.param(name, marks=pytest.mark.slow) if made_of(name) <= seen else name)
        seen |= made_of(name)
    return found


@pytest.mark.parametrize("name", compiled_alone())
def test_compiled_loop_gives_the_bits_of_plain_python(name: str) -> None:
    """Every letter reaches every kind of parameter."""
    formula, pattern, seed = mixed(name)
    assert_same_bits(formula, pattern, seed=seed)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_loop_gives_the_bits_of_one_design_after_another(name: str) -> None:
    """Interpreted and over arrays, for every formula: the values that kernels.evaluate has for the same operands."""
    formula, pattern, seed = mixed(name)
    expected = one_by_one(formula, pattern, seed)
    over_arrays = array_loop(formula, pattern, GRAPH.kinds, GRAPH.words)
    for loop in (interpreted(loop_source(formula, pattern, GRAPH.kinds, GRAPH.words)), over_arrays):
        assert_equal(evaluated(loop, formula, pattern, seed=seed), expected, formula, GRAPH)


@pytest.mark.parametrize("pattern", ["sss", "rrr", "ccc", "bbb", "srb", "bcs", "crr"])
@pytest.mark.parametrize("name", ["loss_tokens_term_nats", "experts_read_per_step", "params_in_fitted_range"])
def test_every_operand_pattern_gives_the_bits_of_plain_python(name: str, pattern: str) -> None:
    formula = GRAPH.formula(name)
    assert formula is not None
    assert_same_bits(formula, pattern)


@pytest.mark.parametrize(
    "text", ["a ** b", "n ** m", "a // b", "a % b", "n // m", "n % m", "n / m", "exp(a)", "min(n, a)"]
)
def test_operators_give_the_bits_of_plain_python(text: str) -> None:
    names = [number(n) for n in "ab"] + [number(n, kind="int") for n in "nm"]
    graph = Graph(names, [rule("value", text)])
    formula = graph.formula("value")
    assert formula is not None
    assert_same_bits(formula, "b" * len(formula.parameters), graph)


@pytest.mark.parametrize(
    "text", ["1 / log(a)", "sqrt(a) / 0", "(a < b) + (b < 1)", "-(a < b)", "1 % sqrt(a)", "1.5 if a < 1 else (a < b)"]
)
def test_numbers_that_are_not_operands_follow_the_same_rules(text: str) -> None:
    graph = Graph([number("a"), number("b")], [rule("value", text)])
    formula = graph.formula("value")
    assert formula is not None
    assert_same_bits(formula, "b" * len(formula.parameters), graph)


def test_an_integer_to_an_integer_power_is_rounded_once() -> None:
    """10**12 to the -7 is 1e-84, the nearest double; multiplying up to 10**84 first rounds more than once."""
    source = loop_source(from_text("value", "n ** m"), "ss", {"n": "int", "m": "int", "value": "float"}, {})
    floats, integers = workspace(3)
    integers[1:] = 10**12, -7
    compiled(source)(floats, integers, np.zeros(1, np.int64), np.array([1, 1, 0, 1, 0, 2, 0]))
    assert floats[0] == 1e-84


# ---------------------------------------------------------------------------------------------------- the cache


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """cache_folder looks again, now and after the test."""
    compiler.cache_folder.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    compiler.cache_folder.cache_clear()


def looked_up() -> Path:
    compiler.cache_folder.cache_clear()
    return compiler.cache_folder()


def test_cache_folder_changes_with_the_kernel_sources(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("LLM_SWEEP_CACHE", str(tmp_path))
    before = looked_up()
    assert before.parent == tmp_path
    assert looked_up() == before
    fresh.setattr(compiler, "source_digest", lambda: "an edited kernel")
    assert looked_up().parent == tmp_path
    assert looked_up() != before


@pytest.mark.nojit
def test_source_digest_sees_every_kernel(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in Path(compiler.__file__).parent.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    fresh.setattr(compiler, "__file__", str(tmp_path / "compiler.py"))
    before = compiler.source_digest()
    for path in sorted(tmp_path.glob("*.py")):
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        assert compiler.source_digest() != before, path.name
        path.write_bytes(text)
    assert compiler.source_digest() == before
    (tmp_path / "scalar.py").rename(tmp_path / "scalars.py")
    assert compiler.source_digest() != before


@pytest.mark.parametrize("variable", ["LLM_SWEEP_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_cache_falls_back_where_it_cannot_write(variable: str, fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in place of the folder: root may write anywhere, but not below a file."""
    occupied = tmp_path / "occupied"
    occupied.write_text("not a folder")
    for name in ("LLM_SWEEP_CACHE", "XDG_CACHE_HOME", "HOME"):
        fresh.delenv(name, raising=False)
    fresh.setenv(variable, str(occupied))
    fresh.setattr(tempfile, "tempdir", str(tmp_path))
    folder = looked_up()
    assert folder.parent == tmp_path / f"llm-sweep-{os.getuid()}"
    assert folder.is_dir()
    assert occupied.read_text() == "not a folder"


def test_cache_falls_back_to_a_folder_of_its_own(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another person's file stands where the temporary cache would be."""
    fresh.setenv("LLM_SWEEP_CACHE", "/dev/null")
    fresh.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"llm-sweep-{os.getuid()}").write_text("taken")
    folder = looked_up()
    assert folder.is_dir()
    assert folder.parent == tmp_path


LOAD = """
import numpy as np
from kernels.arrays import array_loop
from kernels.compiler import compiled, loop_source, workspace
from kernels.model import GRAPH
loop = compiled(loop_source(GRAPH.formula("loss_tokens_term_nats"), "srs", GRAPH.kinds, GRAPH.words))
floats, integers = workspace(16)
floats[4:] = [400.0, *range(1, 9), 0.34, 0, 0]
loop(floats, integers, np.zeros(1, np.int64), np.array([1, 4, 0, 4, 0, 5, 0, 13, 0]))
print(sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values()), *floats[:4])
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="nothing is compiled")
def test_a_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    environment = os.environ | {"LLM_SWEEP_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LOAD]
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert [line[:2] for line in said] == [["0", "1"], ["1", "0"]]
    assert said[0][2:] == said[1][2:]
