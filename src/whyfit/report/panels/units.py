"""Units: what each hidden unit does, what it adds to the curve, and whose bend each bend is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.evidence import Evidence, Hinge
from whyfit.records.network import Array
from whyfit.report.panels.values import (
    Number,
    Pair,
    Series,
    in_x_units,
    rounded,
    series,
    slope_scale,
)

MOST_UNITS, MOST_CONTRIBUTIONS, MOST_PIECES = 256, 32, 200


@dataclass(frozen=True)
class UnitPanel:
    """One hidden unit at start and end; places are in the person's units of x.

    `hinge` is None where the unit has none; `on_where` are the stretches of the data on which it is on
    at the end, for units that can be off.
    """

    layer: int
    unit: int
    state_at_start: str
    state_at_end: str
    on_at_start: float
    on_at_end: float
    saturated_at_start: float
    hinge_at_start: Number
    hinge_at_end: Number
    died_at_epoch: int | None
    on_where: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class ContributionPanel:
    """What each unit of the last hidden layer adds to the output, at the points of the curve.

    `largest_error_of_sum` is that of contributions plus bias against the network's own output.
    """

    layer: int
    names: tuple[str, ...]
    curves: tuple[Series, ...]
    bias: float
    largest_error_of_sum: float


@dataclass(frozen=True)
class PiecePanel:
    """A straight piece of the curve inside the data, and the unit that bends it at its left end.

    `layer` and `unit` are None for the first piece, which begins with the data.
    """

    low: Number
    high: Number
    slope: Number
    layer: int | None
    unit: int | None


def units(said: FitDiagnosis) -> tuple[UnitPanel, ...]:
    """A row for every hidden unit."""
    evidence, fit = said.evidence, said.evidence.fit
    starts, ends = _first_hinges(evidence.start_hinges), _first_hinges(evidence.end_hinges)
    deaths = {(layer, unit): epoch for layer, unit, epoch in evidence.deaths}
    where = _on_where(evidence, said.rows)
    panels = []
    for start, end in zip(evidence.start_units, evidence.end_units, strict=False):
        key = (start.layer, start.unit)
        panels.append(
            UnitPanel(
                start.layer,
                start.unit,
                start.state,
                end.state,
                start.on,
                end.on,
                start.saturated,
                in_x_units(fit, starts[key]) if key in starts else None,
                in_x_units(fit, ends[key]) if key in ends else None,
                deaths.get(key),
                where.get(key, ()),
            )
        )
    return tuple(panels[:MOST_UNITS])


def _first_hinges(hinges: Iterable[Hinge]) -> dict[tuple[int, int], float]:
    """Each unit's first hinge, one inside the data before others."""
    found: dict[tuple[int, int], float] = {}
    for hinge in sorted(hinges, key=lambda each: not each.inside):
        found.setdefault((hinge.layer, hinge.unit), hinge.position)
    return found


def _on_where(evidence: Evidence, rows: Array) -> dict[tuple[int, int], tuple[Pair, ...]]:
    fit = evidence.fit
    network = fit.end
    if network is None or network.inputs != 1 or not len(rows):
        return {}
    x = fit.in_input_units(fit.x)[rows, 0]
    found: dict[tuple[int, int], tuple[Pair, ...]] = {}
    with np.errstate(all="ignore"):
        trace = network.traced(fit.x[rows])
    for index, layer in enumerate(network.hidden):
        if not layer.activation.piecewise_linear or layer.activation.name == "linear":
            continue
        on = trace[index][0] > 0.0
        for unit in range(on.shape[1]):
            found[index + 1, unit + 1] = _stretches(x, on[:, unit])
    return found


def _stretches(x: Array, on: Array) -> tuple[Pair, ...]:
    """First and last x of each run of True.

    >>> _stretches(np.array([0.0, 1.0, 2.0, 3.0]), np.array([True, True, False, True]))
    ((0.0, 1.0), (3.0, 3.0))
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    return tuple(
        (rounded(float(x[first]), 5), rounded(float(x[last - 1]), 5))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    )[:20]


def contributions(said: FitDiagnosis) -> ContributionPanel | None:
    """What the units of the last hidden layer add; one input and a linear output only."""
    fit, rows = said.evidence.fit, said.rows
    network = fit.end
    if network is None or fit.x.shape[1] != 1 or not network.hidden or not len(rows):
        return None
    last = network.layers[-1]
    if last.activation.name != "linear" or last.weight.shape[0] > MOST_CONTRIBUTIONS:
        return None
    with np.errstate(all="ignore"):
        parts = network.traced(fit.x[rows])[-2][1] * last.weight[:, 0]
        whole = network(fit.x[rows])[:, 0]
    if not np.all(np.isfinite(parts)):
        return None
    scale = 1.0 if fit.target_scaler is None else float(fit.target_scaler.transform.scale[0])
    bias = float(last.bias[0]) if last.bias is not None else 0.0
    offset = float(fit.in_target_units(np.array([[bias] * fit.y.shape[1]]))[0, 0])
    return ContributionPanel(
        len(network.hidden),
        tuple(f"unit {unit + 1}" for unit in range(parts.shape[1])),
        tuple(series(column * scale, 5) for column in parts.T),
        offset,
        float(np.max(np.abs(parts.sum(axis=1) + bias - whole))),
    )


def pieces(evidence: Evidence) -> tuple[PiecePanel, ...]:
    """The straight pieces of a piecewise-linear curve inside the data, left to right."""
    fit, network = evidence.fit, evidence.fit.end
    if not evidence.has_hinges or network is None:
        return ()
    low, high = evidence.input_range
    inside = [hinge for hinge in evidence.end_hinges if hinge.inside]
    places = [low, *(hinge.position for hinge in inside), high]
    scale = slope_scale(fit)
    if inside:
        slopes = [inside[0].slope_before, *(hinge.slope_after for hinge in inside)]
    else:
        ends = network(np.array([[low], [high]]))[:, 0]
        slopes = [float(ends[1] - ends[0]) / (high - low)] if high > low else [0.0]
    if not np.all(np.isfinite(slopes)):
        return ()
    steepest = max((abs(slope) for slope in slopes), default=0.0)
    slopes = [slope if abs(slope) > 1e-9 * steepest else 0.0 for slope in slopes]
    makers: list[Hinge | None] = [None, *inside]
    found = [
        PiecePanel(
            in_x_units(fit, places[at]),
            in_x_units(fit, places[at + 1]),
            rounded(slopes[at] * scale),
            maker.layer if maker else None,
            maker.unit if maker else None,
        )
        for at, maker in enumerate(makers)
    ]
    return tuple(found[:MOST_PIECES])
