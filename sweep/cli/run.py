"""sweep run"""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.shared import run_folder, tell_why_empty
from sweep.errors import Problem, SpecError


@click.command("run")
@click.argument("spec")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The run folder; runs/NAME when not given.")
@click.option(
    "--extend", type=click.Path(path_type=Path), help="A complete run of a spec with fewer values: take over its rows."
)
@click.option("--dry-run", is_flag=True, help="Say what the space holds and what it would take, and do nothing.")
@click.option("--threads", type=click.IntRange(1), help="Threads; all cores when not given.")
def run_command(spec: str, output: Path | None, extend: Path | None, dry_run: bool, threads: int | None) -> None:
    """Evaluate a space into a run folder of Parquet parts; the same command continues one that was interrupted.

    \b
        sweep run first-look -o runs/first-look
    """
    from sweep.resolve import load

    if run_folder(spec) is not None:
        raise SpecError(spec, [Problem("is a run", "", f"its spec is {Path(spec) / 'spec.toml'}")])
    space = load(spec)
    folder = output or _folder_of(space.name, spec)
    if dry_run:
        from sweep.dryrun import dry_run as look

        estimate = look(space)
        click.echo("\n".join(estimate.lines()))
        if not estimate.sampled_rows:
            tell_why_empty(space)
        return
    from sweep.progress import bar
    from sweep.run import write

    with bar(space.name) as progress:
        done = write(space, folder, threads=threads, progress=progress, extend=extend)
    if done.already_complete:
        click.echo(f"{folder} is complete already: {done.rows:,} designs in {done.parts} parts")
        return
    click.echo(
        f"{folder}: {done.rows:,} of {space.size:,} designs met all conditions; "
        f"{done.parts} parts, {done.bytes / 1e6:,.1f} MB"
    )
    if not done.rows:
        tell_why_empty(space)
        return
    click.echo(f'  next: sweep frontier {folder}, sweep sql {folder} "select ...", or duckdb -init open.sql inside it')


def _folder_of(name: str, spec: str) -> Path:
    """Where the run of a spec of this name goes. SpecError for a name that leads out of runs/."""
    if name in (".", "..") or "/" in name or "\\" in name:
        raise SpecError(spec, [Problem("name", f'"{name}"', "is no name of a folder in runs; name one with -o")])
    return Path("runs") / name
