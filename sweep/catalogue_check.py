"""Whether the facts of ``data/`` hold together: every problem named by file, row, column and value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from kernels.inputs import FORMATS
from sweep.catalogue import (
    CORRECTIONS,
    EVIDENCE,
    FILES,
    KINDS,
    MODEL_SETS,
    PRINTED,
    TRAIN_SETS,
    WORDS,
    belongs,
    id_of,
    parsed,
    read_rows,
)
from sweep.cellcheck import CONFIDENCE, FLAGS, RANGES, number, one_of, sourced, within
from sweep.errors import SweepError
from sweep.law_check import check_draw, check_drawn_laws, check_law, check_record_of
from sweep.measured_check import CHECKS as EVIDENCE_CHECKS
from sweep.measured_check import check_against_records
from sweep.resources import resource_dir

_ALL = FILES | EVIDENCE


def check(data: Path | None = None) -> list[str]:
    """Every problem of the data files, each with file, row, column and value; empty when all is well."""
    folder = data or resource_dir("data")
    problems: list[str] = []
    tables: dict[str, list[dict[str, str]]] = {}
    for table, file in _ALL.items():
        try:
            tables[table] = read_rows(folder / file)
        except SweepError as problem:
            problems.append(str(problem))
    for table, rows in tables.items():
        seen: set[str] = set()
        for row in rows:
            # the first column identifies a row, but where many are of one law
            identity = row.get("draw", "") if table == "law_draws" else next(iter(row.values()), "")
            place = f"{_ALL[table]}: {identity or '(no id)'}"
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+ -]*", identity):
                problems.append(f"{place}: {identity!r} is not an id")
            if identity in seen:
                problems.append(f"{place}: appears twice")
            seen.add(identity)
            problems += [f"{place}: {text}" for text in _CHECKS[table](row)]
    problems += _check_default_records(tables)
    problems += check_drawn_laws(tables)
    problems += check_against_records(tables, _ALL)
    return problems


_GPU_NEEDED = {
    "gpu_memory_bytes": (1e9, 1e13),
    "gpu_memory_byte_per_s": (1e10, 1e14),
    "gpu_usable_memory_share": (0.5, 1.0),
    "gpu_reserved_bytes": (0.0, 2e10),
    "gpu_bandwidth_share_16bit": (0.05, 1.0),
    "gpu_compute_share_16bit": (0.05, 1.0),
    "gpu_gemm_overhead_s_16bit": (0.0, 1e-3),
    "gpu_train_mfu": (0.01, 1.0),
    "gpu_collective_base_s": (0.0, 1e-3),
    "gpu_collective_hop_s": (0.0, 1e-3),
    "gpu_collective_share": (0.05, 1.0),
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
    yield from within(row, _GPU_NEEDED, optional=False)
    yield from within(row, _GPU_OPTIONAL)
    yield from one_of(row, "device_class", ("datacenter", "workstation", "consumer", "soc", "tpu", "asic"))
    yield from one_of(row, "status", ("shipping", "announced"))
    yield from one_of(row, "confidence", CONFIDENCE)
    yield from sourced(row)
    peak = {name: number(row, f"gpu_{name}_flop_per_s") for name in FORMATS}
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
    for name in ("roofline_basis", "collective_basis"):
        for part in row.get(name, "").split("; "):
            if not part.startswith(("calibrated: ", "assumed: ")):
                yield f"{name}: {part!r} begins with neither 'calibrated: ' nor 'assumed: '"
    for name in ("train_mfu_basis", "usable_memory_basis"):
        if not row.get(name, "").startswith("assumed: "):
            yield f"{name} does not begin with 'assumed: '"
    if row.get("gpu_usd_per_hour") and not (row.get("price_source") and row.get("price_date")):
        yield "has a price without price_source and price_date"


def _check_precision(row: dict[str, str]) -> Iterator[str]:
    kind = row.get("kind", "")
    trains = bool(row.get("train_compute_format"))
    yield from one_of(row, "kind", ("weight", "training", "kv_cache"))
    yield from one_of(row, "family", ("float", "microscaling", "integer", "codebook", "gguf"))
    yield from one_of(row, "confidence", CONFIDENCE)
    yield from sourced(row)
    bits = (1.0, 32.0)
    if kind == "kv_cache":
        yield from within(row, {"kv_bits": bits}, optional=False)
    else:
        yield from within(row, {"weight_bits": bits, "embedding_bits": bits}, optional=False)
        yield from one_of(row, "compute_format", FORMATS)
        if number(row, "embedding_bits") < number(row, "weight_bits"):
            yield "embedding_bits is below weight_bits"
    yield from one_of(row, "train_compute_format", FORMATS, optional=kind != "training")
    if kind == "weight":
        yield from within(row, {"served_bits": bits, "served_bandwidth_factor": (0.1, 1.0)}, optional=False)
        if not row.get("served_bandwidth_basis", "").startswith(("definition: ", "fitted: ", "assumed: ")):
            yield "served_bandwidth_basis begins with neither 'definition: ' nor 'fitted: ' nor 'assumed: '"
        if number(row, "served_bits") > number(row, "weight_bits"):
            yield "served_bits is above weight_bits, which has the scales in it"
    elif row.get("served_bits"):
        yield "served_bits is given, but nothing is served in it"
    for name in TRAIN_SETS if not trains else ():
        if row.get(name):
            yield f"{name} is given without train_compute_format"
    if trains:
        yield from _check_training(row)


def _check_training(row: dict[str, str]) -> Iterator[str]:
    yield from within(row, {"train_mfu_factor": (0.1, 1.0)}, optional=False)
    for name in ("train_mfu_factor_basis", "train_format_source"):
        if not row.get(name):
            yield f"{name} is empty"
    yield from one_of(row, "train_number_kind", WORDS["train_number_kind"])
    tensors = ("train_weight_bits", "train_activation_bits", "train_kv_bits")
    yield from within(row, {name: RANGES[name] for name in tensors}, optional=False)
    layout = ("train_exponent_bits", "train_mantissa_bits", "train_scale_block")
    is_float = row.get("train_number_kind") == "float"
    yield from within(row, {name: RANGES[name] for name in layout}, optional=not is_float)
    if not is_float and any(row.get(name) for name in layout):
        yield "an integer has no exponent, mantissa and block of its own"
    if 1 + sum(number(row, name) for name in layout[:2]) > number(row, "train_weight_bits"):
        yield "sign, exponent and mantissa are more than train_weight_bits"


def _check_model(row: dict[str, str]) -> Iterator[str]:
    needed = ("hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim", "vocab_size")
    counts = [name for name in MODEL_SETS if name not in needed and name not in WORDS and name not in FLAGS]
    yield from within(row, dict.fromkeys(needed, (1.0, 1e7)), optional=False)
    yield from within(row, dict.fromkeys(counts, (0.0, 1e8)))
    for name in MODEL_SETS:
        if name in WORDS:
            yield from one_of(row, name, WORDS[name], optional=name == "linear_attention_kind")
        elif name in FLAGS:
            yield from one_of(row, name, ("0", "1"), optional=True)
        elif isinstance(parsed(row.get(name, "")), float):
            yield f"{name} = {row[name]} is not a whole number"
    yield from one_of(row, "kind", ("dense", "moe"))
    yield from sourced(row)
    if number(row, "num_heads") % (number(row, "num_kv_heads") or math.nan) > 0:
        yield f"num_heads = {row['num_heads']} is not a multiple of num_kv_heads = {row['num_kv_heads']}"
    if row.get("num_experts"):
        for name in ("experts_per_token", "expert_ffn_size", "num_moe_layers"):
            if not row.get(name) or row[name] == "0":
                yield f"{name} is missing, but num_experts is given"
    elif not row.get("ffn_size"):
        yield "has neither ffn_size nor num_experts"
    for part, whole in (("experts_per_token", "num_experts"), ("num_moe_layers", "num_layers")):
        if number(row, part) > number(row, whole):
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
    yield from one_of(row, "confidence", (*CONFIDENCE, "assumed", "fitted"))
    if name in WORDS:
        yield from one_of(row, "value", WORDS[name])
    elif name in FLAGS:
        yield from one_of(row, "value", ("0", "1"))
    elif name in RANGES:
        yield from within(row, {"value": RANGES[name]})
    elif name not in KINDS:
        yield "is neither an input nor a kind of record"


def _check_recipe(kind: str, row: dict[str, str]) -> Iterator[str]:
    """An optimizer, a framework, a price or a grid: every number, flag and word it sets, and where they are from."""
    numbers = {name: RANGES[name] for name in KINDS[kind].sets if name in RANGES}
    yield from within(row, numbers, optional=False)
    for name in KINDS[kind].sets:
        if name in FLAGS:
            yield from one_of(row, name, ("0", "1"))
        if name in WORDS:
            yield from one_of(row, name, WORDS[name])
    yield from one_of(row, "confidence", (*CONFIDENCE, "assumed"))
    yield from sourced(row)


def _check_source(row: dict[str, str]) -> Iterator[str]:
    for column in ("what", "version", "kind"):
        if not row.get(column):
            yield f"{column} is empty"


def _check_param_case(row: dict[str, str]) -> Iterator[str]:
    counts = [name for name in row if name.endswith("_oracle")]
    yield from within(row, dict.fromkeys(("hidden_size", "num_layers", "vocab_size"), (1.0, 1e7)), optional=False)
    yield from within(row, dict.fromkeys(counts, (0.0, 1e24)))
    for name in ("total_params_oracle", "oracle_source"):
        if not row.get(name):
            yield f"{name} is empty"


def _check_default_records(tables: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """A default that names a record has to name one that is there."""
    by_file = {_ALL[table]: rows for table, rows in tables.items()}
    for row in tables.get("defaults", []):
        kind = KINDS.get(row.get("name", ""))
        if kind is not None and kind.file in by_file:
            known = {id_of(other) for other in by_file[kind.file] if belongs(kind.name, other)}
            if row.get("value") not in (known | {PRINTED} if kind.name == "law_draw" else known):
                yield f"{FILES['defaults']}: {kind.name}: value = {row.get('value')!r} is not in {kind.file}"


_CHECKS: dict[str, Callable[[dict[str, str]], Iterator[str]]] = {
    "accelerators": _check_accelerator,
    "precisions": _check_precision,
    "laws": check_law,
    **{Path(kind.file).stem: partial(check_record_of, kind.name) for kind in CORRECTIONS},
    "law_draws": check_draw,
    "optimizers": partial(_check_recipe, "optimizer"),
    "train_frameworks": partial(_check_recipe, "train_framework"),
    "prices": partial(_check_recipe, "price"),
    "grids": partial(_check_recipe, "grid"),
    "engines": partial(_check_recipe, "engine"),
    "models": _check_model,
    "defaults": _check_default,
    "sources": _check_source,
    "param_cases": _check_param_case,
    **EVIDENCE_CHECKS,
}
