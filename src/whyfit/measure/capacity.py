"""Capacity: the least error a network of this shape can reach, bounded from both sides.

One input, hidden layers of a piecewise-linear activation and a linear output. The lower bound is
proven: the least error of any function with as many straight pieces as the shape can make (see
`depth` and `segments`). The witness is a network with weights, found by variable projection (Golub &
Pereyra 1973): for given hinges the other weights are a linear least-squares problem, so the search
runs over the hinges alone; the weights are then run on the data like any other network's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float
from scipy import optimize
from threadpoolctl import threadpool_limits

from whyfit.measure.depth import deepened, most_pieces
from whyfit.measure.segments import Floor, floors
from whyfit.records.evidence import Capacity
from whyfit.records.network import Activation, Array, Layer, Network
from whyfit.records.recipe import DenseLayer, Recipe
from whyfit.records.variance import unexplained_variance

MOST_FLOORS = 6
"""Numbers of bends on the curve that a report draws; the network's own number is always among the
bounds, up to MOST_BENDS."""

MOST_BENDS = 24
"""Beyond so many bends the bound is below any tolerance anyone would ask for; it is given as 0."""

SEARCH_POINTS, POLISH_POINTS = 400, 2000
"""Averaged points on which hinges are searched for, and on which the best found are improved; what they
leave is measured on all points."""

MOST_PATTERNS = 16
MOST_DESCENDED = 16
"""Units up to which the hinges are improved by descent; with more, hinges spread as the best breaks
are leave errors far below any tolerance, and the descent would cost seconds."""


def applies(recipe: Recipe) -> bool:
    """Whether bounds are known for networks of this shape."""
    return (
        recipe.inputs == 1
        and len(recipe.hidden) > 0
        and all(_bends_at_zero(layer) for layer in recipe.hidden)
        and all(layer.use_bias for layer in recipe.layers)
        and recipe.layers[-1].activation.name == "linear"
    )


def _bends_at_zero(layer: DenseLayer) -> bool:
    name, constants = layer.activation.name, layer.activation.constants
    return (name == "relu" and not constants) or name == "leaky_relu"


def capacity(
    recipe: Recipe, x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]
) -> Capacity | None:
    """Bounds on the unexplained variance of any network of the recipe's shape on these data.

    None where no bound is known for the shape, or y is constant.
    """
    total = float(np.sum((y - y.mean(axis=0)) ** 2))
    if not applies(recipe) or total == 0.0 or x.min() == x.max():
        return None
    # The matrices are tiny: threads of BLAS would wait for each other, three times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        return _bounds(recipe, x, y, total)


def _bounds(recipe: Recipe, x: Array, y: Array, total: float) -> Capacity:
    widths = tuple(layer.units for layer in recipe.hidden)
    bends = most_pieces(widths) - 1
    bounded = min(bends, MOST_BENDS)
    lower = floors(x[:, 0], y, bounded)
    widest = widths.index(max(widths))
    search = _Search.of(x[:, 0], y, recipe.hidden[widest].activation)
    shown = min(bounded, MOST_FLOORS)
    reached = _falling(
        [search.continuous(floor, bends) for bends, floor in enumerate(lower[: shown + 1])], total
    )
    witness = deepened(search.witness(widths[widest], lower), recipe, widest, x)
    return Capacity(
        bends=sum(widths),
        pieces=bends + 1,
        lower_bound=lower[bends].error / total if bends <= MOST_BENDS else 0.0,
        exact=lower[-1].exact and bends <= MOST_BENDS,
        witness=unexplained_variance(witness(x.astype(np.float64)), y),
        network=witness,
        floors=tuple(floor.error / total for floor in lower[: shown + 1]),
        reached=reached,
    )


def _falling(errors: Sequence[float], total: float) -> tuple[float, ...]:
    """A function with fewer bends is one with more, so the least error never rises."""
    return tuple(float(error) / total for error in np.minimum.accumulate(errors))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Weighted least squares over hinge positions, on x scaled to [0, 1]."""

    x: Float[Array, points]
    y: Float[Array, "points outputs"]
    root_weight: Float[Array, points]
    activation: Activation

    def solve(self, hinges: Array, signs: Array, straight: bool) -> tuple[Array, Array]:
        """Coefficients and residuals of the best other weights for these hinges."""
        return self._solve(self._pre_activation(hinges, signs), straight)

    def error_and_slope(self, hinges: Array, signs: Array, straight: bool) -> tuple[float, Array]:
        """Squared error and its gradient in the hinges.

        The coefficients are optimal, so their own change adds nothing to first order.
        """
        z = self._pre_activation(hinges, signs)
        coefficients, residual = self._solve(z, straight)
        weighted = (self.root_weight**2)[:, None] * residual
        slope = np.where(z > 0.0, 1.0, -self.activation(np.array(-1.0)))
        unit = coefficients[-len(hinges) :]
        gradient = 2.0 * signs * np.sum((slope.T @ weighted) * unit, axis=1)
        return float(np.sum(weighted * residual)), gradient

    def _pre_activation(self, hinges: Array, signs: Array) -> Array:
        return (self.x[:, None] - hinges) * signs

    def _solve(self, z: Array, straight: bool) -> tuple[Array, Array]:
        """Coefficients of 1, (x,) and f(z) of each unit, and what they leave of y."""
        columns = [np.ones((len(self.x), 1)), self.activation(z)]
        if straight:
            columns.insert(1, self.x[:, None])
        design = np.concatenate(columns, axis=1)
        weight = self.root_weight[:, None]
        coefficients = np.linalg.lstsq(design * weight, self.y * weight, rcond=None)[0]
        return coefficients, self.y - design @ coefficients

    def descend(
        self, hinges: Array, signs: Array, straight: bool, steps: int = 100
    ) -> tuple[float, Array]:
        """Least error from a start, and the hinges that have it."""
        if len(hinges) > MOST_DESCENDED:
            return self.error_and_slope(hinges, signs, straight)[0], hinges
        result = optimize.minimize(
            self.error_and_slope,
            hinges,
            args=(signs, straight),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-1.0, 2.0)] * len(hinges),
            options={"maxiter": steps},
        )
        return float(result.fun), result.x


@dataclass(frozen=True, eq=False)
class _Search:
    """The problem on few averaged points for searching, on more for the last steps, and on all."""

    few: _Problem
    more: _Problem
    full: _Problem
    low: float
    width: float

    @classmethod
    def of(cls, x: Array, y: Array, activation: Activation) -> _Search:
        low, width = float(x.min()), float(np.ptp(x))
        scaled = (np.asarray(x, dtype=np.float64) - low) / width
        targets = np.asarray(y, dtype=np.float64)
        full = _Problem(scaled, targets, np.ones(len(scaled)), activation)
        few, more = _averaged(full, SEARCH_POINTS), _averaged(full, POLISH_POINTS)
        return cls(few, more, full, low, width)

    def continuous(self, floor: Floor, bends: int) -> float:
        """Squared error of the best continuous curve of straight pieces found with these bends."""
        start = _padded((np.array(floor.breaks) - self.low) / self.width, bends)
        signs = np.ones(bends)
        if bends:
            starts = [start, *(_spread_out(bends, shift) for shift in (0.0, 0.25))]
            start = min(
                (self.few.descend(each, signs, True) for each in starts), key=lambda each: each[0]
            )[1]
            start = self.more.descend(start, signs, True, steps=10)[1]
        residual = self.full.solve(start, signs, True)[1]
        return float(np.sum(residual**2))

    def witness(self, units: int, lower: Sequence[Floor]) -> Network:
        """The best network found, as weights for x as it is."""
        known = lower[min(units, len(lower) - 1)]
        breaks = (np.array(known.breaks) - self.low) / self.width
        fewer = lower[min(units, len(lower)) - 1]
        # With one unit's hinge left of all data, that unit is a free straight line, and the others
        # can make any continuous curve of one bend less.
        line = np.concatenate(
            [[-0.5], _padded((np.array(fewer.breaks) - self.low) / self.width, units - 1)]
        )
        candidates = [(line, np.ones(units))]
        candidates += [(_padded(breaks, units), signs) for signs in _patterns(units)]
        tried = [(*self.few.descend(start, signs, False), signs) for start, signs in candidates]
        _error, hinges, signs = min(tried, key=lambda each: each[0])
        hinges = self.more.descend(hinges, signs, False, steps=20)[1]
        coefficients = self.full.solve(hinges, signs, False)[0]
        kernel = (signs / self.width)[None, :]
        bias = -signs * (hinges + self.low / self.width)
        return Network(
            (
                Layer(kernel, bias, self.full.activation),
                Layer(coefficients[1:], coefficients[0], Activation("linear")),
            )
        )


def _averaged(problem: _Problem, points: int) -> _Problem:
    """The same with neighbours averaged to at most so many points."""
    count = len(problem.x)
    if count <= points:
        return problem
    owner = np.empty(count, dtype=np.int64)
    owner[np.argsort(problem.x, kind="stable")] = np.arange(count) * points // count
    weight = np.bincount(owner).astype(np.float64)
    x = np.bincount(owner, problem.x) / weight
    y = np.stack([np.bincount(owner, column) / weight for column in problem.y.T], axis=1)
    return _Problem(x, y, np.sqrt(weight), problem.activation)


def _padded(breaks: Array, count: int) -> Array:
    """Exactly `count` sorted hinges: those given, and others in the widest gaps between them."""
    hinges = list(breaks[:count])
    while len(hinges) < count:
        ends = np.sort(np.concatenate([[0.0], hinges, [1.0]]))
        widest = int(np.argmax(np.diff(ends)))
        hinges.append(float(ends[widest] + ends[widest + 1]) / 2)
    return np.sort(np.array(hinges, dtype=np.float64))


def _spread_out(count: int, shift: float) -> Array:
    return (np.arange(count) + 0.5 + shift) / (count + 1)


def _patterns(units: int) -> Iterator[Array]:
    """Which way each unit faces: all ways for few units, otherwise some."""
    if 2**units <= MOST_PATTERNS:
        yield from (np.array(signs) for signs in product((1.0, -1.0), repeat=units))
        return
    for left in (0, units // 2, units):
        yield np.concatenate([-np.ones(left), np.ones(units - left)])
