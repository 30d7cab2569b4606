"""What can go wrong because of what a person gave us; never our own mistakes, which are asserts."""

from collections.abc import Sequence
from dataclasses import dataclass


class SweepError(Exception):
    """Something the person running us can put right; the message says what and how. Exit code 2."""


@dataclass(frozen=True)
class Problem:
    """One mistake: where it was made, what stands there, what would be right."""

    place: str
    found: str
    advice: str


class SpecError(SweepError):
    """Everything that is wrong with a spec, at once."""

    def __init__(self, name: str, problems: Sequence[Problem], done: str = "nothing was run") -> None:
        self.name = name
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        left = [f"{p.place} = {p.found}" if p.found else p.place for p in problems]
        width = min(48, max(map(len, left), default=0))
        lines = [f"  {text:<{width}}  {p.advice}" for text, p in zip(left, problems, strict=True)]
        super().__init__("\n".join([f"{name}: {count}, {done}", *lines]))


class Collector:
    """Gathers problems, so that all of them can be reported at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def problem(self, place: str, found: str, advice: str) -> None:
        """Note one."""
        self.problems.append(Problem(place, found, advice))


class RunError(SweepError):
    """A run folder that cannot be written, read or continued."""


class QueryError(SweepError):
    """A query that DuckDB does not accept or could not finish, in DuckDB's words."""
