"""The metric language: what it has, what is refused and how, and that no text runs."""

import ast
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import inputs, layouts, lifetime, serve_inputs, train_inputs
from kernels.graph import declared_input, metric
from kernels.language import ROOTS, FormulaError, Kind, from_function, from_text, kind_of, unified
from kernels.model import GRAPH
from kernels.quantiles import quantile_of

# ------------------------------------------------------------------------------------- every formula of the graph

DEFAULT_FUNCTIONS = {
    name: function
    for module in (inputs, layouts, lifetime, serve_inputs, train_inputs)
    for name, function in vars(module).items()
    if getattr(function, "__input__", None) is not None
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: m.function for name, m in GRAPH.metrics.items() if m.function is not None},
    **DEFAULT_FUNCTIONS,
}
FUNCTION_NAMES = {"min", "max", "ceil", "floor", "sqrt", "log", "log2", "exp"} | set(ROOTS)
NODES = {
    *("BinOp", "UnaryOp", "BoolOp", "Compare", "IfExp", "Call", "Name", "Constant", "Load", "Store"),
    *("Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "Pow", "USub", "UAdd", "Not", "And", "Or"),
    *("Lt", "LtE", "Gt", "GtE", "Eq", "NotEq"),
}


def declaration(function: Callable[..., Any]) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


def test_every_formula_of_the_graph_has_a_function_to_read() -> None:
    stated = {name for name, m in GRAPH.metrics.items() if quantile_of(m.formula) is None}
    stated.remove("train_layout")  # a call of what is written from the other metrics
    assert set(FUNCTIONS) == stated | {n for n, i in GRAPH.inputs.items() if i.formula is not None}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_metric_is_assignments_and_one_return_within_the_subset(name: str) -> None:
    tree = declaration(FUNCTIONS[name])
    assert ast.get_docstring(tree)
    arguments = tree.args
    assert not any([arguments.vararg, arguments.kwarg, arguments.kwonlyargs, arguments.posonlyargs, arguments.defaults])
    known = {a.arg for a in arguments.args}
    assert known <= {*GRAPH.inputs, *GRAPH.metrics}
    *steps, last = tree.body[1:]
    for step in steps:
        assert isinstance(step, ast.Assign)
        assert [type(t) for t in step.targets] == [ast.Name]
    assert isinstance(last, ast.Return)
    for statement in (*steps, last):
        assert isinstance(statement, ast.Assign | ast.Return)
        value = statement.value
        assert value is not None
        for node in ast.walk(value):
            assert type(node).__name__ in NODES, ast.unparse(node)
            if isinstance(node, ast.Call):
                assert isinstance(node.func, ast.Name)
                assert node.func.id in FUNCTION_NAMES
                assert not node.keywords
            elif isinstance(node, ast.Constant):
                assert type(node.value) in (bool, int, float, str)
            elif isinstance(node, ast.Name):
                assert node.id in known | FUNCTION_NAMES
        if isinstance(statement, ast.Assign):
            known |= {t.id for t in statement.targets if isinstance(t, ast.Name)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_formula_is_the_function_word_for_word(name: str) -> None:
    *steps, last = declaration(FUNCTIONS[name]).body[1:]
    assert isinstance(last, ast.Return)
    lines = [*(ast.unparse(step) for step in steps), ast.unparse(last).removeprefix("return ")]
    formula = GRAPH.formula(name)
    assert formula is not None
    assert formula.text == "\n".join(lines)


def test_metric_returns_the_function_itself() -> None:
    """A metric can be called with plain numbers."""

    @metric(unit="", source="arithmetic")
    def doubled(width):
        """Twice the width."""
        return 2 * width

    assert doubled(21) == 42  # type: ignore[no-untyped-call]


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("sine(hidden_size)", "'sine' is not a function"),
        ("abs(hidden_size)", "'abs' is not a function"),
        ("pow(hidden_size, 2)", "'pow' is not a function"),
        ("hidden_size.real", "'hidden_size.real'"),
        ("hidden_size.conjugate()", "'hidden_size.conjugate' is not a function"),
        ("lambda: 1", "'lambda: 1'"),
        ("(lambda x: x)(hidden_size)", "lambda x: x"),
        ("hidden_size[0]", "'hidden_size[0]'"),
        ("(x := 3)", "(x := 3)"),
        ("[x for x in hidden_size]", "[x for x in hidden_size]"),
        ("min(x for x in hidden_size)", "min"),
        ("{1: 2}", "{1: 2}"),
        ("(1, 2)", "(1, 2)"),
        ("f'{hidden_size}'", "hidden_size"),
        ("hidden_size @ 2", "hidden_size @ 2"),
        ("hidden_size << 2", "hidden_size << 2"),
        ("hidden_size & 2", "hidden_size & 2"),
        ("~hidden_size", "~hidden_size"),
        ("hidden_size is 2", "hidden_size is 2"),
        ("hidden_size in (1, 2)", "hidden_size in (1, 2)"),
        ("None", "None"),
        ("1j", "1j"),
        ("b'bytes'", "b'bytes'"),
        ("...", "..."),
        ("min(*hidden_size)", "min"),
        ("ceil(hidden_size, key=2)", "ceil"),
        ("min(hidden_size)", "min takes 2 or more"),
        ("sqrt(hidden_size, 2)", "sqrt takes 1"),
        ("sqrt()", "sqrt takes 1"),
        ("min", "'min' is not defined here"),
        ("x = 3", "not an expression"),
        ("1 +", "not an expression"),
        ("", "not an expression"),
        ("1; 2", "not an expression"),
        ("while x: pass", "not an expression"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # "is" with a number, calling a tuple
def test_text_outside_the_language_is_refused_by_name(text: str, culprit: str) -> None:
    with pytest.raises(FormulaError) as refused:
        from_text("value", text)
    assert culprit in str(refused.value)


def no_loop(width):
    """A loop."""
    while width > 1:
        width = width / 2
    return width


def no_default(width, twice=2):
    """A parameter with a default."""
    return width * twice


def no_stars(*widths):
    """Any number of parameters."""
    return widths


def no_keyword(width, *, twice):
    """A parameter that has to be named."""
    return width * twice


def no_branch(width):
    """An if that is a statement."""
    if width > 1:
        return 1
    return 2


def no_return(width):
    """Ends without a result."""
    width = width * 2


def no_unpacking(width):
    """Two assignments at once."""
    a, b = width, width
    return a + b


def no_increment(width):
    """An assignment that changes."""
    width += 1
    return width


def no_call(width):
    """Calls what the language lacks."""
    return abs(width)


def no_global(width):
    """Reads what is no parameter."""
    return width * math.pi


def no_free_name(width):
    """Reads what is no parameter."""
    return width * operator


def no_function_name(width):
    """Gives a function's name to a number."""
    floor = width * 2
    return floor + 1


@pytest.mark.parametrize(
    ("function", "culprit"),
    [
        (no_loop, "while width > 1"),
        (no_default, "no_default: parameters are plain names, without defaults"),
        (no_stars, "no_stars: parameters"),
        (no_keyword, "no_keyword: parameters"),
        (no_branch, "if width > 1"),
        (no_return, "no_return: ends without a return"),
        (no_unpacking, "a, b = (width, width)"),
        (no_increment, "width += 1"),
        (no_call, "'abs' is not a function"),
        (no_global, "math.pi"),
        (no_free_name, "'operator' is not defined"),
        (no_function_name, "'floor' is a function"),
    ],
)
def test_function_outside_the_language_is_refused_by_name(function: Callable[..., Any], culprit: str) -> None:
    with pytest.raises(FormulaError) as refused:
        from_function(function)
    assert culprit in str(refused.value)


Numbers = Mapping[str, int | float]
Words = Mapping[str, tuple[str, ...]]
KINDS: dict[str, Kind] = {"a": "float", "b": "float", "c": "float", "n": "int", "flag": "bool", "norm": "word"}
WORDS = {"norm": ("rmsnorm", "layernorm")}


def kind(text: str) -> Kind:
    return kind_of(from_text("value", text), KINDS, WORDS)


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("n == 'rmsnorm'", "n is a number and is compared with the word 'rmsnorm'"),
        ("norm == 'rmsnrom'", "norm does not know the word 'rmsnrom'; did you mean 'rmsnorm'?"),
        ("norm == 'zzz'", "norm does not know the word 'zzz'; it takes rmsnorm, layernorm"),
        ("norm == 3", "'norm' takes words"),
        ("norm == norm", "'norm' takes words"),
        ("norm < 'rmsnorm'", "words are compared with == or !="),
        ("norm + 1", "'norm' takes words, and arithmetic needs numbers"),
        ("-norm", "'norm' takes words"),
        ("sqrt(norm)", "'norm' takes words"),
        ("max(n, norm)", "'norm' takes words"),
        ("'rmsnorm'", "the word 'rmsnorm' can only be compared"),
        ("'rmsnorm' == norm", "the word 'rmsnorm' can only be compared"),
        ("a + 'rmsnorm'", "the word 'rmsnorm' can only be compared"),
        ("norm if n > 1 else norm", "a word is not a number"),
        ("1 if n else 2", "'n' is not a condition"),
        ("1 if a + 1 else 2", "'a + 1' is not a condition"),
        ("1 if norm else 2", "'norm' is not a condition"),
        ("not n", "'n' is not a condition"),
        ("n and flag", "'n' is not a condition"),
        ("flag or a", "'a' is not a condition"),
    ],
)
def test_types_that_do_not_fit_are_refused_by_name(text: str, culprit: str) -> None:
    with pytest.raises(FormulaError) as refused:
        kind(text)
    assert culprit in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("n + 1", "int"), ("n + 1.0", "float"), ("n * a", "float"), ("n // 2", "int"), ("n % 2", "int")),
        *(("n / 2", "float"), ("n ** 2", "float"), ("-n", "int"), ("-a", "float"), ("flag + flag", "int")),
        *(("n > 2", "bool"), ("flag", "bool"), ("not flag", "bool"), ("flag and n > 2", "bool"), ("True", "bool")),
        *(("norm == 'rmsnorm'", "bool"), ("norm != 'rmsnorm' or flag", "bool"), ("1 < n < 3", "bool")),
        *(("1 if flag else 2", "int"), ("1 if flag else 2.0", "float"), ("flag if flag else n > 1", "bool")),
        *(("min(n, 2)", "int"), ("min(n, a, 2)", "float"), ("ceil(n)", "float"), ("sqrt(n)", "float")),
    ],
)
def test_type_follows_from_the_parts(text: str, expected: Kind) -> None:
    assert kind(text) == expected


def test_parameters_are_the_names_in_the_text() -> None:
    assert set(from_text("value", "max(a, b) / n if norm == 'rmsnorm' else c").parameters) == {*"abcn", "norm"}


# --------------------------------------------------------------------------------------------- text never runs

MARK: list[str] = []


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('true')",
        "__import__('os')",
        "eval('1')",
        "exec('MARK.append(1)')",
        "MARK.append('ran')",
        "open('x', 'w')",
        "().__class__.__bases__[0].__subclasses__()",
        "a.__class__",
        "(lambda: MARK.append('ran'))()",
        "[MARK.append('ran') for a in (1,)]",
        "(MARK := 1)",
        "f'{MARK.append(1)}'",
        "getattr(a, 'real')",
        "globals()",
        "min.__self__",
        "sqrt.__globals__['__builtins__']",
        "ceil(__import__('os').getpid())",
        "1 if __import__('os').getpid() else 2",
        "a == __import__('os')",
        "import os",
        "print('ran')",
        "max(1, breakpoint())",
        "yield_(1)",
        "(yield)",
        "await a",
    ],
)
def test_an_attack_is_refused_and_nothing_of_it_runs(attack: str) -> None:
    with pytest.raises(FormulaError):
        from_text("value", attack)
    assert not MARK


def test_a_dunder_name_is_only_a_name() -> None:
    """It passes as a parameter that nothing declares: the graph refuses it, and the text reads no variable."""
    assert from_text("value", "__builtins__ + 1").parameters == ("__builtins__",)


@pytest.mark.parametrize(
    "text", ["a\x00", "\x00", "(" * 5000 + "a" + ")" * 5000, "-" * 100_000 + "a", "a" + "+a" * 50_000, "a" + "+a" * 500]
)
def test_text_that_python_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        from_text("value", text)


@given(st.text(alphabet="ab12()[]{}.,:+-*/%<>=!'\" \n\\_\x00and or not if else lambda", max_size=40))
@settings(deadline=None, max_examples=300)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    try:
        from_text("value", text)
    except FormulaError:
        return


def test_default_functions_are_declared() -> None:
    assert {declared_input(f).name for f in DEFAULT_FUNCTIONS.values()} == set(DEFAULT_FUNCTIONS)


def test_evaluating_a_formula_leaves_its_text_alone() -> None:
    """A run is known by its formulas' texts, and macros are made of them."""
    formula = from_text("value", "2.0 * (n if a > 8 else 0.5)")
    before = formula.text
    kinds: dict[str, Kind] = {"n": "int", "a": "float"}
    assert "float" in ast.unparse(unified(formula, kinds, {}).result)
    assert formula.text == before
