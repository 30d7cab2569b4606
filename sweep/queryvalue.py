"""The parameters of the questions of ``queries/``: a default as SQL writes it, and values as people give them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from sweep.errors import SweepError

Kind = Literal["number", "whole number", "text"]

_SHOWN = {"number": "1e6", "whole number": "3", "text": "gpu"}


@dataclass(frozen=True)
class Parameter:
    """A parameter: its default as SQL writes it (1e6, 3, 'gpu', a list of these, or null for an id), and what it means.

    A meaning that starts with "a column" or "columns" says that the value names columns of designs.
    """

    name: str
    default: str
    meaning: str

    @cached_property
    def value(self) -> Any:
        """The default: a number, a text, a list of one of them, or None."""
        if self.default == "null":
            return None
        parts = [_default(part.strip()) for part in self.default.strip("[]").split(",")]
        return parts if self.is_list else parts[0]

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return self.default.startswith("[")

    @property
    def names_columns(self) -> bool:
        """Whether the value names a column of designs, or several."""
        return self.meaning.startswith(("a column", "columns"))

    @property
    def kind(self) -> Kind:
        """What the value is, or each value of the list."""
        if self.default == "null":
            return "whole number"
        one = self.value[0] if self.is_list else self.value
        return "text" if isinstance(one, str) else "whole number" if isinstance(one, int) else "number"

    def read(self, value: Any, place: str) -> Any:
        """A value that a person gave, as text or as itself, in the type of the default. SweepError where it is none."""
        if not self.is_list:
            return self._one(value, place)
        if isinstance(value, str):
            value = [part for part in value.strip().removeprefix("[").removesuffix("]").split(",") if part.strip()]
        if not isinstance(value, Sequence) or not value:
            raise self._wrong(value, place, f"a list of one {self.kind} or more, such as {self.default}")
        return [self._one(part, place) for part in value]

    def _one(self, value: Any, place: str) -> Any:
        if self.kind == "text":
            if not isinstance(value, str) or not value.strip():
                raise self._wrong(value, place, f"a {self.kind}, such as {_SHOWN[self.kind]}")
            return value.strip().strip("'\"")
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        whole = self.kind == "whole number"
        if math.isnan(number) or (whole and number != math.floor(number)) or (whole and math.isinf(number)):
            raise self._wrong(value, place, f"a {self.kind}, such as {_SHOWN[self.kind]}")
        return int(number) if whole else number

    def _wrong(self, value: Any, place: str, right: str) -> SweepError:
        return SweepError(f"{place}: {self.name} = {value!r} is not {right} ({self.meaning})")


def _default(text: str) -> int | float | str:
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1]
    return int(text) if text.lstrip("-").isdigit() else float(text)
