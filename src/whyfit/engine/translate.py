"""A recipe as the kernels' plain numbers (kernels/program.hpp)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.engine import _lanes
from whyfit.records.network import FUNCTIONS, Activation, Array
from whyfit.records.recipe import DenseLayer, Penalty, Recipe
from whyfit.records.schedule import Framework

LOSSES = {
    "mse": _lanes.Loss.mean_squared_error,
    "rmse": _lanes.Loss.mean_squared_error,
    "mae": _lanes.Loss.mean_absolute_error,
    "huber": _lanes.Loss.huber,
    "log_cosh": _lanes.Loss.log_cosh,
    "mape": _lanes.Loss.mean_absolute_percentage_error,
    "msle": _lanes.Loss.mean_squared_logarithmic_error,
    "binary_crossentropy": _lanes.Loss.binary_crossentropy,
    "categorical_crossentropy": _lanes.Loss.categorical_crossentropy,
    "half_mse": _lanes.Loss.half_squared_error,
}
ACTIVATIONS = {
    **{each.name: each for each in _lanes.Activation},
    "relu6": _lanes.Activation.bounded_relu,
}
OPTIMIZERS = {each.name: each for each in _lanes.Optimizer} | {"adamw": _lanes.Optimizer.adam}


def program(recipe: Recipe, dropout_seed: int) -> _lanes.Program:
    """All numbers but those of layers and tensors."""
    found = _lanes.Program()
    found.parameters = recipe.parameters
    found.form = _lanes.Form[recipe.framework]
    _loss(found, recipe)
    _optimizer(found, recipe)
    _schedule(found, recipe)
    _stopping(found, recipe)
    found.input_dropout = recipe.input_dropout
    found.dropout_seed = dropout_seed
    found.batch_size = recipe.batch_size
    found.drop_last = recipe.drop_last
    found.epochs = recipe.epochs
    return found


def _loss(found: _lanes.Program, recipe: Recipe) -> None:
    found.loss = LOSSES[recipe.loss]
    found.root_of_loss = recipe.loss == "rmse"
    found.loss_constant = recipe.loss_constant
    found.loss_factor = recipe.loss_factor
    found.label_smoothing = recipe.label_smoothing
    found.sum_reduction = recipe.reduction == "sum"
    found.divide_by_weights = recipe.divide_by_weights
    found.penalty_per_sample = recipe.penalty_per_sample
    found.clears_gradients = recipe.clears_gradients
    # scikit-learn's classifiers give probabilities and descend through the logits all the same.
    classifies = recipe.loss in ("binary_crossentropy", "categorical_crossentropy")
    found.from_logits = recipe.from_logits or (recipe.framework == "sklearn" and classifies)


def _optimizer(found: _lanes.Program, recipe: Recipe) -> None:
    optimizer = recipe.optimizer
    found.optimizer = OPTIMIZERS[optimizer.name]
    for name in (
        "learning_rate",
        "momentum",
        "dampening",
        "nesterov",
        "rho",
        "centered",
        "beta_1",
        "beta_2",
        "epsilon",
        "amsgrad",
        "initial_accumulator",
        "rate_decay",
        "momentum_decay",
        "weight_decay",
    ):
        setattr(found, name, getattr(optimizer, name))
    found.clip_norm = optimizer.clipnorm or 0.0
    found.global_clip_norm = optimizer.global_clipnorm or 0.0
    found.clip_value = optimizer.clipvalue or 0.0
    if optimizer.weight_decay:
        apart = (
            optimizer.framework != "torch" or optimizer.decoupled_decay or optimizer.name == "adamw"
        )
        found.decay = _lanes.Decay.of_weights if apart else _lanes.Decay.in_gradient


def _schedule(found: _lanes.Program, recipe: Recipe) -> None:
    schedule = recipe.schedule
    if schedule is None:
        return
    found.rates_per_step = schedule.per == "step" and schedule.change == "step"
    if not schedule.watches_loss:
        return
    found.watch_factor = schedule.factor
    found.watch_least = schedule.minimum
    found.watch_threshold = schedule.threshold
    found.watch_smallest = schedule.smallest_change
    found.watch_relative = schedule.threshold_mode == "rel"
    found.watch_patience = schedule.patience
    found.watch_cooldown = schedule.cooldown
    found.watch_held_out = schedule.monitor != "loss"
    if schedule.kind == "adaptive":
        found.watch = _lanes.Watch.adaptive
    elif recipe.framework == "torch":
        found.watch = _lanes.Watch.plateau_of_torch
    else:
        found.watch = _lanes.Watch.plateau_of_keras


def _stopping(found: _lanes.Program, recipe: Recipe) -> None:
    stopping = recipe.early_stopping
    if stopping is None:
        return
    sklearn = stopping.framework == "sklearn"
    found.stop = _lanes.Stop.sklearn if sklearn else _lanes.Stop.keras
    found.stop_patience = stopping.patience
    found.stop_threshold = stopping.min_delta
    found.stop_restores = stopping.restore_best
    found.stop_from_epoch = stopping.start_from_epoch
    found.stop_has_baseline = stopping.baseline is not None
    found.stop_baseline = stopping.baseline or 0.0
    found.stop_held_out = stopping.monitor != "loss"
    found.held_out_score = stopping.monitor == "held_out_score"


def rates(recipe: Recipe, samples: int) -> Float[Array, times] | None:
    """Learning rates where they are known beforehand and change."""
    found = recipe.learning_rates(samples)
    return None if found is None else np.ascontiguousarray(found, dtype=np.float64)


def layers(recipe: Recipe) -> list[_lanes.Layer]:
    """The layers with their places in a row of weights."""
    found, at = [], 0
    for (rows, columns, biased), spec in zip(recipe.shapes, recipe.layers, strict=True):
        layer = _lanes.Layer()
        layer.inputs = rows
        layer.units = columns
        _activation(layer, spec.activation, recipe.framework)
        layer.has_bias = biased
        layer.kernel_at = at
        at += rows * columns
        layer.bias_at = at if biased else 0
        at += columns * biased
        layer.slopes = spec.slopes
        layer.slopes_at = at
        at += spec.slopes
        layer.dropout = spec.dropout
        layer.activity_l1 = spec.activity_penalty.l1
        layer.activity_l2 = spec.activity_penalty.l2
        found.append(layer)
    return found


def _activation(layer: _lanes.Layer, activation: Activation, framework: Framework) -> None:
    """Name, constants, and the slope at exactly 0, where a unit without bias begins at x = 0.

    Keras on JAX: leaky_relu has 1 (jax.nn.leaky_relu), relu6 the half of jax.numpy.maximum's two
    arguments, PReLU 0 as the difference of two ReLUs (keras/src/layers/activations/prelu.py).
    PyTorch takes the left side's.
    """
    keras = framework == "keras"
    layer.activation = ACTIVATIONS[activation.name]
    constants = activation.constants or FUNCTIONS[activation.name].defaults
    match activation.name:
        case "leaky_relu":
            layer.constant = constants[0]
            layer.slope_at_zero = 1.0 if keras else constants[0]
        case "elu":
            layer.constant = constants[0]
        case "relu6":
            layer.most = 6.0
            layer.slope_at_zero = 0.5 if keras else 0.0
        case "bounded_relu":
            layer.constant, layer.most, layer.threshold = constants
        case "prelu":
            layer.own_slope_at_zero = not keras
        case _:
            pass


def tensors(recipe: Recipe) -> list[_lanes.Tensor]:
    """Kernels, biases and slopes in the order of a row of weights."""
    parts: list[tuple[int, Penalty, DenseLayer]] = []
    for (rows, columns, biased), layer in zip(recipe.shapes, recipe.layers, strict=True):
        parts.append((rows * columns, layer.kernel_penalty, layer))
        if biased:
            parts.append((columns, layer.bias_penalty, layer))
        if layer.slopes:
            parts.append((layer.slopes, Penalty(), layer))
    found, at = [], 0
    for count, penalty, layer in parts:
        tensor = _lanes.Tensor()
        tensor.at, tensor.count = at, count
        tensor.l1, tensor.l2 = penalty.l1, penalty.l2
        tensor.trainable = layer.trainable
        at += count
        found.append(tensor)
    return found
