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
    whole, fit = fit, _finite_samples(fit)
    recipe, start, end = fit.recipe, fit.start, fit.end
    counted = _counted_samples(fit)
    x, y, weight = counted.x, counted.y, _weight(counted)
    rows = activity.few_rows(x)
    few, few_y = x[rows], y[rows]
    pull = _pull(fit, counted)
    pull = None if pull is None else pull[rows]
    low, high = float(x[:, 0].min()), float(x[:, 0].max())
    shape = start or end
    traceable = (
        shape is not None
        and shape.inputs == 1
        and all(layer.activation.piecewise_linear for layer in shape.layers)
    )
    data = data_measures(x, y, weight)
    history = fit.weight_history
    evidence = Evidence(
        fit=fit,
        data=data,
        training=training.training_measures(
            fit.history.get("loss", ()), len(fit.x), recipe.batch_size if recipe else 32
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
        capacity=capacity.capacity(recipe, x, y) if recipe and weight is None else None,
        curve=curve.curve_measures(x, y, data.noise_floor),
        steps=gradients.step_measures(fit, recipe, few, few_y, pull) if recipe else None,
        identities=identities.identities(counted, few),
        floors=identities.floors_of(recipe, x, y, weight),
        regularisation=regularisation(fit, recipe, few, few_y, pull)
        if recipe
        else Regularisation(),
        patterns=_patterns(start, end, few),
        between=curve.between_samples(end, x, y) if end and weight is None else None,
        left_out=len(whole.x) - len(fit.x),
    )
    said = _not_measured(evidence, traceable, weighted=weight is not None)
    return replace(evidence, not_measured=said)


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


def _not_measured(evidence: Evidence, traceable: bool, *, weighted: bool) -> tuple[str, ...]:
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
    if weighted:
        said += [
            "capacity: needs samples that all count alike",
            "too-few-samples: needs samples that all count alike",
        ]
    elif evidence.capacity is None:
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
    return _only(fit, finite)


def _counted_samples(fit: Fit) -> Fit:
    """The fit on the samples whose errors are part of its loss: a weight of 0 takes a sample out."""
    weight = fit.sample_weight
    return fit if weight is None or np.all(weight > 0.0) else _only(fit, weight > 0.0)


def _only(fit: Fit, rows: Array) -> Fit:
    parts = {
        name: None if values is None else values[rows]
        for name, values in (
            ("predictions", fit.predictions),
            ("sample_weight", fit.sample_weight),
        )
    }
    return replace(fit, x=fit.x[rows], y=fit.y[rows], **parts)


def _weight(counted: Fit) -> Array | None:
    """How much each sample counts, or None where they all count alike."""
    weight = counted.sample_weight
    return None if weight is None or weight.min() == weight.max() else weight


def _pull(fit: Fit, counted: Fit) -> Array | None:
    """What the loss multiplies the error of each sample with, beside a mean over those that count.

    A loss that is divided by the number of samples feels how large the weights are, and those of 0.
    """
    weight = counted.sample_weight
    if weight is None:
        return None
    if fit.recipe is not None and fit.recipe.divide_by_weights:
        return weight / weight.mean()
    return weight * (len(weight) / len(fit.x))
