"""A finished PyTorch training as a Fit."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.batches import DataSet
from whyfit.adapters.scalers import with_scalers
from whyfit.adapters.torch.chain import to_numpy
from whyfit.adapters.torch.put_back import best_kept
from whyfit.adapters.torch.recipe import rates_at
from whyfit.adapters.torch.recorder import TorchRecorder
from whyfit.adapters.weights import why_not_weighted, without_weights
from whyfit.records.fit import Answers, Call, Fit, HeldOut, Place, WeightHistory
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe


def fit_of(session: Session, recorder: TorchRecorder, places: Any) -> tuple[Fit | None, str | None]:
    """The fit of a recorder, or None with the reason why its data are not known."""
    import torch

    if recorder.steps == 0:
        return None, None
    data = recorder.data()
    if data is None:
        return None, recorder.problem or recorder.reason or "its data could not be read"
    y, weight = without_weights(data.y, weighted=recorder.weighted)
    data = replace(data, y=y)
    if unusable := why_not_weighted(weight):
        recorder.give_up(unusable)
    recipe = recorder.recipe(data)
    losses = _losses(recorder, data, recorder.steps // data.steps)
    if recipe is not None:
        recipe = _with_best_kept(recorder, recipe, data, losses)
    last, epochs = recorder.end(data)
    start = end = predictions = None
    if recipe is not None and recorder.start is not None and last is not None:
        start, end = recipe.network(recorder.start), recipe.network(last)
        predictions = end(data.x)
    else:
        predictions = _model_predictions(recorder, data)
    calls, scalers, shared = _calls(session, recorder, places, data)
    error = recorder.first.error if recorder.first else None
    shapes = [
        (len(data.y), *shape[1:]) if shape else data.y.shape
        for shape in ((error.target_shape, error.output_shape) if error else ((), ()))
    ]
    return Fit(
        framework="torch",
        place=recorder.place or Place("<unknown>", 0),
        x=data.x,
        y=data.y,
        x_shape=data.x.shape,
        y_shape=shapes[0],
        output_shape=shapes[1],
        recipe=recipe,
        unsupported=recorder.reason,
        start=start,
        end=end,
        predictions=predictions,
        weight_history=_history(recorder, recipe, last, epochs),
        history={"loss": losses} | _rates(recorder, recipe, data, epochs),
        epochs_done=epochs,
        calls=tuple(calls),
        input_scaler=scalers[0],
        target_scaler=scalers[1],
        scaler_shared=shared,
        seeds=tuple(session.seeds),
        seeds_weights=any(call.function == "torch.manual_seed" for call in session.seeds),
        gradients_cleared=recorder.cleared,
        held_out=recorder.held_out,
        sample_weight=None if unusable else weight,
        summary=_summary(recorder),
        environment={"torch": str(torch.__version__)},
        answers=_answers(recorder),
    ), None


def _answers(recorder: TorchRecorder) -> tuple[Answers, ...]:
    """What the network gave the script after its training, if nothing else has trained it since."""
    if recorder.reason is not None:
        return ()
    found = []
    for x, outputs, line in recorder.answers_after_all:
        if x.dim() and len(x) and len(outputs) == len(x):
            asked, made = (to_numpy(each).reshape(len(x), -1) for each in (x, outputs))
            found.append(Answers(asked, made, line))
    return tuple(found)


def _with_best_kept(
    recorder: TorchRecorder, recipe: Recipe, data: DataSet, losses: tuple[float, ...]
) -> Recipe:
    """The recipe, where the script puts its best weights back in the end; the recorder learns if not."""
    if recorder.put_back is None or recorder.error is None:
        return recipe
    snapshots = list(recorder.snapshots)
    if recorder.ended is not None:
        snapshots.append((recorder.steps // data.steps, recorder.ended))
    samples = HeldOut(data.x, data.y)
    found = best_kept(recorder.put_back, snapshots, losses, recorder.error, recipe.network, samples)
    if found is None:
        recorder.put_back = None
        return recipe
    if found.reason is not None:
        recorder.give_up(found.reason)
    elif recorder.weighted or recorder.error.reduction == "sum":
        recorder.give_up(
            "best weights put back where samples are weighted or summed are not supported"
        )
    elif recorder.held_out is not None and found.held_out is not None:
        recorder.give_up("best weights put back beside a plateau scheduler are not supported")
    recorder.held_out = found.held_out or recorder.held_out
    return replace(recipe, early_stopping=found.stopping)


def _losses(recorder: TorchRecorder, data: DataSet, epochs: int) -> tuple[float, ...]:
    losses = recorder.losses
    if recorder.feed is not None and recorder.feed.batches.pass_length is None:
        shares = recorder.feed.batches.shares(data.steps)
        whole = [losses[at : at + data.steps] for at in range(0, len(losses), data.steps)]
        losses = [float(np.dot(each, shares[: len(each)])) for each in whole]
    return tuple(losses[: max(1, epochs)])


def _rates(
    recorder: TorchRecorder, recipe: Recipe | None, data: DataSet, epochs: int
) -> dict[str, tuple[float, ...]]:
    """The learning rate of each epoch, as Keras's histories have it, where only the run can tell."""
    schedule = recipe.schedule if recipe is not None else None
    if schedule is None or not schedule.watches_loss:
        return {}
    rates = rates_at(recorder.rates, epochs * data.steps, data.steps)
    return {"learning_rate": tuple(float(each) for each in rates)}


def _history(
    recorder: TorchRecorder, recipe: Recipe | None, last: Array | None, epochs: int
) -> WeightHistory | None:
    if recipe is None or last is None or not recorder.keep_weights:
        return None
    kept = [each for each in recorder.snapshots if each[0] < epochs]
    kept.append((epochs, last))
    if len(kept) < 2:
        return None
    return WeightHistory(
        np.array([epoch for epoch, _weights in kept]), np.array([row for _epoch, row in kept])
    )


def _calls(
    session: Session, recorder: TorchRecorder, places: Any, data: DataSet
) -> tuple[list[Call], tuple[Any, Any], bool]:
    graph = recorder.first
    calls = [Call("fit", recorder.place)] if recorder.place else []
    things = [
        ("optimizer", recorder.optimizer),
        ("loader", recorder.feed.loader if recorder.feed else None),
        ("scheduler", recorder.scheduler),
        ("loss", graph.loss_module if graph else None),
    ]
    for role, thing in things:
        if thing is not None and (place := places.of(thing)):
            calls.append(Call(role, place))
    if recorder.cleared is False and recorder.backward:
        calls.append(Call("backward", recorder.backward))
    for index, layer in enumerate(graph.layers if graph else ()):
        if place := places.of(layer.weight):
            calls.append(Call("layer", place, index))
        for node in layer.nodes:
            module = graph.modules.get(node) if graph else None
            if module is not None and (place := places.of(module)):
                calls.append(Call("activation", place, index))
        module = graph.modules.get(layer.dropout_node) if graph else None
        if module is not None and (place := places.of(module)):
            calls.append(Call("dropout", place, index))
    if recorder.model is not None and (place := _forward_place(recorder.model)):
        calls.append(Call("forward", place))
    return with_scalers(session, calls, data.x, data.y)


def _forward_place(model: Any) -> Place | None:
    """Where the `forward` of a module of the script's own begins."""
    code = getattr(getattr(type(model), "forward", None), "__code__", None)
    if code is None or type(model).__module__.startswith("torch."):
        return None
    return Place(code.co_filename, code.co_firstlineno)


def _model_predictions(recorder: TorchRecorder, data: DataSet) -> Array | None:
    """What a network that is no chain of layers predicts: asked of a copy, so that nothing changes."""
    import torch

    graph = recorder.first
    if recorder.model is None or graph is None or graph.outermost is None:
        return None
    if not graph.model_made_outputs:
        return None  # the loss compares something else with the targets
    like = graph.outermost.input
    try:
        model = copy.deepcopy(recorder.model).eval()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            given = torch.as_tensor(data.x, dtype=like.dtype).reshape(-1, *like.shape[1:])
            output = np.asarray(model(given).detach().cpu().numpy(), dtype=np.float64)
    except Exception:  # the person's own forward, on data it may not take at once
        return None
    output = output.reshape(len(output), -1)
    return output if output.shape == data.y.shape else None


def _summary(recorder: TorchRecorder) -> str:
    """The model in one line."""
    if recorder.model is None:
        return "tensors"
    children = list(recorder.model.children())
    return ", ".join(type(each).__name__ for each in children or [recorder.model])
