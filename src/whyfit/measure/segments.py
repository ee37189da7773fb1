"""Segmented least squares: how well any function of a given number of straight pieces can do.

A ReLU network with one input and one hidden layer of n units is a continuous function of at most
n + 1 straight pieces (Montufar et al. 2014, section 2). Dropping continuity can only help, and then
the best pieces are found exactly by dynamic programming (Bellman 1961; Bai & Perron 2003): the least
squared error of the first j points in k pieces follows from that of all shorter prefixes in k - 1.
So the result is a lower bound that no training can beat.

Many points: the dynamic program runs first on bins, in a form that stays a lower bound because the
bin that holds a break is counted as error-free; with an upper bound from breaks at bin edges it
leaves for each break a few places where the optimum can be, and the exact program runs on those.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from whyfit.records.network import Array

MOST_EXACT_POINTS = 1200
"""Distinct x up to which the program runs on all points: its cost grows with the square."""

BINS = 800
MOST_EXACT_BREAKS = 8
"""Beyond so many breaks the error is so small that the bound on bins decides as well."""

MOST_PAIRS = 4_000_000
"""Pairs of candidate places per break beyond which the bound on bins is given instead."""

CACHED_PAIRS = 20_000
"""Pairs of places worked on at a time: their dozen intermediate arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Floor:
    """Least squared error of any function with at most so many breaks.

    `error` is a sum over points and outputs; it is the minimum itself if `exact`, otherwise a lower
    bound of it. `breaks` are the x of a best function's breaks.
    """

    error: float
    exact: bool
    breaks: tuple[float, ...]


def floors(
    x: Float[Array, samples], y: Float[Array, "samples outputs"], most_breaks: int
) -> tuple[Floor, ...]:
    """The floor for 0, 1, ..., `most_breaks` breaks.

    >>> x = np.linspace(-1, 1, 21)
    >>> [round(floor.error, 6) for floor in floors(x, np.abs(x)[:, None], 1)]
    [1.938095, 0.0]
    """
    points = _Points.of(x, y)
    if points.count <= MOST_EXACT_POINTS:
        tables = _program(points, np.arange(points.count + 1), most_breaks)
        found = [
            Floor(min(error, points.error_of(starts)), True, points.breaks_at(starts))
            for error, starts in tables
        ]
    else:
        found = _on_bins(points, most_breaks)
    return tuple(_never_rising(found))


def _never_rising(found: list[Floor]) -> list[Floor]:
    """More breaks never hurt; rounding must not say otherwise."""
    for at in range(1, len(found)):
        if found[at].error > found[at - 1].error:
            found[at] = found[at - 1]
    return found


class _Points:
    """Sorted points, equal x merged, with the prefix sums that give any piece's error at once."""

    def __init__(self, x: Array, weight: Array, sums: Array, squares: Array) -> None:
        self.x, self.weight, self.sums, self.squares = x, weight, sums, squares
        self.count = len(x)
        centred = x - np.average(x, weights=weight)
        self._w = _prefix(weight)
        self._x = _prefix(weight * centred)
        self._xx = _prefix(weight * centred**2)
        self._y = _prefix(sums)
        self._xy = _prefix(sums * centred[:, None])
        self._yy = _prefix(squares)

    @classmethod
    def of(cls, x: Array, y: Array) -> _Points:
        x = np.asarray(x, dtype=np.float64)
        y = np.asarray(y, dtype=np.float64)
        y = y - y.mean(axis=0)
        places, owner = np.unique(x, return_inverse=True)
        weight = np.bincount(owner).astype(np.float64)
        sums = np.stack([np.bincount(owner, column) for column in y.T], axis=1)
        squares = np.bincount(owner, np.sum(y**2, axis=1))
        return cls(places, weight, sums, squares)

    def error(self, first: Array | int | np.integer, last: Array | int | np.integer) -> Any:
        """Squared error of the best line through points first .. last - 1, 0 if there are none."""
        w = self._w[last] - self._w[first]
        sx = self._x[last] - self._x[first]
        sxx = self._xx[last] - self._xx[first]
        sy = self._y[last] - self._y[first]
        sxy = self._xy[last] - self._xy[first]
        syy = self._yy[last] - self._yy[first]
        safe = np.maximum(w, 1.0)
        spread = sxx - sx**2 / safe
        # A single place has no spread but for rounding; its line is its mean.
        scale = np.where(spread > 1e-12 * np.maximum(sxx, 1e-300), spread, np.inf)
        tilt = sxy - sy * (sx / safe)[..., None]
        explained = np.sum(sy**2, axis=-1) / safe + np.sum(tilt**2, axis=-1) / scale
        return np.maximum(syy - explained, 0.0)

    def error_of(self, starts: tuple[int, ...]) -> float:
        """Squared error of the best lines through the pieces that begin at 0 and at these starts.

        Each piece is centred by itself: with two near points alone in a piece the prefix sums of
        `error` leave a spread of hardly any digits.
        """
        total = 0.0
        for first, last in pairwise((0, *starts, self.count)):
            weight, sums = self.weight[first:last], self.sums[first:last]
            if first == last:
                continue
            x = self.x[first:last] - np.average(self.x[first:last], weights=weight)
            spread = float(np.sum(weight * x**2))
            tilt = x @ sums
            explained = np.sum(np.sum(sums, axis=0) ** 2) / np.sum(weight)
            explained += np.sum(tilt**2) / spread if spread > 0.0 else 0.0
            total += float(np.sum(self.squares[first:last]) - explained)
        return max(0.0, total)

    def breaks_at(self, starts: tuple[int, ...]) -> tuple[float, ...]:
        """The x midway between the last point of a piece and the first of the next."""
        return tuple(
            float((self.x[at - 1] + self.x[at]) / 2) for at in starts if 0 < at < self.count
        )


def _prefix(values: Array) -> Array:
    return np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])


def _program(
    points: _Points, edges: Int[Array, edges], most_breaks: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Least error and piece starts for 0 .. most_breaks breaks, pieces running edge to edge."""
    count = len(edges) - 1
    best = np.full((most_breaks + 1, count + 1), np.inf)
    came_from = np.zeros((most_breaks + 1, count + 1), dtype=np.int64)
    best[:, 0] = 0.0
    for last in range(1, count + 1):
        error = points.error(edges[:last], edges[last])
        best[0, last] = error[0]
        totals = best[:-1, :last] + error
        came_from[1:, last] = np.argmin(totals, axis=1)
        best[1:, last] = np.min(totals, axis=1)
    return [
        (float(best[breaks, count]), _starts(came_from, edges, breaks, count))
        for breaks in range(most_breaks + 1)
    ]


def _starts(came_from: Array, edges: Array, breaks: int, last: int) -> tuple[int, ...]:
    starts = []
    while breaks > 0:
        last = int(came_from[breaks, last])
        starts.append(int(edges[last]))
        breaks -= 1
    return tuple(reversed(starts))


def _on_bins(points: _Points, most_breaks: int) -> list[Floor]:
    edges = np.unique(np.linspace(0, points.count, BINS + 1).astype(np.int64))
    upper = _program(points, edges, most_breaks)
    before, after = _error_free_bins(points, edges, most_breaks)
    found = []
    for breaks in range(most_breaks + 1):
        # Rounding in the sums must not lose the optimum.
        limit = upper[breaks][0] * (1 + 1e-9) + 1e-12 * float(points.error(0, points.count))
        exactly = breaks <= MOST_EXACT_BREAKS
        places = _candidates(before, after, edges, breaks, limit) if exactly else None
        if places is None:
            bound = float(np.min(before[: breaks + 1, -1]))
            found.append(Floor(bound, False, points.breaks_at(upper[breaks][1])))
        else:
            error, starts = _program_on(points, places)
            found.append(Floor(error, True, points.breaks_at(starts)))
    return found


def _error_free_bins(
    points: _Points, edges: Array, most_breaks: int
) -> tuple[Float[Array, "breaks bins"], Float[Array, "breaks bins"]]:
    """Lower bounds of the error left (right) of each bin edge with k breaks, their bins free.

    `before[k, b]` covers bins 0 .. b - 1 with the k-th break already behind; `after[k, b]` covers
    bins b .. end.
    """
    count = len(edges) - 1
    # errors[c, b] is that of one line through bins b .. c - 1.
    errors = np.stack([points.error(edges[: count + 1], edge) for edge in edges])
    errors[np.triu_indices(count + 1, 1)] = np.inf
    before = np.full((most_breaks + 1, count + 1), np.inf)
    after = np.full((most_breaks + 1, count + 1), np.inf)
    before[0] = errors[:, 0]
    after[0] = errors[count, :]
    for k in range(1, most_breaks + 1):
        # A piece ends before bin c - 1, that bin holds the break, the next piece starts at c.
        before[k] = np.min(before[k - 1, :-1] + errors[:, 1:], axis=1)
        after[k] = np.min(errors[:-1, :] + after[k - 1, 1:, None], axis=0)
    return before, after


def _candidates(
    before: Array, after: Array, edges: Array, breaks: int, limit: float
) -> list[Array] | None:
    """For each break, the places between points where an optimum can have it; None if too many."""
    places = [np.array([0])]
    for k in range(1, breaks + 1):
        left = np.min(before[:k, :-1], axis=0)
        right = np.min(after[: breaks - k + 1, 1:], axis=0)
        bins = np.flatnonzero(left + right <= limit)
        inside = [np.arange(edges[b], edges[b + 1] + 1) for b in bins]
        places.append(np.unique(np.concatenate(inside)))
    places.append(np.array([edges[-1]]))
    pairs = max(len(a) * len(b) for a, b in pairwise(places))
    return places if pairs <= MOST_PAIRS else None


def _program_on(points: _Points, places: list[Array]) -> tuple[float, tuple[int, ...]]:
    best = np.zeros(1)
    came_from = []
    for starts, all_ends in pairwise(places):
        reached = [
            _reached(points, best, starts, ends)
            for ends in np.array_split(all_ends, 1 + len(starts) * len(all_ends) // CACHED_PAIRS)
        ]
        best, arrived_from = map(np.concatenate, zip(*reached, strict=True))
        came_from.append(arrived_from)
    at, starts_found = 0, []
    for k in range(len(came_from) - 1, 0, -1):
        at = int(came_from[k][at])
        starts_found.append(int(places[k][at]))
    return float(best[0]), tuple(reversed(starts_found))


def _reached(points: _Points, best: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    """Least error up to each end, and which of the starts its last piece begins at."""
    totals = best[None, :] + points.error(starts[None, :], ends[:, None])
    totals[starts[None, :] > ends[:, None]] = np.inf
    at = np.argmin(totals, axis=1)
    return totals[np.arange(len(ends)), at], at
