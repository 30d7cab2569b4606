"""A spec as written: its tables read and checked for shape, before any name in it is looked up."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernels.graph import near
from sweep.errors import Problem, SpecError
from sweep.resources import resource_dir


class Strict(BaseModel):
    """A table that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OwnMetric(Strict):
    """A metric that a spec adds, with what a reader needs to know of it."""

    formula: str
    unit: str = ""
    meaning: str = ""


class FrontierTable(Strict):
    """The objectives of the frontier."""

    minimize: list[str] = Field(default_factory=list)
    maximize: list[str] = Field(default_factory=list)


class Spec(Strict):
    """The tables of a spec file; names and values are checked against the catalogue later (sweep.resolve)."""

    name: str = ""
    description: str = ""
    columns: list[str] = Field(default_factory=list)
    axes: dict[str, Any] = Field(default_factory=dict)
    fixed: dict[str, bool | int | float | str] = Field(default_factory=dict)
    derived: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, str | OwnMetric] = Field(default_factory=dict)
    where: dict[str, str] = Field(default_factory=dict)
    frontier: FrontierTable = Field(default_factory=FrontierTable)


def shipped() -> dict[str, Path]:
    """The specs that come with the project, by name."""
    return {path.stem: path for path in sorted((resource_dir("data") / "specs").glob("*.toml"))}


def find(name: str) -> Path:
    """The file of a spec: a path, or the name of a shipped one. SpecError with a suggestion when there is none."""
    path = Path(name)
    if path.is_file():
        return path
    known = shipped()
    if name in known:
        return known[name]
    hint = near(name, known)
    listed = f"the shipped specs are {', '.join(known)}" if known else "there are no shipped specs"
    what = "is a folder without a manifest.json" if path.is_dir() else "is neither a file nor a shipped spec"
    raise SpecError(name, [Problem(what, "", hint.removeprefix("; ") or listed)])


def parse(text: str, name: str) -> tuple[Spec, list[Problem]]:
    """The spec that a TOML text states, and every mistake of shape; what is mistaken is left out of the spec.

    SpecError when the text is not TOML, since then nothing else can be said.
    """
    try:
        tables = tomllib.loads(text.removeprefix("\ufeff"))  # a byte order mark
    except tomllib.TOMLDecodeError as error:
        raise SpecError(name, [Problem("not TOML", "", str(error))]) from None
    problems: dict[str, Problem] = {}
    while True:
        try:
            return Spec.model_validate(tables), list(problems.values())
        except ValidationError as error:
            for detail in error.errors():
                if _is_of_the_other_form(detail):
                    continue
                path = _path(detail)
                problem = _problem(detail, path)
                problems.setdefault(problem.place, problem)
                _remove(tables, path)


def _is_of_the_other_form(detail: Any) -> bool:
    """Whether it says that a metric written as a table is no text: what is wrong within the table is said too."""
    place = detail["loc"]
    return len(place) > 2 and place[0] == "metrics" and place[2] == "str" and isinstance(detail["input"], dict)


def _path(detail: Any) -> list[str | int]:
    """Where a mistake stands, without the branch of a union that was tried."""
    path = list(detail["loc"])
    return path[:2] if path[0] in ("fixed", "metrics") and len(path) > 2 else path


def _remove(tables: dict[str, Any], path: list[str | int]) -> None:
    """Take what stands there out of the tables; it may be gone already, with another mistake."""
    inner: Any = tables
    for part in path[:-1]:
        if isinstance(inner, dict) and part in inner:
            inner = inner[part]
        else:
            return
    if isinstance(inner, dict):
        inner.pop(path[-1], None)
    elif isinstance(inner, list) and isinstance(path[-1], int):
        del inner[path[-1] :]


def _problem(detail: Any, path: list[str | int]) -> Problem:
    """One mistake of shape in a person's words."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    found = repr(detail["input"]) if not isinstance(detail["input"], dict) else ""
    if path[0] == "metrics" and detail["type"] in ("extra_forbidden", "missing"):
        return _of_metric(place, str(detail["loc"][-1]), detail["type"] == "missing")
    if detail["type"] == "extra_forbidden":
        keys = list(Spec.model_fields) if len(path) == 1 else list(FrontierTable.model_fields)
        hint = near(str(path[-1]), keys).removeprefix("; ") or f"it may be {', '.join(keys)}"
        if len(path) == 1 and not near(str(path[-1]), keys):
            hint += "; inputs go below [fixed] or [axes]"
        return Problem(place, "", f"not a key of a spec; {hint}")
    if detail["type"].endswith("_type") and path[0] == "fixed":
        return Problem(place, found, "a number or a word is needed; several values make an axis, below [axes]")
    return Problem(place, found, detail["msg"][0].lower() + detail["msg"][1:])


def _of_metric(place: str, key: str, is_missing: bool) -> Problem:
    """A key of a metric that is not there, or that none has."""
    if is_missing:
        return Problem(place, "", f"a metric that is written as a table has a {key}")
    keys = list(OwnMetric.model_fields)
    return Problem(place, key, "not a key of a metric" + (near(key, keys) or f"; it may be {', '.join(keys)}"))
