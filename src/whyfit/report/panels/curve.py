"""Curves: target, fit and residual in the person's own units, the mended fit, and other starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.network import Array
from whyfit.records.study import Samples
from whyfit.report.panels.arms import ArmIndex
from whyfit.report.panels.training import thinned
from whyfit.report.panels.values import Number, Series, in_x_units, rounded, series
from whyfit.study.words import describe

MOST_HINGES = 100
MOST_SAMPLE_POINTS, BASELINE_SAMPLES, OTHER_SAMPLES = 120, 29, 7


@dataclass(frozen=True)
class CurvePanel:
    """Target, fit and residual in the person's own units, in the order of the first input.

    `hinges` are the bends inside the data; `fixed` is the curve of a typical success of the first fix.
    """

    x: Series
    target: Series
    fit: Series
    residual: Series
    hinges: Series
    fixed: Series
    fixed_label: str
    inputs: int
    outputs: int = 1
    witness: Series = ()


@dataclass(frozen=True)
class OutputPanel:
    """One of several outputs, counted from 1: what is left of its own variance, and its curves in the
    person's own units at the places `x`, empty for several inputs.
    """

    output: int
    unexplained_variance: Number
    x: Series
    target: Series
    fit: Series


@dataclass(frozen=True)
class ArmSamplesPanel:
    """Curves of some replicates of an arm, and what each leaves unexplained."""

    arm: int
    label: str
    curves: tuple[Series, ...]
    unexplained_variance: Series
    live_units: tuple[int, ...]


@dataclass(frozen=True)
class SamplesPanel:
    """Sample curves at the places `x`, with the target there; the baseline's come first."""

    x: Series
    target: Series
    yours: Series
    arms: tuple[ArmSamplesPanel, ...]


def curve(said: FitDiagnosis) -> CurvePanel | None:
    """The fit as a curve over its first input; None where there are no predictions."""
    evidence, fit, rows = said.evidence, said.evidence.fit, said.rows
    if fit.predictions is None or not len(rows):
        return None
    x = fit.in_input_units(fit.x)[rows, 0]
    target = fit.in_target_units(fit.y)[rows, 0]
    predicted = fit.in_target_units(fit.predictions)[rows, 0]
    fixed, label = _typical(said)
    inside = [hinge for hinge in evidence.end_hinges if hinge.inside]
    hinges = [in_x_units(fit, hinge.position) for hinge in inside if np.isfinite(hinge.slope_after)]
    return CurvePanel(
        series(x),
        series(target),
        series(predicted),
        series(target - predicted),
        tuple(hinges[:MOST_HINGES]),
        series(fit.in_target_units(fixed)[:, 0]) if fixed is not None else (),
        label,
        fit.x.shape[1],
        fit.y.shape[1],
        _witness(said),
    )


MOST_OUTPUTS = 24


def outputs(said: FitDiagnosis) -> tuple[OutputPanel, ...]:
    """Every output by itself, as far as they can be shown; nothing where there is one."""
    fit, rows = said.evidence.fit, said.rows
    if fit.predictions is None or fit.y.shape[1] < 2:
        return ()
    target, predicted = fit.in_target_units(fit.y), fit.in_target_units(fit.predictions)
    at = rows[thinned(np.arange(len(rows)), MOST_SAMPLE_POINTS)]
    if fit.x.shape[1] > 1:
        at = at[:0]
    x = series(fit.in_input_units(fit.x)[at, 0], 5)
    variance = np.var(target, axis=0)
    with np.errstate(all="ignore"):
        left = np.mean((target - predicted) ** 2, axis=0) / variance
    return tuple(
        OutputPanel(
            each + 1,
            rounded(float(left[each])),
            x,
            series(target[at, each], 4),
            series(predicted[at, each], 4),
        )
        for each in range(min(MOST_OUTPUTS, fit.y.shape[1]))
    )


def _witness(said: FitDiagnosis) -> Series:
    found, fit = said.evidence.capacity, said.evidence.fit
    if found is None:
        return ()
    return series(fit.in_target_units(found.network(fit.x[said.rows]))[:, 0])


def _typical(said: FitDiagnosis) -> tuple[Array | None, str]:
    """The curve of the first fix's median successful replicate, and the fix's name."""
    if not said.fixes:
        return None, ""
    sample = next((each for each in said.samples if each.arm == said.fixes[0].changes), None)
    if sample is None:
        return None, ""
    order = np.argsort(np.where(np.isfinite(sample.unexplained), sample.unexplained, np.inf))
    good = [at for at in order if sample.unexplained[at] <= said.criterion.tolerance] or list(order)
    return sample.curves[good[len(good) // 2]], describe(sample.arm)


def samples(said: FitDiagnosis, index: ArmIndex) -> SamplesPanel | None:
    """Sample fits of the script as it is and of the arms that explain it; one input only."""
    fit, rows = said.evidence.fit, said.rows
    if fit.x.shape[1] != 1 or not said.samples or fit.predictions is None:
        return None
    few = thinned(np.arange(len(rows)), MOST_SAMPLE_POINTS)
    at = rows[few]
    return SamplesPanel(
        series(fit.in_input_units(fit.x)[at, 0], 5),
        series(fit.in_target_units(fit.y)[at, 0], 4),
        series(fit.in_target_units(fit.predictions)[at, 0], 4),
        tuple(_arm_samples(said, each, few, index) for each in said.samples),
    )


def _arm_samples(
    said: FitDiagnosis, sample: Samples, few: Array, index: ArmIndex
) -> ArmSamplesPanel:
    count = OTHER_SAMPLES if sample.arm else BASELINE_SAMPLES
    fit = said.evidence.fit
    return ArmSamplesPanel(
        index.of(sample.arm),
        describe(sample.arm),
        tuple(series(fit.in_target_units(each)[few, 0], 4) for each in sample.curves[:count]),
        series(sample.unexplained[:count], 4),
        tuple(int(each) for each in sample.live_units[:count]),
    )


# ---- several inputs ----

MOST_COLUMNS, MOST_SCATTERED, SLICE_POINTS = 6, 300, 60


@dataclass(frozen=True)
class ColumnSlicePanel:
    """One input: its values and, at the medians of all others, the fit along it."""

    column: int
    values: Series
    slice_x: Series
    slice_fit: Series
    residual_correlation: Number


@dataclass(frozen=True)
class InputsPanel:
    """A fit of several inputs: targets, predictions, residuals, and each input's values beside them."""

    target: Series
    fit: Series
    residual: Series
    columns: tuple[ColumnSlicePanel, ...]
    left_out: int


def inputs(said: FitDiagnosis) -> InputsPanel | None:
    """Predicted against true and the residual by each input; None for one input."""
    fit = said.evidence.fit
    if fit.predictions is None or fit.x.shape[1] < 2:
        return None
    few = thinned(np.arange(len(fit.x)), MOST_SCATTERED)
    target = fit.in_target_units(fit.y)[:, 0]
    predicted = fit.in_target_units(fit.predictions)[:, 0]
    residual = target - predicted
    order = _by_correlation(fit.x, residual)
    columns = tuple(
        _column(said, column, strength, few) for column, strength in order[:MOST_COLUMNS]
    )
    return InputsPanel(
        series(target[few], 5),
        series(predicted[few], 5),
        series(residual[few], 5),
        tuple(sorted(columns, key=lambda each: each.column)),
        max(0, fit.x.shape[1] - MOST_COLUMNS),
    )


def _by_correlation(x: Array, residual: Array) -> list[tuple[int, float]]:
    """The inputs, those whose size goes with the size of the residual first."""
    strengths = []
    for column in range(x.shape[1]):
        values = x[:, column]
        usable = np.ptp(values) > 0.0 and np.all(np.isfinite(residual)) and np.ptp(residual) > 0.0
        strengths.append(float(np.corrcoef(values, residual)[0, 1]) if usable else 0.0)
    order = sorted(range(len(strengths)), key=lambda at: -abs(strengths[at]))
    return [(column, strengths[column]) for column in order]


def _column(said: FitDiagnosis, column: int, strength: float, few: Array) -> ColumnSlicePanel:
    fit = said.evidence.fit
    grid = np.tile(np.median(fit.x, axis=0), (SLICE_POINTS, 1))
    grid[:, column] = np.linspace(fit.x[:, column].min(), fit.x[:, column].max(), SLICE_POINTS)
    slice_fit: Series = ()
    if fit.end is not None:
        with np.errstate(all="ignore"):
            slice_fit = series(fit.in_target_units(fit.end(grid))[:, 0], 5)
    return ColumnSlicePanel(
        column + 1,
        series(fit.in_input_units(fit.x)[few, column], 5),
        series(fit.in_input_units(grid)[:, column], 5),
        slice_fit,
        rounded(strength, 3),
    )
