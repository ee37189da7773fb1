"""Training many networks at once: the one function `train`, and what it returns.

The kernels are compiled (see `kernels/`); this file checks shapes and allocates what they fill, and
`translate` turns a recipe into their plain numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from whyfit.engine import _lanes, memory, translate
from whyfit.engine.initializers import SUPPORTED as SUPPORTED_INITIALIZERS
from whyfit.errors import Unsupported, UsageError
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe

GROUP: int = _lanes.GROUP


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

    `mean_squared_error` is over all outputs and samples, weighted if they are, in the units the network
    was trained in; `diverged_at` is the number of steps before the first non-finite loss, or -1;
    `epochs_done` is less than the recipe's where training stopped early; `history` is the mean loss of
    each epoch as the framework prints it; `snapshots` are the weights after every `snapshot_every`
    epochs. Both are NaN after a replicate stopped.
    """

    weights: Float[Array, "replicates parameters"]
    mean_squared_error: Float[Array, replicates]
    diverged_at: Int[Array, replicates]
    epochs_done: Int[Array, replicates]
    history: Float[Array, "replicates epochs"] | None
    snapshots: Float[Array, "replicates times parameters"] | None


def why_unsupported(recipe: Recipe) -> str | None:
    """The reason why the engine cannot train a recipe, or None if it can."""
    for layer in recipe.layers:
        if layer.activation.name not in translate.ACTIVATIONS:
            return f"activation {layer.activation.name} is not supported"
        for initializer in (layer.kernel_initializer, layer.bias_initializer):
            if initializer.name not in SUPPORTED_INITIALIZERS:
                return f"initializer {initializer.name} is not supported"
    if recipe.loss not in translate.LOSSES:
        return f"loss {recipe.loss} is not supported"
    if recipe.optimizer.name not in translate.OPTIMIZERS:
        return f"optimizer {recipe.optimizer.name} is not supported"
    return _conflict(recipe)


def _conflict(recipe: Recipe) -> str | None:
    """Parts that exist, but not together."""
    layers, last = recipe.layers, recipe.layers[-1]
    if any(each.activation.name == "softmax" for each in recipe.hidden):
        return "softmax before the last layer is not supported"
    if last.activation.name == "softmax" and (last.dropout or last.activity_penalty):
        return "dropout or a penalty after softmax is not supported"
    if any(each.activity_penalty and each.slopes for each in layers):
        return "a penalty on the activities of prelu is not supported"
    if recipe.schedule and recipe.schedule.kind == "adaptive" and recipe.early_stopping:
        return "early stopping beside the adaptive schedule is not supported"
    if recipe.watches_held_out and any(each.activity_penalty for each in layers):
        return "a penalty on activities beside the loss of held-out samples is not supported"
    if recipe.loss == "rmse" and any(each.activity_penalty for each in layers):
        return "a penalty on activities beside the root of a loss is not supported"
    if recipe.loss == "rmse" and recipe.framework == "keras" and recipe.watches_held_out:
        return "a root of held-out losses, which Keras takes batch by batch, is not supported"
    if recipe.watches_held_out and recipe.reduction == "sum":
        return "a summed loss of held-out samples is not supported"
    if recipe.reduction == "sum" and recipe.framework == "sklearn":
        return "scikit-learn has no sum of losses"
    if recipe.loss == "half_mse" and last.activation.name != "linear":
        return "half the squared error of other than linear outputs is not supported"
    return None


def train(
    recipe: Recipe,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    starts: Float[Array, "replicates parameters"],
    *,
    sample_weight: Float[Array, samples] | None = None,
    held_out: HeldOut | None = None,
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
    `starts` holds kernel, bias and slopes of layer after layer, as `initializers.draw` gives them.
    `sample_weight` multiplies the losses of the samples; `held_out` are those that the schedule or the
    early stopping goes by, for a recipe that `watches_held_out`.
    `first_replicate` is the number of the first row: with it, the groups of 16 and so the data
    orders are the same however the replicates are cut into calls; it must be a multiple of 16. The
    result of a replicate does not depend on how many others there are or on `threads` (default: all
    cores). `target` forces an instruction set ("avx512", "avx2", "baseline"). `progress` is called
    about ten times a second with the number of optimizer steps done so far in all lanes together.

    Raises Unsupported where the recipe needs what the kernels do not have, UsageError where shapes
    do not fit or the memory of this machine would not suffice, KeyboardInterrupt on Ctrl-C.
    """
    reason = why_unsupported(recipe)
    if reason:
        raise Unsupported(reason)
    dtype = np.dtype(precision)
    inputs = _prepared(recipe.input_transform, x, dtype)
    targets = _prepared(recipe.target_transform, y, dtype)
    start = np.ascontiguousarray(starts, dtype=dtype)
    weights = None if sample_weight is None else np.ascontiguousarray(sample_weight, dtype=dtype)
    _check(recipe, inputs, targets, start, weights, first_replicate)
    watched = _held_out(recipe, held_out, dtype)
    kind, rows, seed = _order(recipe, order or Order(), len(inputs))

    count = len(start)
    threads = threads or os.cpu_count() or 1
    times = recipe.epochs // snapshot_every if snapshot_every else 0
    target = target or TARGETS[0]
    program = translate.program(recipe, seed)
    layers, tensors = translate.layers(recipe), translate.tensors(recipe)
    single = dtype == np.float32
    block = (_lanes.block_memory_float32 if single else _lanes.block_memory_float64)(
        target=target,
        program=program,
        layers=layers,
        tensors=tensors,
        samples=len(inputs),
        order_kind=kind,
        weighted=weights is not None,
    )
    row = recipe.parameters * (times + 1) * dtype.itemsize + 8 * recipe.epochs * history
    memory.refuse_too_much(
        count, recipe.parameters, block, min(threads, -(-count // GROUP)), count * row
    )
    end = np.empty_like(start)
    squared_error = np.full(count, np.nan)
    diverged_at = np.full(count, -1, dtype=np.int64)
    epochs_done = np.full(count, recipe.epochs, dtype=np.int64)
    losses = np.full((count, recipe.epochs), np.nan) if history else None
    snapshots = np.full((count, times, recipe.parameters), np.nan, dtype=dtype) if times else None

    run = _lanes.train_float32 if single else _lanes.train_float64
    complete = run(
        target=target,
        program=program,
        layers=layers,
        tensors=tensors,
        rates=translate.rates(recipe, len(inputs)),
        x=inputs,
        y=targets,
        sample_weight=weights,
        held_out_x=watched[0] if watched else None,
        held_out_y=watched[1] if watched else None,
        held_out_share=watched[2] if watched else None,
        start=start,
        order_kind=kind,
        order=rows,
        order_seed=seed,
        first_replicate=first_replicate,
        end=end,
        squared_error=squared_error,
        diverged_at=diverged_at,
        epochs_done=epochs_done,
        history=losses,
        snapshots=snapshots,
        snapshot_every=max(1, snapshot_every),
        threads=threads,
        progress=progress,
    )
    if not complete:
        raise MemoryError(
            f"training {count} networks of {recipe.parameters} weights needs more memory than "
            "this machine gives; use fewer replicates or a smaller network"
        )
    return Trained(end, squared_error, diverged_at, epochs_done, losses, snapshots)


TARGETS: tuple[str, ...] = tuple(_lanes.targets())
"""Instruction sets this machine can run, best first."""


def _prepared(transform: Callable[[Array], Array] | None, data: Array, dtype: np.dtype) -> Array:
    # Transforms run in float64, as a scaler in a script does; rounding comes last.
    changed = transform(np.asarray(data, dtype=np.float64)) if transform else data
    return np.ascontiguousarray(changed, dtype=dtype)


def _check(
    recipe: Recipe,
    x: Array,
    y: Array,
    starts: Array,
    weights: Array | None,
    first_replicate: int,
) -> None:
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
    if weights is not None and weights.shape != (len(x),):
        raise UsageError(f"sample_weight must have shape ({len(x)},): got {weights.shape}")
    if weights is not None and not (np.all(weights >= 0.0) and np.any(weights > 0.0)):
        raise UsageError("sample_weight must not be negative, and not 0 for all samples")
    if len(x) == 0:
        raise UsageError("x must have at least one sample: got none")
    if recipe.drop_last and len(x) < recipe.batch_size:
        raise UsageError(
            f"{len(x)} samples make no whole batch of {recipe.batch_size}, and drop_last leaves "
            "out what is less: no step would be taken"
        )
    if first_replicate % GROUP:
        raise UsageError(f"first_replicate must be a multiple of {GROUP}: got {first_replicate}")


def _held_out(
    recipe: Recipe, held_out: HeldOut | None, dtype: np.dtype
) -> tuple[Array, Array, Array] | None:
    """Held-out inputs and targets as the network sees them, and what turns squared errors into 1 - R^2.

    R^2 is one minus the squared error over that of the mean (sklearn/metrics/_regression.py, r2_score).
    """
    if not recipe.watches_held_out:
        return None
    if held_out is None or len(held_out.x) == 0:
        raise UsageError("the recipe goes by held-out samples: pass them as held_out")
    x = _prepared(recipe.input_transform, held_out.x, dtype)
    y = _prepared(recipe.target_transform, held_out.y, dtype)
    for name, shape, columns in (
        ("held_out.x", x.shape, recipe.inputs),
        ("held_out.y", y.shape, recipe.layers[-1].units),
    ):
        if shape != (len(x), columns):
            raise UsageError(f"{name} must have shape (held_out, {columns}): got {shape}")
    squares = np.sum((y.astype(np.float64) - y.mean(axis=0, dtype=np.float64)) ** 2, axis=0)
    return x, y, 1.0 / (np.maximum(squares, np.finfo(np.float64).tiny) * y.shape[1])


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
