"""Predicted against measured as a picture: every figure that has a place on it, and files that open elsewhere."""

import math
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sweep import chart
from sweep.cli import cli
from sweep.errors import SweepError
from sweep.validate_measured import Scored

FIGURES = [
    Scored(0, "a", "here", "decode_step_s", 0.02, 0.03, math.nan, ""),
    Scored(1, "b", "there", "decode_step_s", 0.2, 0.1, math.nan, ""),
    Scored(2, "c", "here", "weights_gib", 10.0, 10.0, math.nan, ""),
    Scored(3, "d", "here", "weights_gib", 10.0, math.nan, math.nan, "not known"),
    Scored(4, "e", "here", "kv_pool_gib", 10.0, -1.0, math.nan, ""),
]


def test_every_figure_has_its_place_and_none_that_has_not() -> None:
    """A panel a quantity, both axes over the same whole decades; what is not evaluated or not positive stays out."""
    panels = chart.specification(FIGURES, "mine")["concat"]
    assert [panel["title"] for panel in panels] == ["decode_step_s", "weights_gib"]
    shown = [[point["id"] for point in panel["layer"][1]["data"]["values"]] for panel in panels]
    assert shown == [["a", "b"], ["c"]]
    for panel, ends in zip(panels, ([0.01, 1.0], [10.0, 100.0]), strict=True):
        for layer in panel["layer"]:
            for axis in ("x", "y"):
                scale = layer["encoding"][axis]["scale"]
                assert scale["type"] == "log"
                assert scale["domain"] == pytest.approx(ends)
    assert panels[0]["layer"][1]["data"]["values"][0]["error"] == pytest.approx(50.0)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<svg"), (".html", b"<!DOCTYPE html")])
def test_files_are_what_their_names_say(suffix: str, start: bytes, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="an optional dependency")
    path = tmp_path / f"mine{suffix}"
    chart.write(FIGURES, path, "mine")
    content = path.read_bytes()
    assert content.lstrip().startswith(start)
    if suffix == ".html":
        assert b"<script src=" not in content  # all of it is in the page
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SweepError, match=r"end its name in \.png, \.svg, \.html"):
        chart.write(FIGURES, tmp_path / "mine.jpg")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(SweepError, match=r"pip install 'llm-sweep\[charts\]'"):
        chart.write(FIGURES, tmp_path / "mine.png")


def test_counts_are_not_drawn() -> None:
    result = CliRunner().invoke(cli, ["validate", "params", "--chart", "mine.png"])
    assert result.exit_code == 2
    assert "params is not measured; it goes with serve and train" in result.output
