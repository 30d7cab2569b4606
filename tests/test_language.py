"""The metric language: what is refused and how, that no text runs, and that a formula means what Python means."""

import ast
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import inputs
from kernels.evaluate import compute
from kernels.graph import Graph, Input, declared_input, metric
from kernels.language import Formula, FormulaError, Kind, emit, from_function, from_text, kind_of
from kernels.model import GRAPH

pytestmark = pytest.mark.nojit

# ------------------------------------------------------------------------------------- every formula of the graph

DEFAULT_FUNCTIONS = {
    name: function for name, function in vars(inputs).items() if getattr(function, "__input__", None) is not None
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: m.function for name, m in GRAPH.metrics.items() if m.function is not None},
    **DEFAULT_FUNCTIONS,
}
FUNCTION_NAMES = {"min", "max", "ceil", "floor", "sqrt", "log", "log2", "exp"}
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
    assert set(FUNCTIONS) == set(GRAPH.metrics) | {n for n, i in GRAPH.inputs.items() if i.formula is not None}


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
        "open('/tmp/x', 'w')",
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


@given(st.text(alphabet="ab12()[]{}.,:+-*/%<>=!'\" \n\\_\x00and or not if else lambda", max_size=40))
@settings(deadline=None, max_examples=300)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    try:
        from_text("value", text)
    except FormulaError:
        return


# ------------------------------------------------------------------- the meaning, held to Python's own evaluation


class Real:
    """A number that Python computes with; where Python raises, the rule that the language documents."""

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: "Real") -> "Real":
        return Real(self.value + other.value)

    def __sub__(self, other: "Real") -> "Real":
        return Real(self.value - other.value)

    def __mul__(self, other: "Real") -> "Real":
        return Real(self.value * other.value)

    def __truediv__(self, other: "Real") -> "Real":
        if other.value != 0.0:
            return Real(self.value / other.value)
        return Real(by_zero(self.value, other.value))

    def __floordiv__(self, other: "Real") -> "Real":
        if other.value != 0.0:
            return Real(self.value // other.value)
        return Real(by_zero(self.value, other.value))

    def __mod__(self, other: "Real") -> "Real":
        return Real(self.value % other.value if other.value != 0.0 else math.nan)

    def __pow__(self, other: "Real") -> "Real":
        a, b = self.value, other.value
        if math.isnan(a) or math.isnan(b) or a < 0.0:
            return Real(math.nan)
        if a == 0.0:
            a = 0.0  # an odd power of -0.0 would be -0.0
        try:
            return Real(a**b)
        except (OverflowError, ZeroDivisionError):
            return Real(math.inf)

    def __neg__(self) -> "Real":
        return Real(-self.value)

    def __pos__(self) -> "Real":
        return self

    def __lt__(self, other: "Real") -> bool:
        return self.value < other.value

    def __le__(self, other: "Real") -> bool:
        return self.value <= other.value

    def __gt__(self, other: "Real") -> bool:
        return self.value > other.value

    def __ge__(self, other: "Real") -> bool:
        return self.value >= other.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Real) and self.value == other.value

    def __ne__(self, other: object) -> bool:
        return isinstance(other, Real) and self.value != other.value

    __hash__ = None  # type: ignore[assignment]


def by_zero(a: float, zero: float) -> float:
    """IEEE 754: nan for 0/0 and nan, else infinity with the sign of both."""
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, zero)


def lifted(function: Callable[[float], float]) -> Callable[[Real], Real]:
    def of(x: Real) -> Real:
        try:
            return Real(function(x.value))
        except ValueError:  # a domain error, or a rounding of nan
            return Real(-math.inf if function in (math.log, math.log2) and x.value == 0.0 else math.nan)
        except OverflowError:  # exp past the largest double, or a rounding of infinity
            return Real(math.inf if function is math.exp else x.value)

    return of


def extreme(choose: Callable[..., Real]) -> Callable[..., Real]:
    def of(*numbers: Real) -> Real:
        return Real(math.nan) if any(math.isnan(x.value) for x in numbers) else choose(*numbers)

    return of


ORACLE = {
    "min": extreme(min),
    "max": extreme(max),
    "ceil": lifted(lambda x: float(math.ceil(x))),
    "floor": lifted(lambda x: float(math.floor(x))),
    **{f.__name__: lifted(f) for f in (math.sqrt, math.log, math.log2, math.exp)},
    "Real": Real,
}


class WrapConstants(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        return ast.Call(ast.Name("Real", ast.Load()), [node], [])


def python_says(text: str, values: dict[str, float]) -> float:
    """The expression evaluated by Python itself, over numbers that keep the documented rules."""
    tree = ast.fix_missing_locations(WrapConstants().visit(ast.parse(text, mode="eval")))
    numbers = {name: Real(value) for name, value in values.items()}
    result = eval(compile(tree, "<oracle>", "eval"), {"__builtins__": {}, **ORACLE}, numbers)
    return result.value if isinstance(result, Real) else float(result)


def computed(formula: Formula, values: Numbers, kinds: Mapping[str, Kind] = KINDS, words: Words = WORDS) -> Any:
    """The formula evaluated by the project, over inputs of these kinds."""
    used = formula.parameters
    graph = Graph([Input(name, "", kinds[name], name, words=words.get(name, ())) for name in used], [])
    return compute(graph, formula, kind_of(formula, kinds, words), values)


def we_say(text: str, values: dict[str, float]) -> float:
    return float(computed(from_text("value", text), values))


def same(a: float, b: float) -> bool:
    """Equal to the last bit but for the sign of zero, nan being itself: min and max of 0.0 and -0.0 may be either."""
    return a == b or (math.isnan(a) and math.isnan(b))


LEAVES = [*"aaabbbccc", "0.0", "1.0", "2.5", "1e300", "3.0", "710.0"]  # whole numbers have a test of their own
FORMS = ["leaf", "binary", "binary", "minus", "call", "extreme", "conditional"]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    form = draw(st.sampled_from(FORMS)) if depth else "leaf"
    inner = expressions(depth - 1)
    if form == "leaf":
        return str(draw(st.sampled_from(LEAVES)))
    if form == "binary":
        return f"({draw(inner)} {draw(st.sampled_from(['+', '-', '*', '/', '//', '%', '**']))} {draw(inner)})"
    if form == "minus":
        return f"(-{draw(inner)})"
    if form == "call":
        return f"{draw(st.sampled_from(['ceil', 'floor', 'sqrt', 'log', 'log2', 'exp']))}({draw(inner)})"
    if form == "extreme":
        numbers = draw(st.lists(inner, min_size=2, max_size=3))
        return f"{draw(st.sampled_from(['min', 'max']))}({', '.join(numbers)})"
    return f"({draw(inner)} if {draw(conditions(depth - 1))} else {draw(inner)})"


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    form = draw(st.sampled_from(["compared", "chained", "not", "joined"])) if depth else "compared"
    if form == "not":
        return f"(not {draw(conditions(depth - 1))})"
    if form == "joined":
        return f"({draw(conditions(depth - 1))} {draw(st.sampled_from(['and', 'or']))} {draw(conditions(depth - 1))})"
    sides = draw(st.lists(expressions(depth), min_size=3 if form == "chained" else 2, max_size=3))
    signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), min_size=2, max_size=2))
    return f"({sides[0]} {' '.join(f'{sign} {side}' for sign, side in zip(signs, sides[1:], strict=False))})"


NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e308, 5e-324, math.inf, -math.inf, math.nan]),
    st.floats(-1e6, 1e6),
    st.floats(),
)
FEW = st.fixed_dictionaries(dict.fromkeys("abc", NUMBERS))


@given(expressions(), FEW)
@settings(deadline=None, max_examples=600)
def test_an_expression_means_what_python_means(text: str, values: dict[str, float]) -> None:
    assert same(we_say(text, values), python_says(text, values)), text


@given(conditions(), FEW)
@settings(deadline=None, max_examples=200)
def test_a_condition_means_what_python_means(text: str, values: dict[str, float]) -> None:
    assert we_say(text, values) == python_says(text, values), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("1 / 0", math.inf), ("-1 / 0", -math.inf), ("0 / 0", math.nan), ("1.0 / 0.0", math.inf)),
        *(("1 / log(1)", math.inf), ("1 / sqrt(0)", math.inf), ("1.0 % 0.0", math.nan), ("1.0 // 0.0", math.inf)),
        *(("0 ** -1", math.inf), ("(-2) ** 2", math.nan), ("10 ** 400", math.inf), ("exp(1000)", math.inf)),
        *(("log(0)", -math.inf), ("log2(0)", -math.inf), ("log(-1)", math.nan), ("sqrt(-1)", math.nan)),
    ],
)
def test_what_python_refuses_has_a_value(text: str, expected: float) -> None:
    """The docstrings of kernels.scalar, and IEEE 754 for division."""
    assert same(we_say(text, {}), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(a < b) + (b < c)", 2.0), ("(a < b) - (b < c)", 0.0), ("-(a < b)", -1.0), ("(a < b) * 3", 3.0)],
)
def test_a_condition_counts_as_one(text: str, expected: float) -> None:
    """True is 1, as in Python."""
    assert we_say(text, {"a": 1.0, "b": 2.0, "c": 3.0}) == expected


@st.composite
def whole_expressions(draw: st.DrawFn, depth: int = 3) -> str:
    form = draw(st.sampled_from(["leaf", "binary", "divided", "extreme", "minus"])) if depth else "leaf"
    if form == "leaf":
        return str(draw(st.sampled_from([*"abc", "1", "2", "7"])))
    inner = draw(whole_expressions(depth - 1))
    if form == "divided":
        return f"({inner} {draw(st.sampled_from(['//', '%']))} {draw(st.sampled_from([2, 3, 7, 9]))})"
    if form == "minus":
        return f"(-{inner})"
    other = draw(whole_expressions(depth - 1))
    if form == "extreme":
        return f"{draw(st.sampled_from(['min', 'max']))}({inner}, {other})"
    return f"({inner} {draw(st.sampled_from('+-*'))} {other})"


@given(whole_expressions(), st.fixed_dictionaries(dict.fromkeys("abc", st.integers(-20, 20))))
@settings(deadline=None, max_examples=300)
def test_whole_numbers_stay_exact(text: str, values: dict[str, int]) -> None:
    formula = from_text("value", text)
    whole: dict[str, Kind] = dict.fromkeys("abc", "int")
    assert kind_of(formula, whole, {}) == "int"
    assert computed(formula, values, whole) == eval(text, {"__builtins__": {}, "min": min, "max": max}, dict(values))


def test_steps_see_the_steps_before_them() -> None:
    def stepped(a, b):
        """(a + b) squared, plus a."""
        total = a + b
        square = total * total
        return square + a

    assert computed(from_function(stepped), {"a": 2, "b": 3}, {"a": "int", "b": "int"}) == 27


def test_words_become_their_codes() -> None:
    formula = from_text("value", "3 if norm == 'layernorm' else 4")
    assert emit(formula.result, {"norm": "x0[j]"}, WORDS) == "(3 if (x0[j] == 1) else 4)"
    assert [computed(formula, {"norm": code}) for code in (0, 1)] == [4, 3]


@pytest.mark.parametrize("name", GRAPH.metrics)
def test_calling_the_metric_is_evaluating_its_formula(name: str) -> None:
    """Plain Python and what is emitted agree; words are words in the one, codes in the other."""
    function = GRAPH.metrics[name].function
    formula: Formula = GRAPH.metrics[name].formula
    assert function is not None
    rng = np.random.default_rng(len(name))
    for _ in range(20):
        plain: dict[str, Any] = {}
        codes: dict[str, Any] = {}
        for parameter in formula.parameters:
            if parameter in GRAPH.words:
                codes[parameter] = int(rng.integers(len(GRAPH.words[parameter])))
                plain[parameter] = GRAPH.words[parameter][codes[parameter]]
            elif GRAPH.kinds[parameter] == "float":
                plain[parameter] = codes[parameter] = float(rng.uniform(0.1, 9.0))
            elif GRAPH.kinds[parameter] == "bool":
                plain[parameter] = codes[parameter] = int(rng.integers(2))
            else:
                plain[parameter] = codes[parameter] = int(rng.integers(1, 50))
        ours = compute(GRAPH, formula, GRAPH.kinds[name], codes)
        theirs = function(**plain)
        assert ours == pytest.approx(1 * theirs, rel=1e-15, abs=0), plain  # ** and power() may round differently


def test_default_functions_are_declared() -> None:
    assert {declared_input(f).name for f in DEFAULT_FUNCTIONS.values()} == set(DEFAULT_FUNCTIONS)
