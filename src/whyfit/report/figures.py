"""Figures: each drawing with the sentence it states, its key, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whyfit.report.drawing import curves, several_inputs, study, training
from whyfit.report.drawing.canvas import MOST_NAMED
from whyfit.report.panels.conclusions import number
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.values import Number, percent

MOST_ROWS = 25

TARGET, FIT = ("target", "target"), ("fit", "your fit")


@dataclass(frozen=True)
class Figure:
    """A drawing; `keys` are (role, name) of what it holds, `head` and `rows` its numbers."""

    svg: str
    caption: str
    keys: tuple[tuple[str, str], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def figures(panel: FitPanel, prefix: str) -> dict[str, Figure]:
    """All figures that the panels of a fit can make, by name; `prefix` keeps their identifiers apart."""
    made = [
        _fit(panel, prefix),
        _parts(panel, prefix),
        _units(panel, prefix),
        _loss(panel, prefix),
        _tracks(panel, prefix),
        _capacity(panel, prefix),
        _witness(panel, prefix),
        _front(panel, prefix),
        _mended(panel, prefix),
        _agreement(panel, prefix),
        _by_input(panel, prefix),
        _slices(panel, prefix),
    ]
    return {name: figure for name, figure in made if figure.svg and figure.caption}


def figure_of_fit(panel: FitPanel, prefix: str) -> Figure | None:
    """Target, fit and residual alone, or None where there is no curve."""
    _name, figure = _fit(panel, prefix)
    return figure if figure.svg and figure.caption else None


Named = tuple[str, Figure]


def _named(
    panel: FitPanel,
    name: str,
    svg: str,
    keys: Sequence[tuple[str, str]],
    head: Sequence[str],
    columns: Sequence[Sequence[Number]],
) -> Named:
    rows = _rows(columns) if svg else ()
    return name, Figure(svg, panel.captions.get(name, ""), tuple(keys), tuple(head), rows)


def _rows(columns: Sequence[Sequence[Number]]) -> tuple[tuple[str, ...], ...]:
    """Every so many rows of some columns as text; the JSON file has them all."""
    length = max((len(column) for column in columns), default=0)
    step = max(1, -(-length // MOST_ROWS))
    picked = list(range(0, length, step))
    if length and picked[-1] != length - 1:
        picked.append(length - 1)
    return tuple(
        tuple(number(column[at], 4) if at < len(column) else "–" for column in columns)
        for at in picked
    )


def _fit(panel: FitPanel, prefix: str) -> Named:
    curve, svg = panel.curve, curves.fit_and_residual(f"{prefix}-fit", panel)
    keys = [TARGET, FIT, ("residual", "target minus fit")]
    if curve is None:
        return _named(panel, "fit", "", keys, (), ())
    if curve.hinges:
        keys.append(("hinge", "bend"))
    columns = (curve.x, curve.target, curve.fit, curve.residual)
    return _named(panel, "fit", svg, keys, ("x", "target", "your fit", "target minus fit"), columns)


def _parts(panel: FitPanel, prefix: str) -> Named:
    parts, curve = panel.contributions, panel.curve
    if parts is None or curve is None:
        return _named(panel, "parts", "", (), (), ())
    dead = curves.dead_units(panel)
    many = len(parts.names) > MOST_NAMED
    keys = [
        (
            "dead" if at + 1 in dead else f"unit dash-{at % 4}",
            name + (" (off)" if at + 1 in dead else ""),
        )
        for at, name in enumerate(parts.names)
    ]
    if many:
        keys = [("unit dash-0", "one unit each"), *([("dead", "off")] if dead else [])]
    keys.append(("fit", "sum and bias: your fit"))
    return _named(
        panel,
        "parts",
        curves.parts(f"{prefix}-parts", panel),
        keys,
        ("x", *parts.names),
        (curve.x, *parts.curves),
    )


def _units(panel: FitPanel, prefix: str) -> Named:
    name, figure = _named(
        panel,
        "units",
        curves.unit_rows(f"{prefix}-units", panel),
        [("unit band-key", "on"), ("dead", "off everywhere"), ("dot-key fit", "bends here")],
        (),
        (),
    )
    return name, figure  # its numbers are the table of units, which stands below it


def _loss(panel: FitPanel, prefix: str) -> Named:
    course = panel.training
    epochs = [float(epoch) for epoch in course.epochs]
    svg = training.loss(f"{prefix}-loss", panel)
    return _named(
        panel, "loss", svg, [("fit solid", "loss")], ("epoch", "loss"), (epochs, course.loss)
    )


def _tracks(panel: FitPanel, prefix: str) -> Named:
    course = panel.training
    dead = {unit.unit for unit in panel.units if unit.layer == 1 and unit.state_at_end == "off"}
    keys = [
        ("dead" if at + 1 in dead else f"unit dash-{at % 4}", f"unit {at + 1}")
        for at in range(len(course.tracks))
    ]
    if len(keys) > MOST_NAMED:
        keys = [("unit dash-0", "one unit each"), *([("dead", "off at the end")] if dead else [])]
    if course.deeper_bends:
        keys.append(("dot-key fit", "units of deeper layers"))
    keys.append(("band", "range of the data"))
    epochs = [float(epoch) for epoch in course.track_epochs]
    head = ("epoch", *(f"unit {at + 1}" for at in range(len(course.tracks))))
    svg = training.tracks(f"{prefix}-tracks", panel)
    return _named(panel, "tracks", svg, keys, head, (epochs, *course.tracks))


def _capacity(panel: FitPanel, prefix: str) -> Named:
    bounds = panel.capacity
    if bounds is None:
        return _named(panel, "capacity", "", (), (), ())
    keys = [
        ("fixed", "best curve found"),
        ("muted", "proven lower bound"),
        FIT,
        ("target", "tolerance"),
    ]
    bends = [float(at) for at in range(len(bounds.reached))]
    head = ("bends", "best curve found", "proven lower bound")
    svg = study.capacity(f"{prefix}-capacity", panel)
    return _named(panel, "capacity", svg, keys, head, (bends, bounds.reached, bounds.floors))


def _witness(panel: FitPanel, prefix: str) -> Named:
    curve = panel.curve
    if curve is None:
        return _named(panel, "witness", "", (), (), ())
    svg = curves.overlay(f"{prefix}-witness", panel, curve.witness)
    keys = [TARGET, FIT, ("fixed", "the witness")]
    columns = (curve.x, curve.target, curve.fit, curve.witness)
    return _named(panel, "witness", svg, keys, ("x", "target", "your fit", "witness"), columns)


def _mended(panel: FitPanel, prefix: str) -> Named:
    curve = panel.curve
    if curve is None:
        return _named(panel, "mended", "", (), (), ())
    svg = curves.overlay(f"{prefix}-mended", panel, curve.fixed)
    keys = [TARGET, FIT, ("fixed", f"with {curve.fixed_label}")]
    columns = (curve.x, curve.target, curve.fit, curve.fixed)
    return _named(panel, "mended", svg, keys, ("x", "target", "your fit", "mended"), columns)


def _front(panel: FitPanel, prefix: str) -> Named:
    svg = study.front(f"{prefix}-front", panel)
    keys = [
        ("fixed", "best of so many changes"),
        ("dot-key muted", "a set of changes"),
        ("target", f"works: {percent(panel.criterion.target_rate)}"),
    ]
    best = [panel.arms[each.arm] for each in panel.front]
    rows = tuple(
        (str(each.changes), arm.label, f"{arm.successes} of {arm.replicates}")
        for each, arm in zip(panel.front, best, strict=True)
    )
    caption = panel.captions.get("front", "")
    return "front", Figure(svg, caption, tuple(keys), ("changes", "best set", "successes"), rows)


def _agreement(panel: FitPanel, prefix: str) -> Named:
    several = panel.inputs
    if several is None:
        return _named(panel, "agreement", "", (), (), ())
    svg = several_inputs.agreement(f"{prefix}-agreement", panel)
    keys = [("dot-key fit", "a sample"), ("target", "predicted = true")]
    columns = (several.target, several.fit, several.residual)
    return _named(
        panel, "agreement", svg, keys, ("true", "predicted", "true minus predicted"), columns
    )


def _by_input(panel: FitPanel, prefix: str) -> Named:
    several = panel.inputs
    if several is None:
        return _named(panel, "by_input", "", (), (), ())
    svg = several_inputs.by_input(f"{prefix}-by-input", panel)
    head = (*(f"input {each.column}" for each in several.columns), "target minus fit")
    columns = (*(each.values for each in several.columns), several.residual)
    return _named(panel, "by_input", svg, [("dot-key residual", "target minus fit")], head, columns)


def _slices(panel: FitPanel, prefix: str) -> Named:
    several = panel.inputs
    if several is None:
        return _named(panel, "slices", "", (), (), ())
    head: list[str] = []
    columns: list[Sequence[Number]] = []
    for each in several.columns:
        head += [f"input {each.column}", "fit there"]
        columns += [each.slice_x, each.slice_fit]
    return _named(
        panel, "slices", several_inputs.slices(f"{prefix}-slices", panel), [FIT], head, columns
    )
