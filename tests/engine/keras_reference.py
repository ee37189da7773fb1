"""The same recipe in Keras itself, in float64: the usual model, and its own train step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Optimizer, Penalty, Recipe
from whyfit.records.schedule import Schedule

OPTIMIZERS = {
    "sgd": ("SGD", ("momentum", "nesterov")),
    "rmsprop": ("RMSprop", ("rho", "momentum", "epsilon", "centered")),
    "adam": ("Adam", ("beta_1", "beta_2", "epsilon", "amsgrad")),
    "adamw": ("AdamW", ("beta_1", "beta_2", "epsilon", "amsgrad")),
    "adamax": ("Adamax", ("beta_1", "beta_2", "epsilon")),
    "nadam": ("Nadam", ("beta_1", "beta_2", "epsilon")),
    "adagrad": ("Adagrad", ("initial_accumulator", "epsilon")),
    "adadelta": ("Adadelta", ("rho", "epsilon")),
}
LOSSES = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "huber": "Huber",
    "log_cosh": "LogCosh",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
}


@contextmanager
def double_precision() -> Iterator[None]:
    """Keras and JAX in float64, and back."""
    import jax
    import keras

    before = keras.config.floatx(), jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[0])
        jax.config.update("jax_enable_x64", before[1])


def model_of(recipe: Recipe) -> Any:
    """A compiled Sequential that trains by the recipe."""
    import keras

    layers: list[Any] = [keras.Input((recipe.inputs,))]
    if recipe.input_dropout:
        layers.append(keras.layers.Dropout(recipe.input_dropout))
    for layer in recipe.layers:
        function, after = _activation(layer.activation, layer)
        layers.append(_dense(layer, function))
        layers += after
        if layer.dropout:
            layers.append(keras.layers.Dropout(layer.dropout))
    model = keras.Sequential(layers)
    model.compile(optimizer=optimizer_of(recipe), loss=loss_of(recipe))
    return model


def _dense(layer: DenseLayer, function: Any) -> Any:
    import keras

    return keras.layers.Dense(
        layer.units,
        activation=function,
        use_bias=layer.use_bias,
        kernel_regularizer=_penalty(layer.kernel_penalty),
        bias_regularizer=_penalty(layer.bias_penalty),
        activity_regularizer=_penalty(layer.activity_penalty),
        trainable=layer.trainable,
    )


def _penalty(penalty: Penalty) -> Any:
    import keras

    return keras.regularizers.L1L2(penalty.l1, penalty.l2) if penalty else None


def _activation(activation: Activation, layer: DenseLayer) -> tuple[Any, list[Any]]:
    import jax
    import keras

    constants = activation.constants
    match activation.name:
        case "leaky_relu" if constants:
            return None, [keras.layers.LeakyReLU(negative_slope=constants[0])]
        case "elu" if constants:
            return None, [keras.layers.ELU(alpha=constants[0])]
        case "bounded_relu":
            slope, most, threshold = constants
            most = None if np.isinf(most) else most
            return None, [
                keras.layers.ReLU(max_value=most, negative_slope=slope, threshold=threshold)
            ]
        case "prelu":
            slopes = keras.layers.PReLU(shared_axes=[1] if layer.shared_slope else None)
            slopes.trainable = layer.trainable
            return None, [slopes]
        case "gelu_tanh":
            return lambda z: keras.activations.gelu(z, approximate=True), []
        # Keras 3 rounds float64 to float32 in its own tanh and sin (ops.numpy asks for the type of a
        # float64 and a Python float and gets float32), which shows in the eighth digit.
        case "tanh":
            return jax.numpy.tanh, []
        case "sine":
            return jax.numpy.sin, []
        case name:
            return name, []


def optimizer_of(recipe: Recipe) -> Any:
    """The optimizer of the recipe, its learning rate a schedule where there is one."""
    import keras

    optimizer = recipe.optimizer
    kind, names = OPTIMIZERS[optimizer.name]
    arguments = {name: getattr(optimizer, name) for name in names}
    if "initial_accumulator" in arguments:
        arguments["initial_accumulator_value"] = arguments.pop("initial_accumulator")
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        arguments[name] = getattr(optimizer, name)
    arguments["weight_decay"] = optimizer.weight_decay or None
    if optimizer.name == "adamw":
        arguments["weight_decay"] = optimizer.weight_decay
    return getattr(keras.optimizers, kind)(learning_rate=_rate(optimizer, recipe), **arguments)


def _rate(optimizer: Optimizer, recipe: Recipe) -> Any:
    schedule = recipe.schedule
    if schedule is None or schedule.watches_loss:
        return optimizer.learning_rate
    return schedule_of(schedule, optimizer.learning_rate)


def schedule_of(schedule: Schedule, rate: float) -> Any:
    """Keras's schedule of the kinds that it has."""
    import keras

    known = keras.optimizers.schedules
    interval, factor = schedule.interval, schedule.factor
    match schedule.kind:
        case "exponential":
            return known.ExponentialDecay(rate, interval, factor, staircase=schedule.staircase)
        case "inverse_time":
            return known.InverseTimeDecay(rate, interval, factor, staircase=schedule.staircase)
        case "polynomial":
            return known.PolynomialDecay(
                rate, interval, schedule.minimum, schedule.power, cycle=schedule.cycle
            )
        case "cosine":
            return known.CosineDecay(
                rate,
                interval,
                alpha=schedule.minimum / (schedule.warmup_target or rate),
                warmup_target=schedule.warmup_target,
                warmup_steps=int(schedule.warmup),
            )
        case "piecewise":
            return known.PiecewiseConstantDecay(
                list(schedule.boundaries), [rate * each for each in schedule.multiples]
            )
        case kind:
            raise ValueError(f"Keras has no schedule {kind}")


def loss_of(recipe: Recipe) -> Any:
    """The loss of the recipe."""
    import keras

    arguments: dict[str, Any] = {}
    if recipe.loss == "huber":
        arguments["delta"] = recipe.loss_constant
    if recipe.loss.endswith("crossentropy"):
        arguments["from_logits"] = recipe.from_logits
        arguments["label_smoothing"] = recipe.label_smoothing
    if recipe.reduction == "sum":
        arguments["reduction"] = "sum"
    return getattr(keras.losses, LOSSES[recipe.loss])(**arguments)


def set_weights(model: Any, row: np.ndarray) -> None:
    """Put a row of weights into the model."""
    like, at, weights = model.get_weights(), 0, []
    for each in _in_order(model):
        weights.append(row[at : at + each.size].reshape(each.shape))
        at += each.size
    for variable, value in zip(_variables(model), weights, strict=True):
        variable.assign(value)
    assert at == sum(each.size for each in like)


def _variables(model: Any) -> list[Any]:
    return [
        variable
        for layer in model.layers
        for variable in layer.weights
        if "seed" not in variable.path
    ]


def _in_order(model: Any) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in _variables(model)]


def row_of(model: Any) -> np.ndarray:
    """The model's weights as a row."""
    return np.concatenate([each.ravel() for each in _in_order(model)])


def train_steps(
    recipe: Recipe,
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """End weights after the recipe's epochs in the order of the data, in float64.

    All steps of Keras's own `train_step` run in one compiled loop, so that a case costs its compilation.
    The batch size must divide the samples.
    """
    import jax

    with double_precision():
        model = model_of(recipe)
        set_weights(model, start)
        model.optimizer.build(model.trainable_variables)
        model._symbolic_build(data_batch=(x[:1], y[:1]))
        state = tuple(
            [variable.value for variable in group]
            for group in (
                model.trainable_variables,
                model.non_trainable_variables,
                model.optimizer.variables,
                model.metrics_variables,
            )
        )
        batches = len(x) // recipe.batch_size
        assert batches * recipe.batch_size == len(x)
        data = [x, y] if weight is None else [x, y, weight]
        data = tuple(each.reshape(batches, recipe.batch_size, *each.shape[1:]) for each in data)

        def step(state: Any, batch: Any) -> Any:
            _logs, state = model.train_step(state, batch)
            return state, None

        @jax.jit
        def run(state: Any) -> Any:
            def epoch(state: Any, _none: Any) -> Any:
                return jax.lax.scan(step, state, data)

            return jax.lax.scan(epoch, state, None, length=recipe.epochs)[0]

        state = run(state)
        for variable, value in zip(model.trainable_variables, state[0], strict=True):
            variable.assign(value)
        return row_of(model)
