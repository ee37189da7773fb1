"""A trained PyTorch module as a fit: its graph is read from one loss on a copy of it.

A module knows nothing of its training; what the optimizer object still holds is read from its
parameter groups and its state (torch/optim/*.py).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from whyfit.adapters.given import (
    Given,
    Known,
    TrainedFit,
    as_table,
    check_lengths,
)
from whyfit.adapters.places import calling_place
from whyfit.adapters.torch import recipe as torch_recipe
from whyfit.adapters.torch.draws import short
from whyfit.adapters.torch.graph import LossGraph, Outermost, read_loss
from whyfit.errors import UsageError
from whyfit.records.fit import Fit, Place
from whyfit.records.network import Array
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

NOT_WATCHED = "target-broadcast, gradients-accumulate (train under whyfit.watch() for them)"


def fit_of(model: Any, given: Given) -> TrainedFit:
    """The fit; without `optimizer` and epochs it is measured but not retrained."""
    import torch

    x, y = as_table("x", given.x), as_table("y", given.y)
    check_lengths(x, y)
    known = Known(unchecked=[NOT_WATCHED])
    graph, outputs = _read(model, x, y, given, known)
    recipe, reason = _recipe(model, graph, x, y, given, known)
    end = recipe.network(torch_recipe.flat(graph.layers)) if recipe else None
    return TrainedFit(
        Fit(
            framework="torch",
            place=calling_place() or Place("<unknown>", 0),
            x=x,
            y=y,
            x_shape=np.shape(given.x),
            y_shape=np.shape(given.y),
            recipe=recipe,
            unsupported=reason or known.reason,
            start=None,
            end=end,
            predictions=end(x) if end else outputs,
            weight_history=None,
            history=given.logs,
            epochs_done=recipe.epochs if recipe else len(given.logs.get("loss", ())),
            summary=", ".join(type(each).__name__ for each in model.children())
            or type(model).__name__,
            environment={"torch": str(torch.__version__)},
        ),
        known.note,
    )


def _read(
    model: Any, x: Array, y: Array, given: Given, known: Known
) -> tuple[LossGraph, Array | None]:
    """The graph of one loss, and what the model predicts.

    A copy is asked, in training mode so that dropout shows, and the random state is put back.
    """
    import torch

    parameters = list(model.parameters())
    if not parameters:
        raise UsageError(f"model must have weights: {type(model).__name__} has none")
    loss = given.loss
    if loss is None:
        loss = torch.nn.functional.mse_loss
        known.assume("the mean squared error as loss (else pass loss=)")
    elif not callable(loss):
        raise UsageError(f"loss must be a function or a module of PyTorch's: got {loss!r}")
    inputs = torch.as_tensor(x, dtype=parameters[0].dtype)
    if np.ndim(given.x) > 2:
        inputs = inputs.reshape(np.shape(given.x))
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        twin = copy.deepcopy(model).cpu().train()
        for parameter in twin.parameters():
            parameter.requires_grad_(True)
        try:
            outputs = twin(inputs)
            targets = torch.as_tensor(y, dtype=outputs.dtype).reshape(outputs.shape)
        except RuntimeError as error:
            raise UsageError(
                f"the model cannot be run on x of shape {np.shape(given.x)} and y of shape "
                f"{np.shape(given.y)}: {str(error).splitlines()[0]}"
            ) from None
        graph = read_loss(loss(outputs, targets), {}, Outermost(twin, inputs, outputs))
        with torch.no_grad():
            plain = twin.eval()(inputs).numpy().astype(np.float64).reshape(len(x), -1)
    return graph, plain if plain.shape == y.shape else None


def _recipe(
    model: Any, graph: LossGraph, x: Array, y: Array, given: Given, known: Known
) -> tuple[Recipe | None, str | None]:
    if not graph.layers or graph.error is None:
        return None, graph.reason or "a network that is not a chain of layers is not supported"
    reason = graph.reason
    if graph.error.weight is not None:  # they belong to these samples in this order alone
        reason = reason or "sample weights inside loss= are not supported"
    if graph.error.penalties:
        reason = reason or "a penalty on weights inside loss= is not supported"
    rule = Optimizer("adam", 1e-3, framework="torch")
    if given.optimizer is None:
        known.miss("the optimizer", "optimizer=")
    else:
        rule, optimizer_reason = _optimizer(model, given.optimizer)
        reason = reason or optimizer_reason
    batch_size = given.batch_size
    if batch_size is None:
        batch_size = len(x)
        known.assume("steps over all samples at once (else pass batch_size=)")
    layers, layer_reason = _layers(graph)
    known.assume("the start weights of torch.nn.Linear")
    recipe = Recipe(
        inputs=x.shape[1],
        layers=layers,
        loss=graph.error.loss,
        optimizer=rule,
        batch_size=min(batch_size, len(x)),
        epochs=_epochs(given, math.ceil(len(x) / batch_size), known),
        shuffle=batch_size < len(x),
        loss_constant=graph.error.constant,
        loss_factor=graph.error.factor,
        reduction="sum" if graph.error.reduction == "sum" else "mean",
    )
    if recipe.layers[-1].units != y.shape[1]:
        reason = reason or f"y of shape {np.shape(given.y)} is not supported"
    return recipe, reason or layer_reason


def _layers(graph: LossGraph) -> tuple[tuple[DenseLayer, ...], str | None]:
    """The chain with the initializers of nn.Linear; a weight of another kind was set by hand."""
    drawn = Initializer("torch_uniform")
    layers = tuple(
        DenseLayer(
            each.kernel().shape[1],
            each.activation,
            each.bias is not None,
            drawn,
            drawn if each.bias is not None else Initializer("zeros"),
            dropout=each.dropout,
        )
        for each in graph.layers
    )
    twin = graph.outermost.module if graph.outermost else None
    linear = (
        {id(module.weight) for module in twin.modules() if type(module).__name__ == "Linear"}
        if twin is not None
        else set()
    )
    if all(id(each.weight) in linear for each in graph.layers):
        return layers, None
    return layers, "start weights that the script sets by hand are not supported"


def _optimizer(model: Any, optimizer: Any) -> tuple[Optimizer, str | None]:
    groups = getattr(optimizer, "param_groups", None)
    if not groups:
        raise UsageError(
            f"optimizer must be the one that trained the model: got {type(optimizer).__name__}"
        )
    held = {id(parameter) for group in groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in model.parameters()):
        raise UsageError("optimizer must hold the weights of this model: it holds others")
    rate = short(float(groups[0]["lr"]))
    rule, reason = torch_recipe.optimizer_of(optimizer, rate)
    if any(group.get("initial_lr", group["lr"]) != group["lr"] for group in groups):
        reason = reason or "a learning rate that changed during training is not supported"
    return rule, reason


def _epochs(given: Given, per_epoch: int, known: Known) -> int:
    """As given, as many as there are losses, or the steps that the optimizer has counted."""
    if given.epochs is not None:
        return given.epochs
    if losses := given.logs.get("loss", ()):
        return len(losses)
    counted = [int(each["step"]) for each in _states(given.optimizer) if "step" in each]
    if counted and max(counted) >= per_epoch:
        epochs = max(counted) // per_epoch
        known.infer(f"{epochs} epochs, from {max(counted)} optimizer steps")
        return epochs
    known.miss("the number of epochs", "epochs= or history=")
    return 1


def _states(optimizer: Any) -> list[Any]:
    return list(getattr(optimizer, "state", {}).values()) if optimizer is not None else []
