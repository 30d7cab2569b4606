"""Which of our numbers predicts what a serving measurement prints.

Rates are turned into times first, so that an error of +10 % says of every figure that we make it a tenth slower. What a
row prints twice (a rate and its time, a total and its share of a GPU) is one figure and scored once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sweep import measured_memory, measured_power, measured_times
from sweep.measured import Figure, NotEvaluated, Row
from sweep.measured_times import WITHOUT_LENGTHS, without_lengths
from sweep.replica import UNKNOWN_KV, few_bits
from sweep.saturated import BASIS

NEEDED = ("weight_precision",)
# What is scored, and the printed fields it is read from, the one to trust most first.
FIELDS: dict[str, tuple[str, ...]] = {
    "prefill_s": ("ttft_ms", "prefill_tokens_per_s", "prefill_mfu"),
    "decode_step_s": ("tpot_ms", "decode_tokens_per_s_per_request"),
    "request_s": ("request_latency_s",),
    "output_token_s": ("output_tokens_per_s_total", "output_tokens_per_s_per_gpu"),
    "weights_gib": ("weights_gib",),
    "kv_pool_gib": ("kv_pool_gib",),
    "kv_pool_tokens": ("kv_pool_tokens",),
    "peak_memory_gib": ("peak_memory_gib",),
    "wall_power_w": ("wall_power_w",),
    "activation_peak_gib": ("activation_peak_gib",),
    "non_torch_gib": ("non_torch_gib",),
}
PREDICTED: dict[str, Callable[[Row, Figure, str], Figure]] = {
    "prefill_s": measured_times.prefill,
    "decode_step_s": measured_times.decode,
    "request_s": measured_times.request,
    "output_token_s": measured_times.throughput,
    "weights_gib": measured_memory.weights,
    "kv_pool_gib": measured_memory.pool,
    "kv_pool_tokens": measured_memory.pool_tokens,
    "peak_memory_gib": measured_memory.peak,
    "wall_power_w": measured_power.wall,
    "activation_peak_gib": measured_memory.activations,
    "non_torch_gib": measured_memory.overhead,
}
UNPREDICTED = ("prefill_mfu",)  # the FLOPs its source counts are not told
FOLLOWS = ("request_s", "output_token_s")  # from a prefill and a step, where a request prints both


def figures(row: Row) -> list[Figure]:
    """Every figure the row prints, once each."""
    printed = row.printed
    fields = {name: [field for field in FIELDS[name] if field in printed] for name in FIELDS}
    quantities = {name: found[0] for name, found in fields.items() if found}
    if row.text("scope") != "workload" and {"prefill_s", "decode_step_s"} <= set(quantities):
        quantities = {name: field for name, field in quantities.items() if name not in FOLLOWS}
    known = {field for found in FIELDS.values() for field in found}
    quantities |= {field: field for field in printed if field not in known}
    return [_figure(row, quantity, field) for quantity, field in quantities.items()]


def _figure(row: Row, quantity: str, field: str) -> Figure:
    empty = Figure(row.number, row.text("id"), row.text("source_group"), quantity, float("nan"))
    try:
        if quantity not in PREDICTED or field in UNPREDICTED:
            raise NotEvaluated(f"no metric yet: {field}")
        if row.text("scope") == "workload":
            raise NotEvaluated("scope: the arrivals of a workload are not evaluated")
        found = PREDICTED[quantity](row, replace(empty, measured=row.amount(field)), field)
        return replace(found, assumed=tuple(_assumed(row, quantity)))
    except NotEvaluated as problem:
        return replace(empty, reason=str(problem))


def _assumed(row: Row, quantity: str) -> Iterator[str]:
    """What stands in for cells that are empty."""
    if quantity == "output_token_s" and row.text(BASIS):
        yield "batch_size is not known: the largest that memory holds"
    if quantity == "decode_step_s" and without_lengths(row):
        yield f"lengths are not known: {WITHOUT_LENGTHS} tokens of context"
    if quantity in ("decode_step_s", *FOLLOWS) and not row.text("kv_precision"):
        few = few_bits(row)
        yield f"kv_precision is not known: {UNKNOWN_KV if few else 'the default of serving'}"
