"""Which of our numbers predicts what a training measurement prints.

Iteration time, tokens a second, FLOP/s and utilisation of one row are one measurement. It is scored as the time a GPU
takes for one token, which no convention of counting FLOPs enters: a row that prints FLOP/s has been turned into tokens
by the convention that its source declares, and one that declares none is not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kernels.model import GRAPH
from sweep.measured import NO_LAYOUT, Ask, Design, Figure, NotEvaluated, Row, device, shape
from sweep.measured_runs import completed, held, kernel_unknown, layouts, meter, run

NEEDED = ("train_precision",)
GIB = 2.0**30
STEP = (
    *("iteration_s", "tokens_per_s_per_gpu", "sequences_per_s"),
    *("model_tflops_per_gpu", "hardware_tflops_per_gpu", "mfu", "hfu", "total_days"),
)
# What is scored, and the printed fields it is read from; the fields of one quantity are one measurement.
FIELDS: dict[str, tuple[str, ...]] = {
    "train_token_s": STEP,
    "gpu_hours": ("gpu_hours",),
    "peak_memory_gib": ("peak_memory_gib",),
    "params_optimizer_memory_gib": ("params_optimizer_memory_gib",),
    "activation_memory_gib": ("activation_memory_gib",),
    "layer_s": ("iteration_s",),
    "layer_forward_s": ("forward_s",),
}
OPEN = {  # what a layout may leave open, and what is taken for it
    "micro_batch_size": "the fastest of 1, 2, 4 and 8 that fits",
    "pipeline_interleave": "the fastest that fits of those that divide the layers, in Megatron-Core and NeMo",
}
RECIPE_LAYOUT = "parallelism: the layout is that of the recipe which the row's notes name, none is printed"
GIVEN = ("train_tokens",)  # printed, but what the rest is measured over
# Columns that are inputs of the same name, where the graph has that input and the metric asked for leads to it.
PASSED = (
    *("sequence_length", "global_batch_size", "micro_batch_size", "tensor_parallel", "pipeline_parallel"),
    *("pipeline_interleave", "data_parallel", "context_parallel", "expert_parallel", "zero_stage"),
    *("optimizer_shard_ranks", "sequence_parallel", "recompute", "optimizer", "num_gpus"),
)


def figures(row: Row) -> list[Figure]:
    """Every figure the row prints, once each."""
    printed = [field for field in row.printed if field not in GIVEN]
    layer = row.text("scope") == "layer"
    fields = {name: [field for field in FIELDS[name] if field in printed] for name in FIELDS}
    fields.pop("train_token_s" if layer else "layer_s")
    if row.text("scope") == "run" and fields["gpu_hours"]:
        fields["train_token_s"] = []  # the hours are the tokens over that rate
    known = {field for found in FIELDS.values() for field in found}
    found = [name for name, of in fields.items() if of]
    return [_figure(row, name) for name in [*found, *(field for field in printed if field not in known)]]


def _figure(row: Row, quantity: str) -> Figure:
    empty = Figure(row.number, row.text("id"), row.text("source_group"), quantity, float("nan"))
    try:
        if quantity not in _PREDICTED:
            raise NotEvaluated(f"no metric yet: {quantity}")
        return _PREDICTED[quantity](row, empty)
    except NotEvaluated as problem:
        return replace(empty, reason=str(problem))


def _base(row: Row) -> Design:
    design = shape(row) | device(row) | {"train_precision": row.known("train_precision")}
    design |= {name: row.text(name) for name in PASSED if name in GRAPH.inputs and row.text(name)}
    return design | run(row)


def _token_s(row: Row) -> float:
    """Seconds of one GPU for one token, from what is printed or what was derived from it."""
    if "iteration_s" in row.printed and row.text("global_batch_size"):
        tokens = row.amount("global_batch_size") * row.amount("sequence_length")
        return row.amount("iteration_s") * row.amount("num_gpus") / tokens
    if not row.text("tokens_per_s_per_gpu"):
        raise NotEvaluated("tokens_per_s_per_gpu is not known: the FLOPs behind the printed rate are not declared")
    return 1.0 / row.amount("tokens_per_s_per_gpu")


def _step(row: Row, figure: Figure) -> Figure:
    """By the model of a training step where the layout is known, else by the assumed share of peak."""
    if row.text("phase") == "lora":
        raise NotEvaluated("phase: gradients of adapters alone are not evaluated")
    measured = _token_s(row)
    printed, row = row, completed(row)
    design = _base(row)
    if row.text("recompute") == "partial":
        return _partly(row, replace(figure, measured=measured), design)
    designs = [design | layout for layout in layouts(row)]
    open_ = {name for each in designs for name in each.keys() - design.keys()} if len(designs) > 1 else set()
    assumed = [f"{name}: {OPEN[name]}" for name in sorted(open_)]
    assumed += ["attention_kernel: fused where one that is fused and one that is not are named"] * kernel_unknown(row)
    assumed += [NO_LAYOUT] * ("parallelism" not in design) + [RECIPE_LAYOUT] * (row is not printed)
    metrics = ("train_tokens_per_s_per_gpu", "train_fits") if len(designs) > 1 else ("train_tokens_per_s_per_gpu",)
    asks = tuple(Ask(metric, each) for metric in metrics for each in designs)
    figure = replace(figure, measured=measured, at_peak_asks=_work(design), at_peak=lambda flops, rate: flops / rate)
    return replace(figure, asks=asks, predicted=lambda *found: 1.0 / found[fastest(found)], assumed=tuple(assumed))


def fastest(rates_then_fits: Sequence[float]) -> int:
    """Which of some layouts is the fastest that fits, of all where none does: rates, then whether each fits."""
    count = max(1, len(rates_then_fits) // 2)
    rates, fits = rates_then_fits[:count], rates_then_fits[count:]
    return max(range(count), key=lambda k: (bool(fits) and fits[k] > 0.0, rates[k]))


def _work(design: Design) -> tuple[Ask, ...]:
    """FLOPs of a token, what is recomputed too, and the dense peak; attention causal, which every run's is."""
    causal = design | {"attention_flops_convention": "causal"}
    return tuple(Ask(metric, causal) for metric in ("train_hardware_flops_per_token", "train_peak_flop_per_s"))


def _partly(row: Row, figure: Figure, design: Design) -> Figure:
    """Some layers done again: between none and all of them, by what HFU is above MFU of a third that all would be."""
    if not (row.text("hfu") and row.text("mfu")):
        raise NotEvaluated("recompute: which part is done again is not known")
    share = min(1.0, 3.0 * (row.amount("hfu") / row.amount("mfu") - 1.0))
    designs = [design | {"recompute": which} for which in ("none", "full")]
    asks = tuple(Ask("train_tokens_per_s_per_gpu", each) for each in designs)
    work = tuple(ask for each in designs for ask in _work(each))
    figure = replace(figure, asks=asks, predicted=lambda none, full: (1.0 - share) / none + share / full)
    return replace(
        figure, at_peak_asks=work, at_peak=lambda none, rate, full, _: ((1.0 - share) * none + share * full) / rate
    )


def _layer(metric: str, column: str) -> Callable[[Row, Figure], Figure]:
    """Passes of one layer of one micro batch."""

    def figure_of(row: Row, figure: Figure) -> Figure:
        return replace(figure, measured=row.amount(column), asks=(Ask(metric, _base(row)),))

    return figure_of


def _hours(row: Row, figure: Figure) -> Figure:
    """A whole run: its hours hold restarts and evaluations too."""
    tokens = row.amount("train_tokens")
    design = _base(row) | {"train_tokens": tokens}
    figure = replace(figure, at_peak_asks=_work(design), at_peak=lambda flops, rate: tokens * flops / rate / 3600.0)
    assumed = () if "parallelism" in design else (NO_LAYOUT,)
    return replace(figure, measured=row.amount("gpu_hours"), asks=(Ask("train_gpu_hours", design),), assumed=assumed)


def _gib(metric_of: Callable[[Row], str], column: str) -> Callable[[Row, Figure], Figure]:
    def figure_of(row: Row, figure: Figure) -> Figure:
        ask = Ask(metric_of(row), _base(row) | held(row))
        return replace(figure, measured=row.amount(column), asks=(ask,), predicted=lambda held: held / GIB)

    return figure_of


_PREDICTED: dict[str, Callable[[Row, Figure], Figure]] = {
    "train_token_s": _step,
    "gpu_hours": _hours,
    "layer_s": _layer("layer_s", "iteration_s"),
    "layer_forward_s": _layer("layer_forward_s", "forward_s"),
    "peak_memory_gib": _gib(meter, "peak_memory_gib"),
    "activation_memory_gib": _gib(lambda _: "activation_bytes", "activation_memory_gib"),
}
