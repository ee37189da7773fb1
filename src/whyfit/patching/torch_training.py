"""Changes of a PyTorch training loop, as edits of the script: loss, optimizer, batches, passes."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import libcst as cst

from whyfit.patching.placing import (
    Request,
    by_hand,
    calls_of,
    place_batch_size_of_loop,
    place_epochs_of_loop,
)
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.syntax import loops, names, updates
from whyfit.syntax.arguments import called, kept, renamed
from whyfit.syntax.edits import CannotPlace, Edit, argument_of, calls_within

LOADER_ARGUMENTS = ("dataset", "batch_size", "shuffle")
OPTIMIZER_ARGUMENTS = ("params", "lr")
PLATEAU_ARGUMENTS = (
    *("optimizer", "mode", "factor", "patience", "threshold", "threshold_mode", "cooldown"),
    *("min_lr", "eps"),
)
LOSSES = {"mse": ("MSELoss", "mse_loss")}
FUNCTIONS_OF_LOSS = {
    "mae": ("l1_loss",),
    "huber": ("smooth_l1_loss", "huber_loss"),
    "binary_crossentropy": ("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    "categorical_crossentropy": ("cross_entropy",),
}
SCHEDULERS = (
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "LambdaLR",
    "MultiplicativeLR",
    "LinearLR",
    "PolynomialLR",
    "OneCycleLR",
    "CyclicLR",
)


def shuffle(request: Request, change: Change) -> None:
    """The DataLoader's `shuffle`."""
    if not any(call.role == "loader" for call in request.fit.calls):
        raise CannotPlace(
            "take the samples in a new random order in every epoch (torch.randperm), by hand: the loop "
            "takes its batches without a DataLoader"
        )
    place = calls_of(request, "loader")[0].place
    value = str(change.to != "off")
    request.edits.arguments.append(Edit(place, "shuffle", value, LOADER_ARGUMENTS))


def loss(request: Request, change: Change) -> None:
    """`nn.L1Loss()` as `nn.MSELoss()`, `F.l1_loss(a, b)` as `F.mse_loss(a, b)`; what says how samples
    are put together stays.
    """
    hand = f"the loss has to be changed to {change.to} by hand, where it is computed"
    recipe = request.fit.recipe
    if recipe is None or change.to not in LOSSES or recipe.loss == "rmse":
        raise CannotPlace(hand)  # a root stands around the loss, or is a norm
    # smooth_l1_loss divides by its beta; any other factor stands around the loss, and would stay there.
    own = 1.0 / recipe.loss_constant if recipe.loss == "huber" else 1.0
    if not any(math.isclose(recipe.loss_factor, each, rel_tol=1e-5) for each in (1.0, own)):
        raise CannotPlace(hand)
    module, function = LOSSES[change.to]

    def as_module(call: cst.Call) -> cst.BaseExpression:
        if any(each.keyword is None for each in call.args) or not called(call).endswith("Loss"):
            raise CannotPlace(hand)  # what they mean differs from loss to loss
        return renamed(call, module, "torch.nn", kept(call, ("reduction",)))

    def as_function(call: cst.Call) -> cst.BaseExpression:
        given = [each for each in call.args if each.keyword is None][:2]
        arguments = [*given, *kept(call, ("input", "target", "reduction", "weight"))]
        return renamed(call, function, "torch.nn.functional", arguments)

    made = [call for call in request.fit.calls if call.role == "loss"]
    request.edits.imports["torch"] = ""
    if made:
        request.edits.rewritten.append((calls_of(request, "loss")[0].place, as_module))
        return
    known = FUNCTIONS_OF_LOSS.get(recipe.loss, ())
    inside = loops.innermost(request.source, calls_of(request, "fit")[0].place)
    if inside is None:
        raise CannotPlace(hand)
    losses = calls_within(
        request.source, lambda call: called(call) in known, inside.line, inside.end_line
    )
    if len(losses) != 1:
        raise CannotPlace(hand)
    request.edits.rewritten.append((losses[0][1], as_function))


def learning_rate(request: Request, change: Change) -> None:
    """The optimizer's `lr`, or the number by which a loop multiplies its gradients."""
    recipe = request.fit.recipe
    if not any(call.role == "optimizer" for call in request.fit.calls):
        name = updates.rate_name(request.source, recipe.optimizer.learning_rate if recipe else 0.0)
        if name is None:
            raise CannotPlace(
                f"the learning rate has to be set to {change.to} by hand: the script updates its "
                "weights itself"
            )
        request.edits.constants[name] = change.to
        return
    place = calls_of(request, "optimizer")[0].place
    request.edits.arguments.append(Edit(place, "lr", change.to, OPTIMIZER_ARGUMENTS))


def schedule(request: Request, change: Change) -> None:
    """A scheduler that keeps the rate in its place, or its step() below the loop over the batches."""
    recipe = request.fit.recipe
    if recipe is None or recipe.schedule is None:
        raise CannotPlace("the script's schedule is not known")
    known = any(call.role == "scheduler" for call in request.fit.calls)
    if change.to != "none":
        found = (
            loops.step_in_loop(
                request.source,
                calls_of(request, "scheduler")[0].place,
                calls_of(request, "fit")[0].place,
            )
            if known
            else None
        )
        if found is None:
            raise CannotPlace(
                f"call the step() of the scheduler, or what else sets the rate, {change.to}"
            )
        request.edits.removed.append(found.call)
        request.edits.after.append((found.loop, found.code))
        return
    rate = recipe.largest_rate(len(request.fit.x))
    warmed_up = rate > recipe.optimizer.learning_rate
    other = request.level("optimizer")
    wanted = request.level("learning_rate") or (
        other.removesuffix(")").split("(")[1] if other else None
    )
    if not known or (warmed_up and wanted):
        left_out = "leave out the step() of the scheduler, or what else sets the rate"
        raise CannotPlace(f"{left_out}, and set it to {rate:g}" if warmed_up else left_out)
    place = calls_of(request, "scheduler")[0].place
    if recipe.schedule.watches_loss:
        least = wanted or f"{rate:g}"
        request.edits.arguments.append(Edit(place, "min_lr", least, PLATEAU_ARGUMENTS))
        return
    optimizer = calls_of(request, "optimizer")[0].place
    if not wanted and _begins_otherwise(request, optimizer, rate):
        request.edits.arguments.append(Edit(optimizer, "lr", f"{rate:g}", OPTIMIZER_ARGUMENTS))
    request.edits.rewritten.append((place, _constant))
    request.edits.imports["torch"] = ""


FALLING = ("StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR")
"""Schedulers that begin with the optimizer's own rate."""


def _begins_otherwise(request: Request, optimizer: fits.Place, rate: float) -> bool:
    """Whether the optimizer may not be given this rate: the scheduler may have set that of the first
    step, too.
    """
    given_rate = _given_rate(request.source, optimizer)
    place = calls_of(request, "scheduler")[0].place
    made = calls_within(request.source, lambda _call: True, place.line, place.end_line)
    falls = any(
        called(call) in FALLING for call, at in made if replace(at, file=place.file) == place
    )
    recipe = request.fit.recipe
    begins = falls and recipe is not None and rate == recipe.optimizer.learning_rate
    return given_rate != rate and not (given_rate is None and begins)


def _given_rate(source: str, optimizer: fits.Place) -> float | None:
    """The number that an optimizer's call gives as its rate, by itself or by a name, or None."""
    module = cst.parse_module(source)
    for call, place in calls_within(source, lambda _call: True, optimizer.line, optimizer.end_line):
        same = (place.line, place.column) == (optimizer.line, optimizer.column)
        given = argument_of(call, "lr", OPTIMIZER_ARGUMENTS)
        if not same or given is None:
            continue
        code = module.code_for_node(given.value)
        with contextlib.suppress(ValueError):
            return float(names.constant(module, code) or code)
    return None


def _constant(call: cst.Call) -> cst.BaseExpression:
    """`StepLR(opt, 30)` as `ConstantLR(opt, factor=1)`."""
    if called(call) not in SCHEDULERS:
        raise CannotPlace(by_hand("scheduler", "it is made by a function of another name"))
    given = argument_of(call, "optimizer", ("optimizer",))
    if given is None:
        raise CannotPlace(by_hand("scheduler", "its optimizer could not be found"))
    made = cst.parse_expression("f(optimizer, factor=1)")
    assert isinstance(made, cst.Call)
    arguments = [made.args[0].with_changes(value=given.value), made.args[1]]
    return renamed(call, "ConstantLR", "torch.optim.lr_scheduler", arguments)


def weight_penalty(request: Request, _change: Change) -> None:
    """`weight_decay=0`; what a script adds to its loss by itself is told in words."""
    if request.level("optimizer") is not None:
        return  # the new call has none
    layers = request.fit.recipe.layers if request.fit.recipe else ()
    if any(each.kernel_penalty or each.bias_penalty for each in layers):
        raise CannotPlace("leave what is added of the weights out of the loss")
    place = calls_of(request, "optimizer")[0].place
    request.edits.arguments.append(Edit(place, "weight_decay", "0", OPTIMIZER_ARGUMENTS))


def optimizer(request: Request, change: Change) -> None:
    """`torch.optim.SGD(params, lr=0.1)` as `torch.optim.Adam(params, lr=0.01)`; options go."""
    name, rate = change.to.removesuffix(")").split("(")
    if not any(call.role == "optimizer" for call in request.fit.calls):
        raise CannotPlace(
            f"the optimizer has to be changed to {change.to} by hand: the script updates its weights "
            "itself"
        )
    kind = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam"}[name]

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        given = argument_of(call, "params", OPTIMIZER_ARGUMENTS)
        if given is None:
            raise CannotPlace(by_hand("optimizer", "its parameters could not be found"))
        made = cst.parse_expression(f"torch.optim.{kind}(parameters, lr={rate})")
        assert isinstance(made, cst.Call)
        first = made.args[0].with_changes(value=given.value)
        return made.with_changes(args=[first, *made.args[1:]])

    request.edits.rewritten.append((calls_of(request, "optimizer")[0].place, rewrite))
    request.edits.imports["torch"] = ""


def epochs(request: Request, change: Change) -> None:
    """The count of the loop over the data."""
    place_epochs_of_loop(request, calls_of(request, "fit")[0].place, change)


def gradients(request: Request, _change: Change) -> None:
    """`opt.zero_grad()` above the statement that calls backward, where `opt.step()` is called near."""
    if not any(call.role == "optimizer" for call in request.fit.calls):
        _after_updates(request)
        return
    step, backward = (calls_of(request, role)[0].place for role in ("fit", "backward"))
    stepped = loops.owner_of(request.source, step, "step")
    if stepped is None or not loops.in_one_function(request.source, step, backward):
        raise CannotPlace(
            "clear the gradients before each backward(), by hand: the optimizer's name was not found "
            "there"
        )
    request.edits.inserted.append((backward, f"{stepped}.zero_grad()"))


def _after_updates(request: Request) -> None:
    """`w.grad = None` below each `w -= rate * w.grad`, where all of them were found."""
    (backward, *_more) = calls_of(request, "fit")  # by which a loop without an optimizer is known
    found = updates.updates_after(request.source, backward.place) or []
    recipe = request.fit.recipe
    tensors = sum(1 + layer.use_bias for layer in recipe.layers) if recipe else 0
    one_by_one = not any(each.looped for each in found)
    if not found or (one_by_one and len({each.tensor for each in found}) != tensors):
        raise CannotPlace(
            "set every gradient to None before backward(), by hand: the updates of the weights were "
            "not all found there"
        )
    for each in found:
        request.edits.below.append((each.place, f"{each.tensor}.grad = None"))


def batch_size(request: Request, change: Change) -> None:
    """The DataLoader's `batch_size`, or the step of a loop over slices."""
    if any(call.role == "loader" for call in request.fit.calls):
        place = calls_of(request, "loader")[0].place
        request.edits.arguments.append(Edit(place, "batch_size", change.to, LOADER_ARGUMENTS))
        return
    place_batch_size_of_loop(request, calls_of(request, "fit")[0].place, change)
