"""Changes of a PyTorch training loop, as edits of the script."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst

from whyfit.patching import scaling_torch
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
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.syntax import loops, names, updates
from whyfit.syntax.edits import CannotPlace, Edit, argument_of, calls_within

LINEAR_ARGUMENTS = ("in_features", "out_features", "bias")
LOADER_ARGUMENTS = ("dataset", "batch_size", "shuffle")
OPTIMIZER_ARGUMENTS = ("params", "lr")
DROPOUT_ARGUMENTS = ("p", "inplace")
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

MODULES = {
    "relu": "ReLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "linear": "Identity",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "Softplus",
}
FUNCTIONS = {
    "relu": ("relu", "relu_"),
    "tanh": ("tanh", "tanh_"),
    "sigmoid": ("sigmoid", "sigmoid_"),
    "leaky_relu": ("leaky_relu",),
    "elu": ("elu",),
    "gelu": ("gelu",),
    "silu": ("silu",),
    "softplus": ("softplus",),
}
INITIALIZERS = {
    "glorot_uniform": "xavier_uniform_({})",
    "glorot_normal": "xavier_normal_({})",
    "he_uniform": "kaiming_uniform_({}, nonlinearity='relu')",
    "he_normal": "kaiming_normal_({}, nonlinearity='relu')",
}


# ---- layers ----


def _units(request: Request, change: Change) -> None:
    """A layer's width is its own out_features and the next layer's in_features."""
    fit = request.fit
    widths = change.to.split(", ")
    calls = {call.index: call.place for call in layers_of(request, lambda _index: True)}
    placed: dict[tuple[fits.Place, str], str] = {}
    for index, width in enumerate(widths):
        for at, argument in ((index, "out_features"), (index + 1, "in_features")):
            place = calls[at]
            if placed.setdefault((place, argument), width) != width:
                raise CannotPlace(by_hand("layer", "one line makes layers of different widths"))
    count = len(fit.recipe.layers) if fit.recipe else 0
    if len(set(calls.values())) < count:
        raise CannotPlace(by_hand("layer", "one line makes several layers"))
    for (place, argument), width in placed.items():
        request.edits.arguments.append(Edit(place, argument, width, LINEAR_ARGUMENTS))


def _activation(request: Request, change: Change) -> None:
    """Modules made by the script become others; functions called in `forward` likewise."""
    inside, output = hidden(request.fit), change.factor == "output_activation"
    recipe = request.fit.recipe
    indices = [at for at in range(len(recipe.layers) if recipe else 0) if inside(at) != output]
    made = {call.index: call.place for call in request.fit.calls if call.role == "activation"}
    if change.to not in MODULES:
        raise CannotPlace(by_hand("activation", f"PyTorch has no {change.to}"))
    if all(at in made for at in indices):
        _check_file(request, [made[at] for at in indices])
        others = {place for at, place in made.items() if at not in indices}
        if others & {made[at] for at in indices}:
            raise CannotPlace(by_hand("activation", "hidden layers and output share one"))
        for at in dict.fromkeys(made[at] for at in indices):
            request.edits.rewritten.append((at, _module_renamed(MODULES[change.to])))
        return
    if output or any(at in made for at in indices):
        raise CannotPlace(by_hand("activation", "not all were made by calls that could be found"))
    _functions(request, change, len(indices))


def _check_file(request: Request, places: list[fits.Place]) -> None:
    for role in ("activation", "forward"):
        if any(call.role == role and call.place in places for call in request.fit.calls):
            calls_of(request, role)


def _module_renamed(name: str) -> Callable[[cst.Call], cst.BaseExpression]:
    """`nn.ReLU()` as `nn.Tanh()`, `ReLU()` as `torch.nn.Tanh()`."""

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        if isinstance(call.func, cst.Attribute):
            return cst.Call(func=call.func.with_changes(attr=cst.Name(name)))
        return cst.parse_expression(f"torch.nn.{name}()")

    return rewrite


def _functions(request: Request, change: Change, count: int) -> None:
    forward = calls_of(request, "forward")[0].place
    recipe = request.fit.recipe
    names = {layer.activation.name for layer in recipe.hidden} if recipe else set()
    known = [each for name in names for each in FUNCTIONS.get(name, ())]
    found = loops.calls_in_function(
        request.source, forward.line, lambda call: _called(call) in known
    )
    if not found and names == {"linear"}:
        raise CannotPlace(
            by_hand(
                "activation",
                "forward uses none; write one around each hidden layer, as in "
                "torch.relu(self.hidden(x))",
            )
        )
    if len(found) != count or change.to == "linear":
        raise CannotPlace(
            by_hand("activation", f"forward has {len(found)} calls for {count} hidden layers")
        )
    for _call, place in found:
        request.edits.rewritten.append((place, _function_renamed(change.to)))
    request.edits.imports["torch"] = ""


def _called(call: cst.Call) -> str:
    match call.func:
        case cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)):
            return name
        case _:
            return ""


def _function_renamed(name: str) -> Callable[[cst.Call], cst.BaseExpression]:
    """`F.relu(z)` or `z.relu()` as `torch.tanh(z)`."""
    owner = "torch" if name in ("relu", "tanh", "sigmoid") else "torch.nn.functional"

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        made = cst.parse_expression(f"{owner}.{name}(z)")
        assert isinstance(made, cst.Call)
        method = isinstance(call.func, cst.Attribute) and not call.args
        inner: Any = call.func.value if method and isinstance(call.func, cst.Attribute) else None
        if inner is None:
            inner = call.args[0].value
        return made.with_changes(args=[made.args[0].with_changes(value=inner)])

    return rewrite


def _depth(request: Request, change: Change) -> None:
    """In nn.Sequential, a layer and its activation once more after the last hidden ones."""
    recipe = request.fit.recipe
    last = len(recipe.hidden) - 1 if recipe else -1
    made = {call.index: call.place for call in request.fit.calls if call.role == "activation"}
    layers = {call.index: call.place for call in layers_of(request, hidden(request.fit))}
    if last not in made or int(change.to.split()[0]) != last + 2:
        raise CannotPlace(by_hand("layer", "only nn.Sequential can be made deeper by a patch"))
    units = request.level("units")
    assert recipe is not None  # last would be -1
    drawn = recipe.hidden[last]
    if {drawn.kernel_initializer.name, drawn.bias_initializer.name} != {"torch_uniform"}:
        raise CannotPlace(by_hand("layer", "the script sets start weights layer by layer"))
    width = units.split(", ")[last] if units else str(recipe.hidden[last].units)
    sequential = [
        place
        for _call, place in calls_within(request.source, _is_sequential, 1, 10**9)
        if _contains(place, made[last]) and _contains(place, layers[last])
    ]
    if not sequential:
        raise CannotPlace(by_hand("layer", "only nn.Sequential can be made deeper by a patch"))
    activation = request.level("activation") or recipe.hidden[last].activation.name
    prefix = "nn" if "nn.Linear" in request.source else "torch.nn"
    code = f"{prefix}.Linear({width}, {width}), {prefix}.{MODULES[activation]}()"
    request.edits.following.append((made[last], code))
    request.edits.imports["torch"] = ""


def _is_sequential(call: cst.Call) -> bool:
    return _called(call) == "Sequential"


def _contains(outer: fits.Place, inner: fits.Place) -> bool:
    return (outer.line, outer.column) <= (inner.line, inner.column) and (
        inner.end_line,
        inner.end_column,
    ) <= (outer.end_line, outer.end_column)


# ---- start weights ----


def _kernel_initializer(request: Request, change: Change) -> None:
    if change.to not in INITIALIZERS:
        raise CannotPlace(by_hand("layer", f"PyTorch has no initializer {change.to}"))
    code = "torch.nn.init." + INITIALIZERS[change.to].format("layer.weight")
    _above_optimizer(
        request,
        lambda model: (
            f"for layer in {model}.modules():\n"
            f"    if isinstance(layer, torch.nn.Linear):\n"
            f"        {code}"
        ),
    )


def _biases(request: Request, _change: Change) -> None:
    bounds = ", ".join(f"{bound:g}" for bound in request.bias_bounds)
    comma = "," if len(request.bias_bounds) == 1 else ""
    _above_optimizer(
        request,
        lambda model: (
            f"for layer, bound in zip([each for each in {model}.modules() "
            f"if isinstance(each, torch.nn.Linear)], ({bounds}{comma})):\n"
            f"    torch.nn.init.uniform_(layer.bias, -bound, bound)"
        ),
    )


def _above_optimizer(request: Request, code: Callable[[str], str]) -> None:
    """Lines above the statement that makes the optimizer, where the model has its first weights."""
    place = calls_of(request, "optimizer")[0].place
    try:
        model = scaling_torch.model_name(request, place)
    except CannotPlace as cannot:
        raise CannotPlace(by_hand("layer", str(cannot))) from None
    if loops.reads_name(request.source, "layer") or loops.reads_name(request.source, "bound"):
        raise CannotPlace(by_hand("layer", "the script uses the names layer or bound itself"))
    request.edits.inserted.append((place, code(model)))
    request.edits.imports["torch"] = ""


def _use_of_biases(request: Request, _change: Change) -> None:
    for call in layers_of(request, lambda _index: True):
        request.edits.arguments.append(Edit(call.place, "bias", "True", LINEAR_ARGUMENTS))


# ---- training ----


def _shuffle(request: Request, change: Change) -> None:
    if not any(call.role == "loader" for call in request.fit.calls):
        raise CannotPlace(
            "take the samples in a new random order in every epoch (torch.randperm), by hand: the loop "
            "takes its batches without a DataLoader"
        )
    place = calls_of(request, "loader")[0].place
    value = str(change.to != "off")
    request.edits.arguments.append(Edit(place, "shuffle", value, LOADER_ARGUMENTS))


def _loss(request: Request, change: Change) -> None:
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
        if any(each.keyword is None for each in call.args) or not _called(call).endswith("Loss"):
            raise CannotPlace(hand)  # what they mean differs from loss to loss
        return _renamed(call, module, "torch.nn", _kept(call, ("reduction",)))

    def as_function(call: cst.Call) -> cst.BaseExpression:
        given = [each for each in call.args if each.keyword is None][:2]
        kept = [*given, *_kept(call, ("input", "target", "reduction"))]
        return _renamed(call, function, "torch.nn.functional", kept)

    made = [call for call in request.fit.calls if call.role == "loss"]
    request.edits.imports["torch"] = ""
    if made:
        request.edits.rewritten.append((calls_of(request, "loss")[0].place, as_module))
        return
    known = FUNCTIONS_OF_LOSS.get(recipe.loss, ())
    inside = loops.innermost(request.source, calls_of(request, "fit")[0].place)
    if inside is None:
        raise CannotPlace(hand)
    called = calls_within(
        request.source, lambda call: _called(call) in known, inside.line, inside.end_line
    )
    if len(called) != 1:
        raise CannotPlace(hand)
    request.edits.rewritten.append((called[0][1], as_function))


def _kept(call: cst.Call, keywords: Sequence[str]) -> list[cst.Arg]:
    return [
        each for each in call.args if each.keyword is not None and each.keyword.value in keywords
    ]


def _renamed(call: cst.Call, name: str, owner: str, arguments: Sequence[cst.Arg]) -> cst.Call:
    """Another function of the same module, `owner` where the script has it without one."""
    function = call.func
    if isinstance(function, cst.Attribute):
        function = function.with_changes(attr=cst.Name(name))
    else:
        function = cst.parse_expression(f"{owner}.{name}")
    kept = list(arguments)
    if kept:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return call.with_changes(func=function, args=kept)


def _learning_rate(request: Request, change: Change) -> None:
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


def _schedule(request: Request, change: Change) -> None:
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
    if not wanted and _given_rate(request.source, optimizer) != rate:
        # The scheduler may have set the rate of the first step, too.
        request.edits.arguments.append(Edit(optimizer, "lr", f"{rate:g}", OPTIMIZER_ARGUMENTS))
    request.edits.rewritten.append((place, _constant))
    request.edits.imports["torch"] = ""


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
    if _called(call) not in SCHEDULERS:
        raise CannotPlace(by_hand("scheduler", "it is made by a function of another name"))
    given = argument_of(call, "optimizer", ("optimizer",))
    if given is None:
        raise CannotPlace(by_hand("scheduler", "its optimizer could not be found"))
    made = cst.parse_expression("f(optimizer, factor=1)")
    assert isinstance(made, cst.Call)
    arguments = [made.args[0].with_changes(value=given.value), made.args[1]]
    return _renamed(call, "ConstantLR", "torch.optim.lr_scheduler", arguments)


def _weight_penalty(request: Request, _change: Change) -> None:
    if request.level("optimizer") is not None:
        return  # the new call has none
    layers = request.fit.recipe.layers if request.fit.recipe else ()
    if any(each.kernel_penalty or each.bias_penalty for each in layers):
        raise CannotPlace("leave what is added of the weights out of the loss")
    place = calls_of(request, "optimizer")[0].place
    request.edits.arguments.append(Edit(place, "weight_decay", "0", OPTIMIZER_ARGUMENTS))


def _dropout(request: Request, _change: Change) -> None:
    recipe = request.fit.recipe
    made = [call for call in request.fit.calls if call.role == "dropout"]
    dropping = sum(layer.dropout > 0 for layer in recipe.layers) if recipe else 0
    if recipe is None or not made or len(made) != dropping or recipe.input_dropout:
        raise CannotPlace("take the dropout out of the network")
    for place in dict.fromkeys(call.place for call in calls_of(request, "dropout")):
        called = calls_within(request.source, lambda _call: True, place.line, place.end_line)
        if not any(_called(call) == "Dropout" and _contains(at, place) for call, at in called):
            raise CannotPlace("take the dropout out of the network")
        request.edits.arguments.append(Edit(place, "p", "0", DROPOUT_ARGUMENTS))


def _optimizer(request: Request, change: Change) -> None:
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


def _epochs(request: Request, change: Change) -> None:
    place_epochs_of_loop(request, calls_of(request, "fit")[0].place, change)


def _gradients(request: Request, _change: Change) -> None:
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


def _batch_size(request: Request, change: Change) -> None:
    if any(call.role == "loader" for call in request.fit.calls):
        place = calls_of(request, "loader")[0].place
        request.edits.arguments.append(Edit(place, "batch_size", change.to, LOADER_ARGUMENTS))
        return
    place_batch_size_of_loop(request, calls_of(request, "fit")[0].place, change)


PLACES: Mapping[str, Placing] = {
    "input_range": place_scaling("input_scaler", "x", scaling_torch.by_hand),
    "target_range": place_scaling("target_scaler", "y"),
    "activation": _activation,
    "output_activation": _activation,
    "units": _units,
    "depth": _depth,
    "kernel_initializer": _kernel_initializer,
    "bias_initializer": _biases,
    "use_bias": _use_of_biases,
    "shuffle": _shuffle,
    "loss": _loss,
    "optimizer": _optimizer,
    "learning_rate": _learning_rate,
    "schedule": _schedule,
    "epochs": _epochs,
    "batch_size": _batch_size,
    "weight_penalty": _weight_penalty,
    "dropout": _dropout,
    "gradients": _gradients,
}
