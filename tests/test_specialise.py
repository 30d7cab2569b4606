"""Formulas with what a plan knows put in: each rule by example, and the same bits whatever is known."""

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.compiler import compiled, interpreted, loop_source, workspace
from kernels.evaluate import compute
from kernels.graph import Graph, GraphError, Input, Metric, Node
from kernels.language import Formula, Kind, from_text, kind_of
from kernels.model import GRAPH
from kernels.quantiles import quantile
from kernels.specialise import Specialised
from sweep import catalogue
from sweep.dryrun import count_after_inputs
from sweep.plan import Plan
from sweep.resolve import load, loads
from sweep.space import Axis, Space
from tests import naive
from tests.effort import examples
from tests.test_engine import all_rows, bits

pytestmark = pytest.mark.nojit

KINDS: dict[str, Kind] = {
    **dict.fromkeys("abc", "float"),
    **dict.fromkeys("nm", "int"),
    **dict.fromkeys(("flag", "mark"), "bool"),
    "norm": "word",
}
INPUTS = [Input(n, "", kind, n, words=("rms", "layer", "none") if kind == "word" else ()) for n, kind in KINDS.items()]
ANY = Graph(INPUTS, [])
Numbers = Mapping[str, int | float]


def stepped(text: str, name: str = "value") -> Formula:
    """A formula of lines, ``name = ...`` but for the last; its parameters are all inputs it names."""
    *lines, last = text.split("; ")
    parsed = [ast.parse(line).body[0] for line in lines]
    steps = [
        (line.split(" = ")[0], s.value) for line, s in zip(lines, parsed, strict=True) if isinstance(s, ast.Assign)
    ]
    result = ast.parse(last, mode="eval").body
    used = named(result).union(*(named(value) for _, value in steps))
    return Formula(name, tuple(k for k in KINDS if k in used), tuple(steps), result)


def named(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def read(lines: list[str]) -> set[str]:
    """The names that lines read before they assign them."""
    found: set[str] = set()
    assigned: set[str] = set()
    for line in lines:
        found |= named(ast.parse(line)) - assigned
        assigned |= {line.split(" = ")[0]}
    return found


def reduced(text: str, known: Numbers) -> Formula:
    return Specialised(ANY, KINDS, known).reduced(stepped(text))


# -------------------------------------------------------------------------------------------------- rule by rule

CASES = [
    # the branch taken
    ("a if norm == 'rms' else b", {"norm": 0}, "a"),
    ("a if norm == 'rms' else b", {"norm": 2}, "b"),
    ("a if norm != 'rms' else b", {"norm": 2}, "a"),
    ("a if flag else b", {"flag": 1}, "a"),
    ("a if not flag else b", {"flag": 1}, "b"),
    ("2.0 * (a if n * m > 6 else b) + c", {"n": 2, "m": 3}, "2.0 * b + c"),
    ("a if n > 1 else (b if n > 0 else c)", {"n": 1}, "b"),
    ("a if (b if flag else c) > 1.0 else c", {"flag": 1, "b": 2.0}, "a"),
    ("a if min(n, 3) == 3 and 1 < n < 9 else b", {"n": 5}, "a"),
    # nothing to go by
    ("a if norm == 'rms' else b", {"a": 1.0, "b": 2.0}, "a if norm == 'rms' else b"),
    ("a if b > c else c", {"b": 2.0}, "a if b > c else c"),
    ("max(a, b) + n", {"a": 1.0, "b": 2.0, "n": 3}, "max(a, b) + n"),
    # of the type of the whole
    ("n if flag else a", {"flag": 1}, "float(n)"),
    ("mark if flag else a", {"flag": 1}, "float(+mark)"),
    ("mark if flag else n", {"flag": 1}, "+mark"),
    ("(a > b if flag else n) if mark else c", {"flag": 1, "mark": 1}, "float(+(a > b))"),
    ("n if flag else m", {"flag": 0}, "m"),
    # and, or: where only their truth matters
    ("a if flag and b > c else c", {"flag": 1}, "a if b > c else c"),
    ("a if b > c and flag else c", {"flag": 1}, "a if b > c else c"),
    ("a if b > c and flag else c", {"flag": 0}, "c"),
    ("a if flag or b > c else c", {"flag": 1}, "a"),
    ("a if b > c or flag else c", {"flag": 1}, "a"),
    ("a if b > c or flag else c", {"flag": 0}, "a if b > c else c"),
    ("a if not (mark and flag) else c", {"flag": 1}, "a if not mark else c"),
    ("a if (mark or n > 1) and (mark or n > 2) else c", {"n": 2}, "a if mark else c"),
    # and where they are the number that comes out: a flag that was derived may be 7
    ("flag and mark", {"flag": 1}, "mark"),
    ("flag and mark", {"mark": 0}, "False"),
    ("flag and mark", {"mark": 1}, "flag and mark"),
    ("flag or mark", {"mark": 0}, "flag"),
    ("flag or mark", {"mark": 1}, "flag or mark"),
    ("flag or n > 1 or mark", {"n": 2}, "flag or True"),
    ("flag and n > 1", {"n": 2}, "flag and True"),
    ("a > b and n > 1", {"n": 2}, "a > b"),
    ("a > b or n > 1", {"n": 2}, "True"),
    # comparisons
    ("a * (n > 2) + (n < 2)", {"n": 3}, "a * True + False"),
    ("not n > 2", {"n": 3}, "False"),
    ("1 < n < a", {"n": 3}, "1 < n < a"),
    # what is odd is known all the same
    ("a if c > 1.0 else b", {"c": math.nan}, "b"),
    ("a if c != c else b", {"c": math.nan}, "a"),
    ("a if 1.0 / c > 0.0 else b", {"c": 0.0}, "a"),
    ("a if 1.0 / c > 0.0 else b", {"c": -0.0}, "b"),
    ("a if c > 1e300 else b", {"c": math.inf}, "a"),
    ("a if n // 0 == 0 else b", {"n": 3}, "a"),
    # steps
    ("t = n * 2; a if t > 5 else b", {"n": 3}, "a"),
    ("t = b + c; u = a; t if flag else u", {"flag": 0}, "u = a\nu"),
    ("t = n > 1; u = t and b > c; a if u else c", {"n": 2}, "u = b > c\na if u else c"),
    ("n = n + 1; a if n > 3 else b", {"n": 3}, "a"),
    ("t = 1 if n > 2 else 0; n = m; a if n > t else b", {"n": 3}, "t = 1\nn = m\na if n > t else b"),
    ("t = 1 if n > 2 else 0; n = m; a if n > 3 else b", {"n": 3}, "n = m\na if n > 3 else b"),
    ("t = a if flag else n; t = t * t; t", {"flag": 0}, "t = float(n)\nt = t * t\nt"),
]


@pytest.mark.parametrize(("text", "known", "expected"), CASES)
def test_a_rule_by_example(text: str, known: dict[str, float], expected: str) -> None:
    formula = reduced(text, known)
    assert formula.text == expected
    assert formula.parameters == tuple(p for p in stepped(text).parameters if p in read(expected.split("\n")))
    assert kind_of(formula, KINDS, ANY.words) == kind_of(stepped(text), KINDS, ANY.words)


def test_parameters_keep_their_order() -> None:
    formula = from_text("value", "c * a if norm == 'rms' else b * m * n")
    assert Specialised(ANY, KINDS, {"norm": 1}).reduced(formula).parameters == tuple(
        p for p in formula.parameters if p in "bmn"
    )


def test_a_step_hides_the_parameter_of_its_name() -> None:
    assert reduced("n = m if flag else n; n * a", {"flag": 1}).parameters == ("a", "m")
    assert reduced("n = n + 1 if flag else m; n * a", {"flag": 1}).parameters == ("a", "n")


def test_a_formula_is_reduced_anew_for_every_value() -> None:
    """Among them two that are equal, and two of one code."""
    formula = stepped("(a if 1.0 / c > 0.0 else b) + (a if norm == 'rms' else b)")
    found = [Specialised(ANY, KINDS, {"c": c, "norm": n}).reduced(formula).text for c in (0.0, -0.0) for n in (0, 1)]
    assert found == ["a + a", "a + b", "b + a", "b + b"]
    other = Graph([*INPUTS[:-1], Input("norm", "", "word", "norm", words=("none", "rms"))], [])
    assert Specialised(other, KINDS, {"c": 0.0, "norm": 1}).reduced(formula).text == "a + a"


def test_a_formula_without_anything_to_decide_is_the_same_formula() -> None:
    for text in ("a + b", "a if flag else b", "a if b > c and n > 2 else c"):
        formula = stepped(text)
        assert Specialised(ANY, KINDS, {"a": 1.0, "m": 3}).reduced(formula) is formula


def test_what_was_written_is_left_as_it_was() -> None:
    formula = stepped("t = n if flag else a; t + (b if n > 2 and mark else c)")
    before = formula.text
    Specialised(ANY, KINDS, {"flag": 1, "n": 3}).reduced(formula)
    assert formula.text == before


def test_a_count_that_no_cell_holds_is_not_known() -> None:
    """What a loop stores for it is another matter than what a comparison with it says."""
    for value in (math.nan, math.inf, 2**63):
        assert reduced("a if n > 5 else b", {"n": value}).text == "a if n > 5 else b"


# ------------------------------------------------------------------------------------------------- across formulas


def metric(name: str, text: str) -> Metric:
    return Metric(name, "", "test", name, from_text(name, text))


CHAIN = Graph(
    [*INPUTS, Input("k", "", "int", "k", formula=from_text("k", "n / m"))],
    [
        metric("twice", "2 * n"),
        metric("above", "twice > 5"),
        metric("left", "a + n"),
        metric("right", "b * k"),
        metric("chosen", "left if above else right"),
        metric("counted", "a if k > 1 else b"),
        metric("late", "chosen + (1.0 if above else b)"),
    ],
)


def names(nodes: list[Node]) -> list[str]:
    return [node.name for node in nodes]


def test_what_only_the_other_branch_needs_is_left_out() -> None:
    nodes, leaves = Specialised(CHAIN, KINDS, {"n": 3}).resolve(["late"])
    assert (names(nodes), leaves) == (["left", "chosen", "late"], ["a", "n"])
    nodes, leaves = Specialised(CHAIN, KINDS, {"n": 2}).resolve(["late"])
    assert (names(nodes), leaves) == (["k", "right", "chosen", "late"], ["b", "n", "m"])


def test_what_is_wanted_stays_and_is_computed() -> None:
    nodes, leaves = Specialised(CHAIN, KINDS, {"n": 3}).resolve(["above", "chosen", "m"])
    assert (names(nodes), leaves) == (["above", "left", "chosen"], ["a", "n", "m"])
    assert [node.formula.text for node in nodes] == ["True", "a + n", "left"]
    assert [node.kind for node in nodes] == ["bool", "float", "float"]


def test_a_given_metric_is_taken_as_it_is() -> None:
    given = {*KINDS, "above"}
    assert names(Specialised(CHAIN, given, {"n": 3}).resolve(["chosen"])[0]) == ["k", "left", "right", "chosen"]
    assert names(Specialised(CHAIN, given, {"n": 3, "above": 0}).resolve(["chosen"])[0]) == ["k", "right", "chosen"]


def test_a_derived_count_decides_as_the_cell_that_holds_it() -> None:
    for n, m, taken in ((7, 4, "b"), (8, 4, "a")):  # 7/4 is held as 1
        nodes, _ = Specialised(CHAIN, KINDS, {"n": n, "m": m}).resolve(["counted"])
        assert [node.formula.text for node in nodes] == [taken]
    nodes, _ = Specialised(CHAIN, KINDS, {"n": 1, "m": 0}).resolve(["counted"])  # no cell of counts holds inf
    assert names(nodes) == ["k", "counted"]


def test_a_quantile_is_never_known() -> None:
    """It follows from many evaluations, and no single one has it."""
    middle = quantile(metric("twice", "2 * n"), 50)
    graph = Graph(INPUTS, [metric("twice", "2 * n"), middle, metric("chosen", f"a if {middle.name} > 5.0 else b")])
    nodes, _ = Specialised(graph, KINDS, {"n": 3}).resolve(["chosen"])
    assert names(nodes) == ["twice", middle.name, "chosen"]


def test_an_unknown_name_is_refused_as_the_graph_does() -> None:
    with pytest.raises(GraphError, match="twise is neither"):
        Specialised(CHAIN, KINDS, {}).resolve(["twise"])


def test_a_chain_may_be_long() -> None:
    """Longer than Python's stack allows for what calls itself a few times a link."""
    links = [metric(f"x{k}", f"x{k - 1} + 1 if x{k - 1} > 0 else x{k - 1}" if k else "n") for k in range(600)]
    nodes, leaves = Specialised(Graph(INPUTS, links), KINDS, {"n": 1}).resolve(["x599"])
    assert len(nodes) == 600
    assert nodes[-1].formula.text == "x598 + 1"
    assert leaves == ["n"]


# --------------------------------------------------------------------------------------------------- the same bits

COUNTS = ["n", "m", "2", "3", "k"]
REALS = [*"abc", "0.5", "1e300"]


@st.composite
def numbers(draw: st.DrawFn, names: list[str], depth: int = 3) -> str:
    form = draw(st.sampled_from(["leaf", "binary", "extreme", "chosen", "chosen", "test"])) if depth else "leaf"
    inner = numbers(names, depth - 1)
    if form == "leaf":
        return str(draw(st.sampled_from([*COUNTS, *REALS, *names])))
    if form == "binary":
        return f"({draw(inner)} {draw(st.sampled_from(['+', '-', '*', '/', '//', '%']))} {draw(inner)})"
    if form == "extreme":
        return f"{draw(st.sampled_from(['min', 'max']))}({draw(inner)}, {draw(inner)})"
    if form == "test":
        return str(draw(conditions(names, depth - 1)))
    return f"({draw(inner)} if {draw(conditions(names, depth - 1))} else {draw(inner)})"


@st.composite
def conditions(draw: st.DrawFn, names: list[str], depth: int = 2) -> str:
    form = draw(st.sampled_from(["compared", "chained", "not", "joined", "joined", "word", "flag", "flag", "chosen"]))
    if form == "word":
        return f"(norm {draw(st.sampled_from(['==', '!=']))} '{draw(st.sampled_from(['rms', 'layer', 'none']))}')"
    if form == "flag":
        return str(draw(st.sampled_from(["flag", "mark", "True"])))
    if form in ("compared", "chained") or not depth:
        sides = draw(st.lists(numbers(names, min(depth, 1)), min_size=3, max_size=3))
        signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), min_size=2, max_size=2))
        tail = f" {signs[1]} {sides[2]}" if form == "chained" else ""
        return f"({sides[0]} {signs[0]} {sides[1]}{tail})"
    parts = draw(st.lists(conditions(names, depth - 1), min_size=2, max_size=3))
    if form == "not":
        return f"(not {parts[0]})"
    if form == "chosen":
        return f"({parts[0]} if {draw(conditions(names, depth - 1))} else {parts[1]})"
    return "(" + f" {draw(st.sampled_from(['and', 'or']))} ".join(parts) + ")"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to four metrics over the inputs, each free to use those before it; steps may take the name of an input."""
    before: list[str] = []
    metrics = []
    for k in range(draw(st.integers(1, 4))):
        lines = []
        local = list(before)
        for _ in range(draw(st.integers(0, 2))):
            name = draw(st.sampled_from(["t", "u", "a", "n"]))
            lines.append(f"{name} = {draw(numbers(local, 2))}")
            local += [name] if name in "tu" else []
        text = "; ".join([*lines, draw(st.one_of(numbers(local), conditions(local)))])
        formula = stepped(text, f"v{k}")
        used = named(formula.result).union(*(named(value) for _, value in formula.steps))
        parameters = (*formula.parameters, *(name for name in ["k", *before] if name in used))
        metrics.append(
            Metric(f"v{k}", "", "test", "one of many", Formula(f"v{k}", parameters, *(formula.steps, formula.result)))
        )
        before.append(f"v{k}")
    return Graph([*INPUTS, Input("k", "", "int", "k", formula=from_text("k", "n / m"))], metrics)


VALUES = st.fixed_dictionaries(
    {
        **dict.fromkeys("abc", st.sampled_from([0.0, -0.0, 0.5, 1.0, 3.0, -2.5, 1e300, math.inf, -math.inf, math.nan])),
        **dict.fromkeys("nm", st.integers(0, 4)),
        **dict.fromkeys(("flag", "mark"), st.sampled_from([0, 1, 1, 7])),
        "norm": st.integers(0, 2),
    }
)


def evaluated(graph: Graph, nodes: list[Node], leaves: list[str], values: Numbers) -> dict[str, int | float]:
    found = {leaf: values[leaf] for leaf in leaves}
    for node in nodes:
        found[node.name] = compute(graph, node.formula, node.kind, found)
    return found


def plain_bits(value: float) -> bytes:
    return b"nan" if value != value else bits(value)


@settings(deadline=None, max_examples=examples(300))
@given(graphs(), VALUES, st.sets(st.sampled_from(sorted(KINDS))))
def test_whatever_is_known_the_bits_are_the_same(graph: Graph, values: dict[str, float], known: set[str]) -> None:
    wanted = list(graph.metrics)[-1:]
    expected = evaluated(graph, *graph.resolve(wanted, KINDS), values)
    nodes, leaves = Specialised(graph, KINDS, {name: values[name] for name in known}).resolve(wanted)
    found = evaluated(graph, nodes, leaves, values)
    assert found.keys() <= expected.keys()
    for name, value in found.items():
        assert type(value) is type(expected[name])
        assert plain_bits(value) == plain_bits(expected[name]), (name, graph.metrics[wanted[0]].formula.text)
    for node in nodes:
        assert set(node.formula.parameters) <= found.keys()
        original = graph.formula(node.name)
        assert original is not None
        assert kind_of(node.formula, graph.kinds, graph.words) == kind_of(original, graph.kinds, graph.words)


COMPILED = [
    ("n if flag else a * n", {"flag": 1}),
    ("(a > b if flag else n) if mark else c", {"flag": 1, "mark": 1}),
    ("(mark if flag else n) // 2", {"flag": 1}),
    ("flag and n > 1", {"n": 2}),
    ("flag or n > 1 or a > b", {"n": 2}),
    ("a * (n > 2) + (n > 1) // m", {"n": 3}),
    (
        "t = n if flag else a; u = b if norm == 'rms' and a > b else c; (t / m + u) * (mark or n > 3)",
        {"flag": 1, "norm": 0},
    ),
]


@pytest.mark.parametrize(("text", "known"), COMPILED)
def test_loops_of_a_reduced_formula_give_the_same_bits(text: str, known: dict[str, int]) -> None:
    """Compiled and interpreted, beside the formula as it was."""
    formula = stepped(text)
    kinds = KINDS | {"value": kind_of(formula, KINDS, ANY.words)}
    columns = cells(known)
    found = set()
    for form in (formula, Specialised(ANY, KINDS, known).reduced(formula)):
        source = loop_source(form, "r" * len(form.parameters), kinds, ANY.words)
        for loop in (compiled(source), interpreted(source)):
            integers = workspace(LENGTH * (1 + len(columns)))[1]
            for k, name in enumerate(form.parameters):
                integers[LENGTH * (1 + k) : LENGTH * (2 + k)] = columns[name]
            places = [cell for k in range(len(form.parameters)) for cell in (LENGTH * (1 + k), 0)]
            with np.errstate(all="ignore"):
                loop(integers.view(np.float64), integers, np.zeros(1, np.int64), np.array([1, LENGTH, 0, *places]))
            result = integers[:LENGTH].copy()
            if kinds["value"] == "float":
                result[np.isnan(result.view(np.float64))] = 0
            found.add(result.tobytes())
    assert len(found) == 1


LENGTH = 41


def cells(known: Mapping[str, int]) -> dict[str, Any]:
    """Values along a loop as 8-byte cells, the same one throughout where it is known."""
    rng = np.random.default_rng(5)
    columns: dict[str, Any] = {}
    for name, kind in KINDS.items():
        most = {"bool": 2, "word": 3}.get(kind, 9)
        values = (
            rng.choice([0.0, 0.5, 3.0, np.inf, np.nan], LENGTH) if kind == "float" else rng.integers(0, most, LENGTH)
        )
        values = np.full(LENGTH, known[name]) if name in known else values
        columns[name] = values.astype(np.float64 if kind == "float" else np.int64).view(np.int64)
    return columns


# ---------------------------------------------------------------------------------------------------------- plans


def along(plan: Plan) -> dict[str, set[str]]:
    return {name: {plan.axes[a].name for a in value.axes} for name, value in plan.values.items()}


def space_of(axes: str, fixed: str = "", where: str = "") -> Space:
    return loads(f"[axes]\n{axes}\n[fixed]\n{fixed}\n[where]\n{where}\n")


def agree(space: Space, columns: list[str]) -> None:
    """The engine on the plan beside one design after another, which knows of no plan."""
    found = all_rows(space, columns)
    expected = dict(naive.designs(space, columns))
    assert sorted(found.design_id.tolist()) == sorted(expected)
    for k, design_id in enumerate(found.design_id.tolist()):
        for name in columns:
            assert bits(found.columns[name][k].item()) == bits(expected[design_id][name]), (name, design_id)


EXPERTS = (
    "num_layers = [8, 16]\nexpert_ffn_size = [1024, 2048]\nexperts_per_token = [1, 2]\nmoe_mfu_factor = [0.5, 0.7]"
)


def test_a_dense_space_has_no_experts_to_vary_along() -> None:
    columns = ["params_mtp", "mfu", "params_total"]
    dense = Plan(space_of(EXPERTS, "num_experts = 1\nmtp_layers = 1"), columns)
    mixed = Plan(space_of(EXPERTS, "num_experts = 8\nmtp_layers = 1"), columns)
    assert along(mixed)["params_mtp"] >= {"num_layers", "expert_ffn_size"}
    assert along(dense)["params_mtp"] == set()
    assert along(mixed)["mfu"] == {"moe_mfu_factor", "num_layers"}
    assert along(dense)["mfu"] == set()
    agree(space_of(EXPERTS, "num_experts = 1\nmtp_layers = 1", '"fits" = "experts_per_token <= num_experts"'), columns)


def test_a_fixed_card_and_format_leave_one_peak_to_read() -> None:
    space = space_of(
        "hidden_size = [1024, 4096]\nnum_layers = [8, 16]\nbatch_size = [1, 64]",
        'gpu = "h100_sxm"\nprecision = "fp8_e4m3"\ntrain_precision = "bf16"',
        '"fits" = "min_gpus_to_serve <= 8"\n"not small" = "gpu != \'t4\' and hidden_size * num_layers > 8192"',
    )
    columns = ["serve_peak_flop_per_s", "train_peak_flop_per_s", "decode_step_s", "prefill_s", "lifetime_usd"]
    plan = Plan(space, columns)
    formulas = {node.name: node.formula for node in plan.nodes}
    assert formulas["serve_peak_flop_per_s"].parameters == ("gpu_fp8_flop_per_s",)
    assert formulas["train_peak_flop_per_s"].parameters == ("gpu_bf16_flop_per_s",)
    factors = ("served_bandwidth_factor", "engine_bandwidth_factor")
    assert formulas["serve_bandwidth_share"].parameters == ("gpu_bandwidth_share_8bit", *factors)
    assert "compute_class" not in formulas
    assert not {"compute_format", "gpu_fp4_flop_per_s", "gpu_bandwidth_share_16bit"} & set(plan.leaves)
    agree(space, columns)


def test_an_axis_along_which_nothing_changes_decides_too() -> None:
    """Two formats that are computed alike, and an axis of one value, count as much as what is fixed."""
    space = space_of(
        'precision = ["fp8_e4m3", "fp8_block128"]\nattention_kind = ["gqa"]\nhidden_size = [1024, 2048]',
        'gpu = "h100_sxm"',
    )
    columns = ["serve_peak_flop_per_s", "attention_matrix_params", "compute_class", "decode_step_s"]
    plan = Plan(space, columns)
    formulas = {node.name: node.formula for node in plan.nodes}
    assert formulas["serve_peak_flop_per_s"].parameters == ("gpu_fp8_flop_per_s",)
    assert formulas["compute_class"].text.endswith("8")
    assert not {"kv_lora_rank", "attention_kind"} & set(plan.leaves)
    assert along(plan)["compute_class"] == set()
    assert along(plan)["decode_step_s"] == {"precision", "hidden_size"}
    agree(space, columns)


def test_a_model_that_names_an_input_is_read_where_all_do() -> None:
    columns = ["num_kv_heads", "ffn_size", "params_total"]
    some = space_of('model = ["llama-3.1-8b", "deepseek-v3"]\ncontext_tokens = [1024, 4096]')
    one = space_of('model = ["llama-3.1-8b"]\ncontext_tokens = [1024, 4096]')
    for space in (some, one):
        agree(space, columns)
    names = [name for name in some.given if name.startswith("_has_")]
    assert names
    assert {name for name in Plan(some, columns).leaves if name.startswith("_has_")} <= set(names)


def test_constants_are_told_by_their_bits() -> None:
    def space(**columns: list[float]) -> Space:
        sets = {name: np.array(values, np.float64) for name, values in columns.items()}
        places = np.arange(len(next(iter(columns.values()))))
        return Space("test", GRAPH, (Axis("row", tuple(places.tolist()), sets, places, len(places)),), {"a": 1.0})

    assert space(b=[2.0, 2.0], c=[2.0, 3.0]).constants == {"a": 1.0, "b": 2.0}
    assert space(b=[0.0, -0.0], c=[math.nan, 1.0]).constants == {"a": 1.0}
    assert math.isnan(space(b=[math.nan, math.nan]).constants["b"])
    assert space(a=[1.0, 2.0]).constants == {}
    assert space(b=[]).constants == {"a": 1.0}


def test_conditions_are_reduced_with_the_plan() -> None:
    space = space_of(
        "hidden_size = [1024, 2048]\ntrain_tokens = [1e10, 1e12]\ngpu_usd_per_hour = [1.0, 2.0]",
        'gpu = "h100_sxm"',
        '"cheap" = "gpu == \'h100_sxm\' or lifetime_usd < 1"\n'
        '"small" = "(train_usd if gpu == \'t4\' else hidden_size) < 2000"',
    )
    plan = Plan(space, ["hidden_size"])
    assert plan.nodes == []
    assert {axis for name, axes in along(plan).items() if not name.startswith("#") for axis in axes} == {"hidden_size"}
    agree(space, ["hidden_size"])


def test_what_is_drawn_for_a_quantile_is_not_known() -> None:
    """It is fixed to no draw in the space, and takes every one behind it."""
    space = space_of("hidden_size = [1024, 2048]\ntrain_tokens = [1e10, 1e12]")
    drawn = set(catalogue.KINDS["law_draw"].sets)
    assert drawn <= space.constants.keys()
    assert drawn <= set(Plan(space, ["loss_nats"]).leaves)


def test_designs_are_counted_over_the_axes_that_a_reduced_condition_looks_at() -> None:
    """The format is decided by an axis that the condition no longer names, and has to be known all the same."""
    space = space_of(
        'hidden_size = [512, 1024, 2048]\nnum_layers = [8, 16]\nprecision = ["bf16"]\nbatch_size = [1, 2, 4]',
        where='"shape" = "(hidden_size if compute_format == \'bf16\' else 1) > 64 * num_layers"',
    )
    plan = Plan(space, ["weight_bytes"])
    assert count_after_inputs(space, plan, 1) == len(all_rows(space, ["weight_bytes"])) == 3 * 3


def test_first_look_is_read_as_before_in_fewer_steps() -> None:
    space = load("first-look")
    columns = list(space.columns)
    plan = Plan(space, columns)
    nodes, leaves = space.graph.resolve(plan.columns, space.given)
    assert len(plan.leaves) < len(leaves)
    assert {node.name for node in plan.nodes} < {node.name for node in nodes}
