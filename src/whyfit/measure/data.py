"""Data: scale, offset and noise of what was passed to `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.spatial import KDTree

from whyfit.records.evidence import ColumnMeasures, DataMeasures, FarTargets
from whyfit.records.network import Array
from whyfit.records.variance import variance, weighted_mean

LEAST_SAMPLES = 12
"""With one input fewer samples leave too few neighbours to compare."""


def data_measures(
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> DataMeasures:
    """Measure the data of a fit; shares of the variance are weighted where the samples are."""
    enough = len(x) >= (LEAST_SAMPLES if x.shape[1] == 1 else LEAST_GAMMA_SAMPLES)
    return DataMeasures(
        samples=len(x),
        x=tuple(_column(column) for column in x.T),
        y=tuple(_column(column) for column in y.T),
        noise_floor=noise_floor(x, y, weight),
        best_line=best_line(x, y, weight),
        sorted_share=sorted_share(x),
        tail=_tail(y),
        duplicates=_duplicates(x),
        noise_measured=enough and (weight is None or (x.shape[1] == 1 and _comparable(x, weight))),
        far=_far(y),
    )


FAR = 10.0
"""Interquartile ranges from the median: 13 deviations of normal numbers, and farther than a target goes
that is a function of inputs as people draw them."""

FEW = 0.05
"""Share of the samples up to which they are exceptions; more of them are a second kind of target."""


def _far(y: Array) -> FarTargets | None:
    """Targets far from the others, if they are few and make up more than half of the variance."""
    low, middle, high = np.percentile(y, (25.0, 50.0, 75.0), axis=0)
    far = np.any((np.abs(y - middle) > FAR * (high - low)) & (high > low), axis=1)
    count = int(np.sum(far))
    if not 0 < count <= FEW * len(y):
        return None
    share = 1.0 - variance(y[~far]) * float(np.mean(~far)) / variance(y)
    return FarTargets(count, share) if share > 0.5 else None


def sorted_share(x: Float[Array, "samples inputs"]) -> float:
    """Share of the steps from sample to sample that go one way, in the input most in order.

    >>> sorted_share(np.array([[1.0], [2.0], [3.0], [0.0]]))
    0.6666666666666666
    """
    if len(x) < 2:
        return 0.5
    steps = np.diff(x, axis=0)
    up, down = np.mean(steps >= 0.0, axis=0), np.mean(steps <= 0.0, axis=0)
    moves = np.any(steps != 0.0, axis=0)
    return float(np.max(np.maximum(up, down), where=moves, initial=0.5))


def _duplicates(x: Array) -> float:
    return 1.0 - len(np.unique(x, axis=0)) / len(x)


def _tail(y: Array) -> float:
    deviation = y.std(axis=0)
    away = np.max(np.abs(y - y.mean(axis=0)), axis=0)
    return float(np.max(np.divide(away, deviation, out=np.zeros_like(away), where=deviation > 0.0)))


def _column(values: Array) -> ColumnMeasures:
    return ColumnMeasures(
        float(values.min()), float(values.max()), float(values.mean()), float(values.std())
    )


def best_line(
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> float:
    """Unexplained variance of the best affine function of x; NaN where y is constant."""
    spread = variance(y, weight)
    if spread == 0.0:
        return float("nan")
    design = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / _spread(x)])
    return least_squares(design, y, weight) / spread


def least_squares(
    design: Float[Array, "samples columns"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> float:
    """Mean squared error of the best linear function of the columns, weighted if there are weights."""
    root = 1.0 if weight is None else np.sqrt(weight)[:, None]
    coefficients = np.linalg.lstsq(root * design, root * y, rcond=None)[0]
    return weighted_mean((design @ coefficients - y) ** 2, weight)


def noise_floor(
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> float:
    """Variance of the noise in y, as a share of the variance of y; 0 where it cannot be told.

    One input: the difference-based estimator of Gasser, Sroka & Jennen-Steinmetz (1986), which
    compares each y with the straight line through its neighbours in x. A curved function on a
    coarse grid looks like noise to it, but then the estimate grows about sixteenfold when every
    other sample is left out, while that of real noise stays; Richardson's extrapolation to
    spacing zero takes the curvature out. Several inputs: the Gamma test, see `gamma_test`. Where most
    samples share their x with others the noise is what their y differ by.

    With weights the mean over the samples is weighted, with one input only, and where neighbours count
    about alike: the noise of samples that count little would else be taken for that of the others.
    """
    spread = variance(y, weight)
    if len(x) < LEAST_SAMPLES or spread == 0.0:
        return 0.0
    if weight is None and (repeated := _among_repeats(x, y)) is not None:
        return repeated / spread
    if x.shape[1] != 1:
        return gamma_test(x, y) / spread if weight is None else 0.0
    if weight is not None and not _comparable(x, weight):
        return 0.0
    order = np.argsort(x[:, 0], kind="stable")
    counts = np.ones(len(x)) if weight is None else weight
    at, targets, counts = x[order, 0], y[order], counts[order]
    fine = _gasser(at, targets, counts)
    halves = (slice(0, None, 2), slice(1, None, 2))
    coarse = 0.5 * sum(_gasser(at[half], targets[half], counts[half]) for half in halves)
    if not np.isfinite(fine) or not np.isfinite(coarse):
        return 0.0
    return max(0.0, fine - max(0.0, coarse - fine) / 15.0) / spread


LEAST_REPEATS = 20
"""Degrees of freedom from which the variance within repeats is told to a third (chi-squared)."""


def _among_repeats(x: Array, y: Array) -> float | None:
    """Variance of y among samples of one x, where most samples have others of the same x.

    Pure error, in the analysis of variance: the squares within repeats over their degrees of freedom.
    """
    _rows, group, sizes = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    group = np.ravel(group)
    repeated = sizes[group] > 1
    freedom = int(np.sum(sizes[sizes > 1] - 1))
    if np.mean(repeated) < 0.5 or freedom < LEAST_REPEATS:
        return None
    sums = np.zeros((len(sizes), y.shape[1]))
    np.add.at(sums, group, y)
    within = np.mean((y - (sums / sizes[:, None])[group]) ** 2, axis=1)
    return float(np.sum(within)) / freedom


ALIKE = 2.0
"""Neighbours whose weights differ by no more than this factor are taken to be equally noisy."""


def _comparable(x: Array, weight: Array) -> bool:
    """Whether nine in ten neighbours in x count about alike."""
    sizes = np.log(weight[np.argsort(x[:, 0], kind="stable")])
    return float(np.mean(np.abs(np.diff(sizes)) <= np.log(ALIKE))) >= 0.9


GAMMA_NEIGHBOURS = 10
MOST_GAMMA_SAMPLES = 4000
LEAST_GAMMA_SAMPLES = 200
"""Fewer samples have no near neighbours in several dimensions, and the intercept is a guess."""


def gamma_test(x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]) -> float:
    """Variance of the noise in y by the Gamma test (Evans & Jones 2002, Proc. R. Soc. A 458, 2759).

    Half the mean squared difference of y between k-th nearest neighbours is regressed on their mean
    squared distance in x, for k = 1 .. 10; the intercept, at distance zero, is the noise. Inputs are
    standardised. Two standard errors of the intercept are taken off, and an intercept of less than
    half of what the nearest neighbours show is mostly slope: both give 0 rather than a guess.
    """
    if len(x) < LEAST_GAMMA_SAMPLES:
        return 0.0
    if len(x) > MOST_GAMMA_SAMPLES:
        order = np.lexsort(x.T[::-1])
        rows = order[np.linspace(0, len(x) - 1, MOST_GAMMA_SAMPLES).astype(int)]
        x, y = x[rows], y[rows]
    scaled = (x - x.mean(axis=0)) / _spread(x)
    tree: Any = KDTree(scaled)
    distance, neighbour = tree.query(scaled, k=GAMMA_NEIGHBOURS + 1)
    squared = np.mean(distance[:, 1:] ** 2, axis=0)
    half = 0.5 * np.mean((y[neighbour[:, 1:]] - y[:, None, :]) ** 2, axis=(0, 2))
    if np.ptp(squared) == 0.0:
        return 0.0
    fitted: Any = stats.linregress(squared, half)
    tilt, intercept = float(fitted.slope), float(fitted.intercept)
    least = intercept - 2.0 * float(fitted.intercept_stderr)
    if tilt < 0.0:  # the differences do not grow with the distance: all of them are noise
        return float(np.mean(half))
    return least if least > 0.5 * half[0] else 0.0


def _gasser(x: Array, y: Array, weight: Array) -> float:
    left, right = x[1:-1] - x[:-2], x[2:] - x[1:-1]
    width = left + right
    usable = width > 0.0
    if not np.any(usable):
        return float("nan")
    share = (right[usable] / width[usable])[:, None]
    residual = share * y[:-2][usable] + (1.0 - share) * y[2:][usable] - y[1:-1][usable]
    squares = residual**2 / (share**2 + (1.0 - share) ** 2 + 1.0)
    return weighted_mean(squares, weight[1:-1][usable])


def _spread(x: Array) -> Array:
    deviation = x.std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)
