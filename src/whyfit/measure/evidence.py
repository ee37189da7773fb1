"""Gathers all measurements of one fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.measure import activity, capacity, data, hinges, training
from whyfit.records.evidence import Evidence
from whyfit.records.fit import Fit


def gather(fit: Fit) -> Evidence:
    """Measure everything that the capture allows; what it does not allow is named, not guessed."""
    fit = _finite_samples(fit)
    recipe, start, end = fit.recipe, fit.start, fit.end
    x = fit.x
    few = activity.few_samples(x)
    low, high = float(x[:, 0].min()), float(x[:, 0].max())
    losses = fit.history.get("loss", ())
    batch_size = recipe.batch_size if recipe else 32
    not_measured: list[str] = []

    traceable = (
        start is not None
        and start.inputs == 1
        and all(layer.activation.piecewise_linear for layer in start.layers)
    )
    if start is None:
        not_measured.append(f"units and hinges: {fit.unsupported or 'the weights are unknown'}")
    elif not traceable:
        reason = "needs one input" if start.inputs != 1 else "needs a piecewise-linear activation"
        not_measured.append(f"hinges: {reason}")
    bounds = capacity.capacity(recipe, x, fit.y) if recipe else None
    if bounds is None:
        not_measured.append("capacity: needs one input and one hidden ReLU layer")

    history = fit.weight_history
    return Evidence(
        fit=fit,
        data=data.data_measures(x, fit.y),
        training=training.training_measures(losses, len(x), batch_size),
        start=activity.start_measures(recipe) if recipe else None,
        start_units=activity.unit_activity(start, x) if start else (),
        end_units=activity.unit_activity(end, x) if end else (),
        deaths=activity.deaths(recipe, history, few) if recipe and history else (),
        start_hinges=hinges.trace_hinges(start, low, high) if start and traceable else (),
        end_hinges=hinges.trace_hinges(end, low, high) if end and traceable else (),
        tracks=(hinges.hinge_tracks(recipe, history) if recipe and history and traceable else None),
        capacity=bounds,
        not_measured=tuple(not_measured),
    )


def _finite_samples(fit: Fit) -> Fit:
    """The fit on the samples that are finite numbers, the only ones that can be measured."""
    finite = np.all(np.isfinite(fit.x), axis=1) & np.all(np.isfinite(fit.y), axis=1)
    if np.all(finite) or not np.any(finite):
        return fit
    predictions = None if fit.predictions is None else fit.predictions[finite]
    return replace(fit, x=fit.x[finite], y=fit.y[finite], predictions=predictions)
