"""sweep frontier"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sweep.cli.shared import (
    notes,
    objective_options,
    open_space,
    output_options,
    run_folder,
    spec_or_run,
    tell_why_empty,
    where_option,
)

if TYPE_CHECKING:
    import polars as pl

    from sweep.frontier import Frontier
    from sweep.space import Space

    Parameter = click.ParamType[float]
else:
    Parameter = click.ParamType


class Share(Parameter):
    """A share as a number or in percent: 0.001 or 0.1%."""

    name = "share"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number."""
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100.0 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"{value!r} is not a share such as 0.001 or 0.1%", param, ctx)


@dataclass(frozen=True)
class Asked:
    """How a frontier is asked for, beside its objectives and conditions."""

    epsilon: float | None = None
    ties: Literal["all", "one"] = "all"
    top: int | None = None
    per: str | None = None
    reason: bool | None = None

    def only_for_specs(self) -> list[str]:
        """The options given that a run folder cannot answer."""
        given = {
            "--top": self.top is not None,
            "--per": self.per is not None,
            "--epsilon": self.epsilon is not None,
            "--ties one": self.ties == "one",
            "--reason/--walk": self.reason is not None,
        }
        return [name for name, is_given in given.items() if is_given]


@click.command("frontier")
@spec_or_run
@objective_options
@where_option
@click.option("--epsilon", type=Share(), help="Designs that stand for the rest to within this share: 0.1% or 0.001.")
@click.option(
    "--ties", type=click.Choice(["all", "one"]), default="all", help="Keep all equal designs, or one of them."
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="The N best designs by one objective instead.")
@click.option("--per", metavar="AXIS", help="The frontier of each value of an axis by itself.")
@click.option("--reason/--walk", default=None, help="Reason about the space or visit all of it; the sooner by itself.")
@click.option("--exact-check", is_flag=True, help="Compare both ways and the definition on parts of the space.")
@output_options("table csv json parquet xlsx", rows=20)
def frontier_command(
    spec_or_run: str,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    where: tuple[str, ...],
    epsilon: float | None,
    ties: Literal["all", "one"],
    top: int | None,
    per: str | None,
    reason: bool | None,
    exact_check: bool,
    output: Path | None,
    format_: str | None,
    rows: int,
) -> None:
    """Print the designs that no other design beats on every objective.

    \b
        sweep frontier laptop --maximize decode_tokens_per_s --maximize params_total
        sweep frontier first-look --minimize loss_nats --where "train_usd <= 1e6"
        sweep frontier first-look --epsilon 1%
        sweep frontier laptop --maximize decode_tokens_per_s --top 3 --per gpu

    Exact, and from a spec without writing the space. Equal designs are all kept, ordered by the objectives, then by id;
    --ties one keeps the first of them and says how many they are. When no design meets all conditions, it is said which
    condition, changed by how little, would leave one.
    """
    from sweep import files, tables

    if top is not None and (epsilon is not None or ties == "one"):
        raise click.UsageError("--top asks for the best by one objective: --epsilon and --ties are of frontiers")
    if exact_check:
        check_parts(spec_or_run, minimize, maximize, where)
        return
    asked = Asked(epsilon, ties, top, per, reason)
    space, found, summary = frontier_of(spec_or_run, minimize, maximize, where, asked)
    if output is not None or format_ not in (None, "table"):
        files.write(found, output, format_)
        if output is not None:
            click.echo(f"{output}: {len(found)} designs", err=True)
        if not len(found):
            tell_why_empty(space, err=True)
        return
    if not len(found):
        click.echo(summary)
        tell_why_empty(space)
        return
    objectives = [*space.minimize, *space.maximize, *(["num_equal"] if "num_equal" in found.columns else [])]
    shown = spaced(found, rows) if top is None else found.head(rows)
    tables.print_frontier(shown, space, objectives, rows)
    if len(shown) < len(found):
        along = "evenly spaced along the frontier" if top is None else "the best first"
        click.echo(f"{len(shown)} of {len(found)} designs, {along}; -o FILE writes all")
    click.echo(summary)
    for note in notes(space, found):
        click.echo(f"  {note}")


def check_parts(spec_or_run: str, minimize: tuple[str, ...], maximize: tuple[str, ...], where: tuple[str, ...]) -> None:
    """Say of parts of a space whether reasoning, walking and the definition agree; exit code 1 when they do not."""
    from sweep.exactcheck import exact_check as check
    from sweep.resolve import narrow

    space = narrow(open_space(spec_or_run), where, minimize, maximize)
    parts = check(space)
    for part in parts:
        said = "agree" if part.agrees else "DIFFER"
        click.echo(
            f"{part.designs:>9,} designs, {part.feasible:>9,} feasible, {part.found:>6,} on the frontier: {said}"
        )
    agreeing = sum(part.agrees for part in parts)
    click.echo(f"reasoned, walked and from the definition: {agreeing} of {len(parts)} parts of {space.name} agree")
    if agreeing < len(parts):
        raise SystemExit(1)


def spaced(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    """So many rows of a frame, from the first to the last and evenly spaced between."""
    if len(frame) <= rows:
        return frame
    if rows == 1:
        return frame.head(1)
    return frame[[i * (len(frame) - 1) // (rows - 1) for i in range(rows)]]


def frontier_of(
    spec_or_run: str,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    where: tuple[str, ...],
    asked: Asked | None = None,
) -> tuple[Space, pl.DataFrame, str]:
    """The space with these objectives and conditions, its frontier, and a sentence on how it was found."""
    from sweep.resolve import narrow

    asked = asked or Asked()
    space = narrow(open_space(spec_or_run), where, minimize, maximize)
    folder = run_folder(spec_or_run)
    if folder is not None:
        if given := asked.only_for_specs():
            raise click.UsageError(f"{', '.join(given)}: of a spec, not of a run; ask {folder / 'spec.toml'}")
        from sweep.database import run_frontier

        found = run_frontier(folder, space.minimize, space.maximize, where)
        return space, found, f"{len(found)} designs on the frontier of {folder}"
    result = _found(space, asked)
    return space, result.frame, _sentence(space, result, asked)


def _found(space: Space, asked: Asked) -> Frontier:
    """What was asked for, with a bar while it is found."""
    from sweep.best import best
    from sweep.frontier import frontier, per_value
    from sweep.progress import Progress, bar

    with bar(space.name) as report:

        def progress(done: int, parts: int) -> None:
            if report is not None:
                report(Progress(done, parts, done * space.size // parts, space.size, 0, 0))

        def find(part: Space) -> Frontier:
            if asked.top is not None:
                return best(part, asked.top, progress=progress)
            return frontier(part, ties=asked.ties, epsilon=asked.epsilon, reason=asked.reason, progress=progress)

        return find(space) if asked.per is None else per_value(space, asked.per, find)


def _sentence(space: Space, result: Frontier, asked: Asked) -> str:
    """How many designs there were and how they were dealt with; what was found out on the way."""
    from sweep.planned import finding_lines

    what = f"{len(result.frame)} designs on the frontier of {space.name}"
    if asked.top is not None:
        what = f"the best {len(result.frame)} designs of {space.name}"
    elif asked.epsilon is not None:
        what = f"{len(result.frame)} designs that stand for the frontier of {space.name} within {asked.epsilon:.3g}"
    if asked.per is not None:
        what += f" per {asked.per}"
    if result.feasible is not None:
        left = f", {result.evaluated:,} left by conditions on single inputs" if result.evaluated < space.size else ""
        return f"{what}: {space.size:,} designs{left}, {result.feasible:,} met all conditions"
    lines = [
        f"{what}: {space.size:,} designs reasoned about, {result.choices:,} choices along some axes sifted, "
        f"{result.boxes:,} boxes opened, {result.evaluated - result.choices:,} designs evaluated"
    ]
    lines += [f"  {line}" for finding in result.findings for line in finding_lines(finding)]
    return "\n".join(lines)
