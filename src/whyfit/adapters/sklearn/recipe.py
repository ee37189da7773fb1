"""A scikit-learn MLPRegressor as a recipe, or the reason why it cannot be one.

Source of all formulas: sklearn/neural_network/_multilayer_perceptron.py, _base.py and
_stochastic_optimizers.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from whyfit.records.network import Activation, Array
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Penalty, Recipe
from whyfit.records.schedule import EarlyStopping, Schedule

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def recipe_of(model: Any, samples: int) -> tuple[Recipe, str | None]:
    """Everything needed to train an initialised regressor again, and why that is not possible, if so."""
    name = ACTIVATIONS[model.activation]
    logistic = model.activation == "logistic"
    initializer = Initializer("sklearn_logistic_uniform" if logistic else "sklearn_uniform")
    penalty = Penalty(l2=float(model.alpha) / 2.0)
    count = len(model.coefs_)
    layers = tuple(
        DenseLayer(
            int(kernel.shape[1]),
            Activation(name if index < count - 1 else "linear"),
            kernel_initializer=initializer,
            bias_initializer=initializer,
            kernel_penalty=penalty,
        )
        for index, kernel in enumerate(model.coefs_)
    )
    schedule, stopping = _in_time(model)
    recipe = Recipe(
        inputs=int(model.coefs_[0].shape[0]),
        layers=layers,
        loss="half_mse",
        optimizer=_optimizer(model),
        batch_size=batch_size(model, samples),
        epochs=int(model.max_iter),
        shuffle=bool(model.shuffle),
        penalty_per_sample=True,
        schedule=schedule,
        early_stopping=stopping,
    )
    return recipe, _reason(model)


def batch_size(model: Any, samples: int) -> int:
    """The samples of a step: 200 at most where the script leaves it to scikit-learn."""
    if model.batch_size == "auto":
        return min(200, samples)
    return int(np.clip(model.batch_size, 1, samples))


def flat(model: Any) -> Array:
    """All weights in one row: kernel, bias, kernel, bias, ..."""
    parts = []
    for kernel, bias in zip(model.coefs_, model.intercepts_, strict=True):
        parts += [np.ravel(kernel), np.ravel(bias)]
    return np.concatenate(parts).astype(np.float64)


def put(model: Any, row: Array) -> None:
    """Give a regressor the weights of a row, in place."""
    at = 0
    for kernel, bias in zip(model.coefs_, model.intercepts_, strict=True):
        for part in (kernel, bias):
            part[...] = row[at : at + part.size].reshape(part.shape)
            at += part.size


def _reason(model: Any) -> str | None:
    if model.solver not in ("sgd", "adam"):
        return f"solver {model.solver} is not supported"
    if getattr(model, "loss", "squared_error") != "squared_error":
        return f"loss {model.loss} is not supported"
    if not type(model)._init_coef.__module__.startswith("sklearn."):
        return "start weights that the script sets by hand are not supported"
    return None


def _optimizer(model: Any) -> Optimizer:
    rate = float(model.learning_rate_init)
    if model.solver == "adam":
        return Optimizer(
            "adam",
            rate,
            beta_1=float(model.beta_1),
            beta_2=float(model.beta_2),
            epsilon=float(model.epsilon),
            framework="sklearn",
        )
    if model.solver == "sgd":
        return Optimizer(
            "sgd",
            rate,
            momentum=float(model.momentum),
            nesterov=bool(model.nesterovs_momentum),
            framework="sklearn",
        )
    return Optimizer(str(model.solver), rate, framework="sklearn")


def _in_time(model: Any) -> tuple[Schedule | None, EarlyStopping | None]:
    """How the learning rate changes and when training stops: both may watch the training loss."""
    patience, tolerance = int(model.n_iter_no_change), float(model.tol)
    stopping = EarlyStopping(patience, tolerance, framework="sklearn")
    if model.early_stopping:
        stopping = replace(stopping, restore_best=True, monitor="held_out_score")
    if model.solver != "sgd" or model.learning_rate == "constant":
        return None, stopping
    if model.learning_rate == "invscaling":
        power = float(model.power_t)
        return Schedule("inverse_scaling", per="sample", change="epoch", power=power), stopping
    adaptive = Schedule(
        "adaptive", per="epoch", change="epoch", patience=patience, threshold=tolerance
    )
    return adaptive, stopping if model.early_stopping else None


def stopped_after(losses: Array, patience: int, tolerance: float) -> int:
    """Epochs after which the stopping rule ends training, given the loss of every epoch."""
    best, waited = np.inf, 0
    for epoch, loss in enumerate(losses):
        waited = waited + 1 if loss > best - tolerance else 0
        best = min(best, loss)
        if waited > patience:
            return epoch + 1
    return len(losses)
