"""The chart of growth for the README: a plain SVG, both axes logarithmic, a label at the end of every reasoned line.

Colours are set by style sheet, so that the chart follows a light or a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

CHART = Path(__file__).with_name("growth.svg")
WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 74, 160, 56, 50
APART = 16.0  # between labels at the ends of lines
HUES = {"exact": "a", "frontier to": "b", "best": "c"}
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px } .quiet { fill: #59636e; font-size: 12px }
  .grid { stroke: #d8dee4; stroke-width: 1 } .one { stroke: #59636e; stroke-width: 1.2; stroke-dasharray: 2 4 }
  .line { fill: none; stroke-width: 2.4; stroke-linejoin: round; stroke-linecap: round }
  .walked { stroke-dasharray: 7 5 }
  .a { stroke: #0969da } .b { stroke: #bc4c00 } .c { stroke: #1a7f37 }
  text.halo { fill: #ffffff; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
  text.a { fill: #0969da; stroke: none } text.b { fill: #bc4c00; stroke: none } text.c { fill: #1a7f37; stroke: none }
  circle.a { fill: #0969da } circle.b { fill: #bc4c00 } circle.c { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
    .a { stroke: #58a6ff } .b { stroke: #f0883e } .c { stroke: #3fb950 }
    text.halo { fill: #0d1117; stroke: #0d1117 }
    text.a { fill: #58a6ff } text.b { fill: #f0883e } text.c { fill: #3fb950 }
    circle.a { fill: #58a6ff } circle.b { fill: #f0883e } circle.c { fill: #3fb950 }
  }
"""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(power: int) -> str:
    """10 to a power, as it is printed on an axis; small ones as numbers."""
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"10{str(power).translate(SUPERSCRIPT)}"


def spread_out(places: Sequence[float], least: float, most: float) -> list[float]:
    """The places moved apart where they are closer than APART, in the same order, between least and most."""
    order = sorted(range(len(places)), key=lambda k: places[k])
    found = list(places)
    previous = least - APART
    for k in order:
        previous = found[k] = max(found[k], previous + APART)
    following = most + APART
    for k in reversed(order):
        following = found[k] = min(found[k], following - APART)
    return found


def svg(lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The chart of lines of (designs, multiple of evaluating 1e9 designs)."""
    lines = {name: points for name, points in lines.items() if points}
    xs = [math.log10(x) for points in lines.values() for x, _ in points]
    ys = [math.log10(y) for points in lines.values() for _, y in points]
    x0, x1 = math.floor(min(xs) + 0.05), max(xs)
    y0, y1 = math.floor(min(ys)), math.ceil(max(ys))

    def across(x: float) -> float:
        return LEFT + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return TOP + (y1 - math.log10(y)) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-label="What a question costs as the space grows">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="22">What a question costs as the space grows</text>',
        f'<text class="quiet" x="{LEFT}" y="40">processor time, as a multiple of evaluating the two objectives of 10⁹ '
        "designs</text>",
    ]
    for power in range(y0, y1 + 1):
        y = down(10.0**power)
        parts.append(
            f'<line class="{"one" if power == 0 else "grid"}" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="quiet" x="{LEFT - 9}" y="{y + 4:.1f}" text-anchor="end">{power_of_ten(power)} ×</text>'
        )
    for power in range(x0, math.floor(x1 + 0.05) + 1):
        x = min(across(10.0**power), right)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(
            f'<text class="quiet" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{power_of_ten(power)}</text>'
        )
    parts.append(
        f'<text class="quiet" x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        "designs in the space</text>"
    )
    ends = {name: points[-1] for name, points in lines.items() if not name.endswith("walked")}
    places = dict(zip(ends, spread_out([down(y) for _, y in ends.values()], TOP, bottom), strict=True))
    labels: list[str] = []
    for name, points in lines.items():
        hue = next(h for word, h in HUES.items() if name.startswith(word))
        way = "" if name in places else " walked"
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        x, y = across(points[-1][0]), down(points[-1][1])
        parts.append(f'<polyline class="line {hue}{way}" points="{path}"/>')
        parts.append(f'<circle class="{hue}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        if name in places:
            label = name.rpartition(",")[0]
            at = f'x="{x + 10:.1f}" y="{places[name] + 4:.1f}"'
            if x < right - 1:  # where others go on to the right: above the end, to its left
                at = f'x="{x - 6:.1f}" y="{y - 9:.1f}" text-anchor="end"'
            labels += [f'<text class="{style}" {at}>{label}</text>' for style in ("halo", hue)]
    parts += labels
    walked = [points for name, points in lines.items() if name not in places]
    if walked:
        x, y = min((points[len(points) // 2] for points in walked), key=lambda point: point[1])
        parts.append(
            f'<text class="quiet" x="{across(x) + 22:.1f}" y="{down(y) + 16:.1f}">every design evaluated</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def draw(lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write the chart beside this file."""
    CHART.write_text(svg(lines))
