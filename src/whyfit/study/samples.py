"""Sample fits: what the curves of an arm look like, for pictures."""

from __future__ import annotations

import numpy as np

from whyfit.engine import lanes
from whyfit.engine.initializers import draw
from whyfit.ledger.ledger import Page
from whyfit.measure.activity import few_samples, live_units
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe
from whyfit.records.study import Arm, Plan, Samples
from whyfit.records.variance import variance
from whyfit.study import factors, memory, orders
from whyfit.study.run import named
from whyfit.study.workers.block import Data

COUNT = 16


def sample(
    fit: Fit,
    recipe: Recipe,
    plan: Plan,
    changes: Arm,
    rows: Array,
    count: int = COUNT,
    page: Page | None = None,
) -> Samples:
    """Train the first confirmation replicates of an arm again and keep their predictions.

    `rows` are indices of the samples at which the curves are kept. The numbers are those of the study:
    same starts, same orders.
    """
    changed = factors.apply(changes, fit, recipe)
    starts = draw(changed, plan.confirmation_seed, 0, count)
    order, data = orders.kind(changed, len(fit.x)), Data.of_fit(fit)
    trained = memory.remembered(
        page or Page.blank(),
        "sample",
        named(changes),
        count,
        (changed, data.digest, plan.confirmation_seed, order),
        lambda: _ends(changed, data, starts, lanes.Order(order, seed=plan.confirmation_seed)),
    )
    x = changed.input_transform(fit.x) if changed.input_transform else fit.x
    targets = changed.target_transform(fit.y) if changed.target_transform else fit.y
    curves = []
    for weights in trained[:, :-1]:
        with np.errstate(all="ignore"):
            predicted = changed.network(weights)(x[rows])
        if changed.target_transform is not None:
            predicted = changed.target_transform.invert(predicted)
        curves.append(predicted)
    return Samples(
        changes,
        np.array(curves),
        trained[:, -1] / variance(targets, fit.sample_weight),
        live_units(starts, changed, few_samples(x, 64)),
    )


def _ends(recipe: Recipe, data: Data, starts: Array, order: lanes.Order) -> Array:
    """End weights and, in the last column, mean squared errors: one row a replicate, as float64."""
    trained = data.train(recipe, starts, order)
    ends = trained.weights.astype(np.float64)
    return np.column_stack([ends, trained.mean_squared_error])
