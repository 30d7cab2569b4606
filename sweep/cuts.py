"""What a group of axes says to the rest of a question, and in which direction each thing it says counts.

Objectives and conditions see the axes of a group only through a few values, its cuts: the largest parts of their
formulas that depend on nothing outside the group. If an objective never falls with a cut, whatever the other axes are,
less of it is better; so one choice along the group beats another that is no better in any cut, without a single design
of either being evaluated.

Formulas are written out until nothing but values of the group and values of the rest is left, and products and sums
put in order, so that what always appears together counts as one: of a GPU's price, peak and utilisation a training
bill sees but the quotient. The order differs from that of the loops by rounding, which is why a cut that is put
together has to differ by a margin before it counts (kernels.sifting).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from kernels.intervals import EXACT, Interval, binary, evaluate
from kernels.language import ROOTS, Formula
from kernels.slopes import ROUNDED, secants
from sweep.plan import Plan
from sweep.ranges import Ranges, is_cut_to_count, plain

LARGEST_TREE = 2_000  # parts of a formula written out; past it, a group is left as it is
MOST_CUTS = 20  # a group that says more than this to the rest has hardly a choice that is beaten in all of it


class TooLarge(Exception):
    """A group says too much to the rest, or its formulas would be too large, written out."""


@dataclass(frozen=True)
class Target:
    """What a question looks at: an objective (sign is 1 to minimise, -1 to maximise) or a condition that must hold."""

    name: str
    sign: float
    is_condition: bool = False


@dataclass(frozen=True)
class Cut:
    """A value of a group that the rest of a question sees.

    direction is 1 where less is better, -1 where more is, 0 where nothing is known and it has to be the same. least is
    the difference from which on rounding cannot turn that round; strict the one from which on an objective is certain
    to change, inf where none is. leaves are the computed values that it is made of; it is one of them when it is not
    put together. Where one of them is nan and the cut is_fatal, an objective is nan too or a condition does not hold;
    a cut put together may be nan where no leaf is. A number is_exact where it is one value that a double holds,
    or the negative of one.
    """

    expression: ast.expr
    leaves: tuple[str, ...]
    direction: int
    strict: float
    least: float = 0.0
    is_fatal: bool = False
    is_exact: bool = False


@dataclass
class _Product:
    """Factors: a number, parts of the group, parts of the rest, and what mixes both; each multiplies or divides."""

    number: float = 1.0
    group: list[tuple[ast.expr, bool]] = field(default_factory=list)
    rest: list[tuple[ast.expr, bool]] = field(default_factory=list)
    mixed: list[tuple[ast.expr | _Sum, bool]] = field(default_factory=list)

    def take(self, other: _Product, divides: bool) -> None:
        """Multiply by another, or divide."""
        self.number = self.number / other.number if divides else self.number * other.number
        for mine, its in ((self.group, other.group), (self.rest, other.rest), (self.mixed, other.mixed)):
            mine += [(factor, divided != divides) for factor, divided in its]


@dataclass(frozen=True)
class _Sum:
    """Terms that mix both."""

    terms: tuple[_Product, ...]


def _passes_nan(node: ast.expr, name: str) -> bool:
    """Whether an expression is nan for certain where a name is: conditions hold or not, and choose."""
    match node:
        case ast.Name(id=found):
            return found == name
        case ast.BinOp(left=left, right=right):
            return _passes_nan(left, name) or _passes_nan(right, name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _passes_nan(operand, name)
        case ast.IfExp(body=body, orelse=orelse):
            return _passes_nan(body, name) and _passes_nan(orelse, name)
        case ast.Call(func=ast.Name(id=function), args=arguments) if function not in ROOTS:
            return any(_passes_nan(argument, name) for argument in arguments)
    return False


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _multiplied(factors: Sequence[tuple[ast.expr, bool]]) -> ast.expr:
    """One expression of some factors, in an order that does not depend on how they were met."""
    ordered = sorted(factors, key=lambda f: (f[1], _text(f[0])))
    above = [factor for factor, divides in ordered if not divides]
    below = [factor for factor, divides in ordered if divides]
    found: ast.expr = above[0] if above else ast.Constant(1.0)
    for factor in above[1:]:
        found = ast.BinOp(found, ast.Mult(), factor)
    for factor in below:
        found = ast.BinOp(found, ast.Div(), factor)
    return found


def _fails_nan(node: ast.expr, name: str) -> bool:
    """Whether a condition does not hold for certain where a name is nan: no comparison with nan does, but for !=."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            return any(
                not isinstance(op, ast.NotEq) and (_passes_nan(sides[k], name) or _passes_nan(sides[k + 1], name))
                for k, op in enumerate(ops)
            )
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_fails_nan(value, name) for value in values)
        case ast.BoolOp(values=values):
            return all(_fails_nan(value, name) for value in values)
    return False


class Group:
    """Some axes of a plan (by their places in the space), the cuts they make, and the values these are made of."""

    def __init__(
        self,
        plan: Plan,
        ranges: Ranges,
        targets: Iterable[Target],
        axes: frozenset[int],
        whole: Ranges | None = None,
    ) -> None:
        """ranges are of finite values, whole those with infinities and nan among them; the same unless given."""
        self.plan, self.ranges, self.targets, self.axes = plan, ranges, tuple(targets), axes
        self._whole = whole or ranges
        self._words = plan.space.graph.words
        self._spread = {name: frozenset(plan.order[a] for a in value.axes) for name, value in plan.values.items()}
        self._cuts: dict[str, tuple[str, ast.expr]] = {}
        self._off: dict[str, float] = {}
        self._written: dict[str, _Product] = {}
        self._parts = 0
        self._read: dict[int, tuple[ast.AST, frozenset[str], str]] = {}
        self._found: dict[tuple[int, bool], Interval] = {}

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """What the targets see of the group. TooLarge where they cannot be written out."""
        written = [(target, self._finish(self._of_value(target.name))) for target in self.targets]
        expressions = [expression for _, expression in self._cuts.values()]
        names = [name for name, _ in self._cuts.values()]
        errors = [self._error(expression) for expression in expressions]
        count = len(names)
        ranges = {name: self._range(expression) for name, expression in self._cuts.values()}
        whole = {name: self._range(expression, self._whole) for name, expression in self._cuts.values()}
        falls, rises, fatal = np.ones(count, bool), np.ones(count, bool), np.zeros(count, bool)
        moves, strict, least = np.zeros(count, bool), np.full(count, np.inf), np.array(errors)
        for target, node in written:
            others = {name: self.ranges[name] for name in self._names(node) & self._spread.keys()}
            found = secants(node, ranges | others, names, self._words, errors)
            moves |= (found if whole == ranges else secants(node, whole | others, names, self._words)).moves
            low, high = found.secants.low * target.sign, found.secants.high * target.sign
            low, high = np.minimum(low, high), np.maximum(low, high)
            if target.is_condition:  # that it holds is what counts
                low, high = -high, -low
            rises &= low >= 0.0
            falls &= high <= 0.0
            least = np.maximum(least, found.least)
            if not target.is_condition:
                steep = np.where(low > 0.0, low, np.where(high < 0.0, -high, 0.0))
                with np.errstate(all="ignore"):
                    needed = np.where(steep > 0.0, found.error / steep, np.inf)
                strict = np.minimum(strict, np.where(np.isnan(needed), np.inf, needed))
            spoilt = _fails_nan if target.is_condition else _passes_nan
            fatal |= np.array([spoilt(node, name) for name in names], bool)
        known = np.isfinite(least)
        return tuple(
            Cut(
                expression,
                self._leaves_of(expression),
                int(rises[k]) - int(falls[k]) if known[k] else 0,
                float(strict[k]),
                float(least[k]),
                bool(fatal[k]),
                self._is_exact(expression),
            )
            for k, expression in enumerate(expressions)
            if moves[k]
        )

    def _is_exact(self, expression: ast.expr) -> bool:
        """Whether a cut is a value, or what is left of it below 0, that a double holds: no count that is too large."""
        match expression:
            case ast.Name(id=name) | ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name)):
                found = self._whole[name]
                return self.plan.values[name].kind == "float" or max(abs(found.low), abs(found.high)) < EXACT
        return False

    def _leaves_of(self, expression: ast.expr) -> tuple[str, ...]:
        return tuple(sorted(self._names(expression) & self._spread.keys()))

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The values of the group that anything outside of it is computed from, and targets that lie in it whole."""
        values = self.plan.values
        seen: dict[str, None] = {}
        stack, met = [target.name for target in self.targets], set()
        while stack:
            name = stack.pop()
            if name in met:
                continue
            met.add(name)
            if self._spread[name] and self._spread[name] <= self.axes:
                seen[name] = None
            elif self._spread[name] & self.axes:
                node = values[name].node
                assert node is not None
                stack.extend(node.formula.parameters)
        return tuple(seen)

    # ------------------------------------------------------------------------------------------------- writing out

    def _looked_at(self, node: ast.AST) -> tuple[ast.AST, frozenset[str], str]:
        """An expression, the names in it and its side. Each part is looked at once, since none is changed later.

        It is known by where it lies, and kept so that nothing else comes to lie there.
        """
        known = self._read.get(id(node))
        if known is None:
            parts = [self._looked_at(part)[1] for part in ast.iter_child_nodes(node)]
            names = frozenset([node.id]) if isinstance(node, ast.Name) else frozenset().union(*parts)
            spread = frozenset[int]().union(*(self._spread[name] for name in names & self._spread.keys()))
            side = "mixed" if spread & self.axes else "rest"
            if spread <= self.axes:
                side = "group" if spread else "number"
            known = self._read[id(node)] = node, names, side
        return known

    def _names(self, node: ast.AST) -> frozenset[str]:
        return self._looked_at(node)[1]

    def _side(self, node: ast.expr) -> str:
        """Where an expression of values belongs: 'number', 'group', 'rest', or 'mixed'."""
        return self._looked_at(node)[2]

    def _of_value(self, name: str) -> _Product:
        """A value, written out as far as it mixes the group with the rest."""
        if name not in self._written:
            value = self.plan.values[name]
            spread = self._spread[name]
            if value.node is None or spread <= self.axes or not spread & self.axes:
                self._written[name] = self._placed(ast.Name(name, ast.Load()))
            else:
                if is_cut_to_count(value, self.plan):
                    raise TooLarge  # which no formula says
                self._written[name] = self._of_formula(value.node.formula)
        return self._written[name]

    def _of_formula(self, formula: Formula) -> _Product:
        """A formula that mixes: its steps put in where they are read."""
        steps: dict[str, ast.expr] = {}
        for name, step in formula.steps:
            steps[name] = self._put(step, steps)
        return self._of(self._put(formula.result, steps))

    def _put(self, node: Any, steps: Mapping[str, ast.expr]) -> Any:
        """An expression with steps in the place of their names; parts without any are shared."""
        if isinstance(node, list):
            return [self._put(part, steps) for part in node]
        if not isinstance(node, ast.AST) or not self._names(node) & steps.keys():
            return node
        if isinstance(node, ast.Name):
            return steps[node.id]
        return type(node)(**{name: self._put(value, steps) for name, value in ast.iter_fields(node)})

    def _placed(self, node: ast.expr) -> _Product:
        side = self._side(node)
        if side == "number":
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
                return _Product(number=float(node.value))
            return _Product(rest=[(node, False)])
        if side == "group":
            return _Product(group=[(node, False)])
        return _Product(rest=[(node, False)]) if side == "rest" else _Product(mixed=[(node, False)])

    def _of(self, node: ast.expr) -> _Product:
        """An expression in order: products by sides, sums by terms, and everything else with its parts in order."""
        self._parts += 1
        if self._parts > LARGEST_TREE:
            raise TooLarge
        side = self._side(node)
        if isinstance(node, ast.Name) and side == "mixed":
            return self._of_value(node.id)
        match node:
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right) if side != "number":
                above, other = self._of(left), self._of(right)
                if other.number == 0.0 and isinstance(op, ast.Div):
                    raise TooLarge  # infinite or nan
                found = _Product()
                found.take(above, False)
                found.take(other, isinstance(op, ast.Div))
                if not isfinite(found.number):
                    raise TooLarge
                return self._spread_out(found)
            case _ if side != "mixed":
                return self._placed(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = _Product(number=-1.0)
                found.take(self._of(operand), False)
                return self._spread_out(found)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._of(operand)
            case ast.Call(func=ast.Name(id="float"), args=[inner]):
                return self._of(inner)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(self._terms(node, 1.0))
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() | float() as exponent)):
                base = self._of(left)
                if not base.mixed and base.number > 0.0 and self._all_positive(base):
                    try:
                        raised = _Product(number=float(base.number**exponent))
                    except OverflowError:
                        raise TooLarge from None
                    for side_of, factors in ((raised.group, base.group), (raised.rest, base.rest)):
                        if factors:
                            side_of.append((ast.BinOp(_multiplied(factors), ast.Pow(), node.right), False))
                    return raised
                return _Product(mixed=[(ast.BinOp(self._finish(base), ast.Pow(), node.right), False)])
        return _Product(mixed=[(self._inside(node), False)])

    def _inside(self, node: ast.expr) -> ast.expr:
        """Anything else that mixes, its parts in order."""
        fields = dict(ast.iter_fields(node))
        for name, value in fields.items():
            if isinstance(value, ast.expr) and name != "func":
                fields[name] = self._finish(self._of(value))
            elif isinstance(value, list):
                fields[name] = [self._finish(self._of(v)) if isinstance(v, ast.expr) else v for v in value]
        return type(node)(**fields)

    def _spread_out(self, product: _Product) -> _Product:
        """A product with a sum multiplied out."""
        match product.mixed:
            case [(_Sum(terms), False)]:
                spread = []
                for term in terms:
                    found = replace(product, group=list(product.group), rest=list(product.rest), mixed=[])
                    found.take(term, False)
                    spread.append(found)
                return self._sum(spread)
        return product

    def _terms(self, node: ast.expr, sign: float) -> list[_Product]:
        """The terms of a sum, and of the sums among them."""
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right) if self._side(node) == "mixed":
                other = -sign if isinstance(op, ast.Sub) else sign
                return [*self._terms(left, sign), *self._terms(right, other)]
        found = _Product(number=sign)
        found.take(self._of(node), False)
        match self._spread_out(found).mixed:
            case [(_Sum(terms), False)]:
                return list(terms)
        return [found]

    def _sum(self, terms: Sequence[_Product]) -> _Product:
        """A sum, terms that see the same of the rest put together where none is less than 0."""
        gathered: dict[str, list[_Product]] = {}
        others: list[_Product] = []
        for term in terms:
            if term.group and not term.mixed and term.number > 0.0 and self._all_positive(term, or_zero=True):
                gathered.setdefault(_text(_multiplied(term.rest)) if term.rest else "", []).append(term)
            else:
                others.append(term)
        largest = sum(map(self._largest, terms)) if any(len(alike) > 1 for alike in gathered.values()) else 0.0
        for alike in gathered.values():
            if len(alike) == 1:
                others += alike
                continue
            shared = self._range(_multiplied(alike[0].rest)).low if alike[0].rest else 1.0
            off = ROUNDED * len(terms) * largest / shared if shared > 0.0 else np.inf
            if not isfinite(off):
                others += alike
                continue
            total: ast.expr | None = None
            for term in alike:
                part = _multiplied(term.group)
                if term.number != 1.0:
                    part = ast.BinOp(ast.Constant(term.number), ast.Mult(), part)
                total = part if total is None else ast.BinOp(total, ast.Add(), part)
            assert total is not None
            text = _text(total)  # loops add the same in another order, and round what they add it to
            self._off[text] = max(self._off.get(text, 0.0), off)
            others.append(_Product(group=[(total, False)], rest=alike[0].rest))
        return others[0] if len(others) == 1 else _Product(mixed=[(_Sum(tuple(others)), False)])

    def _all_positive(self, product: _Product, or_zero: bool = False) -> bool:
        for factor, _ in [*product.group, *product.rest]:
            found = self._range(factor)
            if found.unsure or not (found.low >= 0.0 if or_zero else found.low > 0.0):
                return False
        return True

    def _range(self, expression: ast.expr, ranges: Ranges | None = None) -> Interval:
        known = ranges or self.ranges
        key = id(expression), known is self.ranges
        if key not in self._found:
            names = self._names(expression)
            scope = {name: known[name] for name in names & self._spread.keys()}
            scope |= {name: self._range(cut, ranges) for name, cut in self._cuts.values() if name in names}
            with np.errstate(all="ignore"):
                self._found[key] = plain(evaluate(expression, scope, self._words))
        return self._found[key]

    def _largest(self, term: _Product) -> float:
        """The most that a term of a sum can come to, whatever its sign."""
        found = Interval(abs(term.number), abs(term.number))
        parts = [(self._range(factor), divides) for factor, divides in [*term.group, *term.rest]]
        for part, divides in term.mixed:
            if isinstance(part, _Sum):
                most = sum(self._largest(inner) for inner in part.terms)
                parts.append((Interval(-most, most), divides))
            else:
                parts.append((self._range(part), divides))
        with np.errstate(all="ignore"):
            for within, divides in parts:
                found = binary(ast.Div() if divides else ast.Mult(), found, within)
        return float(max(abs(found.low), abs(found.high)))

    def _error(self, expression: ast.expr) -> float:
        """By how much loops may put an expression differently in order, for the sums that were put together in it."""
        text = _text(expression)
        if text in self._off:
            return self._off[text]
        relative = 0.0
        for part in ast.walk(expression):
            if isinstance(part, ast.BinOp) and (off := self._off.get(_text(part))) is not None:
                least = self._range(part).low
                relative += off / least if least > 0.0 else np.inf
        found = self._range(expression)
        return relative * max(abs(found.low), abs(found.high)) if relative else 0.0

    def _finish(self, product: _Product) -> ast.expr:
        """A product as an expression in which the group's factors are one cut."""
        factors: list[tuple[ast.expr, bool]] = []
        if product.number != 1.0 or not (product.group or product.rest or product.mixed):
            factors.append((ast.Constant(product.number), False))
        if product.group:
            factors.append((self._cut(_multiplied(product.group)), False))
        factors += product.rest
        factors += [(self._added(part.terms) if isinstance(part, _Sum) else part, div) for part, div in product.mixed]
        found = None
        for factor, divides in factors:
            if found is None:
                found = ast.BinOp(ast.Constant(1.0), ast.Div(), factor) if divides else factor
            else:
                found = ast.BinOp(found, ast.Div() if divides else ast.Mult(), factor)
        assert found is not None
        return found

    def _added(self, terms: Sequence[_Product]) -> ast.expr:
        found = self._finish(terms[0])
        for term in terms[1:]:
            found = ast.BinOp(found, ast.Add(), self._finish(term))
        return found

    def _cut(self, expression: ast.expr) -> ast.Name:
        text = _text(expression)
        if text not in self._cuts:
            if len(self._cuts) == MOST_CUTS:
                raise TooLarge
            self._cuts[text] = (f"_cut_{len(self._cuts)}", expression)
        return ast.Name(self._cuts[text][0], ast.Load())
