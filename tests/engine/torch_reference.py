"""The same recipe in PyTorch itself, in float64, trained by the loop that people write."""

from __future__ import annotations

from typing import Any

import numpy as np

from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Recipe

OPTIMIZERS = {
    "sgd": ("SGD", {"momentum": "momentum", "nesterov": "nesterov", "dampening": "dampening"}),
    "rmsprop": (
        "RMSprop",
        {"rho": "alpha", "momentum": "momentum", "epsilon": "eps", "centered": "centered"},
    ),
    "adam": ("Adam", {"epsilon": "eps", "amsgrad": "amsgrad"}),
    "adamw": ("AdamW", {"epsilon": "eps", "amsgrad": "amsgrad"}),
    "adamax": ("Adamax", {"epsilon": "eps"}),
    "nadam": (
        "NAdam",
        {
            "epsilon": "eps",
            "momentum_decay": "momentum_decay",
            "decoupled_decay": "decoupled_weight_decay",
        },
    ),
    "adagrad": (
        "Adagrad",
        {
            "epsilon": "eps",
            "rate_decay": "lr_decay",
            "initial_accumulator": "initial_accumulator_value",
        },
    ),
    "adadelta": ("Adadelta", {"rho": "rho", "epsilon": "eps"}),
}


def module_of(function: Any) -> Any:
    """A function as a module."""
    import torch

    class Module(torch.nn.Module):
        def forward(self, z):
            return function(z)

    return Module()


def activation_of(activation: Activation, layer: DenseLayer) -> Any:
    """The module of an activation, or None for linear."""
    import torch
    from torch import nn

    constants = activation.constants
    slope = constants[0] if constants else None
    match activation.name:
        case "linear":
            return None
        case "relu":
            return nn.ReLU()
        case "relu6":
            return nn.ReLU6()
        case "leaky_relu":
            return nn.LeakyReLU(0.2 if slope is None else slope)
        case "prelu":
            return nn.PReLU(layer.slopes)
        case "elu":
            return nn.ELU(1.0 if slope is None else slope)
        case "gelu":
            return nn.GELU()
        case "gelu_tanh":
            return nn.GELU(approximate="tanh")
        case "sine":
            return module_of(torch.sin)
        # PyTorch's own kernel takes 1/6 as a float32 even in float64 (Activation.cpp, 1.0f / 6.0f),
        # which shows in the eighth digit.
        case "hard_sigmoid":
            return module_of(lambda z: torch.clamp(z + 3.0, 0.0, 6.0) / 6.0)
        case "softmax":
            return nn.Softmax(dim=-1)
        case name:
            known = {
                "selu": nn.SELU,
                "silu": nn.SiLU,
                "mish": nn.Mish,
                "softplus": nn.Softplus,
                "softsign": nn.Softsign,
                "hard_tanh": nn.Hardtanh,
                "tanh": nn.Tanh,
                "sigmoid": nn.Sigmoid,
            }
            return known[name]()


def model_of(recipe: Recipe, start: np.ndarray) -> Any:
    """A Sequential with the start weights of a row."""
    import torch
    from torch import nn

    modules: list[Any] = []
    at = 0

    def take(*shape: int) -> Any:
        nonlocal at
        size = int(np.prod(shape))
        values = torch.tensor(start[at : at + size].reshape(shape))
        at += size
        return values

    for (rows, columns, biased), layer in zip(recipe.shapes, recipe.layers, strict=True):
        linear = nn.Linear(rows, columns, bias=biased, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(take(rows, columns).T)
            if biased:
                linear.bias.copy_(take(columns))
        linear.requires_grad_(layer.trainable)
        modules.append(linear)
        after = activation_of(layer.activation, layer)
        if after is not None:
            after = after.double()
            if layer.slopes:
                with torch.no_grad():
                    after.weight.copy_(take(layer.slopes))
            modules.append(after)
    return nn.Sequential(*modules)


def row_of(recipe: Recipe, model: Any) -> np.ndarray:
    """The model's weights as a row of ours."""
    parts = []
    for module in model:
        kind = type(module).__name__
        if kind == "Linear":
            parts.append(module.weight.detach().numpy().T.ravel())
            if module.bias is not None:
                parts.append(module.bias.detach().numpy())
        elif kind == "PReLU":
            parts.append(module.weight.detach().numpy())
    return np.concatenate(parts)


def loss_of(recipe: Recipe) -> Any:
    """The loss of the recipe."""
    from torch import nn

    reduction = recipe.reduction
    match recipe.loss:
        case "mse":
            return nn.MSELoss(reduction=reduction)
        case "rmse":
            squares = nn.MSELoss(reduction=reduction)
            return lambda outputs, targets: recipe.loss_factor * squares(outputs, targets).sqrt()
        case "mae":
            return nn.L1Loss(reduction=reduction)
        case "huber":
            return nn.HuberLoss(reduction=reduction, delta=recipe.loss_constant)
        case "binary_crossentropy":
            kind = nn.BCEWithLogitsLoss if recipe.from_logits else nn.BCELoss
            return kind(reduction=reduction)
        case "categorical_crossentropy":
            return nn.CrossEntropyLoss(reduction=reduction, label_smoothing=recipe.label_smoothing)
        case name:
            raise ValueError(f"PyTorch has no loss {name}")


def optimizer_of(recipe: Recipe, parameters: Any) -> Any:
    """The optimizer of the recipe."""
    import torch

    optimizer = recipe.optimizer
    kind, names = OPTIMIZERS[optimizer.name]
    arguments = {theirs: getattr(optimizer, ours) for ours, theirs in names.items()}
    if optimizer.name in ("adam", "adamw", "adamax", "nadam"):
        arguments["betas"] = (optimizer.beta_1, optimizer.beta_2)
    arguments["weight_decay"] = optimizer.weight_decay
    return getattr(torch.optim, kind)(parameters, lr=optimizer.learning_rate, **arguments)


def schedule_of(recipe: Recipe, optimizer: Any) -> Any:
    """The scheduler of the recipe, stepped once an epoch, or None."""
    from torch.optim import lr_scheduler

    schedule = recipe.schedule
    if schedule is None:
        return None
    match schedule.kind:
        case "exponential" if schedule.staircase:
            return lr_scheduler.StepLR(optimizer, int(schedule.interval), schedule.factor)
        case "exponential":
            return lr_scheduler.ExponentialLR(optimizer, schedule.factor ** (1 / schedule.interval))
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(
                optimizer, int(schedule.interval), eta_min=schedule.minimum
            )
        case "piecewise":
            factor = schedule.multiples[1] / schedule.multiples[0]
            milestones = [int(each) + 1 for each in schedule.boundaries]
            return lr_scheduler.MultiStepLR(optimizer, milestones, factor)
        case "plateau":
            return lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=schedule.factor,
                patience=schedule.patience,
                threshold=schedule.threshold,
                threshold_mode=schedule.threshold_mode,
                cooldown=schedule.cooldown,
                min_lr=schedule.minimum,
                eps=schedule.smallest_change,
            )
        case kind:
            raise ValueError(f"PyTorch has no schedule {kind}")


def train(recipe: Recipe, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """End weights after the recipe's epochs in the order of the data, in float64.

    The default type is float64 meanwhile: NAdam keeps its product of momenta in it, and in float32 that
    alone moves weights by up to 5e-9.
    """
    import torch

    torch.set_default_dtype(torch.float64)
    try:
        return _train(recipe, x, y, start)
    finally:
        torch.set_default_dtype(torch.float32)


def _train(recipe: Recipe, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    import torch

    model = model_of(recipe, start)
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimizer, loss_of_batch = optimizer_of(recipe, parameters), loss_of(recipe)
    schedule = schedule_of(recipe, optimizer)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    used = recipe.steps_per_epoch(len(x)) * recipe.batch_size
    for _epoch in range(recipe.epochs):
        total = seen = 0.0
        for first in range(0, min(used, len(x)), recipe.batch_size):
            rows = slice(first, first + recipe.batch_size)
            if recipe.clears_gradients:
                optimizer.zero_grad()
            loss = loss_of_batch(model(inputs[rows]), targets[rows])
            loss.backward()
            if recipe.optimizer.global_clipnorm:
                torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.global_clipnorm)
            if recipe.optimizer.clipvalue:
                torch.nn.utils.clip_grad_value_(parameters, recipe.optimizer.clipvalue)
            optimizer.step()
            total += loss.item() * len(inputs[rows])
            seen += len(inputs[rows])
        if schedule is not None and schedule.__class__.__name__ == "ReduceLROnPlateau":
            schedule.step(total / seen)
        elif schedule is not None:
            schedule.step()
    return row_of(recipe, model)
