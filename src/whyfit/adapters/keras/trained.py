"""A trained Keras model as a fit: what `compile`, the layers and the history still tell.

Read from keras/src/models, keras/src/optimizers/base_optimizer.py (`iterations`) and
keras/src/callbacks/history.py (`epoch`, `params`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyfit.adapters.given import (
    Given,
    Known,
    TrainedFit,
    as_table,
    check_lengths,
)
from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.training import Targets
from whyfit.adapters.places import calling_place
from whyfit.errors import Unsupported, UsageError
from whyfit.records.fit import Fit, Place, Scaler
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe

DEFAULT_BATCH = 32
"""Of Model.fit (keras/src/trainers/trainer.py)."""


NOT_WATCHED = "decay-ignored (train under whyfit.watch() for it)"
"""What only the call that made the optimizer shows."""


def fit_of(model: Any, given: Given) -> TrainedFit:
    """The fit, with the recipe that the compiled model and its history give."""
    import keras

    if given.history is None:
        given = replace(given, history=getattr(model, "history", None))
    x, y = as_table("x", given.x), as_table("y", given.y)
    check_lengths(x, y)
    if not model.built:
        model.build((None, x.shape[1]))
    known = Known(unchecked=[NOT_WATCHED])
    logs = given.logs
    read = _read(model, x, y, given, known)
    recipe, scaler = read.recipe, read.scaler
    end = predictions = None
    x = keras_graph.scaled(scaler, x)
    if recipe is not None:
        end = recipe.network(keras_recipe.flat(read.network.get_weights()))
        predictions = end(x)
    else:
        predictions = _predicted(model, given.x, y)
    fit = Fit(
        framework="keras",
        place=calling_place() or Place("<unknown>", 0),
        x=x,
        y=y,
        x_shape=np.shape(given.x),
        y_shape=np.shape(given.y),
        recipe=recipe,
        unsupported=read.reason or known.reason,
        start=None,
        end=end,
        predictions=predictions,
        weight_history=None,
        history=logs,
        epochs_done=recipe.epochs if recipe else len(logs.get("loss", ())),
        input_scaler=scaler,
        summary=", ".join(type(layer).__name__ for layer in model.layers),
        environment={
            "keras": str(keras.__version__),
            "backend": str(keras.backend.backend()),
        },
    )
    return TrainedFit(fit, known.note)


@dataclass(frozen=True, eq=False)
class _Read:
    """What the model tells: its network behind what scales x, its recipe or why there is none."""

    network: Any = None
    scaler: Scaler | None = None
    recipe: Recipe | None = None
    reason: str | None = None


def _read(model: Any, x: Array, y: Array, given: Given, known: Known) -> _Read:
    network, scaler = None, None
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 2:
        _check_columns("x", x.shape[1], shape[1])
    try:
        network, scaler = keras_graph.behind_scaling(model, x.shape[1], keras_recipe.CHAINED)
        keras_recipe.dense_chain(network)
        compiled = _compiled(model, given, known)
        batch_size, epochs = _lengths(model, len(x), given, known)
        recipe, reason = keras_recipe.recipe_of(
            compiled,
            network,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=True,
            callbacks=[],
            targets=Targets(y, flat=False, known=len(y) > 1),
        )
    except Unsupported as unsupported:
        return _Read(network, scaler, reason=str(unsupported))
    for name, columns, wanted in (
        ("x", x.shape[1], recipe.inputs),
        ("y", y.shape[1], recipe.layers[-1].units),
    ):
        _check_columns(name, columns, wanted)
    for name in ("learning_rate", "lr"):
        rates = set(given.logs.get(name, ()))
        if len(rates) > 1:
            reason = reason or "a learning rate that changed during training is not supported"
    known.assume("shuffling, the default of fit")
    return _Read(network, scaler, recipe, reason)


def _check_columns(name: str, columns: int, wanted: int | None) -> None:
    if wanted is not None and columns != wanted:
        raise UsageError(
            f"{name} must have {wanted} column{'s' * (wanted != 1)} for this model: got {columns}"
        )


def _compiled(model: Any, given: Given, known: Known) -> Any:
    """The model with the loss and optimizer it was trained with, or a copy that has those given."""
    import keras

    has_both = bool(model.compiled) and getattr(model, "optimizer", None) is not None
    if has_both and given.loss is None and given.optimizer is None:
        return model
    loss = given.loss if given.loss is not None else (model.loss if has_both else None)
    optimizer = given.optimizer
    if optimizer is None and has_both:
        optimizer = model.optimizer
    if loss is None:
        known.miss("the loss, since the model is not compiled", "loss=")
    if optimizer is None:
        known.miss("the optimizer, since the model is not compiled", "optimizer=")
    if not isinstance(optimizer, str) and optimizer is not None:
        optimizer = type(optimizer).from_config(optimizer.get_config())
    twin = keras.Sequential([keras.layers.Dense(1)])  # only its loss and optimizer are read
    twin.compile(optimizer=optimizer or "adam", loss=loss or "mse")
    return twin


def _lengths(model: Any, samples: int, given: Given, known: Known) -> tuple[int, int]:
    """Batch size and epochs: as given, as the history tells, or as the count of steps allows."""
    params = getattr(given.history, "params", None) or {}
    iterations = int(np.asarray(model.optimizer.iterations)) if _counts(model) else 0
    epochs = given.epochs or len(given.logs.get("loss", ()))
    steps = params.get("steps") or (iterations // epochs if epochs and iterations else None)
    batch_size = given.batch_size
    if batch_size is None:
        batch_size = DEFAULT_BATCH
        if steps and math.ceil(samples / DEFAULT_BATCH) != steps:
            batch_size = math.ceil(samples / steps)
            known.infer(f"batch size {batch_size}, from {steps} steps an epoch")
        elif not steps:
            known.assume(f"batch size {DEFAULT_BATCH}, the default of fit")
    per_epoch = math.ceil(samples / batch_size)
    if given.epochs is None and iterations and iterations % per_epoch == 0:
        counted = iterations // per_epoch
        if counted != epochs:
            said = f", {epochs} of them in the last call of fit" if epochs else ""
            known.infer(f"{counted} epochs, from {iterations} optimizer steps{said}")
        epochs = counted
    planned = params.get("epochs")
    if planned and len(given.logs.get("loss", ())) < planned:
        known.assume(
            f"{epochs} epochs for every training, since what ended this one before its {planned} is "
            "unknown"
        )
    if not epochs:
        known.miss("the number of epochs", "epochs= or history=")
    return batch_size, epochs or 1


def _counts(model: Any) -> bool:
    return bool(model.compiled) and getattr(model, "optimizer", None) is not None


def _predicted(model: Any, x: Any, y: Array) -> Array | None:
    try:
        output = np.asarray(model.predict(np.asarray(x), verbose=0), dtype=np.float64)
    except Exception:  # a network of the person's own making may not take these data
        return None
    output = output.reshape(len(output), -1)
    return output if output.shape == y.shape else None
