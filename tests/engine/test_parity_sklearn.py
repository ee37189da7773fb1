"""From the same start, in the same order, the engine ends where scikit-learn's MLP does."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.engine import parity
from tests.engine.parity import recipe_of
from whyfit.engine.lanes import Order, train
from whyfit.records.fit import HeldOut
from whyfit.records.recipe import Optimizer, Penalty, Recipe
from whyfit.records.schedule import EarlyStopping, Schedule

neural_network = pytest.importorskip("sklearn.neural_network")
_multilayer_perceptron = importlib.import_module("sklearn.neural_network._multilayer_perceptron")

ADAM = Optimizer("adam", 0.01, epsilon=1e-8, framework="sklearn")
SGD = Optimizer("sgd", 0.05, momentum=0.9, nesterov=True, framework="sklearn")
ALPHA = 1e-2

CASES: dict[str, tuple[Recipe, dict[str, Any]]] = {
    "adam": (recipe_of("relu", "half_mse", ADAM), {}),
    "nesterov": (recipe_of("tanh", "half_mse", SGD), {}),
    "plain sgd": (
        recipe_of("sigmoid", "half_mse", replace(SGD, momentum=0.0, nesterov=False)),
        {},
    ),
    "invscaling": (
        recipe_of(
            "tanh",
            "half_mse",
            SGD,
            schedule=Schedule("inverse_scaling", per="sample", change="epoch", power=0.2),
        ),
        {"learning_rate": "invscaling", "power_t": 0.2},
    ),
    "adaptive": (
        recipe_of(
            "tanh",
            "half_mse",
            replace(SGD, learning_rate=0.15),
            schedule=Schedule("adaptive", per="epoch", patience=2, threshold=2e-3),
        ),
        {"learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 2e-3},
    ),
    "stopping": (
        recipe_of(
            "tanh",
            "half_mse",
            ADAM,
            early_stopping=EarlyStopping(patience=3, min_delta=2e-3, framework="sklearn"),
        ),
        {"n_iter_no_change": 3, "tol": 2e-3},
    ),
    "stopping by a score": (
        recipe_of(
            "tanh",
            "half_mse",
            ADAM,
            early_stopping=EarlyStopping(
                patience=3,
                min_delta=0.03,
                restore_best=True,
                framework="sklearn",
                monitor="held_out_score",
            ),
        ),
        {"n_iter_no_change": 3, "tol": 0.03, "early_stopping": True, "validation_fraction": 0.3},
    ),
    "classes": (
        recipe_of("relu", "categorical_crossentropy", ADAM, output="softmax", outputs=3),
        {},
    ),
    "labels": (
        recipe_of("tanh", "binary_crossentropy", ADAM, output="sigmoid", outputs=3),
        {},
    ),
    "weights": (recipe_of("tanh", "half_mse", ADAM, divide_by_weights=True), {}),
}
NAMES = {"sigmoid": "logistic", "linear": "identity"}


def estimator(recipe: Recipe, options: dict[str, Any]) -> Any:
    name = recipe.hidden[0].activation.name
    classifies = recipe.loss.endswith("crossentropy")
    kind = neural_network.MLPClassifier if classifies else neural_network.MLPRegressor
    return kind(
        hidden_layer_sizes=tuple(layer.units for layer in recipe.hidden),
        activation=NAMES.get(name, name),
        solver=recipe.optimizer.name,
        alpha=ALPHA,
        batch_size=recipe.batch_size,
        learning_rate_init=recipe.optimizer.learning_rate,
        max_iter=recipe.epochs,
        shuffle=False,
        momentum=recipe.optimizer.momentum,
        nesterovs_momentum=recipe.optimizer.nesterov,
        random_state=0,
        **{"tol": 0.0, "n_iter_no_change": 10_000, **options},
    )


def begin_at(model: Any, recipe: Recipe, start: np.ndarray) -> None:
    """scikit-learn draws its start in `_initialize`; here it is put in place of the draw."""
    network = recipe.network(start)
    draw = model._initialize

    def initialize(*arguments: Any) -> None:
        draw(*arguments)
        model.coefs_ = [layer.weight.copy() for layer in network.layers]
        model.intercepts_ = [layer.bias.copy() for layer in network.layers]

    model._initialize = initialize


@pytest.mark.parametrize("name", CASES)
def test_sklearn(name: str, monkeypatch: pytest.MonkeyPatch):
    recipe, options = CASES[name]
    penalty = Penalty(0.0, ALPHA / 2)
    layers = tuple(replace(layer, kernel_penalty=penalty) for layer in recipe.layers)
    recipe = replace(recipe, layers=layers, penalty_per_sample=True, batch_size=24)
    x, y = parity.data(2, recipe.layers[-1].units, parity.kind_of_targets(recipe))
    start = parity.starts_of(recipe)[0]
    weight = np.random.default_rng(2).uniform(0.5, 2.0, len(x)) if name == "weights" else None
    model = estimator(recipe, options)
    begin_at(model, recipe, start)
    target = np.argmax(y, axis=1) if name == "classes" else y
    arguments = {} if weight is None else {"sample_weight": weight}
    parts: list[np.ndarray] = []
    split = _multilayer_perceptron.train_test_split
    monkeypatch.setattr(
        _multilayer_perceptron,
        "train_test_split",
        lambda *given, **options: parts.extend(split(*given, **options)) or parts,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x, target, **arguments)
    except TypeError:
        pytest.skip("this scikit-learn takes no sample weights")
    reference = np.concatenate(
        [
            part.ravel()
            for pair in zip(model.coefs_, model.intercepts_, strict=True)
            for part in pair
        ]
    )
    held_out = None
    if parts:
        x, held_x, y, held_y = parts
        held_out = HeldOut(held_x, held_y)
    for precision, bound in (("float64", 1e-9), ("float32", 1e-4)):
        trained = train(
            recipe,
            x,
            y,
            start[None],
            sample_weight=weight,
            held_out=held_out,
            order=Order("given"),
            precision=precision,
            history=True,
        )
        done = int(trained.epochs_done[0])
        assert done == model.n_iter_
        assert trained.history[0][:done] == pytest.approx(model.loss_curve_, rel=1e-4)
        assert parity.difference(recipe, trained.weights[0], reference) <= bound, precision
    if name.startswith("stopping") or name == "adaptive":
        assert model.n_iter_ < recipe.epochs, "nothing was stopped"
