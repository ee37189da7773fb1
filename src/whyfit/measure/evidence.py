"""Gathers all measurements of one fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.measure import activity, capacity, curve, gradients, hinges, identities, training
from whyfit.measure.data import data_measures
from whyfit.measure.regularisation import regularisation
from whyfit.records.evidence import Evidence, Regularisation, UnitActivity
from whyfit.records.fit import Fit
from whyfit.records.network import Array, Network


def gather(fit: Fit) -> Evidence:
    """Measure everything that the capture allows; what it does not allow is named, not guessed."""
    fit = _finite_samples(fit)
    recipe, start, end = fit.recipe, fit.start, fit.end
    x, y = fit.x, fit.y
    rows = activity.few_rows(x)
    few, few_y = x[rows], y[rows]
    low, high = float(x[:, 0].min()), float(x[:, 0].max())
    shape = start or end
    traceable = (
        shape is not None
        and shape.inputs == 1
        and all(layer.activation.piecewise_linear for layer in shape.layers)
    )
    data = data_measures(x, y)
    history = fit.weight_history
    evidence = Evidence(
        fit=fit,
        data=data,
        training=training.training_measures(
            fit.history.get("loss", ()), len(x), recipe.batch_size if recipe else 32
        ),
        start=activity.start_measures(recipe) if recipe else None,
        start_units=_units(start, x, y, few, few_y),
        end_units=_units(end, x, y, few, few_y),
        deaths=activity.deaths(recipe, history, few) if recipe and history else (),
        start_hinges=hinges.trace_hinges(start, low, high) if start and traceable else (),
        end_hinges=hinges.trace_hinges(end, low, high) if end and traceable else (),
        tracks=hinges.hinge_tracks(recipe, history, low, high)
        if recipe and history and traceable
        else None,
        capacity=capacity.capacity(recipe, x, y) if recipe else None,
        curve=curve.curve_measures(x, y, data.noise_floor),
        steps=gradients.step_measures(fit, recipe, few, few_y) if recipe else None,
        identities=identities.identities(fit, few),
        floors=identities.floors_of(recipe, x, y),
        regularisation=regularisation(fit, recipe, few, few_y) if recipe else Regularisation(),
        patterns=_patterns(start, end, few),
        between=curve.between_samples(end, x, y) if end else None,
    )
    return replace(evidence, not_measured=_not_measured(evidence, traceable))


ABOUT_THE_START = (
    "units-dead-at-start, units-died-in-training, units-saturated, units-start-identical, "
    "hinges-share-one-point, hinges-outside-data, vanishing-gradient, learning-rate-too-low"
)
"""Rules that look at start weights, or at how they moved; a test holds the list to the rules."""

AFFORDABLE = 2e8
"""Samples x weights up to which gradients are taken over all the data; beyond, over a selection."""


def _units(
    network: Network | None, x: Array, y: Array, few: Array, few_y: Array
) -> tuple[UnitActivity, ...]:
    if network is None:
        return ()
    if len(x) * sum(layer.weight.size for layer in network.layers) > AFFORDABLE:
        return activity.unit_activity(network, x, gradients.no_gradient(network, few, few_y))
    return activity.unit_activity(network, x, gradients.no_gradient(network, x, y))


def _patterns(start: Network | None, end: Network | None, x: Array) -> tuple[int, int] | None:
    if start is None or end is None:
        return None
    before, after = (activity.distinct_patterns(each, x) for each in (start, end))
    return (before, after) if before is not None and after is not None else None


def _not_measured(evidence: Evidence, traceable: bool) -> tuple[str, ...]:
    """What could not be measured and why, with the rules that therefore could not look."""
    fit = evidence.fit
    said = []
    shape = fit.start or fit.end
    if shape is None:
        said.append(f"units and hinges: {fit.unsupported or 'the weights are unknown'}")
    elif fit.start is None:
        said.append(f"{ABOUT_THE_START}: the start weights are unknown")
    if not fit.history.get("loss"):
        said.append(
            "training-too-short, learning-rate-too-high, loss-diverged: no losses are known"
        )
    if shape is not None and not traceable:
        one = shape.inputs == 1
        said.append(f"hinges: needs {'a piecewise-linear activation' if one else 'one input'}")
    if evidence.capacity is None:
        said.append("capacity: needs one input, hidden ReLU layers with biases and a linear output")
    if fit.x.shape[1] != 1:
        said.append(
            "oscillations, jumps and gaps of the targets, and what lies between the samples: "
            "needs one input"
        )
    if fit.asked is None:
        said.append("outside-training-range: the script asked for no predictions after the fit")
    if not fit.drawn:
        said.append("plot-order: the script drew no lines")
    return tuple(said)


def _finite_samples(fit: Fit) -> Fit:
    """The fit on the samples that are finite numbers, the only ones that can be measured."""
    finite = np.all(np.isfinite(fit.x), axis=1) & np.all(np.isfinite(fit.y), axis=1)
    if np.all(finite) or not np.any(finite):
        return fit
    predictions = None if fit.predictions is None else fit.predictions[finite]
    return replace(fit, x=fit.x[finite], y=fit.y[finite], predictions=predictions)
