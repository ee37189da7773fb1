"""Training: loss, hinges and curve by epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.evidence import Evidence
from whyfit.records.network import Array
from whyfit.records.variance import variance, weighted_mean
from whyfit.report.panels.values import Number, Series, in_x_units, rounded, series

MOST_LOSSES, MOST_TRACKED, MOST_TRACKS = 300, 150, 64
MOST_SNAPSHOTS, MOST_SNAPSHOT_POINTS = 12, 120


@dataclass(frozen=True)
class SnapshotPanel:
    """The curve after some epochs, at the places of `TrainingPanel.snapshot_x`; 0 is the start."""

    epoch: int
    curve: Series
    unexplained_variance: Number


@dataclass(frozen=True)
class DeepBendPanel:
    """A bend that a unit of a deeper layer makes inside the data after some epochs."""

    epoch: int
    layer: int
    unit: int
    x: Number


@dataclass(frozen=True)
class TrainingPanel:
    """Loss by epoch, hinge positions by epoch in the person's units of x, and the curve by epoch."""

    epochs: tuple[int, ...]
    loss: Series
    track_epochs: tuple[int, ...]
    tracks: tuple[Series, ...]
    last_fall: Number
    steps: int
    first_nonfinite: int | None = None
    snapshot_x: Series = ()
    snapshots: tuple[SnapshotPanel, ...] = ()
    deeper_bends: tuple[DeepBendPanel, ...] = ()


def training(said: FitDiagnosis) -> TrainingPanel:
    """How a fit got where it is."""
    evidence = said.evidence
    losses = evidence.fit.history.get("loss", ())
    picked = np.unique(np.linspace(0, max(0, len(losses) - 1), MOST_LOSSES).astype(int))
    picked = picked[: len(losses)]
    epochs, tracks = _tracks(evidence)
    x, snapshots = _snapshots(evidence, said.rows)
    return TrainingPanel(
        tuple(int(each) + 1 for each in picked),
        series((float(losses[each]) for each in picked), 5),
        epochs,
        tracks,
        rounded(evidence.training.last_fall),
        evidence.training.steps,
        evidence.training.first_nonfinite,
        x,
        snapshots,
        _deeper_bends(evidence),
    )


MOST_DEEP_BENDS = 1500


def _deeper_bends(evidence: Evidence) -> tuple[DeepBendPanel, ...]:
    """The bends of deeper layers; of very many an even choice."""
    if evidence.tracks is None:
        return ()
    rows = thinned(evidence.tracks.deeper, MOST_DEEP_BENDS)
    return tuple(
        DeepBendPanel(int(epoch), int(layer), int(unit), in_x_units(evidence.fit, float(x)))
        for epoch, layer, unit, x in rows
    )


def _tracks(evidence: Evidence) -> tuple[tuple[int, ...], tuple[Series, ...]]:
    if evidence.tracks is None:
        return (), ()
    count = len(evidence.tracks.epochs)
    at = np.unique(np.linspace(0, count - 1, MOST_TRACKED).astype(int))
    tracks = tuple(
        tuple(in_x_units(evidence.fit, float(value)) for value in unit)
        for unit in evidence.tracks.positions[at].T[:MOST_TRACKS]
    )
    return tuple(int(each) for each in evidence.tracks.epochs[at]), tracks


def _snapshots(evidence: Evidence, rows: Array) -> tuple[Series, tuple[SnapshotPanel, ...]]:
    """The curve at epochs that lie evenly on a log scale, since most happens early."""
    fit = evidence.fit
    history, recipe = fit.weight_history, fit.recipe
    if history is None or recipe is None or fit.x.shape[1] != 1 or not len(rows):
        return (), ()
    few = thinned(rows, MOST_SNAPSHOT_POINTS)
    x, y = fit.x[few], fit.y[few]
    weight = None if fit.sample_weight is None else fit.sample_weight[few]
    if weight is not None and not np.any(weight):
        return (), ()
    spread = variance(fit.y, fit.sample_weight)
    panels = []
    for at in _log_spaced(history.epochs):
        with np.errstate(all="ignore"):
            predicted = recipe.network(history.weights[at].astype(np.float64))(x)
            missed = weighted_mean((predicted - y) ** 2, weight)
        left = missed / spread if spread else float("nan")
        curve = series(fit.in_target_units(predicted)[:, 0], 4)
        panels.append(SnapshotPanel(int(history.epochs[at]), curve, rounded(left)))
    return series(fit.in_input_units(x)[:, 0], 5), tuple(panels)


def _log_spaced(epochs: Array) -> list[int]:
    last = len(epochs) - 1
    if last < 0:
        return []
    wanted = np.concatenate([[0], np.geomspace(1, max(1, last), MOST_SNAPSHOTS - 1)])
    return sorted({round(float(each)) for each in wanted if round(each) <= last})


def thinned(rows: Array, most: int) -> Array:
    """Evenly picked rows, both ends among them."""
    if len(rows) <= most:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))]
