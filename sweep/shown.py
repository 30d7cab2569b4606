"""What the table designs of a space holds for a query: the columns of a run of the space, and those that it names.

All that can be had are hundreds, too many for a select *, and of elasticities there are tens of thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kernels import elasticities
from sweep.columns import declare, wanted
from sweep.dataset import Table
from sweep.errors import SpecError
from sweep.resolve import naming
from sweep.sqltext import quoted


class Shown:
    """The columns of a virtual table that queries see."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.usual = tuple(column.name for column in declare(table.space, wanted(table.space)))

    def names(self, text: str) -> list[str]:
        """The usual columns, then those that a text names."""
        words = {word.lower() for word in re.findall(r"\w+", text)}
        more = [name for name in self.table.columns if name.lower() in words and name not in self.usual]
        return [*self.usual, *more]

    def widened(self, text: str) -> tuple[Table, list[str]]:
        """The table with the elasticities that a text names, and what speaks against those that make no sense.

        A name may be an alias, too, so these are no errors yet.
        """
        space, advice = self.table.space, []
        for name in elasticities.asked([text]):
            try:
                space = naming(space, [name], "query")
            except SpecError as error:
                advice += [f"{name}: {problem.advice}" for problem in error.problems]
        return (self.table if space is self.table.space else Table(space)), advice


def view(table: str, names: Iterable[str], kind: str = "view") -> str:
    """The statement that makes designs of these columns of a table.

    Each is named with its table: DuckDB takes a bare name in a view for a parameter of the macro that reads the view.
    """
    return f"create or replace {kind} designs as select {', '.join(f'{table}.{quoted(n)}' for n in names)} from {table}"


def words_of(params: Mapping[str, Any] | Sequence[Any] | None) -> list[str]:
    """The words among what is given for parameters: they may name columns as the text of a query does."""
    values = params.values() if isinstance(params, Mapping) else params or ()
    listed = [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
    return [item for item in listed if isinstance(item, str)]
