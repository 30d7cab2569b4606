"""Whether laws and corrections hold together: words, ranges, sources, and all that the form of each takes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sweep.catalogue import FILES, KINDS, LAW_COEFFICIENTS, NEUTRAL, WORDS, id_of, source_of
from sweep.cellcheck import CONFIDENCE, FLAGS, RANGES, number, one_of, sourced, within

_FACTS = (
    *("id", "title", "fitted_range", "params_counted", "tokens_counted", "unit", "source", "arxiv", "locator"),
    *("evidence", "confidence", "notes"),
)
_LAW_FACTS = ("fitted_range", "params_counted", "tokens_counted", "unit", "locator", "evidence")
_EVIDENCE = ("primary-repo", "paper-text", "secondary", "secondary-code", "recomputed", "derived")


def _starting(kind: str, *prefixes: str) -> tuple[str, ...]:
    """The inputs of a kind whose names start so, but for the ends of fitted ranges."""
    return tuple(name for name in KINDS[kind].sets if name.startswith(prefixes) and not _is_bound(name))


def _is_bound(name: str) -> bool:
    return re.match(r"[a-z]+_(min|max)_", name) is not None


# what a record has to give, by its form; a kind without forms is under ""
_FORM = {
    "law": "law_form",
    "moe_law": "moe_gain_form",
    "repetition_law": "repetition_form",
    "precision_law": "precision_form",
    "shape_law": "shape_form",
    "vocabulary_law": "vocabulary_form",
}
_ON_SURFACE = ("vocabulary_body_scale", *_starting("vocabulary_law", "vocabulary_surface", "vocabulary_tokens"))
_NEEDED: dict[str, dict[str, tuple[str, ...]]] = {
    "law": {
        "power": LAW_COEFFICIENTS,
        "routed": (*LAW_COEFFICIENTS, *_starting("law", "law_experts_")),
        "granular": (*LAW_COEFFICIENTS, *_starting("law", "law_granularity_")),
        "sparse": (*LAW_COEFFICIENTS, *_starting("law", "law_activation_", "law_sparse_")),
        "shaped": (*LAW_COEFFICIENTS, *_starting("law", "law_width_", "law_depth_")),
        "steps": LAW_COEFFICIENTS,
        "allocation": (),
    },
    "moe_law": {
        "none": (),
        "effective_experts": _starting("moe_law", "moe_experts_", "moe_params_", "moe_tokens_"),
        "leverage": _starting("moe_law", "leverage_"),
    },
    "repetition_law": {"none": (), "decay": _starting("repetition_law", "repetition_tokens", "repetition_params")},
    "precision_law": dict.fromkeys(WORDS["precision_form"], _starting("precision_law", "kumar_", "capybara_")),
    "ptq_law": {"": tuple(name for name in _starting("ptq_law", "ptq_") if name not in WORDS)},
    "shape_law": {"none": (), "terms": _starting("shape_law", "shape_width", "shape_depth")},
    "vocabulary_law": {
        "compute": (*_ON_SURFACE, "vocabulary_scale", "vocabulary_exponent"),
        "params": (*_ON_SURFACE, "vocabulary_exponent", *_starting("vocabulary_law", "vocabulary_reference_")),
        "surface": _ON_SURFACE,
    },
    "hyperparameter_law": {"": _starting("hyperparameter_law", "rate_")},
    "batch_law": {"": KINDS["batch_law"].sets},
}
# and what it gives together or not at all
_TOGETHER: dict[str, tuple[tuple[str, ...], ...]] = {
    "law": tuple(_starting("law", f"law_optimal_{what}_") for what in ("params", "tokens", "loss")),
    "hyperparameter_law": (_starting("hyperparameter_law", "batch_"),),
}


def check_record_of(kind: str, row: dict[str, str]) -> Iterator[str]:
    """A law or a correction: its words, its numbers, and that it has what its form takes and nothing else."""
    sets = KINDS[kind].sets
    for name in row:
        if name not in _FACTS and name not in sets:
            yield f"{name} is no key of a {kind}"
    for name in sets:
        if name in WORDS:
            yield from one_of(row, name, WORDS[name], optional=name in NEUTRAL)
        elif name in FLAGS:
            yield from one_of(row, name, ("0", "1"), optional=True)
    numbers = {name: RANGES[name] for name in sets if name in RANGES}
    yield from within(row, numbers)
    form = row.get(_FORM.get(kind, "")) or NEUTRAL.get(_FORM.get(kind, ""), "")
    needed = _NEEDED[kind].get(form, ())
    together = _TOGETHER.get(kind, ()) if form in ("", "allocation") else ()
    for name in needed:
        if name in numbers and not row.get(name):
            yield f"{name} is empty"
    for group in together:
        if 0 < sum(bool(row.get(name)) for name in group) < len(group):
            yield f"{' and '.join(group)} are given together or not at all"
    if form == "allocation" and not any(row.get(name) for group in together for name in group):
        yield "an allocation gives params, tokens or loss as a power of compute"
    known = {*needed, *NEUTRAL, *(name for group in together for name in group)}
    for name in numbers:
        if row.get(name) and name not in known and not _is_bound(name):
            yield f"{name} is not part of {_FORM.get(kind, kind)} = {form!r}"
    for low in (name for name in numbers if re.match(r"[a-z]+_min_", name)):
        high = low.replace("_min_", "_max_")
        if number(row, low) > number(row, high):
            yield f"{low} is above {high}"
    yield from _check_facts(row)


def _check_facts(row: dict[str, str]) -> Iterator[str]:
    yield from one_of(row, "confidence", CONFIDENCE)
    yield from sourced(row)
    if not row.get("title"):
        yield "title is empty"
    if not row.get("source", "").startswith("definition"):
        if "arXiv:" not in source_of(row):
            yield "names no paper"
        for word in row.get("evidence", "").split(", "):
            if word not in _EVIDENCE:
                yield f"evidence: {word!r} is not one of {', '.join(_EVIDENCE)}"


def check_law(row: dict[str, str]) -> Iterator[str]:
    yield from check_record_of("law", row)
    for name in _LAW_FACTS:
        if not row.get(name):
            yield f"{name} is empty"


def check_draw(row: dict[str, str]) -> Iterator[str]:
    yield from within(row, {name: RANGES[name] for name in LAW_COEFFICIENTS}, optional=False)
    if not re.fullmatch(r"[1-9]\d*", row.get("draw", "")):
        yield "a draw is a whole number from 1 up"


def check_drawn_laws(tables: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """The draws are of the laws that say they have draws."""
    if "law_draws" not in tables or "laws" not in tables:
        return
    drawn = {row.get("law", "") for row in tables["law_draws"]}
    said = {id_of(row) for row in tables["laws"] if row.get("law_has_draws") == "1"}
    for law in sorted(drawn ^ said):
        if law in said:
            yield f"{FILES['laws']}: {law}: law_has_draws = 1, but {FILES['law_draws']} has none of it"
        else:
            yield f"{FILES['law_draws']}: {law}: is no law with law_has_draws = 1 in {FILES['laws']}"
