"""What placing a change in a script needs in every framework."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.records.fit import SCALING_LAYERS, Call, Fit
from whyfit.records.study import Arm
from whyfit.syntax import loops
from whyfit.syntax.edits import CannotPlace, Edit, Edits

ROLE_NAMES = {
    "input_scaler": "the scaling of x",
    "target_scaler": "the scaling of y",
    "layer": "the layer",
    "activation": "the activation",
    "optimizer": "the optimizer",
    "scheduler": "the scheduler",
    "loss": "the loss",
    "dropout": "the dropout",
    "compile": "compile",
    "fit": "fit",
    "step": "the loop",
    "loader": "the DataLoader",
    "regressor": "the regressor",
    "backward": "the call of backward",
}


@dataclass
class Request:
    """One patch in the making: the fit, the script's text and path, all changes wanted, the bounds of
    spread biases for each hidden layer, and the edits found so far.
    """

    fit: Fit
    source: str
    path: str
    changes: Arm
    bias_bounds: Sequence[float] = ()
    edits: Edits = field(default_factory=Edits)

    def level(self, factor: str) -> str | None:
        """The level wanted of a factor, or None if it is not changed."""
        return next((each.to for each in self.changes if each.factor == factor), None)


Placing = Callable[[Request, Change], None]
"""Adds the edits of one change to a request, or raises CannotPlace."""


def calls_of(request: Request, role: str) -> list[Call]:
    """The calls of a role, all in the script itself; raises CannotPlace if there are none."""
    found = [call for call in request.fit.calls if call.role == role]
    if not found:
        raise CannotPlace(by_hand(role, "it was not made by a call that could be found"))
    for call in found:
        if os.path.realpath(call.place.file) != os.path.realpath(request.path):
            name = os.path.basename(call.place.file)
            raise CannotPlace(by_hand(role, f"it stands in another file, {name}"))
    return found


def by_hand(role: str, why: str) -> str:
    """A sentence that leaves a change to the person."""
    return f"{ROLE_NAMES.get(role, role)} has to be changed by hand: {why}"


def layers_of(request: Request, wanted: Callable[[int], bool]) -> list[Call]:
    """Creations of the wanted layers; refuses a call that made unwanted ones too."""
    calls = calls_of(request, "layer")
    count = len(request.fit.recipe.layers) if request.fit.recipe else 0
    if len(calls) != count:
        raise CannotPlace(by_hand("layer", "not every layer was made by a call of the script"))
    chosen = [call for call in calls if wanted(call.index)]
    others = {call.place for call in calls if not wanted(call.index)}
    if any(call.place in others for call in chosen):
        raise CannotPlace(
            by_hand("layer", "one line makes both hidden layers and the output layer")
        )
    return chosen


def hidden(fit: Fit) -> Callable[[int], bool]:
    """Whether a layer's number is that of a hidden layer."""
    last = len(fit.recipe.layers) - 1 if fit.recipe else 0
    return lambda index: index < last


def scaler_code(level: str) -> tuple[str, str]:
    """Code that makes the scaler of a level, and the class to import."""
    if level == "[-1, 1]":
        return "MinMaxScaler(feature_range=(-1, 1))", "MinMaxScaler"
    return "StandardScaler()", "StandardScaler"


def place_epochs_of_loop(request: Request, inside: fits.Place, change: Change) -> None:
    """Change how often the loop around a place of the training runs."""
    recipe = request.fit.recipe
    edit = loops.counted_loop(request.source, inside, recipe.epochs if recipe else 0)
    if edit is None:
        raise CannotPlace(
            f"the number of epochs has to be set to {change.to} by hand: no loop over range(...) "
            "around the training counts them"
        )
    place, positions = edit
    request.edits.arguments.append(Edit(place, "stop", change.to, positions))


def place_batch_size_of_loop(request: Request, inside: fits.Place, change: Change) -> None:
    """Change the named batch size by which the loop around a place of the training counts."""
    recipe = request.fit.recipe
    name = loops.step_name(request.source, inside, recipe.batch_size if recipe else 0)
    if name is None:
        raise CannotPlace(
            f"train on batches of {change.to}, by hand: the loop takes its batches without a named "
            "batch size"
        )
    request.edits.constants[name] = change.to


def place_scaling(role: str, name: str, without: Placing | None = None) -> Placing:
    """Change the scaler that made x or y; without one, scale as `without` does, or say what to do."""

    def place(request: Request, change: Change) -> None:
        fit = request.fit
        scaler = fit.input_scaler if role == "input_scaler" else fit.target_scaler
        wanted = "to [-1, 1]" if change.to == "[-1, 1]" else "to mean 0 and deviation 1"
        if scaler is None:
            why = ""
            if without is not None and not fit.scaler_shared:
                try:
                    without(request, change)
                except CannotPlace as cannot:
                    why = f", and {cannot}"
                else:
                    return
            raise CannotPlace(
                f"scale {name} {wanted} before fit"
                + (", and turn predictions back" if name == "y" else "")
                + f": the script has no scaler for it{why}"
            )
        if scaler.kind in SCALING_LAYERS:
            does_nothing = {*scaler.transform.offset, *scaler.transform.scale} == {0.0, 1.0}
            never = scaler.kind == "Normalization" and does_nothing
            now = "was never adapted: call its adapt(x)" if never else "scales it now"
            raise CannotPlace(f"scale {name} {wanted}: a {scaler.kind} layer {now}")
        (call, *_more) = calls_of(request, role)
        if change.to == "[-1, 1]" and scaler.kind == "MinMaxScaler":
            request.edits.arguments.append(
                Edit(call.place, "feature_range", "(-1, 1)", ("feature_range",))
            )
            return
        code, kind = scaler_code(change.to)
        request.edits.replaced.append((call.place, code))
        request.edits.imports[kind] = "sklearn.preprocessing"

    return place
