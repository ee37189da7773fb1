"""A block of 16 replicates: the smallest work there is, and all that its result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from whyfit.engine import lanes
from whyfit.engine.initializers import draw
from whyfit.errors import Interrupted
from whyfit.measure.activity import few_samples, live_units
from whyfit.records.fit import Fit, HeldOut
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe
from whyfit.records.variance import variance

BLOCK = lanes.GROUP
PRECISION = "float32"
FEW = 64
"""Samples by which it is told whether a unit is live at the start."""


@dataclass(frozen=True, eq=False)
class Data:
    """The samples of a fit, as passed to it; `digest` tells them from all others."""

    x: Array
    y: Array
    digest: bytes
    held_out: HeldOut | None = None
    weight: Array | None = None

    @cached_property
    def few_x(self) -> Array:
        """Samples in which a unit that is off is off in all, near enough."""
        return few_samples(self.x, FEW)

    @classmethod
    def of(
        cls, x: Array, y: Array, held_out: HeldOut | None = None, weight: Array | None = None
    ) -> Data:
        """As the engine takes them: float64, x and y two-dimensional; `weight` is the samples'."""
        x, y = (np.ascontiguousarray(each, dtype=np.float64) for each in (x, y))
        parts = [x, y]
        if held_out is not None:
            parts += [np.ascontiguousarray(each, float) for each in (held_out.x, held_out.y)]
            held_out = HeldOut(*parts[2:])
        if weight is not None:
            weight = np.ascontiguousarray(weight, float)
            parts.append(weight)
        found = hashlib.sha256(repr(tuple(each.shape for each in parts)).encode())
        for each in parts:
            found.update(each.tobytes())
        return cls(x, y, found.digest(), held_out, weight)

    @classmethod
    def of_fit(cls, fit: Fit) -> Data:
        """The samples of a fit."""
        return cls.of(fit.x, fit.y, fit.held_out, fit.sample_weight)

    def train(self, recipe: Recipe, starts: Array, order: lanes.Order) -> lanes.Trained:
        """A recipe trained on these samples from given starts, on all cores."""
        return lanes.train(
            recipe,
            self.x,
            self.y,
            starts,
            sample_weight=self.weight,
            held_out=self.held_out,
            order=order,
        )


@dataclass(frozen=True)
class Block:
    """Sixteen replicates of one recipe: all that a worker needs besides the data.

    `order` says whether they share their data order (`study.orders`); `target` is the instruction set:
    results of two sets differ in their last bits.
    """

    recipe: Recipe
    seed: int
    first: int
    order: Literal["group", "replicate"] = "group"
    target: str = lanes.TARGETS[0]


def digest(*parts: object) -> bytes:
    """A hash of records and plain values, the same in every process.

    >>> digest(1.0, "a") == digest(1.0, "a"), digest(1.0, "a") == digest(1.0, "b")
    (True, False)
    """
    return hashlib.sha256(msgspec.msgpack.encode(parts, enc_hook=_plain)).digest()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} cannot be hashed")


def train_block(block: Block, data: Data, cancelled: Callable[[], bool]) -> Array:
    """Unexplained variance and live units at the start of each replicate of a block, (2, 16)."""

    def stop_if_cancelled(_steps: int) -> None:
        if cancelled():
            raise Interrupted("cancelled")

    recipe = block.recipe
    starts = draw(recipe, block.seed, block.first, BLOCK)
    trained = lanes.train(
        recipe,
        data.x,
        data.y,
        starts,
        sample_weight=data.weight,
        held_out=data.held_out,
        order=lanes.Order(block.order, seed=block.seed),
        first_replicate=block.first,
        precision=PRECISION,
        threads=1,
        target=block.target,
        progress=stop_if_cancelled,
    )
    targets = recipe.target_transform(data.y) if recipe.target_transform else data.y
    unexplained = trained.mean_squared_error / variance(targets, data.weight)
    unexplained[~np.isfinite(unexplained) | (trained.diverged_at >= 0)] = np.inf
    few = recipe.input_transform(data.few_x) if recipe.input_transform else data.few_x
    return np.stack([unexplained, live_units(starts, recipe, few)])
