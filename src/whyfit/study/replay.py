"""Replay: whether the engine, from the captured start weights, ends where the framework did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.engine import lanes
from whyfit.engine.initializers import draw
from whyfit.ledger.ledger import Page
from whyfit.records.evidence import FLOAT32_ROUNDING
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe, flatten
from whyfit.records.study import Interval, Replay
from whyfit.records.variance import variance
from whyfit.study import memory
from whyfit.study.workers.block import Data

REPLICATES = 64
"""With as many draws from one distribution, the next falls outside their range once in 33 times."""

ROUNDING = FLOAT32_ROUNDING
"""Share by which starts are moved where nothing is shuffled. Where a training swings, that much grows
within some hundred epochs into another curve: then the engine and the framework, which round
differently, can only be compared as distributions."""

NEW_STARTS = 256
"""Where the start is unknown: ends differ by start, and rare ones must not look like a mistake."""

WIDEN = 0.25
"""Share of the range added on both sides, so that once in 33 becomes rare for the tails seen."""

SLACK = 0.02
"""Relative difference that rounding alone may make in float32 after some thousand steps."""

TINY = 1e-6
"""Unexplained variance below which float32 cannot tell fits apart."""


def replay(fit: Fit, seed: int, page: Page | None = None) -> Replay:
    """Train from the captured start, each replicate in an order of its own, or moved by a rounding."""
    recipe, observed = fit.recipe, fit.unexplained_variance
    if recipe is not None and fit.start is None and fit.unsupported is None:
        return _from_new_starts(fit, recipe, seed, page or Page.blank())
    if recipe is None or fit.start is None:
        return Replay("not-run", observed, None, reason=fit.unsupported or "no start weights")
    if fit.engine_trained:
        return Replay("not-run", observed, None, reason="the engine itself trained this fit")
    if fit.epochs_done == 0:
        return Replay("not-run", observed, None, reason="no epoch was completed")
    shortened = replace(recipe, epochs=fit.epochs_done)
    if recipe.shuffle:
        return _from_start(fit, shortened, seed, REPLICATES, page)
    # One group of 16 costs what one replicate does, and mostly tells enough.
    said = _from_start(fit, shortened, seed, lanes.GROUP, page)
    if said.status == "reproduced":
        return said
    return _from_start(fit, shortened, seed, REPLICATES, page)


def _from_start(fit: Fit, recipe: Recipe, seed: int, replicates: int, page: Page | None) -> Replay:
    """Whether the end lies among the engine's, which differ by order or else by rounding."""
    assert fit.start is not None  # asked before
    start = flatten(fit.start)
    starts = np.tile(start, (replicates, 1))
    if not recipe.shuffle:
        random = np.random.default_rng(seed)
        starts[1:] *= 1.0 + ROUNDING * random.uniform(-1.0, 1.0, starts[1:].shape)
    errors = memory.remembered(
        page or Page.blank(),
        "replay",
        "[]",
        replicates,
        (recipe, Data.of_fit(fit).digest, start.tobytes(), seed),
        lambda: _errors(recipe, fit, starts, seed),
    )
    return _compared(fit, errors, replicates)


def _from_new_starts(fit: Fit, recipe: Recipe, seed: int, page: Page) -> Replay:
    """Where the start is unknown: whether training from new starts ends anywhere like this fit.

    That is a weaker check. It tells when the training assumed is not the one that made the model.
    """
    errors = memory.remembered(
        page,
        "replay",
        "[]",
        NEW_STARTS,
        (recipe, Data.of_fit(fit).digest, "new starts", seed),
        lambda: _errors(recipe, fit, draw(recipe, seed, 0, NEW_STARTS), seed),
    )
    observed, ends = fit.unexplained_variance, _ends(fit, errors)
    finite = ends[np.isfinite(ends)]
    interval = None
    if len(finite):
        # Ends of different starts span decades, so the range is widened on a log scale.
        low, high = float(finite.min()), float(finite.max())
        ratio = (high / max(low, TINY)) ** WIDEN * (1.0 + SLACK)
        interval = Interval(low / ratio - TINY, high * ratio + TINY)
    if not np.isfinite(observed):
        inside = len(finite) < len(ends)
    else:
        inside = interval is not None and interval.low <= observed <= interval.high
    if inside:
        reason = "from new starts, since those of the fit are unknown"
        return Replay("reproduced", observed, interval, NEW_STARTS, reason)
    reason = (
        "training from new starts as assumed ends elsewhere: check optimizer, epochs, batch size "
        "and data"
    )
    return Replay("differs", observed, interval, NEW_STARTS, reason)


def _ends(fit: Fit, errors: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        return errors / variance(fit.y, fit.sample_weight)


def _compared(fit: Fit, errors: Array, replicates: int) -> Replay:
    observed, ends = fit.unexplained_variance, _ends(fit, errors)
    if not np.all(np.isfinite(ends)) or not np.isfinite(observed):
        alike = np.isfinite(observed) == np.all(np.isfinite(ends)) or (
            not np.isfinite(observed) and not np.all(np.isfinite(ends))
        )
        return Replay("reproduced" if alike else "differs", observed, None, replicates)
    low, high = float(ends.min()), float(ends.max())
    margin = WIDEN * (high - low)
    least = max(0.0, low - margin - SLACK * low - TINY)
    interval = Interval(least, high + margin + SLACK * high + TINY)
    inside = interval.low <= observed <= interval.high
    return Replay("reproduced" if inside else "differs", observed, interval, replicates)


def _errors(recipe: Recipe, fit: Fit, starts: Array, seed: int) -> Array:
    """Mean squared error of each replicate."""
    order = lanes.Order("replicate", seed=seed)
    return Data.of_fit(fit).train(recipe, starts, order).mean_squared_error
