"""Weights put back after the training: those of its best epoch, by `load_state_dict`.

A script that keeps a copy of its best weights says by a comparison of its own which are best. What
it went by is found out: the loss of samples that the script holds at hand where it puts the weights
back, if it is nowhere less at the end of an epoch, or else the mean loss of the epochs.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from whyfit.adapters.put_back import may_be_among
from whyfit.adapters.torch.at_hand import AGREEMENT, arrays_at_hand, numbers_at_hand, pairs
from whyfit.adapters.torch.error import Error, loss_between
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array, Network
from whyfit.records.schedule import EarlyStopping

SOME = 8
"""Epochs looked at first."""

ROUNDING = 1e-6
"""Relative difference of losses that the script, which compares them in float32, may take for equal."""


@dataclass(frozen=True, eq=False)
class PutBack:
    """Weights, in one row, that have been put back, and what the script held there."""

    weights: Array
    arrays: Sequence[Array]
    numbers: Sequence[float]


@dataclass(frozen=True, eq=False)
class BestKept:
    """How the best weights were chosen, or the reason why that is not known."""

    stopping: EarlyStopping | None = None
    held_out: HeldOut | None = None
    reason: str | None = None


def put_back_now(weights: Array) -> PutBack:
    """To be called where the weights have just been put back."""
    return PutBack(weights, arrays_at_hand(), numbers_at_hand())


def best_kept(
    put_back: PutBack,
    snapshots: Sequence[tuple[int, Array]],
    losses: Sequence[float],
    error: Error,
    network: Callable[[Array], Network],
    learned_from: HeldOut,
) -> BestKept | None:
    """By what the weights put back are those of the best epoch; None where they are of another training.

    `snapshots` are weights after epochs, the start first, without the first few or with every so many;
    `losses` the mean losses of the epochs; `learned_from` the samples of the training, the last to be
    taken for what the script went by.
    """
    rows = [row for _epoch, row in snapshots]
    if not may_be_among(put_back.weights, rows):
        return None
    loss = functools.partial(_loss, error, network)
    shape = learned_from.x.shape[1], learned_from.y.shape[1]
    found = [
        each
        for each in pairs(put_back.arrays, shape)
        if _is_least(functools.partial(loss, each), put_back.weights, rows)
    ]
    stopping = EarlyStopping(len(losses), restore_best=True)  # which so much patience never stops
    if found:

        def unlikely(each: HeldOut) -> tuple[bool, bool, float]:
            """Last the loss of no number that the script still holds, as it holds the least so far."""
            least = loss(each, put_back.weights)
            held = any(
                math.isclose(least, number, rel_tol=AGREEMENT) for number in put_back.numbers
            )
            return not held, _same(each, learned_from), least / (float(np.var(each.y)) or 1.0)

        return BestKept(replace(stopping, monitor="held_out_loss"), min(found, key=unlikely))
    best = [epoch for epoch, row in snapshots if np.array_equal(row, put_back.weights)]
    if best and losses and int(np.argmin(losses)) + 1 == best[0]:
        return BestKept(stopping)
    return BestKept(
        reason="weights other than the last are put back after the training (load_state_dict), and "
        "what they are the best by could not be found out, so that this is not supported"
    )


def _loss(
    error: Error, network: Callable[[Array], Network], samples: HeldOut, weights: Array
) -> float:
    return loss_between(error, network(weights)(samples.x), samples.y)


def _is_least(loss: Callable[[Array], float], weights: Array, rows: Sequence[Array]) -> bool:
    """Whether the loss is nowhere less than with these weights, and higher at the start."""
    least = loss(weights)
    if not loss(rows[0]) > least:
        return False
    # A few first: they drop most of the samples that cannot be what the script went by.
    some = np.unique(np.linspace(0, len(rows) - 1, SOME).astype(int))
    in_turn = itertools.chain((rows[at] for at in some), rows)
    return all(loss(row) >= least * (1.0 - ROUNDING) for row in in_turn)


def _same(one: HeldOut, other: HeldOut) -> bool:
    """Whether the samples are the same, in whatever order."""
    if one.x.shape != other.x.shape:
        return False
    return np.allclose(np.sort(one.x, axis=0), np.sort(other.x, axis=0), rtol=1e-6, atol=0.0)
