"""What Keras would have told of a training that the engine made in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whyfit.adapters.keras.data import Taken
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe


def history_of(model: Any, recipe: Recipe, history: Mapping[str, Sequence[float]]) -> Any:
    """A History callback as `fit` returns it."""
    import keras

    made = keras.callbacks.History()
    made.set_model(model)
    made.set_params({"epochs": recipe.epochs, "verbose": 0})
    made.epoch = list(range(len(history["loss"])))
    made.history = {name: list(values) for name, values in history.items()}
    model.history = made
    return made


def metrics_of(
    recipe: Recipe, data: Taken, snapshots: Array, names: Sequence[str]
) -> dict[str, list[float]]:
    """The metrics the script compiled where they are plain errors, at each epoch's end.

    Keras averages a metric over the batches of the epoch while the weights move; here it is
    taken at the epoch's end, over all data.
    """
    formulas = {
        "mae": lambda error: np.mean(np.abs(error)),
        "mean_absolute_error": lambda error: np.mean(np.abs(error)),
        "mse": lambda error: np.mean(error**2),
        "mean_squared_error": lambda error: np.mean(error**2),
    }
    plain = [name for name in names if name in formulas]
    sets = [("", data.x, data.y, plain)]
    validation = data.validation
    weighted = validation is not None and len(validation) > 2 and validation[2] is not None
    if validation is not None and len(validation) >= 2 and recipe.loss in formulas and not weighted:
        x, y = (
            np.asarray(each, dtype=np.float64).reshape(len(each), -1) for each in validation[:2]
        )
        sets.append(("val_", x, y, [recipe.loss, *plain]))
    networks = [recipe.network(row.astype(np.float64)) for row in snapshots]
    found: dict[str, list[float]] = {}
    for prefix, x, y, wanted in sets:
        errors = [network(x) - y for network in networks] if wanted else []
        for at, name in enumerate(wanted):
            label = "val_loss" if prefix and at == 0 else prefix + name
            found[label] = [float(formulas[name](error)) for error in errors]
    return found


def unflat(row: Array, like: list[Array]) -> list[Array]:
    """A row of weights in the shapes of Keras's list of them."""
    weights, at = [], 0
    for each in like:
        weights.append(row[at : at + each.size].reshape(each.shape))
        at += each.size
    return weights
