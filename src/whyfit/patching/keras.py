"""Changes of a Keras fit, as edits of the script."""

from __future__ import annotations

from collections.abc import Mapping

from whyfit.patching import scaling_keras, trained
from whyfit.patching.keras_callbacks import STOPPING, take_out
from whyfit.patching.keras_optimizer import (
    COMPILE_ARGUMENTS,
    place_decay,
    place_learning_rate,
    place_optimizer,
    place_schedule,
)
from whyfit.patching.placing import (
    Placing,
    Request,
    by_hand,
    calls_of,
    hidden,
    layers_of,
    place_batch_size_of_loop,
    place_epochs_of_loop,
    place_scaling,
)
from whyfit.records.finding import Change
from whyfit.records.fit import Place
from whyfit.syntax.arguments import called
from whyfit.syntax.edits import CannotPlace, Edit, calls_within

DENSE_ARGUMENTS = ("units", "activation", "use_bias", "kernel_initializer", "bias_initializer")
FIT_ARGUMENTS = ("x", "y", "batch_size", "epochs")


def _kernel_initializer(request: Request, change: Change) -> None:
    for call in layers_of(request, lambda _index: True):
        request.edits.arguments.append(
            Edit(call.place, "kernel_initializer", f"'{change.to}'", DENSE_ARGUMENTS)
        )


def _activation(request: Request, change: Change) -> None:
    inside = hidden(request.fit)
    output = change.factor == "output_activation"

    def wanted(index: int) -> bool:
        return inside(index) != output

    separate = {
        call.index: call
        for call in request.fit.calls
        if call.role == "activation" and wanted(call.index)
    }
    for call in layers_of(request, wanted):
        if call.index in separate:
            layer = separate[call.index]
            request.edits.replaced.append((layer.place, f"Activation('{change.to}')"))
            request.edits.imports["Activation"] = "keras.layers"
        else:
            request.edits.arguments.append(
                Edit(call.place, "activation", f"'{change.to}'", DENSE_ARGUMENTS)
            )


def _units(request: Request, change: Change) -> None:
    widths = change.to.split(", ")
    placed: dict[Place, str] = {}
    for call in layers_of(request, hidden(request.fit)):
        if placed.setdefault(call.place, widths[call.index]) != widths[call.index]:
            raise CannotPlace(by_hand("layer", "one line makes layers of different widths"))
        request.edits.arguments.append(
            Edit(call.place, "units", widths[call.index], DENSE_ARGUMENTS)
        )


def _biases(request: Request, _change: Change) -> None:
    for call in layers_of(request, hidden(request.fit)):
        bound = f"{request.bias_bounds[call.index]:g}"
        code = f"RandomUniform(-{bound}, {bound})"
        request.edits.arguments.append(Edit(call.place, "bias_initializer", code, DENSE_ARGUMENTS))
    request.edits.imports["RandomUniform"] = "keras.initializers"


def _use_of_biases(request: Request, _change: Change) -> None:
    for call in layers_of(request, lambda _index: True):
        request.edits.arguments.append(Edit(call.place, "use_bias", "True", DENSE_ARGUMENTS))


def _weight_penalty(request: Request, _change: Change) -> None:
    recipe = request.fit.recipe
    if recipe is None or recipe.optimizer.weight_decay:
        raise CannotPlace("take weight_decay out of the optimizer")
    for call in layers_of(request, lambda _index: True):
        layer = recipe.layers[call.index]
        for part, penalty in (
            ("kernel", layer.kernel_penalty),
            ("bias", layer.bias_penalty),
            ("activity", layer.activity_penalty),
        ):
            if penalty:
                edit = Edit(call.place, f"{part}_regularizer", "None", DENSE_ARGUMENTS)
                request.edits.arguments.append(edit)


def _dropout(request: Request, _change: Change) -> None:
    """`Dropout(0.5)` as `Dropout(0)`, wherever the script makes one."""
    found = calls_within(request.source, lambda call: called(call) == "Dropout", 1, 10**9)
    if not found:
        raise CannotPlace("take the Dropout layers out of the network")
    for _call, place in found:
        request.edits.arguments.append(Edit(place, "rate", "0", ("rate",)))


def _steps_of_loop(request: Request) -> Place | None:
    """Where the script calls `train_on_batch` in a loop of its own, or None."""
    own = any(call.role == "step" for call in request.fit.calls)
    return calls_of(request, "step")[0].place if own else None


def _refuse_data_set(request: Request, what: str) -> None:
    if any(call.role == "data_set" for call in request.fit.calls):
        raise CannotPlace(f"{what} where the data set is made, by hand")


def _early_stopping(request: Request, _change: Change) -> None:
    take_out(request, STOPPING)


def _shuffle(request: Request, change: Change) -> None:
    _refuse_data_set(request, f"turn shuffling {change.to}")
    if _steps_of_loop(request) is not None:
        raise CannotPlace(f"turn shuffling {change.to} in the loop, by hand")
    (call, *_more) = calls_of(request, "fit")
    value = str(change.to != "off")
    request.edits.arguments.append(Edit(call.place, "shuffle", value, FIT_ARGUMENTS))


def _loss(request: Request, change: Change) -> None:
    (call, *_more) = calls_of(request, "compile")
    request.edits.arguments.append(Edit(call.place, "loss", f"'{change.to}'", COMPILE_ARGUMENTS))


def _depth(request: Request, _change: Change) -> None:
    request.edits.repeated.append(layers_of(request, hidden(request.fit))[-1].place)


def _epochs(request: Request, change: Change) -> None:
    step = _steps_of_loop(request)
    if step is not None:
        place_epochs_of_loop(request, step, change)
        return
    (call, *_more) = calls_of(request, "fit")
    request.edits.arguments.append(Edit(call.place, "epochs", change.to, FIT_ARGUMENTS))


def _batch_size(request: Request, change: Change) -> None:
    _refuse_data_set(request, f"make batches of {change.to}")
    step = _steps_of_loop(request)
    if step is not None:
        place_batch_size_of_loop(request, step, change)
        return
    (call, *_more) = calls_of(request, "fit")
    request.edits.arguments.append(Edit(call.place, "batch_size", change.to, FIT_ARGUMENTS))


def _scaled_by_hand(data: str) -> Placing:
    placed = scaling_keras.by_hand(data)

    def place(request: Request, change: Change) -> None:
        if any(call.role == "data_set" for call in request.fit.calls):
            raise CannotPlace(f"{data} comes from a data set")
        if _steps_of_loop(request) is not None:
            raise CannotPlace(f"{data} is trained on in a loop of the script's own")
        placed(request, change)

    return place


PLACES: Mapping[str, Placing] = {
    "input_range": place_scaling("input_scaler", "x", _scaled_by_hand("x")),
    "target_range": place_scaling("target_scaler", "y", _scaled_by_hand("y")),
    "activation": _activation,
    "output_activation": _activation,
    "units": _units,
    "depth": _depth,
    "kernel_initializer": _kernel_initializer,
    "bias_initializer": _biases,
    "use_bias": _use_of_biases,
    "trained": trained.keras,
    "shuffle": _shuffle,
    "loss": _loss,
    "optimizer": place_optimizer,
    "learning_rate": place_learning_rate,
    "decay": place_decay,
    "schedule": place_schedule,
    "epochs": _epochs,
    "batch_size": _batch_size,
    "weight_penalty": _weight_penalty,
    "dropout": _dropout,
    "early_stopping": _early_stopping,
}
