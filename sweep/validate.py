"""How far our numbers are from published ones, told by column of a reference table and by the rows that miss.

A reference table describes a design a row, in the columns of data/models.csv, and beside it says what somebody else
counted for it. Each such column is a group. An empty cell is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernels.model import GRAPH
from sweep.catalogue import MODEL_SETS
from sweep.errors import SweepError
from sweep.formulas import SHORT
from sweep.points import evaluate_rows

if TYPE_CHECKING:
    import polars as pl

# What a column of a reference table is compared with. Counts agree exactly.
COUNTS = {
    "total_params_oracle": "params_total",
    "active_params_oracle": "params_active",
    "active_params_excl_input_embedding_oracle": "params_active_excl_input_embedding",
    "active_params_excl_embedding_and_head_oracle": "params_active_non_embedding",
    "token_embedding_params_oracle": "params_token_embedding",
    "lm_head_params_oracle": "params_head",
    "position_params_oracle": "params_positions",
    "routed_expert_params_oracle": "params_routed_experts",
    "router_correction_elements_oracle": "router_correction_elements",
    "mtp_layer_params": "params_mtp",
    "kv_elements_per_token_oracle": "kv_elements_per_token",
    "kv_elements_per_token_unwindowed_layers": "kv_elements_per_token_unwindowed",
    "kv_bytes_per_token_bf16_oracle": "kv_cache_bytes_per_token",
}
# Of one forward pass over flops_seq tokens: ours a token, times as many.
FLOPS = {
    "forward_flops_oracle": "forward_flops_per_token",
    "attention_core_flops_oracle": "attention_flops_per_token",
    "linear_flops_oracle": "weight_flops_per_token",
}
TOLERANCE = 1e-12  # of FLOPs, which are sums of floats
GIVEN = {"attention_flops_convention": "full", "kv_precision": "kv_bf16"}  # as the reference counts
NEEDED = ("hidden_size", "num_layers", "vocab_size")  # a row that has these describes itself
LABELS = ("model", "case", "id")


@dataclass(frozen=True)
class Miss:
    """A cell that ours is not equal to, or that nothing could be compared with: then ours is empty and reason says why.

    row counts from 0; label is what the table calls the row.
    """

    row: int
    label: str
    column: str
    expected: str
    ours: str
    reason: str


@dataclass(frozen=True)
class Group:
    """One column of a reference table: rows that have a value in it, how many were evaluated, how many agree."""

    group: str
    rows: int
    covered: int
    passed: int
    misses: tuple[Miss, ...] = ()


def validate_params(frame: pl.DataFrame, name: str = "the table") -> list[Group]:
    """A group for every oracle column that has values, then one named total.

    A row is evaluated from its own columns, or by the name of its model where it does not describe itself. One that
    cannot be evaluated is not covered and loses no other. SweepError when there is nothing to compare with.
    """
    columns = {column: metric for column, metric in (COUNTS | FLOPS).items() if column in frame.columns}
    if not columns:
        raise SweepError(f"{name}: nothing to compare with; name at least one column of {', '.join(COUNTS | FLOPS)}")
    ours, reasons = _evaluated(frame, list(dict.fromkeys(columns.values())))
    labels = _labels(frame)
    groups = [_compared(frame, column, ours, reasons, labels) for column in columns]
    groups = [group for group in groups if group.rows]
    if not groups:
        raise SweepError(f"{name}: no row has a value in any of {', '.join(columns)}")
    return [*groups, total(groups)]


def total(groups: Iterable[Group]) -> Group:
    """The groups in one: every cell that was compared."""
    counts = [(group.rows, group.covered, group.passed) for group in groups]
    return Group("total", *(sum(column) for column in zip(*counts, strict=True)))


def _evaluated(frame: pl.DataFrame, metrics: list[str]) -> tuple[pl.DataFrame, dict[int, str]]:
    """The metrics along the rows, and by row why there are none."""
    import polars as pl

    read = {*MODEL_SETS, "model", "flops_seq"}
    cells = {SHORT.get(name, name): _text(frame, name) for name in frame.columns if SHORT.get(name, name) in read}
    empty = pl.Series([None] * len(frame), dtype=pl.String)
    described = pl.DataFrame([cells.get(name, empty).is_not_null().alias(name) for name in NEEDED])
    whole = described.select(pl.all_horizontal(NEEDED)).to_series()
    # the name of a row that describes itself is a label: an empty cell says "does not apply", whatever the record says
    named = cells.get("model", empty).zip_with(~whole, empty)
    designs = pl.DataFrame(
        [
            *(cells[name].alias(name) for name in MODEL_SETS if name in cells),
            named.alias("model"),
            _sequence(cells.get("flops_seq", empty)).alias("sequence_length"),
        ]
    )
    result, bad = evaluate_rows(designs, metrics, GIVEN)
    reasons = {report.row: f"{report.column}: {report.reason}" for report in reversed(bad)}
    needed = f"neither a model that is known nor {', '.join(NEEDED)}"
    return result, reasons | {row: needed for row in (~whole & named.is_null()).arg_true() if row not in reasons}


def _compared(
    frame: pl.DataFrame, column: str, ours: pl.DataFrame, reasons: dict[int, str], labels: pl.Series
) -> Group:
    """One column beside ours."""
    import polars as pl

    written = _text(frame, column)
    expected = written.cast(pl.Float64, strict=False)
    value = ours[(COUNTS | FLOPS)[column]]
    if column in FLOPS:
        value = value * ours["sequence_length"].cast(pl.Float64)
        same = (value - expected).abs() <= TOLERANCE * expected.abs()
    else:
        exact = written.cast(pl.Int64, strict=False)  # where a float would have lost the last digits
        same = (value.cast(pl.Float64) == expected) & (value.cast(pl.Int64, strict=False) == exact).fill_null(True)
    rows = written.is_not_null()
    unknown = pl.Series([row in reasons for row in range(len(frame))], dtype=pl.Boolean)
    a_number = expected.is_finite().fill_null(False)
    covered = rows & a_number & value.cast(pl.Float64).is_finite().fill_null(False) & ~unknown
    passed = covered & same.fill_null(False)
    misses = []
    for row in (rows & ~passed).arg_true():
        if covered[row]:
            reason = ""
        elif not a_number[row]:
            reason = f"{written[row]!r} is not a number"
        elif row not in reasons and column in FLOPS and ours["sequence_length"][row] is None:
            reason = "flops_seq is not a number of tokens"
        else:
            reason = reasons.get(row, "our own figure is not known")
        number = _plain(value[row]) if covered[row] else ""
        misses.append(Miss(row, labels[row] or "", column, written[row], number, reason))
    return Group(column, int(rows.sum()), int(covered.sum()), int(passed.sum()), tuple(misses))


def _text(frame: pl.DataFrame, column: str) -> pl.Series:
    """The cells of a column as they are written, null where there is nothing."""
    import polars as pl

    return frame[column].cast(pl.String).str.strip_chars().replace("", None)


def _sequence(cells: pl.Series) -> pl.Series:
    """How many tokens a pass is over; null where that is not said, so that the counts are still evaluated."""
    import polars as pl

    tokens = cells.cast(pl.Float64, strict=False)
    declared = GRAPH.inputs["sequence_length"]
    usable = tokens.is_between(declared.low, declared.high) & (tokens == tokens.floor())
    return tokens.zip_with(usable.fill_null(False), pl.Series([None] * len(tokens), dtype=pl.Float64))


def _labels(frame: pl.DataFrame) -> pl.Series:
    """What each row is called: its model or case, else its first cell."""
    import polars as pl

    names = [name for name in LABELS if name in frame.columns] or frame.columns[:1]
    return pl.DataFrame([_text(frame, name) for name in names]).select(pl.coalesce(names)).to_series()


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
