"""Training many networks at once: the one function `train`, and what it returns.

The kernels are compiled (see `kernels/`); this file checks shapes, translates a recipe into the
kernels' plain numbers and allocates what they fill.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from whyfit.engine import _lanes
from whyfit.engine.initializers import SUPPORTED as SUPPORTED_INITIALIZERS
from whyfit.errors import Unsupported, UsageError
from whyfit.records.network import FUNCTIONS, Activation, Array
from whyfit.records.recipe import Recipe

GROUP: int = _lanes.GROUP

LOSSES = {
    "mse": _lanes.Loss.mean_squared_error,
    "mae": _lanes.Loss.mean_absolute_error,
}
ACTIVATIONS = {
    "linear": _lanes.Activation.linear,
    "relu": _lanes.Activation.relu,
    "leaky_relu": _lanes.Activation.leaky_relu,
    "elu": _lanes.Activation.elu,
    "tanh": _lanes.Activation.tanh,
    "sigmoid": _lanes.Activation.sigmoid,
}
OPTIMIZERS = {
    "sgd": _lanes.Optimizer.sgd,
    "rmsprop": _lanes.Optimizer.rmsprop,
    "adam": _lanes.Optimizer.adam,
}


@dataclass(frozen=True)
class Order:
    """In which order a replicate sees the samples.

    `kind` is "group" (a fresh permutation an epoch for each group of 16 replicates), "replicate" (one
    for each replicate, for equal starts), or "given" (`rows`, or the data as they lie).
    """

    kind: Literal["group", "replicate", "given"] = "group"
    seed: int = 0
    rows: Int[Array, "epochs samples"] | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """Outcome of training, one entry a replicate.

    `mean_squared_error` is over all samples and outputs in the units the network was trained in;
    `diverged_at` is the number of steps before the first non-finite loss, or -1; `history` is the
    mean training loss of each epoch as the framework prints it; `snapshots` are the weights after
    every `snapshot_every` epochs.
    """

    weights: Float[Array, "replicates parameters"]
    mean_squared_error: Float[Array, replicates]
    diverged_at: Int[Array, replicates]
    history: Float[Array, "replicates epochs"] | None
    snapshots: Float[Array, "replicates times parameters"] | None


def why_unsupported(recipe: Recipe) -> str | None:
    """The reason why the engine cannot train a recipe, or None if it can."""
    for layer in recipe.layers:
        if layer.activation.name not in ACTIVATIONS:
            return f"activation {layer.activation.name} is not supported"
        for initializer in (layer.kernel_initializer, layer.bias_initializer):
            if initializer.name not in SUPPORTED_INITIALIZERS:
                return f"initializer {initializer.name} is not supported"
    if recipe.loss not in LOSSES:
        return f"loss {recipe.loss} is not supported"
    if recipe.optimizer.name not in OPTIMIZERS:
        return f"optimizer {recipe.optimizer.name} is not supported"
    return _missing_part(recipe)


def _missing_part(recipe: Recipe) -> str | None:
    layers, optimizer = recipe.layers, recipe.optimizer
    missing = {
        f"the formulas of {recipe.framework}": recipe.framework != "keras",
        "a penalty on weights": any(each.kernel_penalty or each.bias_penalty for each in layers),
        "a penalty on activities": any(each.activity_penalty for each in layers),
        "dropout": recipe.input_dropout > 0 or any(each.dropout > 0 for each in layers),
        "a frozen layer": not all(each.trainable for each in layers),
        "weight decay": optimizer.weight_decay != 0,
        "clipping of gradients": (
            optimizer.clipnorm,
            optimizer.global_clipnorm,
            optimizer.clipvalue,
        )
        != (None, None, None),
        "amsgrad": optimizer.amsgrad,
        "a learning-rate schedule": recipe.schedule is not None,
        "early stopping": recipe.early_stopping is not None,
        "a loss of another reduction": recipe.reduction != "mean" or recipe.loss_factor != 1,
        "leaving out the last batch": recipe.drop_last,
    }
    return next((f"{name} is not supported" for name, wanted in missing.items() if wanted), None)


def train(
    recipe: Recipe,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    starts: Float[Array, "replicates parameters"],
    *,
    order: Order | None = None,
    first_replicate: int = 0,
    precision: Literal["float32", "float64"] = "float32",
    history: bool = False,
    snapshot_every: int = 0,
    threads: int | None = None,
    target: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Trained:
    """Train one network for each row of `starts`, all by the same recipe on the same data.

    `x` and `y` are the data as passed to `fit`; the recipe's transforms are applied here. A row of
    `starts` holds kernel, bias, kernel, bias, ... of the layers, as `initializers.draw` gives them.
    `first_replicate` is the number of the first row: with it, the groups of 16 and so the data
    orders are the same however the replicates are cut into calls; it must be a multiple of 16. The
    result of a replicate does not depend on how many others there are or on `threads` (default: all
    cores). `target` forces an instruction set ("avx512", "avx2", "baseline"). `progress` is called
    about ten times a second with the number of optimizer steps done so far in all lanes together.

    Raises Unsupported where the recipe needs what the kernels do not have, UsageError where shapes
    do not fit, KeyboardInterrupt on Ctrl-C.
    """
    reason = why_unsupported(recipe)
    if reason:
        raise Unsupported(reason)
    dtype = np.dtype(precision)
    inputs = _prepared(recipe.input_transform, x, dtype)
    targets = _prepared(recipe.target_transform, y, dtype)
    start = np.ascontiguousarray(starts, dtype=dtype)
    _check(recipe, inputs, targets, start, first_replicate)
    kind, rows, seed = _order(recipe, order or Order(), len(inputs))

    count = len(start)
    end = np.empty_like(start)
    squared_error = np.full(count, np.nan)
    diverged_at = np.full(count, -1, dtype=np.int64)
    losses = np.full((count, recipe.epochs), np.nan) if history else None
    times = recipe.epochs // snapshot_every if snapshot_every else 0
    snapshots = np.empty((count, times, recipe.parameters), dtype=dtype) if times else None

    run = _lanes.train_float32 if dtype == np.float32 else _lanes.train_float64
    complete = run(
        target=target or TARGETS[0],
        program=_program(recipe),
        layers=_layers(recipe),
        x=inputs,
        y=targets,
        start=start,
        order_kind=kind,
        order=rows,
        order_seed=seed,
        first_replicate=first_replicate,
        end=end,
        squared_error=squared_error,
        diverged_at=diverged_at,
        history=losses,
        snapshots=snapshots,
        snapshot_every=max(1, snapshot_every),
        threads=threads or os.cpu_count() or 1,
        progress=progress,
    )
    if not complete:
        raise MemoryError(
            f"training {count} networks of {recipe.parameters} weights needs more memory than "
            "this machine gives; use fewer replicates or a smaller network"
        )
    return Trained(end, squared_error, diverged_at, losses, snapshots)


TARGETS: tuple[str, ...] = tuple(_lanes.targets())
"""Instruction sets this machine can run, best first."""


def _prepared(transform: Callable[[Array], Array] | None, data: Array, dtype: np.dtype) -> Array:
    # Transforms run in float64, as a scaler in a script does; rounding comes last.
    changed = transform(np.asarray(data, dtype=np.float64)) if transform else data
    return np.ascontiguousarray(changed, dtype=dtype)


def _check(recipe: Recipe, x: Array, y: Array, starts: Array, first_replicate: int) -> None:
    expectations = (
        ("x", x.shape, ("samples", recipe.inputs)),
        ("y", y.shape, (len(x), recipe.layers[-1].units)),
        ("starts", starts.shape, ("replicates", recipe.parameters)),
    )
    for name, shape, expected in expectations:
        fits = len(shape) == len(expected) and all(
            isinstance(want, str) or have == want
            for have, want in zip(shape, expected, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(size) for size in expected)
            raise UsageError(f"{name} must have shape ({wanted}): got {shape}")
    if len(x) == 0:
        raise UsageError("x must have at least one sample: got none")
    if first_replicate % GROUP:
        raise UsageError(f"first_replicate must be a multiple of {GROUP}: got {first_replicate}")


def _order(recipe: Recipe, order: Order, samples: int) -> tuple[_lanes.Order, Array | None, int]:
    seed = order.seed % 2**64
    if order.rows is not None:
        rows = np.ascontiguousarray(order.rows, dtype=np.int32)
        if rows.shape != (recipe.epochs, samples):
            raise UsageError(
                f"order.rows must have shape ({recipe.epochs}, {samples}): got {rows.shape}"
            )
        if rows.size and (rows.min() < 0 or rows.max() >= samples):
            raise UsageError(f"order.rows must lie in 0 .. {samples - 1}")
        return _lanes.Order.given, rows, seed
    if not recipe.shuffle or order.kind == "given":
        return _lanes.Order.given, None, seed
    if order.kind == "replicate":
        return _lanes.Order.each_replicate, None, seed
    return _lanes.Order.group, None, seed


def _program(recipe: Recipe) -> _lanes.Program:
    program = _lanes.Program()
    program.parameters = recipe.parameters
    program.loss = LOSSES[recipe.loss]
    program.optimizer = OPTIMIZERS[recipe.optimizer.name]
    for name in ("learning_rate", "momentum", "nesterov", "rho", "centered"):
        setattr(program, name, getattr(recipe.optimizer, name))
    for name in ("beta_1", "beta_2", "epsilon"):
        setattr(program, name, getattr(recipe.optimizer, name))
    program.batch_size = recipe.batch_size
    program.epochs = recipe.epochs
    return program


def _constant(activation: Activation) -> float:
    constants = activation.constants or FUNCTIONS[activation.name].defaults
    return constants[0] if constants else 0.0


def _layers(recipe: Recipe) -> list[_lanes.Layer]:
    layers, at = [], 0
    for (rows, columns, biased), spec in zip(recipe.shapes, recipe.layers, strict=True):
        layer = _lanes.Layer()
        layer.inputs = rows
        layer.units = columns
        layer.activation = ACTIVATIONS[spec.activation.name]
        layer.constant = _constant(spec.activation)
        layer.has_bias = biased
        layer.kernel_at = at
        at += rows * columns
        layer.bias_at = at if biased else 0
        at += columns * biased
        layers.append(layer)
    return layers
