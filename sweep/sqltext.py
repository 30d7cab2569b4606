"""Formulas of the metric language as SQL expressions that mean the same.

DuckDB differs from the language in its order of nan (equal to itself, above everything), in rounding whole division
towards zero, and in reading ``0.1`` as a decimal; what is written here makes up for each.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

from kernels.language import CALLS, COMPARE, ROOTS, Formula, FormulaError, Kind, names_in

TYPES: dict[Kind, str] = {"int": "bigint", "float": "double", "bool": "boolean", "word": "varchar"}
ROOT_PREFIX = "root_"  # of the macro of a function that searches for a root
WITHOUT_SQL = frozenset({"draw_quantile", "fastest_layout"})  # over all draws of a law, over all layouts
NAN = "cast('nan' as double)"
_OPERATORS = {"==": "=", "!=": "<>"}

Typed = tuple[str, Kind]


def has_sql(formula: Formula) -> bool:
    """Whether to_sql can say a formula; where it searches for a root, with the macros of sweep.sqlroots."""
    return not any(names_in(tree) & WITHOUT_SQL for tree in [*(value for _, value in formula.steps), formula.result])


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def to_sql(formula: Formula, kinds: Mapping[str, Kind], rename: Mapping[str, str] | None = None) -> str:
    """The SQL expression of a formula over columns of these kinds, words being strings.

    rename maps parameters to the SQL that stands for them, by default their quoted names. Where the language has no
    order (a comparison with nan) the SQL is false as well. Whole numbers past 2**63 are an error in SQL.
    """
    names = {name: quoted(name) for name in formula.parameters} | dict(rename or {})
    scope: dict[str, Typed] = {name: (names[name], kinds[name]) for name in formula.parameters}
    for name, value in formula.steps:
        scope[name] = expression(value, scope)
    return expression(formula.result, scope)[0]


def macro(name: str, formula: Formula, kinds: Mapping[str, Kind]) -> str:
    """The statement that makes a formula a scalar macro with the formula's parameters."""
    casts = {p: f"cast({quoted(p)} as {TYPES[kinds[p]]})" for p in formula.parameters}
    body = to_sql(formula, kinds, casts)
    parameters = ", ".join(map(quoted, formula.parameters))
    return f"create or replace macro {quoted(name)}({parameters}) as {body};"


def expression(node: ast.expr, scope: Mapping[str, Typed]) -> Typed:
    """The SQL of an expression and its kind, scope being what its names stand for. FormulaError where it has none."""
    match node:
        case ast.Constant(value=bool() as value):
            return str(value).lower(), "bool"
        case ast.Constant(value=int() as value):
            return (f"cast({value} as bigint)", "int") if value < 2**63 else (double(float(value)), "float")
        case ast.Constant(value=float() as value):
            return double(value), "float"
        case ast.Constant(value=str() as value):
            return literal(value), "word"
        case ast.Name(id=name):
            return scope[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(_number(left, scope), op, _number(right, scope))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"(not {expression(operand, scope)[0]})", "bool"
        case ast.UnaryOp(op=op, operand=operand):
            text, kind = _number(operand, scope)
            return (f"(-{text})" if isinstance(op, ast.USub) else text), kind
        case ast.BoolOp(op=op, values=values):
            word = " and " if isinstance(op, ast.And) else " or "
            return "(" + word.join(expression(value, scope)[0] for value in values) + ")", "bool"
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            pairs = zip(sides[:-1], ops, sides[1:], strict=True)
            parts = [_compare(a, COMPARE[type(op)], b, scope) for a, op, b in pairs]
            return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})", "bool"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            taken = ast.UnaryOp(ast.Not(), test)
            return _conditional(expression(test, scope)[0], _spared(body, test), _spared(orelse, taken), scope)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, [_number(argument, scope) for argument in arguments])
    raise FormulaError(f"{ast.unparse(node)!r} is not in the language of formulas")


def double(value: float) -> str:
    """A number as an SQL double, to the bit."""
    return f"cast('{value!r}' as double)"


def _number(node: ast.expr, scope: Mapping[str, Typed]) -> Typed:
    text, kind = expression(node, scope)
    if kind == "word":
        raise FormulaError(f"{ast.unparse(node)!r} takes words, and arithmetic needs numbers")
    return (f"cast({text} as bigint)", "int") if kind == "bool" else (text, kind)


def as_double(value: Typed) -> str:
    """The SQL of a value as a double."""
    text, kind = value
    return text if kind == "float" else f"cast({text} as double)"


def _arithmetic(left: Typed, op: ast.operator, right: Typed) -> Typed:
    if isinstance(op, ast.Pow):
        a, b = as_double(left), as_double(right)
        guarded = f"case when isnan({a}) or isnan({b}) or {a} < 0 then {NAN} else pow(abs({a}), {b}) end"
        return f"({guarded})", "float"
    if isinstance(op, ast.Div):
        return f"({as_double(left)} / {as_double(right)})", "float"
    if isinstance(op, ast.Add | ast.Sub | ast.Mult):
        symbol = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}[type(op)]
        if "float" in (left[1], right[1]):
            return f"({as_double(left)} {symbol} {as_double(right)})", "float"
        return f"({left[0]} {symbol} {right[0]})", "int"
    if "float" in (left[1], right[1]):
        return _float_division(as_double(left), as_double(right), isinstance(op, ast.Mod)), "float"
    a, b = left[0], f"nullif({right[0]}, 0)"
    remainder = f"(({a} % {b} + {b}) % {b})"
    if isinstance(op, ast.Mod):
        return f"coalesce({remainder}, 0)", "int"
    return f"coalesce(({a} - {remainder}) // {b}, 0)", "int"


def _float_division(a: str, b: str, wants_remainder: bool) -> str:
    """Whole division towards minus infinity, or its remainder, which has the sign of the divisor."""
    rest = f"({a} % {b})"
    differs = f"{rest} <> 0 and ({rest} < 0) <> ({b} < 0)"
    if wants_remainder:
        return f"(case when {differs} then {rest} + {b} else {rest} end)"
    whole = f"round(({a} - {rest}) / {b} - case when {differs} then 1 else 0 end)"
    # 0.0 makes a zero positive, as that of a positive quotient is
    return f"(case when {b} = 0 or {a} = 0 then {a} / {b} else {whole} + cast(0 as double) end)"


def _compare(left: ast.expr, operator: str, right: ast.expr, scope: Mapping[str, Typed]) -> str:
    first, second = expression(left, scope), expression(right, scope)
    if "word" in (first[1], second[1]):
        if first[1] != second[1]:
            raise FormulaError(f"{ast.unparse(left)!r} and {ast.unparse(right)!r}: words and numbers are not compared")
        return f"({first[0]} {_OPERATORS.get(operator, operator)} {second[0]})"
    a, b = _number(left, scope), _number(right, scope)
    comparison = f"{a[0]} {_OPERATORS.get(operator, operator)} {b[0]}"
    # above everything and equal to itself: only one side of each comparison can make it wrongly true
    guarded = {"<": b, "<=": b, ">": a, ">=": a, "==": b if b[1] == "float" else a, "!=": a}[operator]
    if guarded[1] != "float" or (operator == "!=" and b[1] != "float") or _is_literal(guarded[0]):
        return f"({comparison})"
    if operator == "==" and (a[1] != "float" or _is_literal(a[0])):
        return f"({comparison})"  # equal to a number, so no nan
    if operator == "!=":
        return f"({comparison} or isnan({guarded[0]}))"
    return f"({comparison} and not isnan({guarded[0]}))"


def _is_literal(text: str) -> bool:
    return text.startswith("cast('") and text.endswith("' as double)") and text.count("'") == 2 and text != NAN


def _spared(node: ast.expr, test: ast.expr) -> ast.expr:
    """A branch whose searches are told nan unless it is taken: SQL computes it all the same, but soon."""
    if not names_in(node) & ROOTS.keys():
        return node

    class Spared(ast.NodeTransformer):
        def visit_Call(self, call: ast.Call) -> ast.expr:
            if not (isinstance(call.func, ast.Name) and call.func.id in ROOTS):
                return call
            first = ast.IfExp(test, call.args[0], ast.Constant(math.nan))
            return ast.Call(call.func, [first, *call.args[1:]], [])

    found: ast.expr = Spared().visit(ast.parse(ast.unparse(node), mode="eval").body)
    return found


def spared(node: ast.expr) -> ast.expr:
    """An expression with the searches of every branch told nan unless it is taken."""
    if not names_in(node) & ROOTS.keys():
        return node

    class Spared(ast.NodeTransformer):
        def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
            body, orelse = _spared(node.body, node.test), _spared(node.orelse, ast.UnaryOp(ast.Not(), node.test))
            return ast.IfExp(node.test, self.visit(body), self.visit(orelse))

    found: ast.expr = Spared().visit(ast.parse(ast.unparse(node), mode="eval").body)
    return found


def _conditional(test: str, body: ast.expr, orelse: ast.expr, scope: Mapping[str, Typed]) -> Typed:
    first, second = expression(body, scope), expression(orelse, scope)
    if "word" in (first[1], second[1]):
        raise FormulaError(f"{ast.unparse(body)!r}: a word is not a number")
    if first[1] == second[1]:
        return f"(case when {test} then {first[0]} else {second[0]} end)", first[1]
    if "float" in (first[1], second[1]):
        a, b = as_double(_number(body, scope)), as_double(_number(orelse, scope))
        return f"(case when {test} then {a} else {b} end)", "float"
    return f"(case when {test} then {_number(body, scope)[0]} else {_number(orelse, scope)[0]} end)", "int"


def _call(name: str, arguments: list[Typed]) -> Typed:
    if name in ("min", "max"):
        function = "least" if name == "min" else "greatest"
        if all(kind == "int" for _, kind in arguments):
            return f"{function}({', '.join(text for text, _ in arguments)})", "int"
        values = [as_double(argument) for argument in arguments]
        chosen = f"{function}({', '.join(values)})"
        if name == "max":  # a nan is the greatest by itself
            return chosen, "float"
        unknown = " or ".join(f"isnan({v})" for v, (_, kind) in zip(values, arguments, strict=True) if kind == "float")
        return f"(case when {unknown} then {NAN} else {chosen} end)", "float"
    if name in ROOTS:
        if name in WITHOUT_SQL:
            raise FormulaError(f"{name} has no SQL")
        return f"{ROOT_PREFIX}{name}({', '.join(map(as_double, arguments))})", "float"
    x = as_double(arguments[0])
    if name == "float":  # what a reduced formula says where a branch is gone
        return x, "float"
    assert name in CALLS
    if name in ("log", "log2"):
        function = "ln" if name == "log" else "log2"
        below = f"when {x} = 0 then cast('-inf' as double) else {NAN} end"
        return f"(case when {x} > 0 then {function}({x}) {below})", "float"
    if name == "sqrt":
        return f"(case when {x} < 0 then {NAN} else sqrt({x}) end)", "float"
    return f"{name}({x})", "float"
