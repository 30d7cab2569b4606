"""The metric language: what a formula may say, what type it has, and how it is written out for a reader.

One definition serves many readers (numba, the planner, SQL, explanations), so a formula is held to a small subset of
Python: assignments and one ``return``, built from ``+ - * / // % **``, comparisons, ``and or not``, conditional
expressions, and ``min max ceil floor sqrt log log2 exp``. The expressions of a spec are the same language, parsed here
and never ``eval``ed. Our own metrics may also call the functions of ``roots``, which need a loop: they run wherever
loops do and have no translation.
"""

import ast
import difflib
import inspect
import linecache
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from kernels.layout_search import fastest_layout

Kind = Literal["int", "float", "bool", "word"]

DEEPEST = 150  # what reads a formula is recursive, and Python's stack is not endless
ROOTS = {  # what needs a loop and so has no translation, with the numbers each takes; for our own metrics only
    "general_loss": 19,
    "compute_optimal": 18,
    "lifetime_growth": 2,
    "lifetime_growth_flat": 6,
    "lifetime_optimal_tokens": 20,
    "lifetime_optimal_params": 19,
    "optimum_near": 12,
    "repeated_optimum_near": 17,
    "loss_near": 13,
    "repeated_loss_near": 17,
    "lifetime_near": 14,
    "repeated_lifetime_near": 19,
    "lifetime_params_near": 13,
    "repeated_params_near": 17,
    "growth_near": 2,
    "growth_flat_near": 6,
    "surface_vocabulary": 7,
    "kaplan_min_steps": 7,
    "optimal_bits": 6,
    "draw_quantile": 2,
    "fastest_layout": fastest_layout.__code__.co_argcount,
}
CALLS = {"min": 2, "max": 2, "ceil": 1, "floor": 1, "sqrt": 1, "log": 1, "log2": 1, "exp": 1}
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class FormulaError(ValueError):
    """A formula says something the metric language does not have."""


@dataclass(frozen=True)
class Formula:
    """A checked formula: its parameters, its assignments in order, its result."""

    name: str
    parameters: tuple[str, ...]
    steps: tuple[tuple[str, ast.expr], ...]
    result: ast.expr

    @cached_property
    def text(self) -> str:
        """The formula as one line a step, the last one its result."""
        lines = [f"{name} = {ast.unparse(value)}" for name, value in self.steps]
        return "\n".join([*lines, ast.unparse(self.result)])

    @cached_property
    def finds_a_root(self) -> bool:
        """Whether the formula calls a function that needs a loop, of which bounds and slopes are not known."""
        return any(names_in(tree) & ROOTS.keys() for tree in [*(value for _, value in self.steps), self.result])


def names_in(tree: ast.expr) -> set[str]:
    """The names in an expression, of functions too. ast.walk, which knows no language, takes four times as long."""
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case ast.Name(id=name):
                found.add(name)
            case ast.BinOp(left=left, right=right):
                waiting += (left, right)
            case ast.Call(func=called, args=arguments):
                waiting += (called, *arguments)
            case ast.UnaryOp(operand=operand):
                waiting.append(operand)
            case ast.Compare(left=left, comparators=comparators):
                waiting += (left, *comparators)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                waiting += (test, body, orelse)
            case ast.BoolOp(values=values):
                waiting += values
    return found


@lru_cache(maxsize=256)
def _definitions(source: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a source by name and first line: parsed once, not once for each of its metrics."""
    found = []
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:  # through what holds statements, and not through the expressions, which are most of a source
        for node in getattr(waiting.pop(), "body", ()):
            if isinstance(node, ast.FunctionDef):
                found.append(node)
            if isinstance(node, ast.stmt):
                waiting.append(node)
    return {(node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])): node for node in found}


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    """The statement that defines a function, None for a lambda."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    source = "".join(linecache.getlines(code.co_filename))
    try:
        known = _definitions(source).get((code.co_name, code.co_firstlineno))
    except SyntaxError:  # a cell of a notebook may hold more than Python
        known = None
    if known is not None:
        return known
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return found if isinstance(found, ast.FunctionDef) else None


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def from_function(function: Callable[..., Any]) -> Formula:
    """The formula a metric function states; FormulaError names what is outside the language."""
    tree = _definition(function)
    if tree is None:
        raise FormulaError(f"{function.__name__}: a metric is a plain function")
    arguments = tree.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs or arguments.defaults:
        raise FormulaError(f"{tree.name}: parameters are plain names, without defaults or stars")
    body = tree.body[1:] if _is_text(tree.body[0]) else tree.body
    steps: list[tuple[str, ast.expr]] = []
    for statement in body[:-1]:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                steps.append((name, value))
            case _:
                raise FormulaError(f"{tree.name}: {ast.unparse(statement)!r} is neither an assignment nor a return")
    match body[-1:]:
        case [ast.Return(value=ast.expr() as result)]:
            pass
        case _:
            raise FormulaError(f"{tree.name}: ends without a return of one expression")
    formula = Formula(tree.name, tuple(a.arg for a in arguments.args), tuple(steps), result)
    _check(formula, ROOTS)
    return formula


def from_text(name: str, text: str) -> Formula:
    """The formula a spec's expression states, its parameters in order of appearance."""
    try:
        result = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"not an expression: {error.msg} at column {error.offset}") from None
    except (ValueError, MemoryError, RecursionError) as error:  # null bytes, or nested deeper than Python reads
        raise FormulaError(f"not an expression: {str(error) or 'nested too deeply'}") from None
    names: dict[str, None] = {}
    for node in ast.walk(result):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            continue
        if isinstance(node, ast.Name) and node.id not in CALLS:
            names[node.id] = None
    formula = Formula(name, tuple(names), (), result)
    _check(formula, {})
    return formula


def _check(formula: Formula, roots: Mapping[str, int]) -> None:
    known = set(formula.parameters)
    for name, value in formula.steps:
        _check_expression(value, known, roots)
        if name in CALLS:
            raise FormulaError(f"{name!r} is a function of the language, not a name to assign")
        known.add(name)
    _check_expression(formula.result, known, roots)


def _check_expression(node: ast.expr, known: set[str], roots: Mapping[str, int], depth: int = 0) -> None:
    """Refuse anything outside the language, naming it in the words that were written."""
    if depth > DEEPEST:
        raise FormulaError(f"nested more than {DEEPEST} deep; name its parts")
    match node:
        case ast.Constant(value=int() as whole) if abs(whole) >= 1 << 63:
            raise FormulaError(f"{whole:g} has more digits than a whole number may have; write it as {float(whole)!r}")
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.Name(id=name):
            if name not in known:
                raise FormulaError(f"{name!r} is not defined here")
            return
        case ast.BinOp(op=op) if type(op) in BINARY:
            children = [node.left, node.right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
            children = [node.operand]
        case ast.BoolOp():
            children = node.values
        case ast.Compare(ops=ops) if all(type(op) in COMPARE for op in ops):
            children = [node.left, *node.comparators]
        case ast.IfExp():
            children = [node.test, node.body, node.orelse]
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in CALLS:
            if len(node.args) < CALLS[name] or (CALLS[name] == 1 and len(node.args) > 1):
                raise FormulaError(f"{ast.unparse(node)!r}: {name} takes {CALLS[name]} or more numbers")
            children = node.args
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in roots:
            if len(node.args) != roots[name]:
                raise FormulaError(f"{name} takes {roots[name]} numbers, not {len(node.args)}")
            children = node.args
        case ast.Call(func=func):
            raise FormulaError(f"{ast.unparse(func)!r} is not a function of the language; it has {', '.join(CALLS)}")
        case _:
            raise FormulaError(f"{ast.unparse(node)!r} is not in the language of formulas")
    for child in children:
        _check_expression(child, known, roots, depth + 1)


def kind_of(formula: Formula, kinds: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> Kind:
    """The type of a formula's result, given those of its parameters.

    FormulaError where the types do not fit: arithmetic on words, a condition that is a number, a word that the
    input it is compared with does not know.
    """
    typed = tuple(kinds[name] for name in formula.parameters)
    return _kind_of(formula, typed, tuple((p, words[p]) for p in formula.parameters if p in words))


@lru_cache(maxsize=4096)
def _kind_of(formula: Formula, typed: tuple[Kind, ...], worded: tuple[tuple[str, tuple[str, ...]], ...]) -> Kind:
    """Most formulas of a spec's graph are those of every other spec."""
    scope, words = dict(zip(formula.parameters, typed, strict=True)), dict(worded)
    for name, value in formula.steps:
        scope[name] = kind_in(value, scope, words)
    return kind_in(formula.result, scope, words)


def kind_in(node: ast.expr, scope: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> Kind:
    """The type of an expression, given those of the names in it. FormulaError as kind_of."""
    match node:
        case ast.Constant(value=bool()):
            return "bool"
        case ast.Constant(value=int()):
            return "int"
        case ast.Constant(value=float()):
            return "float"
        case ast.Constant(value=str() as word):
            raise FormulaError(f"the word {word!r} can only be compared with an input that takes words")
        case ast.Name(id=name):
            return scope[name]
        case ast.BinOp(left=left, op=op, right=right):
            pair = {_number(left, scope, words), _number(right, scope, words)}
            if isinstance(op, ast.Div | ast.Pow):
                return "float"
            return "float" if "float" in pair else "int"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _condition(operand, scope, words)
            return "bool"
        case ast.UnaryOp(operand=operand):
            return "float" if _number(operand, scope, words) == "float" else "int"
        case ast.BoolOp(values=values):
            for value in values:
                _condition(value, scope, words)
            return "bool"
        case ast.Compare():
            _compare(node, scope, words)
            return "bool"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            _condition(test, scope, words)
            kinds = {kind_in(body, scope, words), kind_in(orelse, scope, words)}
            if "word" in kinds:
                raise FormulaError(f"{ast.unparse(node)!r}: a word is not a number")
            if kinds == {"bool"}:
                return "bool"
            return "float" if "float" in kinds else "int"
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in ROOTS:
            for argument in arguments:
                kind_in(argument, scope, words)  # words go in by their codes
            return "float"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            kinds = {_number(argument, scope, words) for argument in arguments}
            if name in ("min", "max"):
                return "float" if "float" in kinds else "int"
            return "float"
    raise FormulaError(f"{ast.unparse(node)!r} is not in the language of formulas")


def _number(node: ast.expr, scope: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> Kind:
    kind = kind_in(node, scope, words)
    if kind == "word":
        raise FormulaError(f"{ast.unparse(node)!r} takes words, and arithmetic needs numbers")
    return kind


def _condition(node: ast.expr, scope: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> None:
    if kind_in(node, scope, words) != "bool":
        raise FormulaError(f"{ast.unparse(node)!r} is not a condition: compare it with something")


def _compare(node: ast.Compare, scope: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> None:
    match node:
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=str() as word)], ops=[op]):
            if scope[name] != "word":
                raise FormulaError(f"{name} is a number and is compared with the word {word!r}")
            if not isinstance(op, ast.Eq | ast.NotEq):
                raise FormulaError(f"{ast.unparse(node)!r}: words are compared with == or !=")
            if word not in words[name]:
                near = difflib.get_close_matches(word, words[name], 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(words[name])}"
                raise FormulaError(f"{name} does not know the word {word!r}{hint}")
        case _:
            for side in (node.left, *node.comparators):
                _number(side, scope, words)


def unified(formula: Formula, kinds: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> Formula:
    """The formula with a conversion wherever a count meets a number in min, max or a conditional.

    Compiled code converts there by itself, plain Python does not, and a count and the same number divide differently.
    """
    scope: dict[str, Kind] = {name: kinds[name] for name in formula.parameters}

    def of(node: ast.expr) -> ast.expr:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                whole = kind_in(node, scope, words)
                return ast.IfExp(of(test), held_as(whole, body), held_as(whole, orelse))
            case ast.Call(func=ast.Name(id="min" | "max")):
                whole = kind_in(node, scope, words)
                return ast.Call(node.func, [held_as(whole, part) for part in node.args], [])
            case ast.Call():
                return ast.Call(node.func, list(map(of, node.args)), [])
            case ast.BinOp(left=left, op=op, right=right):
                return ast.BinOp(of(left), op, of(right))
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, of(operand))
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, list(map(of, values)))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return ast.Compare(of(left), ops, list(map(of, comparators)))
        return node  # a number, a word or a name

    def held_as(whole: Kind, part: ast.expr) -> ast.expr:
        converted = of(part)
        kind = kind_in(part, scope, words)
        if whole == "float" and kind != "float":
            if kind == "bool":  # numba has no float of a bool
                converted = ast.UnaryOp(ast.UAdd(), converted)
            return ast.Call(ast.Name("float", ast.Load()), [converted], [])
        return converted

    steps = []
    for name, value in formula.steps:
        steps.append((name, of(value)))
        scope[name] = kind_in(value, scope, words)
    return Formula(formula.name, formula.parameters, tuple(steps), of(formula.result))


def emit(node: ast.expr, rename: Mapping[str, str], words: Mapping[str, tuple[str, ...]]) -> str:
    """The expression as Python for a compiled loop: names renamed, words as their codes, functions nan-safe."""

    def of(child: ast.expr) -> str:
        return emit(child, rename, words)

    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Name(id=name):
            return rename.get(name, name)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"power({of(left)}, {of(right)})"
        case ast.BinOp(left=left, op=op, right=right):
            return f"({of(left)} {BINARY[type(op)]} {of(right)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"(not {of(operand)})"
        case ast.UnaryOp(op=op, operand=operand):
            return f"({'-' if isinstance(op, ast.USub) else '+'}{of(operand)})"
        case ast.BoolOp(op=op, values=values):
            return "(" + (" and " if isinstance(op, ast.And) else " or ").join(map(of, values)) + ")"
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=str() as word)], ops=[op]):
            return f"({of(node.left)} {COMPARE[type(op)]} {words[name].index(word)})"
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            tail = " ".join(f"{COMPARE[type(op)]} {of(side)}" for op, side in zip(ops, comparators, strict=True))
            return f"({of(left)} {tail})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({of(body)} if {of(test)} else {of(orelse)})"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            if name in ROOTS:
                return f"{name}({', '.join(map(of, arguments))})"
            text = of(arguments[0])
            if name in ("min", "max"):
                for argument in arguments[1:]:
                    text = f"{'minimum' if name == 'min' else 'maximum'}({text}, {of(argument)})"
                return text
            return f"{name}({text})"
    raise FormulaError(f"{ast.unparse(node)!r} is not in the language of formulas")
