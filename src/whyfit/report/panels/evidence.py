"""Evidence: the network, the data and what a network of this size could reach, as panels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whyfit.records.evidence import ColumnMeasures, Evidence, finite
from whyfit.records.fit import Fit
from whyfit.records.study import Study
from whyfit.report.panels.values import Number, Series

MOST_COLUMNS = 20


@dataclass(frozen=True)
class LayerPanel:
    """One dense layer."""

    units: int
    activation: str
    bias: bool


@dataclass(frozen=True)
class NetworkPanel:
    """The network in words and numbers; `layers` is empty where it is not a chain of dense layers."""

    summary: str
    inputs: int
    layers: tuple[LayerPanel, ...]
    parameters: int | None


@dataclass(frozen=True)
class CapacityPanel:
    """The least unexplained variance a network of this size can leave, by number of bends."""

    lower_bound: float
    witness: float
    bends: int
    exact: bool
    floors: Series
    reached: Series


@dataclass(frozen=True)
class ColumnPanel:
    """Spread of one column of data, as passed to `fit`."""

    low: Number
    high: Number
    mean: Number
    deviation: Number


@dataclass(frozen=True)
class WeightsPanel:
    """How the samples are weighted. All shares of the variance are weighted alike; `unweighted` is what
    this fit leaves unexplained where all samples count alike, `left_out` how many count for nothing.
    """

    low: Number
    high: Number
    left_out: int
    unweighted: Number


@dataclass(frozen=True)
class DataPanel:
    """The data as passed to `fit`; `noise_floor` and `best_line` are shares of the variance of y."""

    samples: int
    x: tuple[ColumnPanel, ...]
    y: tuple[ColumnPanel, ...]
    noise_floor: Number
    best_line: Number
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    input_scaler: str | None
    target_scaler: str | None
    seeds: tuple[str, ...]
    weights: WeightsPanel | None = None


@dataclass(frozen=True)
class LevelPanel:
    """A factor and a level that was tried."""

    factor: str
    to: str


@dataclass(frozen=True)
class PlanPanel:
    """What was fixed before the first training."""

    budget: float
    target_rate: float
    selection_seed: int
    confirmation_seed: int
    levels: tuple[LevelPanel, ...]
    proposed: tuple[LevelPanel, ...]
    kept: tuple[str, ...]
    fits_trained: int


def network_summary(fit: Fit) -> str:
    """Widths and activations of a dense network ("1-4-1 relu"), or the kinds of its layers."""
    recipe = fit.recipe
    if recipe is None:
        return fit.summary
    widths = [recipe.inputs, *(layer.units for layer in recipe.layers)]
    names = dict.fromkeys(layer.activation.name for layer in recipe.hidden)
    return " ".join(["-".join(map(str, widths)), *names])


def network(fit: Fit) -> NetworkPanel:
    """The captured network."""
    recipe = fit.recipe
    layers = recipe.layers if recipe else ()
    return NetworkPanel(
        network_summary(fit),
        recipe.inputs if recipe else fit.x.shape[1],
        tuple(LayerPanel(each.units, each.activation.name, each.use_bias) for each in layers),
        recipe.parameters if recipe else None,
    )


def capacity(evidence: Evidence) -> CapacityPanel | None:
    """The bounds, where they could be computed."""
    found = evidence.capacity
    if found is None:
        return None
    return CapacityPanel(
        found.lower_bound, found.witness, found.bends, found.exact, found.floors, found.reached
    )


def data(evidence: Evidence) -> DataPanel:
    """The data and how they were prepared."""
    measured, fit = evidence.data, evidence.fit
    return DataPanel(
        measured.samples,
        tuple(_column(column) for column in measured.x[:MOST_COLUMNS]),
        tuple(_column(column) for column in measured.y[:MOST_COLUMNS]),
        finite(measured.noise_floor),
        finite(measured.best_line),
        fit.x_shape,
        fit.y_shape,
        fit.input_scaler.kind if fit.input_scaler else None,
        fit.target_scaler.kind if fit.target_scaler else None,
        tuple(f"{call.function}({call.seed}), line {call.line}" for call in fit.seeds),
        _weights(fit),
    )


def _weights(fit: Fit) -> WeightsPanel | None:
    weight = fit.sample_weight
    if weight is None:
        return None
    alike = replace(fit, sample_weight=None).unexplained_variance
    return WeightsPanel(
        finite(float(weight.min())),
        finite(float(weight.max())),
        int(np.sum(weight == 0.0)),
        finite(alike),
    )


def _column(column: ColumnMeasures) -> ColumnPanel:
    return ColumnPanel(
        finite(column.low), finite(column.high), finite(column.mean), finite(column.deviation)
    )


def plan(study: Study | None) -> PlanPanel | None:
    """The plan of a study and how many networks it trained."""
    if study is None:
        return None
    made = study.plan
    return PlanPanel(
        made.budget,
        made.target_rate,
        made.selection_seed,
        made.confirmation_seed,
        tuple(LevelPanel(each.factor, each.to) for each in made.levels),
        tuple(LevelPanel(each.factor, each.to) for each in made.proposed),
        made.kept,
        int(study.work.get("fits", 0)),
    )
