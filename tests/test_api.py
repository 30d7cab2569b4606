"""The Python interface: what DESIGN promises of a space and of a table."""

from pathlib import Path

import polars as pl
import pytest

import sweep
from sweep.api import Designs

SPEC = """
name = "small"
[axes]
hidden_size = [1024, 2048, 4096]
num_layers = [16, 32]
precision = ["bf16", "int4_g128"]
gpu = ["h100_sxm", "t4"]
[where]
"small" = "params_total < 6e9"
[frontier]
minimize = ["serve_bytes", "loss_nats"]
"""


@pytest.fixture
def designs() -> Designs:
    return sweep.loads(SPEC)


def test_a_space_is_scanned_queried_and_asked_for_its_frontier(designs: Designs) -> None:
    assert len(designs) == 24
    scanned = designs.scan().filter(pl.col("serve_bytes") < 1e10).select("design_id", "serve_bytes").collect()
    assert designs.dataset().to_table(columns=["design_id"]).num_rows == 20
    counted = designs.sql("select count(*) as n from designs where serve_bytes < $most", {"most": 1e10})
    assert counted["n"].to_list() == [len(scanned)]
    assert designs.frontier()["design_id"].is_in(scanned["design_id"]).any()
    alone = designs.frontier(minimize=["loss_nats"], where=["gpu == 't4'"])
    assert alone["gpu"].unique().to_list() == ["t4"]
    assert alone["loss_nats"].n_unique() == 1


def test_a_space_is_written_and_explained(designs: Designs, tmp_path: Path) -> None:
    done = designs.write(tmp_path / "run")
    assert done.rows == 20
    assert [line.name for line in designs.explain(0, ["params_head"])][-1] == "params_head"


def test_a_frame_is_evaluated_row_by_row_in_order() -> None:
    frame = pl.DataFrame({"model": ["llama-3.1-70b", "llama-3.1-8b"], "note": ["a", "b"]})
    found = sweep.evaluate(frame, columns=["params_total"])
    assert found.rows() == [("llama-3.1-70b", "a", 70553706496), ("llama-3.1-8b", "b", 8030261248)]
    with pytest.raises(sweep.SpecError, match="row 2, gpu"):
        sweep.evaluate(pl.DataFrame({"gpu": ["h100_sxm", "h100"]}), columns=["params_total"])


def test_a_frame_gets_the_columns_asked_for_and_no_others() -> None:
    """Marks of extrapolation come with the command; whoever calls the function asks for them."""
    frame = pl.DataFrame({"model": ["llama-3.1-8b"], "train_tokens": [1.5e13]})
    assert sweep.evaluate(frame, columns=["loss_nats"]).columns == ["model", "train_tokens", "loss_nats"]
    found = sweep.evaluate(frame, columns=["loss_nats_p95", "in_fitted_range"])
    assert found.columns == ["model", "train_tokens", "loss_nats_p95", "in_fitted_range"]


def test_a_mistake_is_a_spec_error() -> None:
    with pytest.raises(sweep.SpecError, match="h100_sxm"):
        sweep.loads("[axes]\ngpu = ['h100_smx']")
    with pytest.raises(sweep.SweepError):
        sweep.load("no such spec")


def test_another_package_called_kernels_is_named(tmp_path: Path) -> None:
    """Another distribution imports as kernels too."""
    import subprocess
    import sys

    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import sweep"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "llm-sweep needs its own package 'kernels'" in done.stderr
