"""Several calls of `fit` on one model, as the one training they amount to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.records.fit import Fit, WeightHistory
from whyfit.records.recipe import Recipe


def one_training(first: Recipe | None, second: Recipe | None) -> bool:
    """Whether two calls of fit amount to one longer one: callbacks begin anew in each call."""
    if first is None or second is None:
        return False
    steered = second.early_stopping or (second.schedule and second.schedule.per == "epoch")
    return not steered and replace(first, epochs=1) == replace(second, epochs=1)


def joined(first: Fit, second: Fit) -> Fit:
    """Two calls of fit on one model and the same data, as the one training they amount to."""
    if first.recipe is None or second.recipe is None:
        return second
    history = {
        name: (*first.history.get(name, ()), *values) for name, values in second.history.items()
    }
    weights = second.weight_history
    if first.weight_history is not None and weights is not None:
        weights = WeightHistory(
            np.concatenate([first.weight_history.epochs, weights.epochs[1:] + first.epochs_done]),
            np.concatenate([first.weight_history.weights, weights.weights[1:]]),
        )
    return replace(
        second,
        recipe=replace(second.recipe, epochs=first.recipe.epochs + second.recipe.epochs),
        start=first.start,
        weight_history=weights,
        history=history,
        epochs_done=first.epochs_done + second.epochs_done,
    )
