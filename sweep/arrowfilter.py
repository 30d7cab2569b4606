"""What a filter of Arrow says, read from the form in which Arrow itself keeps expressions.

pyarrow lets nobody walk an expression. Pickled, it is a table in Arrow's file format: the words of the expression in
order as metadata of its schema, literals and options as its columns. What was read is written again and compared, by
Arrow, with what there was, so whatever is not understood, or kept otherwise one day, is None and never a guess.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.ipc as ipc

COMPARISONS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "equal": ("==", operator.eq),
    "not_equal": ("!=", operator.ne),
    "less": ("<", operator.lt),
    "less_equal": ("<=", operator.le),
    "greater": (">", operator.gt),
    "greater_equal": (">=", operator.ge),
}
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

_MARK = "-- schema metadata --\n"
_WORD = re.compile(r"(field_ref|literal|call|options|end): '(.*)'")


@dataclass(frozen=True)
class Field:
    """A column."""

    name: str


@dataclass(frozen=True)
class Literal:
    """A value, of Arrow's type."""

    value: pa.Scalar


@dataclass(frozen=True)
class Call:
    """A function of Arrow, its arguments, and its options by name."""

    function: str
    arguments: tuple[Expression, ...]
    options: Mapping[str, Any]


Expression = Field | Literal | Call


class _NotUnderstoodError(Exception):
    """Kept in a way that is not ours to read."""


def read(condition: pc.Expression) -> Expression | None:
    """The expression as a tree; None when it says something that is not known here."""
    try:
        _, (kept,) = condition.__reduce__()
        with ipc.open_file(kept) as file:
            batch = file.get_batch(0)
        text = batch.schema.to_string(truncate_metadata=False)
        words = [_WORD.fullmatch(line) for line in text.partition(_MARK)[2].splitlines()]
        if not all(words):
            return None
        said = iter([(word[1], word[2]) for word in words if word])
        tree = _one(next(said), said, batch)
        again = written(tree)
        return tree if again is not None and again.equals(condition) else None
    except (_NotUnderstoodError, StopIteration, RecursionError, ValueError, TypeError, LookupError, pa.ArrowException):
        return None


def _one(word: tuple[str, str], said: Iterator[tuple[str, str]], batch: pa.RecordBatch) -> Expression:
    """The expression that begins with this word."""
    match word:
        case "field_ref", name:
            return Field(name)
        case "literal", place:
            return Literal(batch.column(int(place))[0])
        case "call", function:
            arguments: list[Expression] = []
            options: Mapping[str, Any] = {}
            while (word := next(said))[0] != "end":
                if word[0] == "options":
                    options = dict(batch.column(int(word[1]))[0].items())
                else:
                    arguments.append(_one(word, said, batch))
            return Call(function, tuple(arguments), options)
    raise _NotUnderstoodError


def plain(tree: Expression) -> Expression:
    """The same, with what DuckDB writes around ``in`` taken off: null where the column is, which none of ours is."""
    match tree:
        case Call("if_else", (Call("is_valid", (Field(name),)), Call("is_in", (Field(same),)) as found, Literal(no))):
            return found if name == same and not no.is_valid else tree
        case Call(function, arguments, options):
            return Call(function, tuple(map(plain, arguments)), options)
    return tree


def conjuncts(tree: Expression) -> list[Expression]:
    """The parts that all have to hold."""
    match tree:
        case Call("and_kleene", (left, right)):
            return [*conjuncts(left), *conjuncts(right)]
    return [tree]


def fields(tree: Expression) -> set[str]:
    """The columns it looks at."""
    match tree:
        case Field(name):
            return {name}
        case Call(_, arguments):
            return set().union(*map(fields, arguments))
    return set()


def fields_named(condition: pc.Expression, columns: Iterable[str]) -> set[str]:
    """The columns that an expression may look at, whether or not it is understood otherwise."""
    return set(re.findall(r"\w+", str(condition))).intersection(columns)


def values(found: Call) -> pa.Array | None:
    """The values among which ``is_in`` looks; None where it does so in a way of its own."""
    listed, matching = found.options.get("value_set"), found.options.get("null_matching_behavior")
    if listed is None or not listed.is_valid or matching is None or matching.as_py() != 0:
        return None
    return listed.values


def comparison(tree: Expression) -> tuple[str, str, pa.Scalar] | None:
    """Column, sign and value of the comparison that an expression is; None where it is none."""
    match tree:
        case Call(function, (Field(name), Literal(value))) if function in COMPARISONS:
            return name, COMPARISONS[function][0], value
        case Call(function, (Literal(value), Field(name))) if function in COMPARISONS:
            return name, SWAPPED[COMPARISONS[function][0]], value
    return None


def written(tree: Expression) -> pc.Expression | None:
    """The expression of Arrow that a tree says; None where it calls something that is not known here."""
    match tree:
        case Field(name):
            return ds.field(name)
        case Literal(value):
            return ds.scalar(value)
        case Call("is_in", (argument,)):
            looked, listed = written(argument), values(tree)
            return None if looked is None or listed is None else looked.isin(listed)
        case Call("is_null", (argument,)):
            looked, nan_too = written(argument), tree.options.get("nan_is_null")
            return None if looked is None or nan_too is None else looked.is_null(nan_is_null=nan_too.as_py())
        case Call(function, arguments) if function in _FUNCTIONS:
            parts = [written(argument) for argument in arguments]
            return None if any(part is None for part in parts) else _FUNCTIONS[function](*parts)
    return None


_FUNCTIONS: Mapping[str, Callable[..., pc.Expression]] = {
    "and_kleene": operator.and_,
    "or_kleene": operator.or_,
    "invert": operator.invert,
    "is_valid": lambda argument: argument.is_valid(),
    "if_else": pc.if_else,
    **{name: compare for name, (_, compare) in COMPARISONS.items()},
}
