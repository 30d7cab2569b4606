"""A run that extends another holds the rows of a run of the whole space, and says what it cannot extend."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep import manifest, resolve
from sweep.cli import cli
from sweep.database import run_frontier
from sweep.dryrun import dry_run
from sweep.errors import RunError
from sweep.frontier import frontier
from sweep.manifest import read_manifest
from sweep.plan import Plan
from sweep.run import Finished, write

ROOT = Path(__file__).resolve().parent.parent
SMALL = 3000  # rows a part

AXES: dict[str, list[Any]] = {
    "hidden_size": [1024, 2048, 4096, 6144],
    "num_experts": [1, 8, 64],
    "precision": ["bf16", "fp8_e4m3", "int4_g128"],
    "train_tokens": [1e10, 1e11, 3e11, 1e12, 4.5e12],
    "gpu": ["h100_sxm", "b200_sxm", "mi300x", "rtx_4090"],
}

WIDE = {"hidden_size": list(range(1024, 8193, 512))}


def spec(axes: dict[str, list[Any]], more: str = "", conditions: str = "") -> str:
    lines = [f"{name} = {values!r}".replace("'", '"') for name, values in axes.items()]
    return "\n".join(
        [
            'name = "grown"',
            'columns = ["loss_nats", "serve_bytes", "in_fitted_range", "lifetime_usd", "moe_law", "params_total"]',
            "[axes]",
            *lines,
            more,
            "[where]",
            '"fits" = "min_gpus_to_serve <= 8"',
            '"not too wide for a 4090" = "hidden_size <= 4096 or gpu != \'rtx_4090\'"',
            '"more than a little" = "train_tokens > 2e10"',
            conditions,
            "[frontier]",
            'minimize = ["loss_nats", "lifetime_usd"]',
        ]
    )


def rows_of(folder: Path) -> pl.DataFrame:
    """The rows of a run by their ids."""
    parts = [pl.read_parquet(path) for path in sorted((folder / "parts").iterdir())]
    return pl.concat(parts).sort("design_id")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def extended(old: str, new: str, folder: Path, **options: Any) -> Finished:
    write(resolve.loads(old), folder / "old", threads=2)
    return write(resolve.loads(new), folder / "new", extend=folder / "old", **options)


def equal_to_a_fresh_run(new: str, folder: Path) -> None:
    write(resolve.loads(new), folder / "fresh", threads=2)
    found, expected = rows_of(folder / "new"), rows_of(folder / "fresh")
    assert found.schema == expected.schema
    assert found.equals(expected)
    for series in found:
        if series.dtype.is_float():
            assert series.to_numpy().tobytes() == expected[series.name].to_numpy().tobytes(), series.name


ONLY_TRIED = settings(deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])


@settings(ONLY_TRIED, max_examples=5)
@given(st.data())
def test_the_rows_are_those_of_a_fresh_run(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Values added anywhere on any axes, and all axes in any order of their values."""
    grown(tmp_path_factory, data)


@pytest.mark.slow
@settings(ONLY_TRIED, max_examples=50)
@given(st.data())
def test_the_rows_are_those_of_a_fresh_run_many_times(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    grown(tmp_path_factory, data)


def grown(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Extend a run by what is drawn, and hold it to a run of the whole."""
    folder = tmp_path_factory.mktemp("grown")
    new = {name: data.draw(st.permutations(values), name) for name, values in AXES.items()}
    kept = {name: data.draw(st.sets(st.sampled_from(values), min_size=1), name) for name, values in new.items()}
    old = {name: [value for value in values if value in kept[name]] for name, values in new.items()}
    if old == new:
        old["gpu"] = new["gpu"][1:]
    write(resolve.loads(spec(old)), folder / "old", threads=2)
    if "min_gpus_to_serve" not in rows_of(folder / "old").columns:  # its condition holds for the few values there are
        with pytest.raises(RunError, match="lacks the column min_gpus_to_serve"):
            write(resolve.loads(spec(new)), folder / "new", extend=folder / "old")
        return
    finished = write(resolve.loads(spec(new)), folder / "new", extend=folder / "old")
    equal_to_a_fresh_run(spec(new), folder)
    assert finished.designs_evaluated <= Plan(resolve.loads(spec(new)), ()).points


def test_many_parts_and_an_extension_of_an_extension(tmp_path: Path) -> None:
    tokens = [10 ** (10 + k / 400) for k in range(1400)]
    first = AXES | WIDE | {"train_tokens": tokens[::2], "gpu": AXES["gpu"][:2]}
    second = AXES | WIDE | {"train_tokens": tokens[::2]}
    third = AXES | WIDE | {"train_tokens": tokens}
    write(resolve.loads(spec(first)), tmp_path / "one", part_rows=SMALL)
    write(resolve.loads(spec(second)), tmp_path / "old", part_rows=SMALL, extend=tmp_path / "one")
    finished = write(resolve.loads(spec(third)), tmp_path / "new", part_rows=SMALL, extend=tmp_path / "old")
    assert finished.parts > 5
    equal_to_a_fresh_run(spec(third), tmp_path)
    listed = {part.name: part.sha256 for part in read_manifest(tmp_path / "new").parts}
    assert listed == contents(tmp_path / "new" / "parts")


def test_nothing_kept_of_the_old_or_of_the_new(tmp_path: Path) -> None:
    """A large GPU is what makes anything fit; then a small one is added, and nothing fits."""
    for k, (old, new) in enumerate([(["t4"], ["t4", "b200_sxm"]), (["b200_sxm"], ["t4", "b200_sxm"])]):
        alone = '"large" = "hidden_size * 0 + gpu_memory_bytes > 1e11"'
        folder = tmp_path / str(k)
        extended(spec(AXES | {"gpu": old}, "", alone), spec(AXES | {"gpu": new}, "", alone), folder)
        equal_to_a_fresh_run(spec(AXES | {"gpu": new}, "", alone), folder)


def test_the_bytes_do_not_depend_on_threads(tmp_path: Path) -> None:
    old = AXES | {"gpu": AXES["gpu"][:2]}
    extended(spec(old), spec(AXES), tmp_path, threads=1, part_rows=SMALL)
    write(resolve.loads(spec(AXES)), tmp_path / "again", threads=5, part_rows=SMALL, extend=tmp_path / "old")
    assert contents(tmp_path / "again") == contents(tmp_path / "new")


@pytest.mark.parametrize("more", ["gpt-oss-20b", "deepseek-v3", "gemma-2-9b"])
def test_records_that_say_less_may_join_those_that_say_more(more: str, tmp_path: Path) -> None:
    """What all old records name of an input follows a formula in the new one, or the other way around."""
    for known, added in (("llama-3.1-8b", more), (more, "llama-3.1-8b")):
        folder = tmp_path / known
        text = '[axes]\nmodel = {}\nbatch_size = [1, 2]\n[fixed]\ngpu = "h200_sxm"'
        old, new = (text.format(json.dumps(models)) for models in ([known], [known, added]))
        extended(old, new, folder)
        equal_to_a_fresh_run(new, folder)


def test_the_frontier_of_an_extended_run_is_that_of_the_space(tmp_path: Path) -> None:
    extended(spec(AXES | {"gpu": AXES["gpu"][:1]}), spec(AXES), tmp_path)
    whole = frontier(resolve.loads(spec(AXES))).frame
    found = run_frontier(tmp_path / "new", ["loss_nats", "lifetime_usd"])
    assert_frame_equal(found.select(whole.columns).sort("design_id"), whole.sort("design_id"), check_dtypes=False)


def refusal(old: str, new: str, folder: Path) -> str:
    with pytest.raises(RunError) as error:
        extended(old, new, folder)
    assert not (folder / "new").exists()
    return str(error.value)


OLD = spec(AXES | {"gpu": AXES["gpu"][:2]})
NEW = spec(AXES)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (OLD, NEW.replace("<= 8", "<= 4"), "where.fits was min_gpus_to_serve <= 8 and is min_gpus_to_serve <= 4"),
        (OLD, spec(AXES, "", '"b" = "loss_nats < 3"'), "where.b was not there and is loss_nats < 3"),
        (OLD, spec(AXES, "[fixed]\ncontext_tokens = 100"), "fixed.context_tokens was not there and is 100"),
        (OLD, NEW.replace('"loss_nats", "s', '"train_usd", "s'), "columns was ['loss_nats'"),
        (OLD, spec({**AXES, "num_layers": [3]}), "its axes are hidden_size"),
        (NEW, OLD, "axis gpu had mi300x, which is not there now"),
        (NEW, NEW, "no axis has a value that is new"),
    ],
)
def test_a_space_that_is_more_than_grown_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(old, new, tmp_path)


def test_a_run_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "source_digest", lambda: "other")
        write(resolve.loads(OLD), tmp_path / "old")
    with pytest.raises(RunError, match=r"(?s)cannot be extended, run the new spec whole.*the kernels changed"):
        write(resolve.loads(NEW), tmp_path / "new", extend=tmp_path / "old")


def test_a_run_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        write(resolve.loads(NEW), tmp_path / "new", extend=tmp_path / "old")
    write(resolve.loads(OLD), tmp_path / "old")
    part = tmp_path / "old" / "parts" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(RunError, match="its parts are not what its manifest lists"):
        write(resolve.loads(NEW), tmp_path / "new", extend=tmp_path / "old")
    path = tmp_path / "old" / "manifest.json"
    held = read_manifest(tmp_path / "old")
    path.write_text(replace(held, complete=False, parts=()).text())
    with pytest.raises(RunError, match="is not complete"):
        write(resolve.loads(NEW), tmp_path / "new", extend=tmp_path / "old")


def test_a_run_is_not_extended_in_place_and_says_what_it_extends(tmp_path: Path) -> None:
    finished = extended(OLD, NEW, tmp_path)
    assert finished.designs_evaluated == 4 * 3 * 3 * 4 * 2  # without the token budget that is ruled out
    with pytest.raises(RunError, match="cannot be extended in place"):
        write(resolve.loads(NEW), tmp_path / "old", extend=tmp_path / "old")
    with pytest.raises(RunError, match="say so again with --extend"):
        write(resolve.loads(NEW), tmp_path / "new")
    assert write(resolve.loads(NEW), tmp_path / "new", extend=tmp_path / "old").already_complete
    assert dry_run(resolve.loads(NEW)).rows > 0


def test_the_command_extends(tmp_path: Path) -> None:
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / f"{name}.toml").write_text(text)
    runner = CliRunner()
    first = ["run", str(tmp_path / "old.toml"), "-o", str(tmp_path / "old")]
    assert runner.invoke(cli, first).exit_code == 0
    second = ["run", str(tmp_path / "new.toml"), "-o", str(tmp_path / "new"), "--extend", str(tmp_path / "old")]
    result = runner.invoke(cli, second)
    assert result.exit_code == 0, result.output
    assert "met all conditions" in result.output
    equal_to_a_fresh_run(NEW, tmp_path)


RUN = """
import os, signal, sys
from sweep import resolve
from sweep.run import write
left = int(sys.argv[4])
def counted(call):
    def counting(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    return counting
os.fsync, os.replace = counted(os.fsync), counted(os.replace)
write(resolve.loads(sys.argv[1]), sys.argv[2], part_rows=3000, extend=sys.argv[3])
"""


@pytest.mark.slow
def test_killed_among_old_rows_between_and_among_new_ones(tmp_path: Path) -> None:
    """The same command goes on and ends with the same bytes."""
    tokens = [10 ** (10.5 + k / 600) for k in range(1200)]
    axes = AXES | WIDE | {"train_tokens": tokens}
    new = spec(axes)
    write(resolve.loads(spec(axes | {"gpu": AXES["gpu"][:2]})), tmp_path / "old", part_rows=SMALL)
    write(resolve.loads(new), tmp_path / "new", part_rows=SMALL, extend=tmp_path / "old")
    expected = contents(tmp_path / "new")
    parts = len(read_manifest(tmp_path / "new").parts)
    assert parts > 3

    def start(calls: int) -> int:
        command = [sys.executable, "-c", RUN, new, str(tmp_path / "killed"), str(tmp_path / "old"), str(calls)]
        return subprocess.run(command, cwd=ROOT, env=os.environ, timeout=120).returncode

    for calls in (3, 12, 3 * 4 + 3 * (parts // 2), 10 + 3):  # of each process, which goes on behind the last
        assert start(calls) in (0, -signal.SIGKILL)
    assert start(0) == 0
    assert contents(tmp_path / "killed") == expected
