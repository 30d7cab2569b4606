"""What a run says of itself: the spec, what it resolves to, versions, digests, columns, parts.

Nothing in it depends on when, where or how often a run was started, so two runs of the same space are equal in every
byte. Everything but the parts decides their bytes; its sha256 is the identity of the run, which every part carries.
"""

import hashlib
import importlib.metadata
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sweep
from kernels.compiler import source_digest
from sweep import catalogue
from sweep.columns import Column
from sweep.errors import RunError
from sweep.plan import Plan
from sweep.space import Axis, Space

MANIFEST_NAME = "manifest.json"
KIND = "llm-sweep run"
FORMAT = 1
LISTED_LABELS = 1000  # an axis with more values is described by its digest alone
# what decides the bytes, beside kernels and data
ENGINE = (
    "columns.py",
    "evaluator.py",
    "execute.py",
    "growth.py",
    "layouts.py",
    "memory.py",
    "parts.py",
    "plan.py",
    "run.py",
    "worker.py",
)


@dataclass(frozen=True)
class Part:
    """A Parquet file of a run: the rows of the blocks first_block up to, and without, end_block."""

    name: str
    rows: int
    bytes: int
    sha256: str
    first_block: int
    end_block: int


@dataclass(frozen=True)
class Manifest:
    """content decides the bytes of the parts; parts are listed once the run is complete."""

    content: Mapping[str, Any]
    complete: bool = False
    parts: tuple[Part, ...] = ()

    @cached_property
    def identity(self) -> str:
        """sha256 over everything that decides the bytes of the parts."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True, allow_nan=False).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What the spec calls itself."""
        return str(self.content["name"])

    @property
    def rows(self) -> int:
        """Designs that were kept, once the run is complete."""
        return sum(part.rows for part in self.parts)

    def text(self) -> str:
        """The manifest as it is written."""
        head = {"kind": KIND, "complete": self.complete, "identity": self.identity}
        tail = {"rows": self.rows, "parts": [asdict(part) for part in self.parts]} if self.complete else {}
        return json.dumps({**head, **self.content, **tail}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def describe(space: Space, plan: Plan, columns: Iterable[Column], layout: Mapping[str, Any]) -> Manifest:
    """The manifest of a run that has yet to begin; layout says how rows are cut into parts."""
    text = json.dumps([[n.name, n.formula.parameters, n.formula.text] for n in plan.nodes])
    return Manifest(
        {
            "format": FORMAT,
            "name": space.name,
            "description": space.description,
            "spec": space.text,
            "spec_sha256": hashlib.sha256(space.text.encode()).hexdigest(),
            "designs": {"product": space.size, "visited": plan.points},
            "axes": [_axis(axis) for axis in space.axes],
            "conditions": [
                {
                    "label": c.label,
                    "text": c.text,
                    "formula": c.formula.text,
                    "on": "inputs" if c.on_inputs else "metrics",
                }
                for c in space.conditions
            ],
            "minimize": list(space.minimize),
            "maximize": list(space.maximize),
            "chosen": dict(space.chosen),
            "defaults": dict(space.stated),
            "fixed": {name: _plain(_said(space, name, value)) for name, value in space.fixed.items()},
            "columns": [asdict(column) | {"words": list(column.words)} for column in columns],
            "layout": {
                "walk": [axis.name for axis in plan.axes],
                "block": list(plan.box.extents),
                "blocks": plan.box.blocks,
                **layout,
            },
            "versions": _versions(),
            "digests": {
                "data": catalogue.digest(),
                "kernels": source_digest(),
                "engine": _engine_digest(),
                "formulas": hashlib.sha256(text.encode()).hexdigest(),
            },
        }
    )


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a run folder. RunError when there is none, or when it is not one of ours."""
    path = Path(folder) / MANIFEST_NAME
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: is not a run: it holds no {MANIFEST_NAME}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    if not isinstance(held, dict) or held.get("kind") != KIND:
        raise RunError(f"{path}: was not written by sweep run; name another folder")
    if held.get("format") != FORMAT:
        raise RunError(f"{path}: is of format {held.get('format')}, this version reads {FORMAT}; run the spec again")
    try:
        parts = tuple(Part(**part) for part in held.get("parts", []))
        identity, complete = held["identity"], held["complete"]
    except (KeyError, TypeError) as error:
        raise RunError(f"{path}: is not whole: {error}") from None
    for name in ("kind", "complete", "identity", "rows", "parts"):
        held.pop(name, None)
    manifest = Manifest(held, complete, parts)
    if manifest.identity != identity:
        raise RunError(f"{path}: was edited after it was written; its spec.toml runs again into another folder")
    return manifest


def columns_of(manifest: Manifest) -> list[Column]:
    """The declared columns of a run."""
    return [Column(**(column | {"words": tuple(column["words"])})) for column in manifest.content["columns"]]


def changes(before: Manifest, now: Manifest) -> list[str]:
    """What makes two runs different, as lines for a person; what caused it first and alone where that is known."""
    old, new = before.content, now.content
    lines = []
    if old["spec_sha256"] != new["spec_sha256"]:
        lines.append("the spec is not the one this run was started with (spec.toml in the folder)")
    for package, version in new["versions"].items():
        if old["versions"].get(package) != version:
            lines.append(f"{package} was {old['versions'].get(package)} and is {version}")
    causes = {"data": "the data files", "kernels": "the kernels", "engine": "the code that walks and writes"}
    lines += [f"{what} changed" for key, what in causes.items() if old["digests"].get(key) != new["digests"][key]]
    if not lines and old["layout"].get("extends") != new["layout"].get("extends"):
        lines.append("one of them extends another run: say so again with --extend, and name the same run")
    if not lines:
        differing = [key for key in new if old.get(key) != new[key] and key != "digests"] or ["formulas"]
        lines.append(f"the same spec now comes to something else: {', '.join(differing)}")
    return lines


def _axis(axis: Axis) -> dict[str, Any]:
    labels = [_plain(label) for label in axis.labels]
    digest = hashlib.sha256(json.dumps(labels).encode())
    digest.update(axis.kept.tobytes())
    for name, values in axis.sets.items():
        digest.update(f"{name} {values.dtype} ".encode() + values.tobytes())
    said = {"name": axis.name, "length": axis.length, "kept": len(axis), "sets": list(axis.sets)}
    return said | ({"labels": labels} if len(labels) <= LISTED_LABELS else {}) | {"sha256": digest.hexdigest()}


def _said(space: Space, name: str, value: int | float) -> Any:
    """A value by what a person calls it: words instead of codes."""
    words: Sequence[str] = space.graph.words.get(name, ())
    return words[int(value)] if words else value


def _plain(value: Any) -> Any:
    """A value that JSON has: no NumPy numbers, null for what is not known, inf as a word."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _versions() -> dict[str, str]:
    """Of whatever may change a number or an encoding."""
    found = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    packages = {package: importlib.metadata.version(package) for package in ("numpy", "numba", "polars", "pyarrow")}
    return found | {"llm-sweep": sweep.__version__} | packages


def _engine_digest() -> str:
    digest = hashlib.sha256()
    for name in ENGINE:
        digest.update(name.encode() + b"\0" + (Path(__file__).parent / name).read_bytes() + b"\0")
    return digest.hexdigest()
