"""Weights that a script puts into a model after its fit: those of the best epoch, by a checkpoint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.data import held_out_of
from whyfit.adapters.keras.recorder import KerasRecorder
from whyfit.adapters.keras.training import MONITORS
from whyfit.adapters.put_back import may_be_among
from whyfit.errors import Unsupported
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.schedule import EarlyStopping

UNKNOWN = (
    "weights other than the last are put into the model after its fit (load_weights, set_weights), "
    "and what they are the best by could not be found out, so that this is not supported"
)


def with_weights_put_back(recorder: KerasRecorder, fit: Fit) -> Fit:
    """The fit with the weights that the model has now, and every retraining with such of its own.

    What a checkpoint went by, `loss` or `val_loss`, is known by the epoch whose weights these are, or,
    where not every epoch's were kept, from the callback. Weights of no epoch are the start of something
    else: the fit ended before.
    """
    if recorder.network is None or fit.recipe is None or fit.end is None or recorder.end is None:
        return fit
    weights = keras_recipe.flat(recorder.network.get_weights())
    rows = [each.weights for each in recorder.recorded]
    known = [each for each in (recorder.start, recorder.end) if each is not None]
    if any(np.array_equal(weights, each) for each in known) or not may_be_among(weights, rows):
        return fit
    end = fit.recipe.network(weights)
    found = replace(fit, end=end, predictions=end(fit.x))
    monitor = _monitor(recorder, fit, weights)
    joined = fit.epochs_done != recorder.epochs_done  # by a fit that went on with an earlier one
    if monitor is None or joined or fit.recipe.early_stopping is not None:
        return replace(found, unsupported=fit.unsupported or UNKNOWN)
    stopping = EarlyStopping(
        patience=fit.recipe.epochs, restore_best=True, monitor=MONITORS[monitor]
    )
    if stopping.monitor == "held_out_loss" and fit.held_out is None:
        try:
            held_out = held_out_of(recorder.given, recorder.data)
        except Unsupported as unsupported:
            return replace(found, unsupported=fit.unsupported or str(unsupported))
        x = keras_graph.scaled(recorder.scaler, held_out.x)
        found = replace(found, held_out=replace(held_out, x=x))
    return replace(found, recipe=replace(fit.recipe, early_stopping=stopping))


def _monitor(recorder: KerasRecorder, fit: Fit, weights: Array) -> str | None:
    """By what the weights are the best, or None if that is not known."""
    epochs = {each.epoch for each in recorder.recorded if np.array_equal(each.weights, weights)}
    by_epoch = (each for each in MONITORS if _best(fit, each) in epochs)
    if epochs or recorder.every == 1:
        return next(by_epoch, None)
    return next(
        (
            each.monitor
            for each in recorder.callbacks()
            if type(each).__name__ == "ModelCheckpoint"
            and each.save_best_only
            and each.monitor in MONITORS
        ),
        None,
    )


def _best(fit: Fit, monitor: str) -> int:
    """The epoch, from 1, of the least value, the first of several; 0 where there is none."""
    values = fit.history.get(monitor, ())
    return int(np.nanargmin(values)) + 1 if np.isfinite(values).any() else 0
