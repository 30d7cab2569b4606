"""sweep explain"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from sweep.cli.shared import objective_options, open_space, settings, where_option

if TYPE_CHECKING:
    from sweep.space import Space


@click.command("explain")
@click.argument("spec_or_run", metavar="[SPEC_OR_RUN]", required=False)
@click.argument("design_id", required=False, type=int)
@click.option("--metric", "metrics", multiple=True, metavar="METRIC", help="Only this metric and what it takes.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Describe a design by its inputs instead.")
@click.option("--all", "everything", is_flag=True, help="Show the inputs that kept their defaults too.")
@click.option("--sensitivity", metavar="METRIC", help="Show which inputs move this metric most, and how much.")
@click.option("--plan", is_flag=True, help="Show how the whole space would be computed instead of one design.")
@objective_options
@where_option
@click.option("--reason", is_flag=True, help="With --plan: what reasoning leaves out, of small spaces too.")
@click.option(
    "--format", "format_", type=click.Choice(["table", "json"]), default="table", help="Of --plan and --sensitivity."
)
def explain_command(
    spec_or_run: str | None,
    design_id: int | None,
    metrics: tuple[str, ...],
    sets: tuple[str, ...],
    everything: bool,
    sensitivity: str | None,
    plan: bool,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    where: tuple[str, ...],
    reason: bool,
    format_: Literal["table", "json"],
) -> None:
    """Show how a design's numbers come about: formula, numbers in place, source.

    \b
        sweep explain first-look 12345 --metric loss_nats
        sweep explain --set model=llama-3.1-8b --metric kv_cache_bytes
        sweep explain first-look 12345 --sensitivity lifetime_usd
        sweep explain --plan laptop

    With --sensitivity, the elasticity of a metric to every input: the per cent it moves when the input rises by one per
    cent, and what raising the input by 10 % comes to.

    With --plan, how the space would be computed: the walk and its blocks, which values are tables and how often the
    others are computed, the speed expected and measured, and what each condition removes.
    """
    if plan:
        if spec_or_run is None or design_id is not None or metrics or sets or everything or sensitivity:
            raise click.UsageError("--plan takes SPEC_OR_RUN, --where, --minimize and --maximize, and no design")
        explain_plan(spec_or_run, minimize, maximize, where, reason, format_)
        return
    if minimize or maximize or where or reason:
        raise click.UsageError("--minimize, --maximize, --where and --reason belong to --plan")
    if format_ != "table" and not sensitivity:
        raise click.UsageError("--format belongs to --plan and --sensitivity")
    if sensitivity and metrics:
        raise click.UsageError("--sensitivity asks of one metric, and --metric of others: give one of them")
    from sweep.resolve import single
    from sweep.truth import numbered

    if spec_or_run is None or design_id is None:
        if spec_or_run is not None or not sets:
            raise click.UsageError("give SPEC_OR_RUN and DESIGN_ID, or --set name=value")
        space, design_id = single(numbered(settings(sets))), 0
    else:
        if sets:
            raise click.UsageError("--set describes a design of its own; leave out SPEC_OR_RUN and DESIGN_ID")
        space = open_space(spec_or_run)
    if sensitivity:
        explain_sensitivity(space, design_id, sensitivity, everything, format_)
        return
    explain_design(space, design_id, metrics, everything)


def explain_design(space: Space, design_id: int, metrics: Sequence[str], everything: bool) -> None:
    """Print how metrics of a design come about, the usual ones where none is named; everything: defaults too."""
    from kernels.graph import near
    from sweep.columns import wanted
    from sweep.errors import Problem, SpecError
    from sweep.explain import SUM, explain, loss_sum
    from sweep.resolve import naming

    names = list(metrics) or list(wanted(space))
    space = naming(space, names, "--metric")
    unknown = [name for name in names if name not in space.graph]
    if unknown:
        known = [*space.graph.metrics, *space.graph.inputs]
        raise SpecError("--metric", [Problem(name, "", f"not known{near(name, known)}") for name in unknown])
    if "loss_nats" in names and space.given.isdisjoint(["loss_nats", *dict(SUM)]):
        told = loss_sum(space, design_id)
        width = max(len(name) for name, _, _ in told)
        for name, value, what in told:
            sign = "=" if name == "loss_nats" else "+"
            click.echo(f"{sign} {name:<{width}}  {value:>9.5f} nat  {what}")
        click.echo()
    hidden = 0
    for line in explain(space, design_id, names):
        if not line.formula:
            if line.source.startswith("default") and not everything:
                hidden += 1
                continue
            click.echo(f"{click.style(line.name, bold=True)} = {line.value} {line.unit}".rstrip())
            click.echo(f"    given by {line.source}")
            continue
        click.echo(f"{click.style(line.name, bold=True)} = {line.value} {line.unit}".rstrip())
        for formula, numbers in zip(line.formula.split("\n"), line.numbers.split("\n"), strict=True):
            click.echo(f"    = {formula}" if "=" not in formula.split("==")[0] else f"      {formula}")
            if numbers and numbers != formula:
                click.echo(f"    = {numbers}" if "=" not in numbers.split("==")[0] else f"      {numbers}")
        click.echo(f"    {line.source}")
    if hidden:
        click.echo(f"{hidden} inputs kept their defaults; --all shows them")


def explain_sensitivity(
    space: Space, design_id: int, metric: str, everything: bool, format_: Literal["table", "json"]
) -> None:
    """Print what moves a metric of a design most."""
    from sweep import files
    from sweep.explain import shown
    from sweep.sensitivity import frame, sensitivities, told

    found = sensitivities(space, design_id, metric)
    if format_ == "json":
        files.write(frame(found.inputs), None, "json")
        return
    click.echo(f"{click.style(metric, bold=True)} = {shown(space.graph, metric, found.value)} {found.unit}".rstrip())
    for line in told(found, everything):
        click.echo(line)


def explain_plan(
    spec_or_run: str,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    where: tuple[str, ...],
    reason: bool,
    format_: Literal["table", "json"],
) -> None:
    """Print how a space would be computed."""
    from sweep.planned import planned
    from sweep.resolve import narrow

    space = narrow(open_space(spec_or_run), where, minimize, maximize)
    if reason and not (space.minimize or space.maximize):
        raise click.UsageError("--reason asks about objectives; give --minimize or --maximize")
    found = planned(space, reason)
    click.echo(json.dumps(found.table(), indent=2) if format_ == "json" else "\n".join(found.lines()))
