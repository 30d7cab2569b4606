"""Formulas as other programs write them: operators and functions of the language give longer and longer texts."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from kernels.graph import Node
from tests.bench import broadcast
from tests.bench.job import Rival

LARGEST_LITERAL = 2**62


def ordered(name: str) -> Any:
    """A comparison that does not hold where one side is a nan that is known, though the rival would order it."""
    compare = getattr(operator, name)

    def compared(a: Any, b: Any) -> Any:
        unknown = any(isinstance(value, float) and math.isnan(value) for value in (a, b))
        return name == "ne" if unknown else compare(a, b)

    return compared


ORDERED = {name: ordered(name) for name in broadcast.COMPARE.values()}


class Text:
    """An expression being written: operators and functions of the language give longer texts."""

    dialect: Dialect

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text, self.dialect = text, dialect

    def _with(self, sign: str, other: Any, swapped: bool = False) -> Text:
        a, b = self.text, self.dialect.text(other)
        return Text(f"({b} {sign} {a})" if swapped else f"({a} {sign} {b})", self.dialect)

    def __add__(self, other: Any) -> Text:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Text:
        return self._with("+", other, True)

    def __sub__(self, other: Any) -> Text:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Text:
        return self._with("-", other, True)

    def __mul__(self, other: Any) -> Text:
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Text:
        return self._with("*", other, True)

    def __truediv__(self, other: Any) -> Text:
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> Text:
        return self._with("/", other, True)

    def __mod__(self, other: Any) -> Text:
        return self._with("%", other)

    def __floordiv__(self, other: Any) -> Text:
        return Text(self.dialect.whole.format(self.text, self.dialect.text(other)), self.dialect)

    def __neg__(self) -> Text:
        return Text(f"(-{self.text})", self.dialect)

    def __lt__(self, other: Any) -> Text:
        return self._with("<", other)

    def __le__(self, other: Any) -> Text:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> Text:
        return self._with(">", other)

    def __ge__(self, other: Any) -> Text:
        return self._with(">=", other)

    def __eq__(self, other: object) -> Text:  # type: ignore[override]
        return self._with(self.dialect.equal, other)

    def __ne__(self, other: object) -> Text:  # type: ignore[override]
        return self._with("!=", other)

    __hash__ = None  # type: ignore[assignment]


class Dialect:
    """How another program writes what is not an operator."""

    equal, whole = "==", "floor({} / {})"
    words: ClassVar = {
        "minimum": "where(({0} < {1}) | ({0} != {0}), {0}, {1})",
        "maximum": "where(({0} > {1}) | ({0} != {0}), {0}, {1})",
        "ceil": "ceil({0})",
        "floor": "floor({0})",
        "sqrt": "sqrt({0})",
        "log": "log({0})",
        "log2": "(log({0}) / 0.6931471805599453)",
        "exp": "exp({0})",
        "power": "({0} ** {1})",
        "where": "where({0}, {1}, {2})",
        "float": "({0} * 1.0)",
        "both": "({0} & {1})",
        "either": "({0} | {1})",
        "no": "(~{0})",
    }

    def text(self, value: Any) -> str:
        return value.text if isinstance(value, Text) else self.number(value)

    def number(self, value: Any) -> str:
        return repr(value.item() if isinstance(value, np.generic) else value)

    def functions(self) -> dict[str, Any]:
        """The functions that broadcast.emit calls."""

        def written(form: str) -> Any:
            return lambda *arguments: Text(form.format(*map(self.text, arguments)), self)

        found = ORDERED | {name: written(form) for name, form in self.words.items()}
        choose = found["where"]  # what is known to be one way is written one way
        found["where"] = lambda c, a, b: (a if c else b) if isinstance(c, bool) else choose(c, a, b)
        return found


class SQL(Dialect):
    """DuckDB's, as a person writes it: nan is not guarded against."""

    equal, whole = "=", "({} // {})"
    words = Dialect.words | {
        "minimum": "least({0}, {1})",
        "maximum": "greatest({0}, {1})",
        "log": "ln({0})",
        "log2": "log2({0})",
        "power": "pow({0}, {1})",
        "where": "(case when {0} then {1} else {2} end)",
        "float": "cast({0} as double)",
        "both": "({0} and {1})",
        "either": "({0} or {1})",
        "no": "(not {0})",
    }

    def number(self, value: Any) -> str:
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int) and abs(value) < LARGEST_LITERAL:
            return f"cast({value} as bigint)"
        return f"cast('{float(value)!r}' as double)"


def written(rival: Rival, dialect: Dialect, known: dict[str, Any]) -> Iterator[tuple[Node, str]]:
    """Every formula a rival evaluates as text over names and over what is known by then."""
    functions = dialect.functions()
    for node in rival.nodes:
        function = broadcast.function(node.formula, rival.job.words, functions)
        value = function(*(known.get(p, Text(p, dialect)) for p in node.formula.parameters))
        yield node, dialect.text(value)
