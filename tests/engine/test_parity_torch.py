"""From the same start, in the same order, the engine ends where PyTorch does, in float64 to 1e-9.

Every optimizer, activation, loss and schedule alone, and all pairs of them together.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tests.engine import parity
from tests.engine.parity import recipe_of
from whyfit.records.network import Activation
from whyfit.records.recipe import Optimizer, Recipe
from whyfit.records.schedule import Schedule

torch = pytest.importorskip("torch")
from tests.engine import torch_reference  # noqa: E402

pytestmark = pytest.mark.framework

RATES = {"adagrad": 0.05, "adadelta": 1.0, "sgd": 0.05}


def optimizer(name: str, **constants) -> Optimizer:
    """PyTorch's own defaults."""
    defaults = {"epsilon": 1e-8, "rho": 0.99, "initial_accumulator": 0.0}
    if name == "adagrad":
        defaults["epsilon"] = 1e-10
    if name == "adadelta":
        defaults.update(rho=0.9, epsilon=1e-6)
    if name == "nadam":
        defaults["momentum_decay"] = 4e-3
    constants = {**defaults, **constants}
    return Optimizer(name, RATES.get(name, 0.01), framework="torch", **constants)


OPTIMIZERS = {
    "sgd": optimizer("sgd"),
    "sgd momentum decay": optimizer("sgd", momentum=0.9, weight_decay=0.01),
    "sgd dampened": optimizer("sgd", momentum=0.9, dampening=0.3),
    "sgd nesterov": optimizer("sgd", momentum=0.9, nesterov=True),
    "rmsprop": optimizer("rmsprop"),
    "rmsprop centered momentum": optimizer("rmsprop", momentum=0.5, centered=True, epsilon=1e-3),
    "adam": optimizer("adam"),
    "adam decay": optimizer("adam", weight_decay=0.01, amsgrad=True),
    "adamw": optimizer("adamw", weight_decay=0.05),
    "adamax": optimizer("adamax"),
    "nadam": optimizer("nadam"),
    "nadam decay": optimizer("nadam", weight_decay=0.05, decoupled_decay=True),
    "adagrad": optimizer("adagrad", rate_decay=0.01),
    "adadelta": optimizer("adadelta"),
    "norm clipped": optimizer("sgd", momentum=0.9, global_clipnorm=0.05),
    "values clipped": optimizer("adam", clipvalue=0.02),
}
ACTIVATIONS = [
    *(Activation(each) for each in ("linear", "relu", "elu", "selu", "tanh", "sigmoid")),
    *(Activation(each) for each in ("gelu", "gelu_tanh", "silu", "mish", "softplus", "sine")),
    *(Activation(each) for each in ("softsign", "hard_sigmoid", "hard_tanh", "relu6", "prelu")),
    Activation("leaky_relu", (0.01,)),
]
LOSSES = {
    "mse": {"loss": "mse"},
    "sum of squares": {"loss": "mse", "reduction": "sum"},
    "root of mean squares": {"loss": "rmse", "loss_factor": 0.7},
    "norm": {"loss": "rmse", "reduction": "sum"},
    "mae": {"loss": "mae"},
    "huber": {"loss": "huber", "loss_constant": 0.3},
    "binary crossentropy": {"loss": "binary_crossentropy", "output": "sigmoid"},
    "binary crossentropy of logits": {"loss": "binary_crossentropy", "from_logits": True},
    "categorical crossentropy": {
        "loss": "categorical_crossentropy",
        "from_logits": True,
        "label_smoothing": 0.1,
    },
}
SCHEDULES = {
    "constant": None,
    "steps": Schedule("exponential", per="epoch", interval=15, factor=0.5, staircase=True),
    "exponential": Schedule("exponential", per="epoch", factor=0.95),
    "cosine": Schedule("cosine", per="epoch", interval=30, minimum=0.001, hold=False),
    "milestones": Schedule(
        "piecewise", per="epoch", boundaries=(9, 29), multiples=(1.0, 0.3, 0.09)
    ),
    "plateau": Schedule(
        "plateau",
        per="epoch",
        factor=0.3,
        patience=1,
        threshold=0.02,
        threshold_mode="rel",
        cooldown=2,
        minimum=1e-3,
        smallest_change=1e-8,
    ),
}


def compare(recipe: Recipe, samples: int = parity.SAMPLES) -> None:
    torch.set_num_threads(1)
    x, y = parity.data(recipe.inputs, recipe.layers[-1].units, parity.kind_of_targets(recipe))
    x, y = x[:samples], y[:samples]
    starts = parity.starts_of(recipe)
    reference = torch_reference.train(recipe, x, y, starts[0])
    assert parity.difference(recipe, starts[0], reference) > 1e-3, "the reference did not train"
    for precision, bound in (("float64", 1e-9), ("float32", 1e-4)):
        row = parity.ours(recipe, x, y, starts, precision)[0]
        assert parity.difference(recipe, row, reference) <= bound, precision


def torch_recipe(activation, loss: str, optimizer: Optimizer, schedule: str, **rest) -> Recipe:
    arguments = {**LOSSES[loss], **rest}
    recipe = recipe_of(activation, optimizer=optimizer, outputs=3, **arguments)
    if loss == "sum of squares":
        slower = replace(optimizer, learning_rate=optimizer.learning_rate / 200)
        recipe = replace(recipe, optimizer=slower)
    return replace(recipe, schedule=SCHEDULES[schedule])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str):
    compare(torch_recipe("tanh", "mse", OPTIMIZERS[name], "constant"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_that_are_never_cleared(name: str):
    rule = OPTIMIZERS[name]
    # Two sums that nothing damps swing up: at a tenth of the rate 1e-16 becomes 1e-4 in 200 steps.
    slower = 100 if rule.name == "sgd" and rule.momentum and not rule.global_clipnorm else 10
    rule = replace(rule, learning_rate=rule.learning_rate / slower)
    recipe = torch_recipe("tanh", "mse", rule, "constant", clears_gradients=False)
    compare(recipe)
    cleared = replace(recipe, clears_gradients=True)
    x, y = parity.data(2, 3, "values")
    start = parity.starts_of(recipe, 1)
    ends = [parity.ours(each, x, y, start, "float64")[0] for each in (recipe, cleared)]
    assert parity.difference(recipe, *ends) > 1e-3


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: Activation):
    compare(torch_recipe(activation, "mse", OPTIMIZERS["sgd"], "constant"))


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str):
    compare(torch_recipe("tanh", loss, OPTIMIZERS["sgd"], "constant"))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule: str):
    compare(torch_recipe("tanh", "mse", OPTIMIZERS["rmsprop centered momentum"], schedule))


@pytest.mark.parametrize("drop_last", [False, True])
def test_short_last_batch(drop_last: bool):
    recipe = torch_recipe("silu", "huber", OPTIMIZERS["adam"], "constant", drop_last=drop_last)
    compare(recipe, samples=57)


def pairwise(*axes: list) -> list[tuple]:
    """Rows in which every pair of levels of two axes occurs, found greedily."""
    sizes = [len(axis) for axis in axes]
    left = {
        (a, i, b, j)
        for a, b in combinations(range(len(axes)), 2)
        for i in range(sizes[a])
        for j in range(sizes[b])
    }
    random, rows = np.random.default_rng(0), []
    while left:
        a, i, b, j = min(left)
        best, best_count = None, -1
        for _trial in range(20):
            row = [int(random.integers(size)) for size in sizes]
            row[a], row[b] = i, j
            count = sum((p, row[p], q, row[q]) in left for p, q in combinations(range(len(row)), 2))
            if count > best_count:
                best, best_count = row, count
        left -= {(p, best[p], q, best[q]) for p, q in combinations(range(len(best)), 2)}
        rows.append(tuple(axis[at] for axis, at in zip(axes, best, strict=True)))
    return rows


SMOOTH = [
    each
    for each in ACTIVATIONS
    if each.name not in ("relu", "relu6", "hard_tanh", "hard_sigmoid", "leaky_relu", "prelu")
]


def test_all_pairs():
    """Optimizers, activations of two layers, losses and schedules: every pair of levels.

    In float64. A kink makes no difference at that precision unless a unit comes within 1e-16 of it.
    """
    torch.set_num_threads(1)
    rows = pairwise(list(OPTIMIZERS), ACTIVATIONS, list(LOSSES), list(SCHEDULES))
    worst = []
    for name, activation, loss, schedule in rows:
        recipe = torch_recipe(activation, loss, OPTIMIZERS[name], schedule)
        recipe = replace(recipe, epochs=12)
        x, y = parity.data(2, 3, parity.kind_of_targets(recipe))
        start = parity.starts_of(recipe, 1)
        reference = torch_reference.train(recipe, x, y, start[0])
        row = parity.ours(recipe, x, y, start, "float64")[0]
        worst.append((parity.difference(recipe, row, reference), name, activation, loss, schedule))
    assert len(rows) >= len(OPTIMIZERS) * len(ACTIVATIONS)
    assert [each for each in worst if not each[0] <= 1e-9] == []
