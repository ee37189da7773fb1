"""How the network is trained: optimizer, lengths, order, loss, and what holds weights back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from whyfit.records.fit import Fit
from whyfit.records.recipe import (
    NO_PENALTY,
    Optimizer,
    Recipe,
)
from whyfit.records.schedule import EarlyStopping, Schedule
from whyfit.study.factors.factor import Factor

SHUFFLED = "every epoch"

CLEARED = "cleared"


def _current_gradients(_fit: Fit, recipe: Recipe) -> str:
    return CLEARED if recipe.clears_gradients else "kept"


def _with_learning_rate(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=float(level)))


def _current_decay(_fit: Fit, recipe: Recipe) -> str:
    schedule = recipe.schedule
    if schedule is None:
        return "none"
    inverse = schedule.kind == "inverse_time" and schedule.per == schedule.change == "step"
    return f"{schedule.factor / schedule.interval!r}" if inverse else schedule.kind


def _with_decay(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    """The rate divided by 1 + decay x steps, as the `decay` of Keras 2 (keras/optimizers.py of 2.2)."""
    return replace(recipe, schedule=Schedule("inverse_time", factor=float(level)))


ONCE_AN_EPOCH = "once an epoch"


def _current_schedule(_fit: Fit, recipe: Recipe) -> str:
    kind = recipe.schedule.kind if recipe.schedule else "none"
    return "the script's own" if kind == "table" else kind.replace("_", " ")


def _with_schedule(fit: Fit, recipe: Recipe, level: str) -> Recipe:
    """No schedule and the largest rate that it gives, or the script's moved on after each epoch in place
    of each batch.
    """
    if recipe.schedule is None:
        return recipe
    if level == "none":
        rate = recipe.largest_rate(len(fit.x))
        return replace(
            _unscheduled(recipe), optimizer=replace(recipe.optimizer, learning_rate=rate)
        )
    return replace(recipe, schedule=replace(recipe.schedule, per="epoch", change="epoch"))


def _unscheduled(recipe: Recipe) -> Recipe:
    """Without schedule; scikit-learn's `adaptive`, which ends a training itself, gives way to `tol`."""
    schedule, stopping = recipe.schedule, recipe.early_stopping
    if schedule is not None and schedule.kind == "adaptive" and stopping is None:
        stopping = EarlyStopping(schedule.patience, schedule.threshold, framework="sklearn")
    return replace(recipe, schedule=None, early_stopping=stopping)


ADAM = "adam(0.003)"
"""Adam at three times its default rate, which small networks on scaled data stand well."""

QUICK_ADAM = "adam(0.03)"
"""For trainings of few steps: Adam moves a weight by at most about its rate in each."""


def _current_optimizer(_fit: Fit, recipe: Recipe) -> str:
    return f"{recipe.optimizer.name}({recipe.optimizer.learning_rate:g})"


DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("torch", "adam"): {"epsilon": 1e-8},
    ("torch", "rmsprop"): {"epsilon": 1e-8, "rho": 0.99},
    ("sklearn", "adam"): {"epsilon": 1e-8},
    ("sklearn", "sgd"): {"momentum": 0.9, "nesterov": True},
}
"""Constants of a rule where a framework's defaults are not Keras's: torch/optim/adam.py and rmsprop.py,
MLPRegressor's signature."""


def _with_optimizer(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    name, rate = level.removesuffix(")").split("(")
    constants = DEFAULTS.get((recipe.framework, name), {})
    made = Optimizer(name, float(rate), framework=recipe.framework, **constants)
    # scikit-learn's schedules are those of its `sgd` alone.
    kept = recipe if recipe.framework != "sklearn" or name == "sgd" else _unscheduled(recipe)
    return replace(kept, optimizer=made)


def _batch_sizes(fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    current = min(recipe.batch_size, len(fit.x))
    sizes = {max(1, current // 4), min(len(fit.x), current * 4)} - {current}
    return tuple(str(size) for size in sorted(sizes))


def _current_stop(_fit: Fit, recipe: Recipe) -> str:
    stopping = recipe.early_stopping
    return f"after {stopping.patience} epochs without progress" if stopping else "none"


def _current_dropout(_fit: Fit, recipe: Recipe) -> str:
    shares = [recipe.input_dropout, *(layer.dropout for layer in recipe.layers)]
    return ", ".join(f"{each:g}" for each in dict.fromkeys(shares) if each) or "none"


def _without_dropout(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = tuple(replace(layer, dropout=0.0) for layer in recipe.layers)
    return replace(recipe, layers=layers, input_dropout=0.0)


def _penalties(recipe: Recipe) -> list[float]:
    sizes = [
        size
        for layer in recipe.layers
        for each in (layer.kernel_penalty, layer.bias_penalty, layer.activity_penalty)
        for size in (each.l1, each.l2)
    ]
    return [size for size in dict.fromkeys((*sizes, recipe.optimizer.weight_decay)) if size]


def _current_penalty(_fit: Fit, recipe: Recipe) -> str:
    return ", ".join(f"{size:g}" for size in _penalties(recipe)) or "none"


USUAL_PENALTY = 1e-4
"""scikit-learn's default alpha; nobody blames a penalty of that size before it was looked at."""


def _penalty_levels(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    return ("none",) if max(_penalties(recipe), default=0.0) > USUAL_PENALTY else ()


def _without_penalty(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = tuple(
        replace(
            layer,
            kernel_penalty=NO_PENALTY,
            bias_penalty=NO_PENALTY,
            activity_penalty=NO_PENALTY,
        )
        for layer in recipe.layers
    )
    return replace(recipe, layers=layers, optimizer=replace(recipe.optimizer, weight_decay=0.0))


OPTIMIZER = Factor(
    "optimizer",
    "optimizer",
    "Is it the optimizer?",
    _current_optimizer,
    lambda _fit, recipe: (ADAM, QUICK_ADAM) if recipe.optimizer.name == "sgd" else (),
    _with_optimizer,
)

LEARNING_RATE = Factor(
    "learning_rate",
    "learning rate",
    "Is it the learning rate?",
    lambda _fit, recipe: f"{recipe.optimizer.learning_rate:g}",
    lambda _fit, recipe: (
        f"{recipe.optimizer.learning_rate / 10:g}",
        f"{recipe.optimizer.learning_rate * 10:g}",
    ),
    _with_learning_rate,
)

DECAY = Factor(
    "decay",
    "learning rate decay",
    "Is it that the learning rate does not fall?",
    _current_decay,
    lambda _fit, _recipe: (),
    _with_decay,
)


def _with_loss(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    """Another loss as it is usually written: the mean, without the factors of the one before."""
    reduction = "mean" if recipe.loss == "rmse" else recipe.reduction
    return replace(recipe, loss=level, loss_factor=1.0, reduction=reduction)


SCHEDULE = Factor(
    "schedule",
    "schedule",
    "Is it how the learning rate falls?",
    _current_schedule,
    lambda _fit, recipe: () if recipe.schedule is None else ("none",),
    _with_schedule,
)

EPOCHS = Factor(
    "epochs",
    "epochs",
    "Was it trained too briefly?",
    lambda _fit, recipe: str(recipe.epochs),
    lambda _fit, recipe: (str(recipe.epochs * 4),),
    lambda _fit, recipe, level: replace(recipe, epochs=int(level)),
)

EARLY_STOPPING = Factor(
    "early_stopping",
    "early stopping",
    "Did it stop too early?",
    _current_stop,
    lambda _fit, _recipe: (),
    lambda _fit, recipe, _level: replace(recipe, early_stopping=None),
)

DROPOUT = Factor(
    "dropout",
    "dropout",
    "Is it the dropout?",
    _current_dropout,
    lambda fit, recipe: () if _current_dropout(fit, recipe) == "none" else ("none",),
    _without_dropout,
)

WEIGHT_PENALTY = Factor(
    "weight_penalty",
    "weight penalty",
    "Is it the weight penalty?",
    _current_penalty,
    _penalty_levels,
    _without_penalty,
)

BATCH_SIZE = Factor(
    "batch_size",
    "batch size",
    "Is it the batch size?",
    lambda _fit, recipe: str(recipe.batch_size),
    _batch_sizes,
    lambda _fit, recipe, level: replace(recipe, batch_size=int(level)),
)

SHUFFLE = Factor(
    "shuffle",
    "shuffling",
    "Is it the order of the samples?",
    lambda _fit, recipe: SHUFFLED if recipe.shuffle else "off",
    lambda _fit, recipe: () if recipe.shuffle else (SHUFFLED,),
    lambda _fit, recipe, level: replace(recipe, shuffle=level == SHUFFLED),
)

LOSS = Factor(
    "loss",
    "loss",
    "Is it the loss?",
    lambda _fit, recipe: recipe.loss,
    lambda _fit, recipe: () if recipe.loss == "mse" else ("mse",),
    _with_loss,
)

GRADIENTS = Factor(
    "gradients",
    "gradients",
    "Is it that gradients are never cleared?",
    _current_gradients,
    lambda _fit, recipe: () if recipe.clears_gradients else (CLEARED,),
    lambda _fit, recipe, level: replace(recipe, clears_gradients=level == CLEARED),
)
