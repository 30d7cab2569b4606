"""sweep list"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import output_options

if TYPE_CHECKING:
    import polars as pl

WHAT = ("metrics", "inputs", "gpus", "precisions", "laws", "models", "specs")
SHOWN = {
    "metrics": ["name", "unit", "meaning", "source"],
    "inputs": ["name", "unit", "type", "default", "allowed", "meaning"],
    "gpus": [
        "id", "name", "gpu_memory_bytes", "gpu_memory_byte_per_s", "gpu_bf16_flop_per_s", "gpu_fp8_flop_per_s",
        "gpu_usd_per_hour", "gpu_train_mfu", "confidence", "source_1",
    ],
    "precisions": ["id", "kind", "weight_bits", "embedding_bits", "kv_bits", "compute_format", "source_1"],
    "laws": [
        "id", "law_floor_nats", "law_params_scale", "law_params_exponent", "law_tokens_scale", "law_tokens_exponent",
        "law_params_counted", "fitted_range", "source",
    ],
    "models": [
        "model", "kind", "hidden_size", "num_layers", "vocab_size", "num_experts", "total_params_oracle",
        "train_tokens", "arch_source",
    ],
    "specs": ["name", "description", "designs", "objectives"],
}  # fmt: skip


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

    frame = listing(what)
    if output is not None or format_ not in (None, "table"):
        files.write(frame, output, format_)
    else:
        tables.print_listing(frame.select(SHOWN[what]))


def listing(what: str) -> pl.DataFrame:
    """Everything of one kind that can be named, all its columns."""
    import polars as pl

    from sweep import catalogue
    from sweep.listing import inputs, metrics

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
    tables = {"gpus": "accelerators", "precisions": "precisions", "laws": "laws", "models": "models"}
    return catalogue.frame(tables[what])
