"""Penalties, decay and dropout, measured and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.measure.regularisation import regularisation
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Optimizer, Penalty, Recipe
from whyfit.rules import regularised_too_hard
from whyfit.study import factors

X, Y = sine(100)


def trained(one: Recipe) -> Fit:
    return fit_of(one, X, Y)


def small(**layer) -> Recipe:
    one = recipe((4,), "tanh", kernel=HE, epochs=3)
    return one.with_hidden(tuple(replace(each, **layer) for each in one.hidden))


def test_a_penalty_is_a_share_of_what_is_minimised():
    fit = trained(small(kernel_penalty=Penalty(l1=0.1, l2=0.3)))
    shares = []
    for network in (fit.start, fit.end):
        weight = network.layers[0].weight
        added = 0.1 * np.abs(weight).sum() + 0.3 * (weight**2).sum()
        shares.append(added / (added + np.mean((network(X) - Y) ** 2)))
    assert regularisation(fit, fit.recipe, X, Y).penalty == pytest.approx(max(shares))


def test_coupled_decay_is_a_penalty_and_decoupled_decay_is_not():
    fit = trained(small())
    coupled = Optimizer("adam", 0.01, framework="torch", weight_decay=0.2)
    found = regularisation(fit, replace(fit.recipe, optimizer=coupled), X, Y)
    total = sum((layer.weight**2).sum() + (layer.bias**2).sum() for layer in fit.start.layers)
    start = 0.1 * total / (0.1 * total + np.mean((fit.start(X) - Y) ** 2))
    assert found.penalty >= start * (1 - 1e-9)
    assert found.decay == 0.0
    decoupled = replace(coupled, name="adamw")
    found = regularisation(fit, replace(fit.recipe, optimizer=decoupled), X, Y)
    largest = max(
        np.abs(layer.weight).max() for network in (fit.start, fit.end) for layer in network.layers
    )
    assert (found.penalty, found.decay) == (0.0, pytest.approx(0.2 * largest))


def test_penalties_per_sample_are_those_of_a_batch():
    one = small(kernel_penalty=Penalty(l2=0.5))
    fit = trained(one)
    whole = regularisation(fit, one, X, Y).penalty
    shared = regularisation(fit, replace(one, penalty_per_sample=True), X, Y).penalty
    assert shared < whole


@pytest.mark.parametrize(("share", "units"), [(0.5, 2), (0.2, 10)])
def test_dropout_is_the_scatter_of_a_sum(share: float, units: int):
    """Against the definition: the variance of a sum of equal outputs over its squared mean."""
    one = recipe((units,), "tanh", kernel=HE, epochs=1)
    one = one.with_hidden((replace(one.hidden[0], dropout=share),))
    kept = np.random.default_rng(0).random((200_000, units)) >= share
    sums = (kept / (1.0 - share)).sum(axis=1)
    found = regularisation(trained(one), one, X, Y).dropout
    assert found == pytest.approx(sums.var() / sums.mean() ** 2, rel=0.02)


def test_the_rule_proposes_what_was_measured():
    fit = trained(small(dropout=0.5))
    said = regularised_too_hard.check(gather(fit))
    assert said is not None
    assert said.remedies == (Change("dropout", "none"),)
    fit = trained(small(kernel_penalty=Penalty(l2=5.0)))
    said = regularised_too_hard.check(gather(fit))
    assert said is not None
    assert said.remedies == (Change("weight_penalty", "none"),)


def test_a_little_of_either_is_no_fault():
    fit = trained(small(kernel_penalty=Penalty(l2=1e-4), dropout=0.02))
    assert regularised_too_hard.check(gather(fit)) is None


def test_a_loss_above_the_error_is_laid_to_what_the_recipe_has():
    """Without penalties and dropout it is something else: a mean over steps that sway, say."""
    for layer, blamed in (({"dropout": 0.02}, True), ({}, False)):
        fit = trained(small(**layer))
        twice = 2.0 * float(np.mean((fit.predictions - fit.y) ** 2))
        evidence = gather(replace(fit, history={"loss": (twice,) * len(fit.history["loss"])}))
        assert evidence.identities.reported == pytest.approx(2.0 * fit.unexplained_variance)
        assert (regularised_too_hard.check(evidence) is not None) == blamed


def test_taking_it_off():
    one = small(dropout=0.5, kernel_penalty=Penalty(l2=1.0))
    one = replace(one, optimizer=replace(one.optimizer, weight_decay=0.1), input_dropout=0.1)
    fit = trained(one)
    wanted = (Change("dropout", "none"), Change("weight_penalty", "none"))
    assert set(wanted) <= set(factors.common_changes(fit, one))
    bare = factors.apply(wanted, fit, one)
    assert regularisation(fit, bare, X, Y) == regularisation(fit, small(), X, Y)
    assert all(factors.resolve(each, fit, bare) is None for each in wanted)
