"""Whether the facts of ``data/`` hold together: every problem named by file, row, column and value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kernels.inputs import FORMATS, INPUTS
from sweep.catalogue import (
    FILES,
    KINDS,
    LAW_BOUNDS,
    MODEL_SETS,
    WORDS,
    belongs,
    parsed,
    read_rows,
    source_of,
)
from sweep.errors import SweepError
from sweep.resources import resource_dir

_CONFIDENCE = ("high", "medium", "low")
_FLAGS = tuple(i.name for i in INPUTS if i.kind == "bool")


def check(data: Path | None = None) -> list[str]:
    """Every problem of the data files, each with file, row, column and value; empty when all is well."""
    folder = data or resource_dir("data")
    problems: list[str] = []
    tables: dict[str, list[dict[str, str]]] = {}
    for table, file in FILES.items():
        try:
            tables[table] = read_rows(folder / file)
        except SweepError as problem:
            problems.append(str(problem))
    for table, rows in tables.items():
        seen: set[str] = set()
        for row in rows:
            # the first column identifies a row in every file
            identity = next(iter(row.values()), "")
            place = f"{FILES[table]}: {identity or '(no id)'}"
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+ -]*", identity):
                problems.append(f"{place}: {identity!r} is not an id")
            if identity in seen:
                problems.append(f"{place}: appears twice")
            seen.add(identity)
            problems += [f"{place}: {text}" for text in _CHECKS[table](row)]
    problems += _check_default_records(tables)
    return problems


def _within(row: dict[str, str], ranges: dict[str, tuple[float, float]], optional: bool = True) -> Iterator[str]:
    for name, (low, high) in ranges.items():
        cell = row.get(name, "")
        if not cell:
            if not optional:
                yield f"{name} is empty"
            continue
        value = parsed(cell)
        if isinstance(value, str):
            yield f"{name} = {cell!r} is not a number"
        elif not low <= value <= high:
            yield f"{name} = {cell} is outside {low:g} to {high:g}"


def _one_of(row: dict[str, str], name: str, words: tuple[str, ...], optional: bool = False) -> Iterator[str]:
    cell = row.get(name, "")
    if cell not in words and not (optional and not cell):
        yield f"{name} = {cell!r} is not one of {', '.join(words)}"


def _sourced(row: dict[str, str]) -> Iterator[str]:
    if not source_of(row):
        yield "has no source"


def _safe_float(row: dict[str, str], name: str) -> float:
    """nan for what is empty or no number: the range check has already named the latter."""
    value = parsed(row.get(name, ""))
    return math.nan if isinstance(value, str) else float(value)


_GPU_NEEDED = {
    "gpu_memory_bytes": (1e9, 1e13),
    "gpu_memory_byte_per_s": (1e10, 1e14),
    "gpu_usable_memory_share": (0.5, 1.0),
    "gpu_reserved_bytes": (0.0, 2e10),
    "gpu_bandwidth_share_16bit": (0.05, 1.0),
    "gpu_compute_share_16bit": (0.05, 1.0),
    "gpu_gemm_overhead_s_16bit": (0.0, 1e-3),
    "gpu_train_mfu": (0.01, 1.0),
    "year": (2015, 2030),
}
_GPU_OPTIONAL = (
    {f"gpu_{name}_flop_per_s": (1e12, 1e17) for name in FORMATS}
    | {f"gpu_{what}_share_{width}": (0.05, 1.0) for what in ("bandwidth", "compute") for width in ("8bit", "4bit")}
    | {f"gpu_gemm_overhead_s_{width}": (0.0, 1e-3) for width in ("8bit", "4bit")}
    | {f"{name}_usd_per_hour": (0.01, 1e3) for name in ("gpu", "price_low", "price_hyperscaler")}
    | {"gpu_tdp_w": (5, 5e3), "gpu_scaleup_byte_per_s": (1e9, 1e13), "gpu_scaleup_domain": (1, 1e5)}
    | {"gpu_host_link_byte_per_s": (1e9, 1e13), "gpu_scaleout_bit_per_s": (1e9, 1e13), "launch_price_usd": (50, 1e6)}
    | {"measured_16bit_flop_per_s": (1e12, 1e17), "measured_memory_byte_per_s": (1e10, 1e14)}
)


def _check_accelerator(row: dict[str, str]) -> Iterator[str]:
    yield from _within(row, _GPU_NEEDED, optional=False)
    yield from _within(row, _GPU_OPTIONAL)
    yield from _one_of(row, "device_class", ("datacenter", "workstation", "consumer", "soc", "tpu", "asic"))
    yield from _one_of(row, "status", ("shipping", "announced"))
    yield from _one_of(row, "confidence", _CONFIDENCE)
    yield from _sourced(row)
    peak = {name: _safe_float(row, f"gpu_{name}_flop_per_s") for name in FORMATS}
    has = {name: not math.isnan(value) for name, value in peak.items()}
    if not (has["bf16"] or has["fp16"]):
        yield "has neither a bf16 nor a fp16 peak"
    # int8 is left out: Blackwell Ultra gave its int8 path up for fp4
    for wide, narrow in (("fp32", "fp16"), ("tf32", "fp16"), ("bf16", "fp8"), ("fp8", "fp6"), ("fp8", "fp4")):
        if peak[narrow] < peak[wide]:
            yield f"gpu_{narrow}_flop_per_s = {peak[narrow]:g} is below gpu_{wide}_flop_per_s = {peak[wide]:g}"
    for width, there in (("8bit", has["fp8"] or has["int8"]), ("4bit", has["fp4"])):
        for name in (f"gpu_bandwidth_share_{width}", f"gpu_compute_share_{width}", f"gpu_gemm_overhead_s_{width}"):
            if bool(row.get(name)) != there:
                yield f"{name} = {row.get(name, '')!r}, but the device has {'a' if there else 'no'} {width} format"
    for part in row.get("roofline_basis", "").split("; "):
        if not part.startswith(("calibrated: ", "assumed: ")):
            yield f"roofline_basis: {part!r} begins with neither 'calibrated: ' nor 'assumed: '"
    for name in ("train_mfu_basis", "usable_memory_basis"):
        if not row.get(name, "").startswith("assumed: "):
            yield f"{name} does not begin with 'assumed: '"
    if row.get("gpu_usd_per_hour") and not (row.get("price_source") and row.get("price_date")):
        yield "has a price without price_source and price_date"


def _check_precision(row: dict[str, str]) -> Iterator[str]:
    kind = row.get("kind", "")
    yield from _one_of(row, "kind", ("weight", "training", "kv_cache"))
    yield from _one_of(row, "family", ("float", "microscaling", "integer", "codebook", "gguf"))
    yield from _one_of(row, "confidence", _CONFIDENCE)
    yield from _sourced(row)
    bits = (1.0, 32.0)
    if kind == "kv_cache":
        yield from _within(row, {"kv_bits": bits}, optional=False)
    else:
        yield from _within(row, {"weight_bits": bits, "embedding_bits": bits}, optional=False)
        yield from _one_of(row, "compute_format", FORMATS)
        if _safe_float(row, "embedding_bits") < _safe_float(row, "weight_bits"):
            yield "embedding_bits is below weight_bits"
    yield from _one_of(row, "train_compute_format", FORMATS, optional=kind != "training")
    if row.get("train_compute_format"):
        yield from _within(row, {"train_mfu_factor": (0.1, 1.0)}, optional=False)
        if not row.get("train_mfu_factor_basis"):
            yield "train_mfu_factor_basis is empty"
    elif row.get("train_mfu_factor"):
        yield "train_mfu_factor is given without train_compute_format"


def _check_law(row: dict[str, str]) -> Iterator[str]:
    yield from _within(
        row,
        {"law_floor_nats": (0.0, 5.0), "law_params_scale": (0.1, 1e6), "law_params_exponent": (0.01, 1.0)}
        | {"law_tokens_scale": (0.1, 1e6), "law_tokens_exponent": (0.01, 1.0)},
        optional=False,
    )
    yield from _within(row, {name: (1e-3 if name.endswith("per_param") else 1e3, 1e16) for name in LAW_BOUNDS})
    yield from _one_of(row, "law_params_counted", WORDS["law_params_counted"])
    yield from _one_of(row, "confidence", _CONFIDENCE)
    yield from _sourced(row)
    for name in ("title", "fitted_range", "params_counted", "tokens_counted", "unit", "arxiv", "locator", "evidence"):
        if not row.get(name):
            yield f"{name} is empty"
    for what in ("params", "tokens", "tokens_per_param"):
        if _safe_float(row, f"law_min_{what}") >= _safe_float(row, f"law_max_{what}"):
            yield f"law_min_{what} is not below law_max_{what}"


def _check_model(row: dict[str, str]) -> Iterator[str]:
    needed = ("hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim", "vocab_size")
    counts = [name for name in MODEL_SETS if name not in needed and name not in WORDS and name not in _FLAGS]
    yield from _within(row, dict.fromkeys(needed, (1.0, 1e7)), optional=False)
    yield from _within(row, dict.fromkeys(counts, (0.0, 1e8)))
    for name in MODEL_SETS:
        if name in WORDS:
            yield from _one_of(row, name, WORDS[name], optional=name == "linear_attention_kind")
        elif name in _FLAGS:
            yield from _one_of(row, name, ("0", "1"), optional=True)
        elif isinstance(parsed(row.get(name, "")), float):
            yield f"{name} = {row[name]} is not a whole number"
    yield from _one_of(row, "kind", ("dense", "moe"))
    yield from _sourced(row)
    if _safe_float(row, "num_heads") % (_safe_float(row, "num_kv_heads") or math.nan) > 0:
        yield f"num_heads = {row['num_heads']} is not a multiple of num_kv_heads = {row['num_kv_heads']}"
    if row.get("num_experts"):
        for name in ("experts_per_token", "expert_ffn_size", "num_moe_layers"):
            if not row.get(name) or row[name] == "0":
                yield f"{name} is missing, but num_experts is given"
    elif not row.get("ffn_size"):
        yield "has neither ffn_size nor num_experts"
    for part, whole in (("experts_per_token", "num_experts"), ("num_moe_layers", "num_layers")):
        if _safe_float(row, part) > _safe_float(row, whole):
            yield f"{part} = {row[part]} is above {whole} = {row[whole]}"
    for amount, source in (
        ("total_params_published", "params_source"),
        ("train_tokens", "tokens_source"),
        ("train_gpu_hours", "gpu_hours_source"),
    ):
        if row.get(amount) and not row.get(source):
            yield f"{amount} is given without {source}"


def _check_default(row: dict[str, str]) -> Iterator[str]:
    name = row.get("name", "")
    for column in ("value", "source", "meaning"):
        if not row.get(column):
            yield f"{column} is empty"
    yield from _one_of(row, "confidence", (*_CONFIDENCE, "assumed"))
    if name in WORDS:
        yield from _one_of(row, "value", WORDS[name])
    elif name in _FLAGS:
        yield from _one_of(row, "value", ("0", "1"))
    elif name not in KINDS:
        yield from _within(row, {"value": (0.0, 1e18)})


def _check_source(row: dict[str, str]) -> Iterator[str]:
    for column in ("what", "version", "kind"):
        if not row.get(column):
            yield f"{column} is empty"


def _check_param_case(row: dict[str, str]) -> Iterator[str]:
    counts = [name for name in row if name.endswith("_oracle")]
    yield from _within(row, dict.fromkeys(("hidden_size", "num_layers", "vocab_size"), (1.0, 1e7)), optional=False)
    yield from _within(row, dict.fromkeys(counts, (0.0, 1e24)))
    for name in ("total_params_oracle", "oracle_source"):
        if not row.get(name):
            yield f"{name} is empty"


def _check_default_records(tables: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """A default that names a record has to name one that is there."""
    by_file = {FILES[table]: rows for table, rows in tables.items()}
    for row in tables.get("defaults", []):
        kind = KINDS.get(row.get("name", ""))
        if kind is not None and kind.file in by_file:
            known = {_record_id(other) for other in by_file[kind.file] if belongs(kind.name, other)}
            if row.get("value") not in known:
                yield f"{FILES['defaults']}: {kind.name}: value = {row.get('value')!r} is not in {kind.file}"


def _record_id(row: dict[str, str]) -> str:
    return row.get("id") or row.get("model", "")


_CHECKS: dict[str, Callable[[dict[str, str]], Iterator[str]]] = {
    "accelerators": _check_accelerator,
    "precisions": _check_precision,
    "laws": _check_law,
    "models": _check_model,
    "defaults": _check_default,
    "sources": _check_source,
    "param_cases": _check_param_case,
}
