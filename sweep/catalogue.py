"""The facts of ``data/`` as records: rows that set several inputs at once, each with its source.

Loading needs the standard library only, so that naming a GPU costs nothing; polars comes in with ``frame``.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kernels import law_inputs, price_inputs, serve_inputs, step_inputs, train_inputs
from kernels.graph import Input, near
from kernels.inputs import FORMATS
from kernels.inputs import INPUTS as DESIGN_INPUTS
from kernels.layouts import LAYOUT_INPUTS
from sweep.errors import SweepError
from sweep.resources import resource_dir

if TYPE_CHECKING:
    import polars as pl

Value = float | int | str

WIDTHS = ("16bit", "8bit", "4bit")

GPU_SETS = (
    *("gpu_memory_bytes", "gpu_memory_byte_per_s", "gpu_usable_memory_share", "gpu_reserved_bytes"),
    *(f"gpu_{name}_flop_per_s" for name in FORMATS),
    *("gpu_bandwidth_share_16bit", "gpu_bandwidth_share_8bit"),
    *(f"gpu_compute_share_{width}" for width in WIDTHS),
    *(f"gpu_gemm_overhead_s_{width}" for width in WIDTHS),
    *("gpu_train_mfu", "gpu_usd_per_hour", "gpu_tdp_w"),
    *(i.name for i in step_inputs.GPU),
    *(i.name for i in price_inputs.GPU),
    *("gpu_scaleup_byte_per_s", "gpu_scaleup_domain", "gpu_scaleout_bit_per_s"),
    *("gpu_collective_base_s", "gpu_collective_hop_s", "gpu_collective_share"),
)
TRAIN_SETS = (
    *("train_compute_format", "train_mfu_factor", "train_number_kind", "train_weight_bits", "train_activation_bits"),
    *("train_kv_bits", "train_exponent_bits", "train_mantissa_bits", "train_scale_block"),
    *(i.name for i in step_inputs.PRECISION),
)
HAS_DRAWS = "law_has_draws"  # whether the draws of the coefficients are of the law
LAW_COEFFICIENTS = (
    "law_floor_nats",
    "law_params_scale",
    "law_params_exponent",
    "law_tokens_scale",
    "law_tokens_exponent",
)
MODEL_SETS = (
    *("hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim", "attention_kind"),
    *("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
    *("qkv_bias", "attn_out_bias", "qk_norm", "attn_sinks", "attn_output_gate"),
    *("ffn_size", "ffn_gated", "mlp_bias", "activation_params_per_layer"),
    *("norm_kind", "norms_per_layer", "final_norm", "embedding_norm"),
    *("position_kind", "learned_position_rows", "embedding_proj_dim", "vocab_size", "tied_embeddings", "lm_head_bias"),
    *("num_experts", "experts_per_token", "expert_ffn_size", "expert_bias", "shared_expert_ffn_size"),
    *("shared_expert_gate", "router_bias", "num_moe_layers", "first_dense_layers", "moe_layer_period"),
    *("dense_residual_ffn_size", "router_correction_bias", "linear_attention_kind", "num_linear_layers"),
    *("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim"),
    *("linear_conv_kernel", "parallel_block", "sliding_window", "num_sliding_layers", "context_length", "mtp_layers"),
)

INPUTS = (*DESIGN_INPUTS, *LAYOUT_INPUTS)
WORDS: dict[str, tuple[str, ...]] = {i.name: i.words for i in INPUTS if i.words}
NEUTRAL = {  # what a law is where its record says nothing else
    "law_form": "power",
    "law_tokens_counted": "seen",
    "law_compute": "6nd",
    "law_repetition": "transferred",
    "law_precision": "transferred",
    "law_has_draws": "0",
    "law_outer_exponent": "1",
}
FILES = {
    "accelerators": "accelerators.csv",
    "precisions": "precisions.csv",
    "laws": "laws.toml",
    "moe_laws": "moe_laws.toml",
    "repetition_laws": "repetition_laws.toml",
    "precision_laws": "precision_laws.toml",
    "ptq_laws": "ptq_laws.toml",
    "shape_laws": "shape_laws.toml",
    "vocabulary_laws": "vocabulary_laws.toml",
    "hyperparameter_laws": "hyperparameter_laws.toml",
    "batch_laws": "batch_laws.toml",
    "law_draws": "law_draws.csv",
    "optimizers": "optimizers.csv",
    "train_frameworks": "train_frameworks.csv",
    "prices": "prices.csv",
    "grids": "grids.csv",
    "engines": "engines.csv",
    "models": "models.csv",
    "defaults": "defaults.csv",
    "sources": "sources.csv",
    "param_cases": "param_cases.csv",
}
EVIDENCE = {  # what results are compared with and never computed from: no part of a run's digest
    "measurements_serve": "measurements_serve.csv",
    "measurements_train": "measurements_train.csv",
    "measurement_models": "measurement_models.csv",
    "collectives": "collectives.csv",
}


@dataclass(frozen=True)
class RecordKind:
    """One sort of record: the input that names it, the file it is a row of, the inputs it sets.

    Where ids are numbered, a spec may write them as numbers.
    """

    name: str
    file: str
    title: str
    sets: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Record:
    """A row of ``data/``: ``values`` are the inputs it sets, ``facts`` every column in its own words.

    A figure nobody has is nan; a cell of a model that does not apply sets nothing, so the input keeps its default.
    """

    kind: str
    id: str
    values: dict[str, Value]
    facts: dict[str, str]
    source: str


@dataclass(frozen=True)
class Default:
    """What an input is when a spec says nothing about it."""

    name: str
    value: Value
    unit: str
    source: str
    confidence: str
    meaning: str


def _names(group: Iterable[Input]) -> tuple[str, ...]:
    return tuple(i.name for i in group)


CORRECTIONS = (
    RecordKind(
        "moe_law", "moe_laws.toml", "what experts gain a law that does not see them", _names(law_inputs.MOE_LAW)
    ),
    RecordKind(
        "repetition_law", "repetition_laws.toml", "what repeated tokens are worth", _names(law_inputs.REPETITION_LAW)
    ),
    RecordKind(
        "precision_law", "precision_laws.toml", "what training in few bits costs", _names(law_inputs.PRECISION_LAW)
    ),
    RecordKind("ptq_law", "ptq_laws.toml", "what quantising after training costs", _names(law_inputs.PTQ_LAW)),
    RecordKind("shape_law", "shape_laws.toml", "what width and depth do at equal size", _names(law_inputs.SHAPE_LAW)),
    RecordKind("vocabulary_law", "vocabulary_laws.toml", "best vocabularies", _names(law_inputs.VOCABULARY_LAW)),
    RecordKind(
        "hyperparameter_law",
        "hyperparameter_laws.toml",
        "learning rates and batches",
        _names(law_inputs.HYPERPARAMETER_LAW),
    ),
    RecordKind("batch_law", "batch_laws.toml", "critical batches", _names(law_inputs.BATCH_LAW)),
)
KINDS: dict[str, RecordKind] = {
    kind.name: kind
    for kind in (
        RecordKind("gpu", "accelerators.csv", "accelerators", GPU_SETS),
        RecordKind(
            "precision",
            "precisions.csv",
            "formats of the weights when served",
            ("weight_bits", "served_bits", "embedding_bits", "compute_format", "served_bandwidth_factor"),
        ),
        RecordKind("kv_precision", "precisions.csv", "formats of keys and values when served", ("kv_bits",)),
        RecordKind("train_precision", "precisions.csv", "formats of the multiplications in training", TRAIN_SETS),
        RecordKind("law", "laws.toml", "scaling laws", _names(law_inputs.LAW)),
        *CORRECTIONS,
        RecordKind(
            "law_draw", "law_draws.csv", "refits of a law that show how uncertain it is", _names(law_inputs.DRAW), True
        ),
        RecordKind(
            "optimizer",
            "optimizers.csv",
            "what is held for every parameter in training",
            _names(train_inputs.OPTIMIZER),
        ),
        RecordKind(
            "train_framework",
            "train_frameworks.csv",
            "what training frameworks keep beside, and what time they take",
            _names((*train_inputs.FRAMEWORK, *step_inputs.FRAMEWORK)),
        ),
        RecordKind("price", "prices.csv", "prices of a GPU-hour", _names(price_inputs.PRICE)),
        RecordKind("grid", "grids.csv", "CO2 of electricity by region", _names(price_inputs.GRID)),
        RecordKind(
            "engine",
            "engines.csv",
            "what serving engines take beside what the model needs",
            _names(serve_inputs.ENGINE),
        ),
        RecordKind("model", "models.csv", "published models", MODEL_SETS),
    )
}


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file, all cells text; a law's list of evidence is joined by commas."""
    try:
        if path.suffix == ".toml":
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
            stray = [name for name, table in tables.items() if not isinstance(table, dict)]
            if stray:
                raise SweepError(f"{path}: {stray[0]} stands outside a table")
            return [{"id": name} | {key: _text(cell) for key, cell in table.items()} for name, table in tables.items()]
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True, restval="")
            rows = [dict(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, tomllib.TOMLDecodeError) as problem:
        raise SweepError(f"{path}: cannot be read: {problem}") from problem
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise SweepError(f"{path}: row {number} ({next(iter(row.values()))}) has more cells than the header")
    return rows


def _text(cell: object) -> str:
    return ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)


@lru_cache(maxsize=1 << 15)  # cells of tables say the same few things over and over
def parsed(cell: str) -> Value:
    """A whole number stays one, other numbers are floats, words are words."""
    if re.fullmatch(r"-?\d+", cell):
        return int(cell)
    try:
        return float(cell)
    except ValueError:
        return cell


def _float(cell: str) -> float:
    """nan for an empty cell: not known. Anything else that is not a number is a mistake."""
    return float(cell) if cell else math.nan


def belongs(kind: str, row: dict[str, str]) -> bool:
    """The rows of a file that are records of this kind: precisions.csv holds three kinds."""
    if kind == "precision":
        return row.get("kind") == "weight"
    if kind == "kv_precision":
        return row.get("kind") == "kv_cache"
    if kind == "train_precision":
        return bool(row.get("train_compute_format"))
    return True


def _values(kind: RecordKind, row: dict[str, str]) -> dict[str, Value]:
    if kind.name == "model":
        return {name: parsed(row[name]) for name in kind.sets if row.get(name)}
    if kind.name == "law_draw":
        return {name: _float(row.get(name.replace("draw_", "law_"), "")) for name in kind.sets}
    cells = {name: row.get(name) or NEUTRAL.get(name, "") for name in kind.sets}
    return {name: cell if name in WORDS else _float(cell) for name, cell in cells.items()}


def source_of(row: dict[str, str]) -> str:
    cells = [row.get(key, "") for key in ("source_1", "source_2", "source", "arch_source")]
    if row.get("arxiv"):
        cells += [f"arXiv:{row['arxiv']}", row.get("locator", "")]
    return "; ".join(cell for cell in cells if cell)


def id_of(row: dict[str, str]) -> str:
    """What a row of a file of records is called."""
    return row.get("id") or row.get("model") or row.get("draw", "")


def identified(kind: str, value: object) -> str:
    """A record's id as it is written in data: the draw that a person writes as 17, 17.0 or "17" is one."""
    if KINDS[kind].numbered and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def nearest(kind: str, identity: str) -> str:
    """What a person may have meant by an id that is none, as an end of a sentence; '' when nothing is close."""
    known = records(kind)
    if KINDS[kind].numbered:
        return f"; it has {next(iter(known))} to {next(reversed(known))}"
    return near(identity, known)


def _record(kind: RecordKind, row: dict[str, str]) -> Record:
    return Record(kind.name, id_of(row), _values(kind, row), row, source_of(row))


PRINTED = "0"  # the draw that is none


def drawn_law(draw: str) -> str:
    """The law that a draw is one of, '' for the law as printed."""
    return records("law_draw")[draw].facts["law"]


def _draw_rows(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The law as printed, then its draws, each with the source of its law."""
    laws = records("law")
    sources = {
        law: f"a refit of resampled runs: {laws[law].source}" for law in {row["law"] for row in rows} & set(laws)
    }
    printed = {"law": "", "draw": PRINTED, "source": "definition: the law as printed"}
    return [printed, *(row | {"source": sources.get(row["law"], "")} for row in rows)]


@lru_cache
def records(kind: str) -> dict[str, Record]:
    """The records of a kind by id, in the order of their file."""
    if kind not in KINDS:
        raise SweepError(f"{kind!r} is no kind of record; there are {', '.join(KINDS)}")
    found = KINDS[kind]
    path = resource_dir("data") / found.file
    result: dict[str, Record] = {}
    rows = read_rows(path)
    for row in _draw_rows(rows) if kind == "law_draw" else rows:
        if belongs(kind, row):
            try:
                record = _record(found, row)
            except ValueError as problem:
                raise SweepError(f"{path}: {id_of(row)}: {problem}") from problem
            result[record.id] = record
    return result


@lru_cache
def defaults() -> dict[str, Default]:
    """The constant default of every input that has one; the others follow from a formula."""
    return {row["name"]: _default(row) for row in read_rows(resource_dir("data") / FILES["defaults"])}


def _default(row: dict[str, str]) -> Default:
    text = {key: row.get(key, "") for key in ("unit", "source", "confidence", "meaning")}
    return Default(row.get("name", ""), parsed(row.get("value", "")), **text)


def frame(table: str) -> pl.DataFrame:
    """A table of ``data/`` whole: numbers are numbers, an empty cell is null, and what is neutral in a law is said."""
    import polars as pl

    if table not in FILES:
        raise SweepError(f"{table!r} is no table of the catalogue; there are {', '.join(FILES)}")
    rows = read_rows(resource_dir("data") / FILES[table])
    names = list(dict.fromkeys(name for row in rows for name in row))
    floats = {name for kind in KINDS.values() if kind.name != "model" for name in kind.sets if name not in WORDS}
    columns = []
    for name in names:
        cells = [row.get(name) or NEUTRAL.get(name, "") for row in rows]
        present = [parsed(cell) for cell in cells if cell]
        # defaults hold numbers and words in one column, ids such as 2401.00448 only look like numbers
        if not present or name == "arxiv" or any(isinstance(cell, str) for cell in present):
            columns.append(pl.Series(name, [cell or None for cell in cells], dtype=pl.String))
        elif name in floats or any(isinstance(cell, float) for cell in present):
            columns.append(pl.Series(name, [float(cell) if cell else None for cell in cells], dtype=pl.Float64))
        else:
            columns.append(pl.Series(name, [int(cell) if cell else None for cell in cells], dtype=pl.Int64))
    return pl.DataFrame(columns)


def digest(data: Path | None = None) -> str:
    """sha256 over the data files in a fixed order: a run names the facts it was computed from."""
    folder = data or resource_dir("data")
    total = hashlib.sha256()
    for file in sorted(FILES.values()):
        content = (folder / file).read_bytes()
        total.update(f"{file} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()
