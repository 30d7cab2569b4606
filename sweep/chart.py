"""Predicted against measured as a picture: a panel a quantity, both axes logarithmic, a colour a group.

The picture is described in Vega-Lite and drawn by vl-convert, which needs neither a browser nor the network. A page has
all it needs in itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep import files
from sweep.errors import SweepError

if TYPE_CHECKING:
    from sweep.validate_measured import Scored

SUFFIXES = (".png", ".svg", ".html")
VEGA_LITE = "https://vega.github.io/schema/vega-lite/v5.json"  # names the grammar; nothing is fetched
SIDE = 330  # pixels of a panel
COLUMNS = 3


def check_suffix(path: Path) -> None:
    """SweepError when a file's name does not say what is to be drawn."""
    if path.suffix.lower() not in SUFFIXES:
        raise SweepError(f"{path}: a chart is a picture or a page; end its name in {', '.join(SUFFIXES)}")


def write(figures: Sequence[Scored], path: Path, title: str = "") -> None:
    """Draw the figures that were evaluated; more pixels than a screen has for .png, to be printed."""
    check_suffix(path)
    try:
        import vl_convert
    except ImportError:
        raise SweepError("a chart needs vl-convert-python: pip install 'llm-sweep[charts]'") from None
    spec = specification(figures, title)
    suffix = path.suffix.lower()
    if suffix == ".png":
        drawn = vl_convert.vegalite_to_png(spec, scale=2)
    elif suffix == ".svg":
        drawn = vl_convert.vegalite_to_svg(spec).encode()
    else:
        drawn = vl_convert.vegalite_to_html(spec, bundle=True).encode()
    with files.replacing(path) as stream:
        stream.write(drawn)


def specification(figures: Sequence[Scored], title: str = "") -> dict[str, Any]:
    """The picture in Vega-Lite. A figure that is zero or less has no place on a logarithmic axis and is left out."""
    panels: dict[str, list[Scored]] = {}
    for figure in figures:
        if figure.covered and figure.measured > 0.0 and figure.predicted > 0.0:
            panels.setdefault(figure.quantity, []).append(figure)
    return {
        "$schema": VEGA_LITE,
        "title": title,
        "columns": COLUMNS,
        "concat": [_panel(quantity, found) for quantity, found in panels.items()],
        "config": {"view": {"continuousWidth": SIDE, "continuousHeight": SIDE}},
    }


def _panel(quantity: str, figures: Sequence[Scored]) -> dict[str, Any]:
    values = [
        {"id": f.id, "group": f.group, "measured": f.measured, "predicted": f.predicted, "error": f.error_pct}
        for f in figures
    ]
    every = [number for f in figures for number in (f.measured, f.predicted)]
    ends = [10.0 ** math.floor(math.log10(min(every))), 10.0 ** math.ceil(math.log10(max(every)))]
    if ends[0] == ends[1]:
        ends[1] *= 10.0
    axes = {side: _axis(name, ends) for side, name in (("x", "measured"), ("y", "predicted"))}
    equal = [{"measured": end, "predicted": end} for end in ends]
    tooltip = [
        *({"field": name, "type": "nominal"} for name in ("id", "group")),
        *({"field": name, "type": "quantitative", "format": ".4g"} for name in ("measured", "predicted")),
        {"field": "error", "type": "quantitative", "format": "+.1f", "title": "error, %"},
    ]
    colour = {"field": "group", "type": "nominal", "title": "group", "scale": {"scheme": "tableau20"}}
    return {
        "title": quantity,
        "layer": [
            {
                "data": {"values": equal},
                "mark": {"type": "line", "color": "#888", "strokeDash": [4, 3]},
                "encoding": axes,
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "opacity": 0.6, "size": 28},
                "encoding": axes | {"color": colour, "tooltip": tooltip},
            },
        ],
    }


def _axis(name: str, ends: Sequence[float]) -> dict[str, Any]:
    return {"field": name, "type": "quantitative", "scale": {"type": "log", "domain": ends}, "axis": {"format": "~g"}}
