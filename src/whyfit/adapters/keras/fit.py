"""A recorded Keras training as a Fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.continued import joined, one_training
from whyfit.adapters.keras.recorder import KerasRecorder
from whyfit.adapters.scalers import after, with_scalers
from whyfit.errors import Unsupported
from whyfit.records.fit import Call, Fit, Place, WeightHistory
from whyfit.records.network import Array

SEEDING_WEIGHTS = ("random.seed", "keras.utils.set_random_seed")
"""Calls that reach unseeded initializers (keras/src/random/seed_generator.py, make_default_seed)."""


def hand_over(recorder: KerasRecorder) -> None:
    """Put the fit among those of the session, complete or as far as it came.

    One that only goes on with an earlier fit takes its place, as the one training they amount to.
    """
    if not recorder.finish():
        return
    fits, seen, model = recorder.session.fits, recorder.seen, id(recorder.model)
    continued = recorder.continued()
    if continued is not None and not one_training(continued.recipe, recorder.recipe):
        continued = None
        recorder.reason = (
            recorder.reason or "a model that was trained before this fit is not supported"
        )
    fit = _fit(recorder)
    if continued is None:
        _not_the_end(recorder)
    fits.append(fit if continued is None else joined(fits.pop(), fit))
    seen.last[model], seen.number[model] = recorder, len(fits) - 1


def _not_the_end(recorder: KerasRecorder) -> None:
    """Say of an earlier fit that this one goes on with that the model does not end there."""
    seen, model = recorder.seen, id(recorder.model)
    last, fits = seen.last.get(model), recorder.session.fits
    if last is None or last.model is not recorder.model or recorder.reason is None:
        return
    line = f" (line {recorder.place.line})" if recorder.place else ""
    at = seen.number[model]
    fits[at] = replace(
        fits[at],
        unsupported=fits[at].unsupported
        or f"the same model is trained on by another fit{line}, so that this is not where it ends; "
        "that is not supported",
    )


def _fit(recorder: KerasRecorder) -> Fit:
    import keras

    recipe = recorder.recipe
    end = start = None
    predictions = None
    if recipe is not None and recorder.start is not None:
        start = recipe.network(recorder.start)
        recorder.end = _end_weights(recorder)
        end = recipe.network(recorder.end)
        predictions = end(recorder.data.x)
    elif recorder.epochs_done:
        predictions = _model_predictions(recorder)
    x, y = np.asarray(recorder.given["x"]), np.asarray(recorder.given["y"])
    calls, scalers, shared = with_scalers(recorder.session, _calls(recorder), x, y)
    inputs = scalers[0] if recorder.scaler is None else after(scalers[0], recorder.scaler)
    return Fit(
        framework="keras",
        place=recorder.place or Place("<unknown>", 0),
        x=recorder.data.x,
        y=recorder.data.y,
        x_shape=recorder.data.x_shape,
        y_shape=recorder.data.y_shape,
        recipe=recipe,
        unsupported=recorder.reason,
        start=start,
        end=end,
        predictions=predictions,
        weight_history=(
            WeightHistory(
                np.array([each.epoch for each in recorder.recorded]),
                np.array([each.weights for each in recorder.recorded]),
            )
            if recipe is not None and len(recorder.recorded) > 1
            else None
        ),
        history={name: tuple(values) for name, values in recorder.history.items()},
        epochs_done=recorder.epochs_done,
        calls=tuple(calls),
        input_scaler=inputs,
        target_scaler=scalers[1],
        seeds=tuple(recorder.session.seeds),
        seeds_weights=_seeds_weights(recorder),
        warnings=recorder.warnings,
        summary=_summary(recorder.model),
        output_shape=recorder.output_shape,
        engine_trained=recorder.engine_trained,
        environment={
            "keras": str(keras.__version__),
            "backend": str(keras.backend.backend()),
        },
        metrics=tuple(recorder.metric_names()),
        scaler_shared=shared,
        held_out=recorder.held_out,
        sample_weight=recorder.data.weight,
        ignored_decay=recorder.seen.ignored_decays.get(
            id(getattr(recorder.model, "optimizer", None))
        ),
    )


def _end_weights(recorder: KerasRecorder) -> Array:
    if recorder.latest is not None and not recorder.complete:
        return recorder.latest.weights
    return keras_recipe.flat(recorder.network.get_weights())


def _model_predictions(recorder: KerasRecorder) -> Array | None:
    try:
        given = np.asarray(recorder.given["x"])[: len(recorder.data.x)]
        output = np.asarray(recorder.model.predict(given, verbose=0), dtype=np.float64)
    except Exception:  # a network of the person's own making may not predict what it trained on
        return None
    output = output.reshape(len(output), -1)
    return output if output.shape == recorder.data.y.shape else None


def _seeds_weights(recorder: KerasRecorder) -> bool:
    if any(call.function in SEEDING_WEIGHTS for call in recorder.session.seeds):
        return True
    try:
        return recorder.network is not None and keras_recipe.seeds_own_weights(recorder.network)
    except Unsupported:
        return False


def _calls(recorder: KerasRecorder) -> list[Call]:
    created, compiled = recorder.seen.created, recorder.seen.compiled
    calls = [Call(recorder.role, recorder.place)] if recorder.place else []
    if recorder.tap is not None and recorder.place:
        calls.append(Call("data_set", recorder.place))
    if place := compiled.get(id(recorder.model)):
        calls.append(Call("compile", place))
    if place := created.get(id(getattr(recorder.model, "optimizer", None))):
        calls.append(Call("optimizer", place))
    if place := created.get(id(recorder.steering())):
        calls.append(Call("scheduler", place))
    if recorder.network is None:
        return calls
    try:
        chain = keras_recipe.dense_chain(recorder.network)
    except Unsupported:
        return calls
    for index, (dense, following) in enumerate(chain):
        if place := created.get(id(dense)):
            calls.append(Call("layer", place, index))
        for layer in following:
            if place := created.get(id(layer)):
                calls.append(Call("activation", place, index))
    return calls


def _summary(model: Any) -> str:
    """The kinds of the model's layers, in one line."""
    return ", ".join(type(layer).__name__ for layer in model.layers)
