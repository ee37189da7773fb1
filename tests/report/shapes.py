"""What a figure shows, read back from its SVG: words, lines and marks with their roles and places.

matplotlib's SVG differs between its versions in how a drawing is written, not in what is drawn; the
golden file keeps what is drawn.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

GOLDEN = Path(__file__).parent / "golden" / "figures.json"
PIXELS = 4.0
"""Nearer places are the same: an axis moves a little with the widths of a font's digits."""


def shapes(svg: str) -> dict[str, Any]:
    """The texts, lines (colour, dashed or not, box, ends) and marks (colour, place) of a figure.

    Axes, ticks and backgrounds are left out: their words are among the texts.
    """
    texts: list[str] = []
    lines: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    root = ElementTree.fromstring(svg)
    defined = {part for each in root.iter("defs") for part in each.iter()}
    for each in root.iter():
        style = each.get("style", "")
        if each in defined:
            continue
        if each.tag == "text":
            texts.append("".join(each.itertext()))
        elif each.tag == "use" and (colour := _colour(style, "fill")) and "muted" not in colour:
            marks.append({"colour": colour, "at": [float(each.get(name, "0")) for name in "xy"]})
        elif each.tag == "path" and (points := _points(each.get("d", ""))):
            colour = _colour(style, "stroke") or _colour(style, "fill")
            if colour:
                lines.append(_line(colour, "dasharray" in style, points))
    return {"texts": texts, "lines": lines, "marks": marks}


def _colour(style: str, property_: str) -> str:
    found = re.search(rf"(?<![-a-z]){property_}: var\(--(\w+)\)", style)
    return found.group(1) if found else ""


def _points(data: str) -> list[tuple[float, float]]:
    numbers = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", data)]
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def _line(colour: str, dashed: bool, points: list[tuple[float, float]]) -> dict[str, Any]:
    across, down = zip(*points, strict=True)
    return {
        "colour": colour,
        "dashed": dashed,
        "box": [min(across), min(down), max(across), max(down)],
        "ends": [*points[0], *points[-1]],
    }


def same(one: Any, other: Any) -> bool:
    """Whether two drawings show the same, places up to a few pixels."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float | int):
        return abs(one - other) <= PIXELS
    return one == other


def write(drawn: dict[str, dict[str, Any]]) -> None:
    """Keep what the figures of the stored report show now."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in drawn.items())
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")
