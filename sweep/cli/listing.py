"""sweep list"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweep.cli.shared import output_options

if TYPE_CHECKING:
    import polars as pl

WHAT = (
    *("metrics", "inputs", "gpus", "precisions", "laws", "corrections", "models", "engines", "optimizers"),
    *("frameworks", "prices", "grids", "specs"),
)
SHOWN = {
    "metrics": ["name", "unit", "meaning", "source"],
    "inputs": ["name", "unit", "default", "meaning", "source", "allowed"],
    "gpus": [
        "id", "gpu_memory_bytes", "gpu_memory_byte_per_s", "gpu_bf16_flop_per_s", "gpu_usd_per_hour", "source_1",
        "confidence",
    ],
    "precisions": ["id", "kind", "weight_bits", "embedding_bits", "kv_bits", "compute_format", "source_1"],
    "laws": ["id", "law_form", "law", "law_params_counted", "source", "confidence", "fitted_range"],
    "corrections": ["id", "kind", "title", "source", "confidence", "fitted_range"],
    "models": [
        "model", "kind", "hidden_size", "num_layers", "vocab_size", "num_experts", "params_total", "params_active",
        "total_params_published", "deviation_pct",
    ],
    "optimizers": [
        "id", "title", "weight_bytes_per_param", "gradient_bytes_per_param", "master_bytes_per_param",
        "state_bytes_per_param", "table_state_bytes_per_param", "source", "confidence",
    ],
    "frameworks": ["id", "title", "logit_bytes", "framework_buffer_bytes", "source", "confidence", "notes"],
    "prices": ["id", "title", "price_basis", "source", "confidence", "notes"],
    "grids": ["id", "title", "grid_kg_co2_per_kwh", "year", "source", "confidence", "notes"],
    "engines": [
        "id", "title", "engine_decode_layer_s", "engine_compute_factor", "engine_context_bytes", "source", "confidence",
    ],
    "specs": ["name", "description", "designs", "objectives"],
}  # fmt: skip

COUNTS = ("params_total", "params_active")


@click.command("list")
@click.argument("what", type=click.Choice(WHAT))
@output_options("table csv json parquet xlsx")
def list_command(what: str, output: Path | None, format_: str | None) -> None:
    """List what can be named, with units and sources: metrics, inputs, records of each kind, shipped specs.

    \b
        sweep list gpus
        sweep list metrics --format csv
    """
    from sweep import files, tables
    from sweep.catalogue_check import check
    from sweep.errors import SweepError

    if problems := check():
        raise SweepError("\n  ".join([f"data: {len(problems)} problems", *problems]))
    frame = listing(what)
    if output is not None or format_ not in (None, "table"):
        files.write(frame, output, format_)
    elif what == "models":
        tables.print_listing(frame.with_columns(deviation_pct=_percent(frame)).select(SHOWN[what]))
        print("\n".join(_explained(frame)))
    elif what == "laws":
        tables.print_listing(frame.with_columns(law=_written(frame)).select(SHOWN[what]), whole=["law"])
        print("N, D and C as the law counts them, loss in nats; what a form adds, and all digits: --format csv")
    elif what == "grids":
        tables.print_listing(frame.with_columns(year=frame["year"].cast(str)).select(SHOWN[what]))
    else:
        tables.print_listing(frame.select(SHOWN[what]))


def listing(what: str) -> pl.DataFrame:
    """Everything of one kind that can be named, all its columns."""
    import polars as pl

    from sweep import catalogue
    from sweep.listing import corrections, inputs, metrics

    if what == "metrics":
        return metrics()
    if what == "inputs":
        return inputs()
    if what == "specs":
        from sweep.resolve import load
        from sweep.spec import shipped

        spaces = [load(path) for path in shipped().values()]
        return pl.DataFrame(
            {
                "name": [s.name for s in spaces],
                "description": [s.description for s in spaces],
                "designs": [s.size for s in spaces],
                "objectives": [
                    ", ".join([*(f"min {m}" for m in s.minimize), *(f"max {m}" for m in s.maximize)]) for s in spaces
                ],
            }
        )
    if what == "corrections":
        return corrections()
    files = {"gpus": "accelerators", "frameworks": "train_frameworks"}
    frame = catalogue.frame(files.get(what, what))
    return _with_ours(frame) if what == "models" else frame


def _with_ours(models: pl.DataFrame) -> pl.DataFrame:
    """Our counts of each model, and how far they are from the total its authors published."""
    import polars as pl

    counts = pl.DataFrame([_counts(name) for name in models["model"]], schema=COUNTS, orient="row")
    away = pl.col("params_total") - pl.col("total_params_published")
    return models.hstack(counts).with_columns(deviation_pct=100.0 * away / pl.col("total_params_published"))


def _counts(model: str) -> list[int]:
    """One model at a time, in plain Python: loading the compiler would take longer than all of them."""
    from kernels.evaluate import evaluate
    from kernels.model import GRAPH
    from sweep import catalogue

    values = {name: default.value for name, default in catalogue.defaults().items() if name in GRAPH.inputs}
    values |= catalogue.records("model")[model].values
    numbers = {n: GRAPH.words[n].index(v) if isinstance(v, str) else v for n, v in values.items()}
    found = evaluate(GRAPH, COUNTS, numbers)
    return [int(found[name]) for name in COUNTS]


def _written(laws: pl.DataFrame) -> pl.Series:
    """Each law as its paper writes it, to four digits and without what its form adds to the two powers."""
    import polars as pl

    return pl.Series([_optimum(row) if row["law_form"] == "allocation" else _loss(row) for row in laws.to_dicts()])


def _loss(law: dict[str, Any]) -> str:
    powers = [
        f"{_short(law[f'law_{what}_scale'])} {letter}^-{_short(law[f'law_{what}_exponent'])}"
        for letter, what in (("N", "params"), ("S" if law["law_form"] == "steps" else "D", "tokens"))
        if law[f"law_{what}_scale"]
    ]
    text = " + ".join(powers)
    if law["law_outer_exponent"] != 1.0:
        text = f"({text})^{_short(law['law_outer_exponent'])}"
    return f"L = {_short(law['law_floor_nats'])} + {text}" if law["law_floor_nats"] else f"L = {text}"


def _optimum(law: dict[str, Any]) -> str:
    powers = (("N", "params", ""), ("D", "tokens", ""), ("L", "loss", "-"))
    return ", ".join(
        f"{letter} = {_short(law[f'law_optimal_{what}_scale'])} C^{sign}{_short(law[f'law_optimal_{what}_exponent'])}"
        for letter, what, sign in powers
        if law[f"law_optimal_{what}_scale"] is not None
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if 1e3 <= value < 1e6 else f"{value:.4g}"


def _percent(models: pl.DataFrame) -> pl.Series:
    """The differences for a reader: nothing where there is none."""
    import polars as pl

    differences = models["deviation_pct"].to_list()
    return pl.Series([f"{d:+8.4f}" if d else "" for d in differences], dtype=pl.String)


def _explained(models: pl.DataFrame) -> list[str]:
    """How the counts agree with what was published, and a line for every model where they do not."""
    import polars as pl

    away = models.filter(pl.col("deviation_pct") != 0.0)
    why = pl.col("published_agreement").fill_null("not explained")
    rounded = away.filter(why == "agrees when rounded")
    rest = away.filter(why != "agrees when rounded").select("model", "deviation_pct", why).rows()
    equal = models.filter(pl.col("deviation_pct") == 0.0)
    return [
        f"{len(models)} models: {len(equal)} of the published totals are equal to ours, {len(rounded)} as they were "
        f"rounded, {len(rest)} are not:",
        *(f"  {model} {pct:+.2g} %: {text.removeprefix('differs: ')}" for model, pct, text in rest),
    ]
