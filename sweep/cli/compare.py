"""sweep compare"""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.shared import output_options

SHOWN = ["law", "flops", "params", "params_counted", "tokens", "tokens_per_param", "loss_nats", "times_outside"]

OPTIMA = ["published", "flops", "params", "tokens", "own_law", "own_ratio", "default_ratio", "low_ratio", "high_ratio"]
RUNS = ["published", "params", "tokens", "loss_nats", "own_law", "own_loss_nats", "loss_error_pct"]


@click.command("compare")
@click.option(
    "--flops", multiple=True, type=click.FloatRange(1e6, 1e35), help="Training compute; 1e21 and 1e24 when not given."
)
@click.option(
    "--expansion", type=click.FloatRange(1, 1e6), default=1.0, help="Experts per active expert; 1 when not given."
)
@click.option("--published", is_flag=True, help="Beside optima and runs that were published instead.")
@output_options("table csv json parquet xlsx")
def compare_command(
    flops: tuple[float, ...], expansion: float, published: bool, output: Path | None, format_: str | None
) -> None:
    """What the scaling laws say against each other: the best model of equal training compute under each.

    \b
        sweep compare --flops 5.76e23
        sweep compare --published

    Parameters are as each law counts them and losses in nats of each law's own data and tokenizer, so that compare laws
    that count alike. times_outside is how far the model lies outside the runs of its law, as a factor; 1 inside.

    --published: tokens over the published tokens at the published compute (parameters where no tokens were published),
    by the law of the same authors, by the default law, and the least and most of all laws that count parameters alike;
    then the losses of published runs.
    """
    if any(value != value for value in (*flops, expansion)):  # a click.FloatRange lets nan through
        raise click.BadParameter("nan is not a number", param_hint="--flops, --expansion")
    if published and (flops or expansion != 1.0):
        raise click.UsageError(
            "--published is at the compute that was published: it takes no --flops and no --expansion"
        )
    import polars as pl

    from sweep import files, tables
    from sweep.compare import AT, compare_laws, compare_published

    frame = compare_published() if published else compare_laws(flops or AT, expansion)
    if output is not None or format_ not in (None, "table"):
        files.write(frame, output, format_)
    elif published:
        is_run = pl.col("loss_nats").is_not_null()
        tables.print_listing(frame.filter(~is_run).select(OPTIMA))
        click.echo()
        tables.print_listing(frame.filter(is_run).select(RUNS))
    else:
        tables.print_listing(frame.select(SHOWN))
        outside = int((frame["times_outside"] > 1.0).sum())
        click.echo(f"{outside} of {len(frame)} rows lie outside the runs of their law: extrapolated")
