"""What several commands share: opening a spec or a run, options, notes beside a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import polars as pl

    from sweep.database import Database
    from sweep.space import Space

F = TypeVar("F", bound=Callable[..., Any])


def spec_or_run(function: F) -> F:
    """The argument SPEC_OR_RUN: a spec file, the name of a shipped spec, or a run folder."""
    return click.argument("spec_or_run", metavar="SPEC_OR_RUN")(function)


def where_option(function: F) -> F:
    """Conditions beside those of the spec, repeatable."""
    text = 'Keep designs for which this holds, e.g. "serve_bytes <= 80e9"; repeat it for more.'
    return click.option("--where", multiple=True, metavar="EXPR", help=text)(function)


def objective_options(function: F) -> F:
    """--minimize and --maximize, repeatable."""
    more = click.option("--maximize", multiple=True, metavar="METRIC", help="An objective, more is better.")
    less = "An objective, less is better; repeat it for more. The spec's own objectives when none are named."
    return click.option("--minimize", multiple=True, metavar="METRIC", help=less)(more(function))


def output_options(formats: str, rows: int | None = None) -> Callable[[F], F]:
    """-o and --format, and --rows where a table is shown."""

    def add(function: F) -> F:
        choice = click.Choice(formats.split())
        if rows is not None:
            shown = f"Rows of a table to show; {rows} when not given."
            function = click.option("--rows", type=click.IntRange(1), default=rows, help=shown)(function)
        function = click.option("--format", "format_", type=choice, help="By default that of -o, else a table.")(
            function
        )
        return click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file.")(function)

    return add


def database_options(function: F) -> F:
    """--unsafe and --memory, of whatever asks DuckDB."""
    free = "Let a query write, and read other files and the network."
    function = click.option("--unsafe", is_flag=True, help=free)(function)
    most = "What DuckDB may take before it spills to disk, e.g. 4GB."
    return click.option("--memory", metavar="SIZE", help=most)(function)


def open_database(name: str, unsafe: bool = False, memory: str | None = None) -> Database:
    """DuckDB over a run folder, or over a spec."""
    from sweep.database import Database

    folder = run_folder(name)
    if folder is not None:
        return Database.open_run(folder, unsafe, memory)
    return Database.open_space(open_space(name), unsafe, memory)


def settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """--set name=value, parsed; no name twice."""
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{pair!r} is not name=value", param_hint="--set")
        if name.strip() in given:
            raise click.BadParameter(f"{name.strip()} is given twice", param_hint="--set")
        given[name.strip()] = value.strip()
    return given


def run_folder(name: str) -> Path | None:
    """The run folder of that name, if it is one."""
    path = Path(name)
    return path if (path / "manifest.json").is_file() else None


def open_space(name: str) -> Space:
    """The space of a spec, or of the spec that a run folder was made from."""
    from sweep.resolve import load

    folder = run_folder(name)
    return load(folder / "spec.toml" if folder else name)


def tell_why_empty(space: Space, err: bool = False) -> None:
    """Say why no design of a space is left, and which condition, changed by how little, would leave one."""
    from sweep.emptiness import why_empty

    click.echo("\n".join(why_empty(space).lines()), err=err)


def notes(space: Space, frame: pl.DataFrame) -> list[str]:
    """What a reader of a table has to know: the law, extrapolations, what cannot be compared, defaults."""
    law = space.chosen.get("law")
    said = []
    if "loss_nats" in frame.columns:
        if law:
            said.append(f"loss_nats by {law}, in nats per token of that law's own data and tokenizer")
        vocabulary = space.axis("vocab_size")
        if vocabulary is not None and len(vocabulary) > 1:
            said.append("losses of different vocab_size are not comparable: a token is not the same amount of text")
        if (varied := space.axis("precision")) is not None and len(varied) > 1:
            said.append(BLIND_TO_BITS)
        if (varied := space.axis("num_experts")) is not None and len(varied) > 1:
            said.append(_experts(space, law))
    if "in_fitted_range" in frame.columns and len(frame):
        outside = len(frame) - int(frame["in_fitted_range"].sum())
        if outside:
            said.append(f"{outside} of {len(frame)} rows lie outside the range their law was fitted on: extrapolated")
    mattering = _mattering(space, frame)
    told = ", ".join(f"{name} = {value}" for name, value in space.stated.items() if name in mattering)
    if "engine" in mattering:
        said += _engines(space)
    if told:
        said.append(f"defaults in use: {told}; every input: sweep explain --all, or the manifest of a run")
    return said


def _mattering(space: Space, frame: pl.DataFrame) -> set[str]:
    """The inputs worth a word beside a table: those of _TOLD that its columns follow from."""
    from kernels.specialise import Specialised
    from sweep import catalogue

    columns = [name for name in frame.columns if name in space.graph.metrics]
    layout = {name: value for name, value in space.constants.items() if name == "parallelism"}
    leaves = set(Specialised(space.graph, space.given, layout).resolve(columns)[1])
    records = {kind.name for kind in catalogue.KINDS.values() if leaves.intersection(kind.sets)}
    return (leaves | records) & set(_TOLD)


def _engines(space: Space) -> list[str]:
    """A word a GPU and engine that were not measured together, where another record of that engine was."""
    from sweep import catalogue
    from sweep.replica import engine

    gpus, engines = (_named(space, kind) for kind in ("gpu", "engine"))
    better: dict[tuple[str, str, str], list[str]] = {}
    for gpu in gpus:
        vendor = catalogue.records("gpu")[gpu].facts["vendor"]
        for name in engines:
            words = catalogue.records("engine")[name].facts["measured_as"].split("; ")
            own = engine(words[0], "", gpu)
            if own != name and catalogue.records("engine")[own].facts["device_vendors"] == vendor:
                better.setdefault((name, own, vendor), []).append(gpu)
    return [
        f"engine {name} serves {', '.join(on)} too; engine = {own} is the one that was fitted on {vendor} GPUs"
        for (name, own, vendor), on in better.items()
    ]


def _named(space: Space, kind: str) -> tuple[str, ...]:
    """The records of a kind that a space has, one fixed or an axis of them."""
    axis = space.axis(kind)
    if axis is not None:
        return axis.labels
    name = space.chosen.get(kind)
    return (name,) if name else ()


def _experts(space: Space, law: str | None) -> str:
    """What the loss says of experts: nothing, what another law says, or what its own law says."""
    from sweep import catalogue

    form = catalogue.records("law")[law].values["law_form"] if law else ""
    if form in ("routed", "granular", "sparse"):
        return f"{law} was fitted on mixtures: their experts are in loss_nats"
    gain = space.chosen.get("moe_law", "none")
    if gain == "none":
        return "a dense law sees the parameters a token passes through: what more experts gain is not in loss_nats"
    return f"what experts gain a dense law is {gain}'s: moe_gain_nats; moe_gain_in_fitted_range says where it holds"


BLIND_TO_BITS = (
    "loss_nats is that of the model as trained: what serving in fewer bits costs is ptq_penalty_nats, a column apart"
)
_TOLD = (
    "law", "precision", "kv_precision", "train_precision", "gpu", "train_tokens", "inference_tokens", "batch_size",
    "context_tokens", "sequence_length", "attention_flops_convention", "num_gpus",
    "engine", "optimizer", "train_framework", "zero_stage", "micro_batch_size", "price", "grid",
)  # fmt: skip
