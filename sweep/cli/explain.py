"""sweep explain"""

from __future__ import annotations

import click

from sweep.cli.shared import open_space, settings


@click.command("explain")
@click.argument("spec_or_run", metavar="[SPEC_OR_RUN]", required=False)
@click.argument("design_id", required=False, type=int)
@click.option("--metric", "metrics", multiple=True, metavar="METRIC", help="Only this metric and what it takes.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Describe a design by its inputs instead.")
@click.option("--all", "everything", is_flag=True, help="Show the inputs that kept their defaults too.")
def explain_command(
    spec_or_run: str | None, design_id: int | None, metrics: tuple[str, ...], sets: tuple[str, ...], everything: bool
) -> None:
    """Show how a design's numbers come about: formula, numbers in place, source.

    \b
        sweep explain first-look 12345 --metric loss_nats
        sweep explain --set model=llama-3.1-8b --metric kv_cache_bytes
    """
    from kernels.graph import near
    from sweep.columns import wanted
    from sweep.errors import Problem, SpecError
    from sweep.explain import SUM, explain, loss_sum
    from sweep.resolve import single

    if spec_or_run is None or design_id is None:
        if spec_or_run is not None or not sets:
            raise click.UsageError("give SPEC_OR_RUN and DESIGN_ID, or --set name=value")
        space, design_id = single(settings(sets)), 0
    else:
        if sets:
            raise click.UsageError("--set describes a design of its own; leave out SPEC_OR_RUN and DESIGN_ID")
        space = open_space(spec_or_run)
    names = list(metrics) or list(wanted(space))
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
