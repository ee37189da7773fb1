"""A PyTorch training loop as a recipe, or the reason why it cannot be one.

Optimizers: torch/optim/*.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import ChainLayer, to_numpy
from whyfit.adapters.torch.draws import Draws, initializer
from whyfit.adapters.torch.graph import LossGraph
from whyfit.records.recipe import NO_PENALTY, DenseLayer, Initializer, Optimizer
from whyfit.records.schedule import Schedule

SET_BY_HAND = "start weights that the script sets by hand are not supported"

MOST_TABLE = 5000
"""Entries of a schedule written down rate by rate."""


# ---- layers ----


def dense_layers(
    graph: LossGraph, starts: Mapping[int, Any], drawn: Draws, kept: Collection[int] = ()
) -> tuple[tuple[DenseLayer, ...], str | None]:
    """The chain's layers as a recipe has them, and why they cannot be drawn anew, if so.

    `starts` holds each parameter's start values by its id; `kept` are the numbers, from 0, of layers
    that no step changes.
    """
    layers, reason = [], None
    penalties = graph.error.penalties if graph.error else {}
    known = {id(each) for layer in graph.layers for each in layer.parameters}
    if penalties.keys() - known:
        reason = "a penalty on other than weights and biases of layers is not supported"
    for at, each in enumerate(graph.layers):
        inputs, units = each.kernel().shape
        kernel = _initializer_of(each.weight, starts, drawn, (inputs, units), bias=False)
        bias = Initializer("zeros")
        if each.bias is not None:
            bias = _initializer_of(each.bias, starts, drawn, (inputs, units), bias=True)
        if "unknown" in (kernel.name, bias.name):
            reason = SET_BY_HAND
        layers.append(
            DenseLayer(
                units,
                each.activation,
                each.bias is not None,
                kernel,
                bias,
                dropout=each.dropout,
                trainable=at not in kept,
                kernel_penalty=penalties.get(id(each.weight), NO_PENALTY),
                bias_penalty=penalties.get(id(each.bias), NO_PENALTY),
            )
        )
    return tuple(layers), reason


def _initializer_of(
    parameter: Any,
    starts: Mapping[int, Any],
    drawn: Draws,
    fans: tuple[int, int],
    *,
    bias: bool,
) -> Initializer:
    start = starts.get(id(parameter), parameter)
    return initializer(start, drawn.of(start), fans, bias)


def flat(layers: Sequence[ChainLayer], values: Mapping[int, Any] | None = None) -> np.ndarray:
    """All weights in one row (kernel, bias, ...): those given by parameter id, or those now."""
    parts = []
    for each in layers:
        weight = to_numpy(values[id(each.weight)] if values else each.weight)
        parts.append((weight.T if each.transposed else weight).ravel())
        if each.bias is not None:
            parts.append(to_numpy(values[id(each.bias)] if values else each.bias).ravel())
    return np.concatenate(parts)


# ---- the optimizer ----


def optimizer_of(optimizer: Any, rate: float) -> tuple[Optimizer, str | None]:
    """The update rule with its constants, and the reason why it is not supported, if any.

    `rate` is the learning rate of the first step.
    """
    kind = getattr(optimizer, "rule", type(optimizer).__name__)
    groups = optimizer.param_groups
    group = groups[0]
    reason = None
    keys = [key for key in group if key not in ("params", "param_names", "lr", "initial_lr")]
    if any(_differ(other.get(key), group.get(key)) for other in groups[1:] for key in keys):
        reason = "parameter groups with options of their own are not supported"
    if any(other["lr"] != group["lr"] for other in groups[1:]):
        reason = "parameter groups with learning rates of their own are not supported"
    if group.get("maximize"):
        reason = "optimizer option maximize is not supported"
    known_kind = type(optimizer).__module__.startswith(("torch.optim", "whyfit."))
    made = _OPTIMIZERS.get(kind) if known_kind else None
    if made is None:
        return (
            Optimizer(kind.lower(), rate, framework="torch"),
            f"optimizer {kind} is not supported",
        )
    known = made(group, rate)
    return replace(
        known,
        framework="torch",
        weight_decay=float(group.get("weight_decay", 0.0)),
        decoupled_decay=bool(group.get("decoupled_weight_decay", kind == "AdamW")),
        amsgrad=bool(group.get("amsgrad", False)),
    ), reason


def _differ(first: Any, second: Any) -> bool:
    return bool(first != second)


def _sgd(group: Mapping[str, Any], rate: float) -> Optimizer:
    return Optimizer(
        "sgd",
        rate,
        momentum=float(group["momentum"]),
        nesterov=bool(group["nesterov"]),
        dampening=float(group["dampening"]),
    )


def _adam(name: str) -> Callable[[Mapping[str, Any], float], Optimizer]:
    def made(group: Mapping[str, Any], rate: float) -> Optimizer:
        first, second = (float(beta) for beta in group["betas"])
        return Optimizer(
            name,
            rate,
            beta_1=first,
            beta_2=second,
            epsilon=float(group["eps"]),
            momentum_decay=float(group.get("momentum_decay", 0.004)),
        )

    return made


def _rmsprop(group: Mapping[str, Any], rate: float) -> Optimizer:
    return Optimizer(
        "rmsprop",
        rate,
        momentum=float(group["momentum"]),
        rho=float(group["alpha"]),
        centered=bool(group["centered"]),
        epsilon=float(group["eps"]),
    )


def _adagrad(group: Mapping[str, Any], rate: float) -> Optimizer:
    return Optimizer(
        "adagrad",
        rate,
        epsilon=float(group["eps"]),
        rate_decay=float(group["lr_decay"]),
        initial_accumulator=float(group["initial_accumulator_value"]),
    )


def _adadelta(group: Mapping[str, Any], rate: float) -> Optimizer:
    return Optimizer("adadelta", rate, rho=float(group["rho"]), epsilon=float(group["eps"]))


_OPTIMIZERS: dict[str, Callable[[Mapping[str, Any], float], Optimizer]] = {
    "SGD": _sgd,
    "Adam": _adam("adam"),
    "AdamW": _adam("adamw"),
    "Adamax": _adam("adamax"),
    "NAdam": _adam("nadam"),
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
}


# ---- the learning rate in time ----


@dataclass(frozen=True)
class RateChange:
    """From optimizer step `step` (from 0) on the learning rate is `rate`."""

    step: int
    rate: float


def schedule_of(
    changes: Sequence[RateChange], steps: int, length: int, scheduler: Any = None
) -> tuple[Schedule | None, str | None]:
    """The schedule that gives the rates seen, and why there is none, if so.

    `changes` starts with the rate of step 0; `length` is the number of steps of a pass. A scheduler of
    PyTorch is taken by its formula where that gives just these rates; otherwise the rates are
    written down one by one.
    """
    if type(scheduler).__name__ == "ReduceLROnPlateau":
        return _plateau(scheduler)
    if len(changes) < 2:
        return None, None
    base = changes[0].rate
    if base <= 0.0:
        return None, "a learning rate that starts from zero is not supported"
    per_epoch = all(change.step % length == 0 for change in changes)
    seen = rates_at(changes, steps, length if per_epoch else 1)
    kind = type(scheduler).__name__
    known = _FORMULAS[kind](scheduler) if kind in _FORMULAS else None
    if known is not None:
        if not per_epoch:
            known = replace(known, per="step", change="step")
        expected = known.at(base, np.arange(len(seen), dtype=np.float64))
        if np.allclose(expected, seen, rtol=1e-5, atol=1e-12):
            return known, None
    if len(seen) > MOST_TABLE:
        return None, "a learning rate that changes so often is not supported"
    per = "epoch" if per_epoch else "step"
    multiples = tuple(float(f"{value / base:.9g}") for value in seen)
    return Schedule("table", per=per, change=per, multiples=multiples), None


def rates_at(changes: Sequence[RateChange], steps: int, length: int) -> np.ndarray:
    """The rates of every so many steps."""
    times = np.arange(0, steps, length)
    at = np.searchsorted([change.step for change in changes], times, side="right") - 1
    return np.array([change.rate for change in changes])[at]


def _plateau(scheduler: Any) -> tuple[Schedule | None, str | None]:
    """torch/optim/lr_scheduler.py, ReduceLROnPlateau; it must watch the training loss."""
    if scheduler.mode != "min":
        return None, "a plateau scheduler that waits for a maximum is not supported"
    return Schedule(
        "plateau",
        per="epoch",
        change="epoch",
        factor=float(scheduler.factor),
        patience=int(scheduler.patience),
        threshold=float(scheduler.threshold),
        threshold_mode=scheduler.threshold_mode,
        cooldown=int(scheduler.cooldown),
        minimum=float(scheduler.min_lrs[0]),
        smallest_change=float(scheduler.eps),
    ), None


_FORMULAS: dict[str, Callable[[Any], Schedule]] = {
    "ExponentialLR": lambda scheduler: Schedule(
        "exponential", per="epoch", change="epoch", factor=float(scheduler.gamma)
    ),
    "StepLR": lambda scheduler: Schedule(
        "exponential",
        per="epoch",
        change="epoch",
        interval=float(scheduler.step_size),
        factor=float(scheduler.gamma),
        staircase=True,
    ),
    "CosineAnnealingLR": lambda scheduler: Schedule(
        "cosine",
        per="epoch",
        change="epoch",
        interval=float(scheduler.T_max),
        minimum=float(scheduler.eta_min),
        hold=False,
    ),
}
