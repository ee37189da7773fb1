"""Changes of a Keras optimizer and of its learning rate, as edits of the script."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from whyfit.patching.keras_callbacks import PLATEAU, take_out
from whyfit.patching.placing import Request, calls_of
from whyfit.records.finding import Change
from whyfit.records.fit import Place
from whyfit.syntax.arguments import given
from whyfit.syntax.decays import with_schedule
from whyfit.syntax.edits import CannotPlace, Edit, calls_within
from whyfit.syntax.set_again import rate_set_again

COMPILE_ARGUMENTS = ("optimizer", "loss")
OPTIMIZERS = {
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
}


def place_optimizer(request: Request, change: Change) -> None:
    """A new optimizer in place of the one that the script makes, or names in `compile`."""
    name, rate = change.to.removesuffix(")").split("(")
    _refuse_scheduler(request, f"the optimizer to {change.to}")
    _refuse_set_again(request, rate)
    kind = OPTIMIZERS[name]
    if _keeps_schedule(request):
        raise CannotPlace(f"let the optimizer be {kind}, with a schedule that begins at {rate}")
    code = f"{kind}(learning_rate={rate})"
    request.edits.imports[kind] = "keras.optimizers"
    if (made := _made_apart(request)) is not None:
        request.edits.replaced.append((made, code))
        return
    place = calls_of(request, "compile")[0].place
    request.edits.arguments.append(Edit(place, "optimizer", code, COMPILE_ARGUMENTS))


def place_learning_rate(request: Request, change: Change) -> None:
    """Another number for `learning_rate`; where that is a schedule a number would end it."""
    _refuse_scheduler(request, f"the learning rate to {change.to}")
    _refuse_set_again(request, change.to)
    if _keeps_schedule(request):
        raise CannotPlace(f"let the schedule begin at {change.to}")
    if (made := _made_apart(request)) is not None:
        request.edits.arguments.append(Edit(made, "learning_rate", change.to, ("learning_rate",)))
        return
    recipe = request.fit.recipe
    name = OPTIMIZERS[recipe.optimizer.name if recipe else "adam"]
    code = f"{name}(learning_rate={change.to})"
    place = calls_of(request, "compile")[0].place
    request.edits.arguments.append(Edit(place, "optimizer", code, COMPILE_ARGUMENTS))
    request.edits.imports[name] = "keras.optimizers"


def _refuse_set_again(request: Request, rate: str) -> None:
    """A number given to the optimizer counts for nothing where a later line sets its rate."""
    if (line := rate_set_again(request.source)) is not None:
        raise CannotPlace(
            f"set the learning rate to {rate} in line {line} too, which sets it again"
        )


def place_schedule(request: Request, change: Change) -> None:
    """The largest number that the schedule gives, in its place."""
    recipe = request.fit.recipe
    if recipe is None or recipe.schedule is None:
        raise CannotPlace("the script's schedule is not known")
    samples = len(request.fit.x)
    if change.to != "none":
        steps = recipe.steps_per_epoch(samples)
        raise CannotPlace(
            f"let the schedule count epochs: multiply its numbers of steps by {steps}"
        )
    if recipe.schedule.watches_loss:
        take_out(request, PLATEAU)
        return
    if recipe.schedule.kind == "table":
        raise CannotPlace("leave out what sets the learning rate while the model trains")
    if request.level("learning_rate") is None and request.level("optimizer") is None:
        rate = f"{recipe.largest_rate(samples):g}"
        place_learning_rate(request, Change("learning_rate", rate))


def place_decay(request: Request, change: Change) -> None:
    """The decay that Keras 3 ignores as the schedule that it stood for."""
    schedule = f"keras.optimizers.schedules.InverseTimeDecay(rate, 1, {change.to})"
    fit = request.fit
    _refuse_scheduler(request, f"the decay of the learning rate to {change.to}")
    (made, *_more) = calls_of(request, "optimizer")
    near = calls_within(request.source, lambda _call: True, made.place.line, made.place.end_line)
    found = next(
        (call for call, at in near if replace(at, file=made.place.file) == made.place), None
    )
    stars = found is not None and any(each.star for each in found.args)
    hidden_rate = found is not None and stars and given(found, "learning_rate") is None
    if found is None or given(found, "decay") is None or hidden_rate:
        raise CannotPlace(
            f"write learning_rate={schedule} by hand: the call of line {made.place.line} does not say "
            "which rate and decay it passes"
        )
    if isinstance(found.func, cst.Name):
        request.edits.imports["InverseTimeDecay"] = "keras.optimizers.schedules"
    # What the author wrote stays, unless another decay is wanted.
    same = fit.ignored_decay is not None and float(change.to) == fit.ignored_decay
    rate = f"{fit.recipe.optimizer.learning_rate:g}" if fit.recipe else "0.001"

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        decay = None if same else change.to
        return with_schedule(call, rate, decay=decay, bare="InverseTimeDecay")[0]

    request.edits.rewritten.append((made.place, rewrite))


def _refuse_scheduler(request: Request, what: str) -> None:
    if any(call.role == "scheduler" for call in request.fit.calls):
        raise CannotPlace(f"set {what} by hand: a LearningRateScheduler sets the rate")


def _keeps_schedule(request: Request) -> bool:
    """Whether the optimizer's rate is a schedule that the arm leaves as it is."""
    recipe = request.fit.recipe
    schedule = recipe.schedule if recipe else None
    unchanged = request.level("schedule") is None
    return schedule is not None and not schedule.watches_loss and unchanged


def _made_apart(request: Request) -> Place | None:
    """Where the script makes the optimizer, or None where `compile` makes it from its name."""
    (compiled, *_more) = calls_of(request, "compile")
    made = next((call for call in request.fit.calls if call.role == "optimizer"), None)
    if made is None or made.place == compiled.place:
        return None
    return calls_of(request, "optimizer")[0].place
