"""How a compiled Keras model trains: loss, optimizer, schedule and callbacks as records.

Each function gives what it can and the reason why the rest cannot be had, if any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyfit.adapters.keras.own_losses import known_as
from whyfit.records.network import Array
from whyfit.records.recipe import Optimizer
from whyfit.records.schedule import EarlyStopping, Monitor, Schedule

LOSSES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "huber": "huber",
    "log_cosh": "log_cosh",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_logarithmic_error": "msle",
    "binary_crossentropy": "binary_crossentropy",
    "categorical_crossentropy": "categorical_crossentropy",
}

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")

UNSUPPORTED_OPTIONS = ("use_ema", "gradient_accumulation_steps", "loss_scale_factor")

OPTIMIZERS = {
    "SGD": ("sgd", ("momentum", "nesterov")),
    "RMSprop": ("rmsprop", ("rho", "momentum", "epsilon", "centered")),
    "Adam": ("adam", ("beta_1", "beta_2", "epsilon", "amsgrad")),
    "AdamW": ("adamw", ("beta_1", "beta_2", "epsilon", "amsgrad")),
    "Adamax": ("adamax", ("beta_1", "beta_2", "epsilon")),
    "Nadam": ("nadam", ("beta_1", "beta_2", "epsilon")),
    "Adagrad": ("adagrad", ("epsilon",)),
    "Adadelta": ("adadelta", ("rho", "epsilon")),
}

STEERING_CALLBACKS = ("SwapEMAWeights",)


EMULATED_CALLBACKS = (
    "EarlyStopping",
    "ReduceLROnPlateau",
    "LearningRateScheduler",
    "TerminateOnNaN",
    "History",
    "ProgbarLogger",
)
"""Callbacks of Keras's that the engine does the work of, or that only show or note the loss."""


def is_emulated(callback: Any) -> bool:
    """Whether a training without this callback is the same, for the engine does what it would."""
    package = type(callback).__module__.split(".")[0]
    return package == "whyfit" or (
        package == "keras" and type(callback).__name__ in EMULATED_CALLBACKS
    )


@dataclass(frozen=True)
class Targets:
    """What a loss of the script's own is asked about; `known` before the training, without weights."""

    values: Array
    flat: bool
    known: bool


NO_TARGETS = Targets(np.zeros((0, 1)), flat=False, known=False)


def loss_of(model: Any, targets: Targets) -> tuple[dict[str, Any], str | None]:
    """The loss as fields of a recipe."""
    import keras

    loss = model.loss
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", None) or type(function).__name__
    module = getattr(function, "__module__", "") or type(function).__module__
    fields: dict[str, Any] = {"loss": LOSSES.get(name, name)}
    if getattr(model._compile_loss, "_user_loss_weights", None) is not None:
        return fields, "loss_weights is not supported"
    if not module.startswith("keras."):
        if not targets.known:
            return fields, f"loss {name} beside weights or a data set is not supported"
        found = known_as(loss, targets.values, targets.flat)
        if found is None:
            return fields, f"loss {name} is not supported"
        fields["loss"], fields["loss_factor"] = found
        plain = getattr(loss, "reduction", REDUCTIONS[0]) == REDUCTIONS[0]
        return fields, None if plain else f"the reduction of loss {name} is not supported"
    if name not in LOSSES:
        return fields, f"loss {name} is not supported"
    options = dict(getattr(loss, "_fn_kwargs", {}))
    if options.pop("axis", -1) != -1:
        return fields, "a loss along another axis than the last is not supported"
    fields["loss_constant"] = float(options.pop("delta", 1.0))
    fields["from_logits"] = bool(options.pop("from_logits", False))
    fields["label_smoothing"] = float(options.pop("label_smoothing", 0.0))
    if options:
        return fields, f"loss option {next(iter(options))} is not supported"
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction not in REDUCTIONS:
        return fields, f"loss reduction {reduction} is not supported"
    fields["reduction"] = "sum" if reduction == "sum" else "mean"
    fields["divide_by_weights"] = reduction == "mean_with_sample_weight"
    return fields, None


def optimizer_of(optimizer: Any) -> tuple[Optimizer, Schedule | None, str | None]:
    """The update rule, and the schedule of its learning rate."""
    kind = type(optimizer).__name__
    config = optimizer.get_config()
    rate, schedule, reason = _rate(optimizer, config["learning_rate"])
    if kind not in OPTIMIZERS or not type(optimizer).__module__.startswith("keras."):
        return Optimizer(kind.lower(), rate), schedule, f"optimizer {kind} is not supported"
    for option in UNSUPPORTED_OPTIONS:
        if config.get(option):
            reason = reason or f"optimizer option {option} is not supported"
    if getattr(optimizer, "_exclude_from_weight_decay", None) or getattr(
        optimizer, "_exclude_from_weight_decay_pattern", None
    ):
        reason = reason or "weights excluded from weight decay are not supported"
    name, constants = OPTIMIZERS[kind]
    found = Optimizer(
        name,
        rate,
        weight_decay=config.get("weight_decay") or 0.0,
        **_clipping(config),
        **{constant: config[constant] for constant in constants},
    )
    if name == "adagrad":
        found = replace(found, initial_accumulator=float(config["initial_accumulator_value"]))
    return found, schedule, reason


def _clipping(config: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(config[name])
        for name in ("clipnorm", "global_clipnorm", "clipvalue")
        if config.get(name)
    }


def _rate(optimizer: Any, configured: Any) -> tuple[float, Schedule | None, str | None]:
    if not isinstance(configured, dict):
        # Keras keeps the rate in float32; 0.001 must not come back as 0.0010000000474974513.
        return float(str(np.float32(configured))), None, None
    schedule = optimizer._learning_rate
    kind = type(schedule).__name__
    config = schedule.get_config()
    if type(schedule).__module__.startswith("keras."):
        known = _schedule(kind, config)
        if known is not None:
            return *known, None
    return float("nan"), None, f"the learning-rate schedule {kind} is not supported"


def _schedule(kind: str, config: dict[str, Any]) -> tuple[float, Schedule] | None:
    """Rate and schedule of keras/src/optimizers/schedules/learning_rate_schedule.py."""
    rate = float(config.get("initial_learning_rate", np.nan))
    match kind:
        case "ExponentialDecay" | "InverseTimeDecay":
            return rate, Schedule(
                "exponential" if kind == "ExponentialDecay" else "inverse_time",
                interval=float(config["decay_steps"]),
                factor=float(config["decay_rate"]),
                staircase=bool(config["staircase"]),
            )
        case "PolynomialDecay":
            return rate, Schedule(
                "polynomial",
                interval=float(config["decay_steps"]),
                minimum=float(config["end_learning_rate"]),
                power=float(config["power"]),
                cycle=bool(config["cycle"]),
            )
        case "CosineDecay":
            target = config["warmup_target"]
            return rate, Schedule(
                "cosine",
                interval=float(config["decay_steps"]),
                minimum=float(config["alpha"]) * (rate if target is None else float(target)),
                warmup=float(config["warmup_steps"]) if target is not None else 0.0,
                warmup_target=None if target is None else float(target),
            )
        case "PiecewiseConstantDecay":
            rates = [float(each) for each in config["values"]]
            if rates[0] == 0.0:
                return None
            return rates[0], Schedule(
                "piecewise",
                boundaries=tuple(float(each) for each in config["boundaries"]),
                multiples=tuple(each / rates[0] for each in rates),
            )
        case _:
            return None


MONITORS: Mapping[str, Monitor] = {"loss": "loss", "val_loss": "held_out_loss"}


def callbacks_of(
    callbacks: Sequence[Any], *, validated: bool
) -> tuple[Schedule | None, EarlyStopping | None, str | None]:
    """What callbacks do to the learning rate and to the end of training.

    `validated` says whether there are validation data. Without any, Keras warns that `val_loss` is not
    available and goes on as if the callback were not there (keras/src/callbacks/early_stopping.py).
    """
    schedule, stopping, reasons = None, None, []
    for callback in callbacks:
        kind = type(callback).__name__
        if kind in STEERING_CALLBACKS:
            reasons.append(f"callback {kind} is not supported")
        if kind not in ("EarlyStopping", "ReduceLROnPlateau"):
            continue
        if callback.monitor.startswith("val_") and not validated:
            continue
        if callback.monitor not in MONITORS or callback.mode == "max":
            reasons.append(
                f"{kind} on {callback.monitor} is not supported, only on loss and val_loss"
            )
        elif kind == "EarlyStopping":
            reasons += ["two EarlyStopping callbacks are not supported"] if stopping else []
            stopping = EarlyStopping(
                patience=int(callback.patience),
                min_delta=float(abs(callback.min_delta)),
                restore_best=bool(callback.restore_best_weights),
                baseline=None if callback.baseline is None else float(callback.baseline),
                start_from_epoch=int(callback.start_from_epoch),
                monitor=MONITORS[callback.monitor],
            )
        else:
            reasons += ["two ReduceLROnPlateau callbacks are not supported"] if schedule else []
            schedule = Schedule(
                "plateau",
                per="epoch",
                factor=float(callback.factor),
                minimum=float(callback.min_lr),
                patience=int(callback.patience),
                threshold=float(abs(callback.min_delta)),
                cooldown=int(callback.cooldown),
                monitor=MONITORS[callback.monitor],
            )
    return schedule, stopping, reasons[0] if reasons else None
