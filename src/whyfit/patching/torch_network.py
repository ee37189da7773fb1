"""Changes of a PyTorch network, as edits of the script: its layers and what they start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from whyfit.patching import scaling_torch
from whyfit.patching.placing import Request, by_hand, calls_of, hidden, layers_of
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.records.recipe import DenseLayer
from whyfit.syntax import loops, names
from whyfit.syntax.arguments import called
from whyfit.syntax.edits import CannotPlace, Edit, calls_within

LINEAR_ARGUMENTS = ("in_features", "out_features", "bias")
DROPOUT_ARGUMENTS = ("p", "inplace")
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


def units(request: Request, change: Change) -> None:
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


def activation(request: Request, change: Change) -> None:
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
    if any(at in made for at in indices):
        raise CannotPlace(by_hand("activation", "not all were made by calls that could be found"))
    if output:
        _function_of_output(request, change)
    else:
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


def _function_of_output(request: Request, change: Change) -> None:
    """`F.relu(self.out(x))` as `self.out(x)`, where `self.out` is the output layer."""
    recipe = request.fit.recipe
    last = len(recipe.layers) - 1 if recipe else 0
    made = [each.place for each in calls_of(request, "layer") if each.index == last]
    module = cst.parse_module(request.source)
    owner = names.assigned_from(module, made[0]) if len(made) == 1 else None

    def around(call: cst.Call) -> bool:
        inner = _inner(call)
        return isinstance(inner, cst.Call) and module.code_for_node(inner.func) == owner

    found = _calls_in_forward(request, recipe.layers[last:] if recipe else (), around)
    if owner is None or len(found) != 1:
        raise CannotPlace(by_hand("activation", "the call around the output layer was not found"))
    rewrite = _inner if change.to == "linear" else _function_renamed(change.to)
    request.edits.rewritten.append((found[0], rewrite))
    if change.to != "linear":
        request.edits.imports["torch"] = ""


def _calls_in_forward(
    request: Request, layers: Sequence[DenseLayer], wanted: Callable[[cst.Call], bool]
) -> list[fits.Place]:
    """Where `forward` calls the function of some of these layers' activations."""
    forward = calls_of(request, "forward")[0].place
    kinds = {layer.activation.name for layer in layers}
    known = [each for kind in kinds for each in FUNCTIONS.get(kind, ())]
    calls = loops.calls_in_function(
        request.source, forward.line, lambda call: called(call) in known and wanted(call)
    )
    return [place for _call, place in calls]


def _inner(call: cst.Call) -> cst.BaseExpression:
    """What a function is applied to: z of `F.relu(z)` and of `z.relu()`."""
    if isinstance(call.func, cst.Attribute) and not call.args:
        return call.func.value
    return call.args[0].value if call.args else call


def _functions(request: Request, change: Change, count: int) -> None:
    recipe = request.fit.recipe
    hidden_layers = recipe.hidden if recipe else ()
    kinds = {layer.activation.name for layer in hidden_layers}
    found = _calls_in_forward(request, hidden_layers, lambda _call: True)
    if not found and kinds == {"linear"}:
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
    for place in found:
        request.edits.rewritten.append((place, _function_renamed(change.to)))
    request.edits.imports["torch"] = ""


def _function_renamed(name: str) -> Callable[[cst.Call], cst.BaseExpression]:
    """`F.relu(z)` or `z.relu()` as `torch.tanh(z)`."""
    owner = "torch" if name in ("relu", "tanh", "sigmoid") else "torch.nn.functional"

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        made = cst.parse_expression(f"{owner}.{name}(z)")
        assert isinstance(made, cst.Call)
        return made.with_changes(args=[made.args[0].with_changes(value=_inner(call))])

    return rewrite


def depth(request: Request, change: Change) -> None:
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
        if place.covers(made[last]) and place.covers(layers[last])
    ]
    if not sequential:
        raise CannotPlace(by_hand("layer", "only nn.Sequential can be made deeper by a patch"))
    activation = request.level("activation") or recipe.hidden[last].activation.name
    prefix = "nn" if "nn.Linear" in request.source else "torch.nn"
    code = f"{prefix}.Linear({width}, {width}), {prefix}.{MODULES[activation]}()"
    request.edits.following.append((made[last], code))
    request.edits.imports["torch"] = ""


def _is_sequential(call: cst.Call) -> bool:
    return called(call) == "Sequential"


# ---- start weights ----


def kernel_initializer(request: Request, change: Change) -> None:
    """Other start weights for every nn.Linear, drawn above the optimizer's line."""
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


def biases(request: Request, _change: Change) -> None:
    """Biases that spread the hinges over the data, drawn above the optimizer's line."""
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


def use_of_biases(request: Request, _change: Change) -> None:
    """`bias=True` for every nn.Linear."""
    for call in layers_of(request, lambda _index: True):
        request.edits.arguments.append(Edit(call.place, "bias", "True", LINEAR_ARGUMENTS))


def dropout(request: Request, _change: Change) -> None:
    """`p=0` for every nn.Dropout, where each is one."""
    recipe = request.fit.recipe
    made = [call for call in request.fit.calls if call.role == "dropout"]
    dropping = sum(layer.dropout > 0 for layer in recipe.layers) if recipe else 0
    if recipe is None or not made or len(made) != dropping or recipe.input_dropout:
        raise CannotPlace("take the dropout out of the network")
    for place in dict.fromkeys(call.place for call in calls_of(request, "dropout")):
        near = calls_within(request.source, lambda _call: True, place.line, place.end_line)
        if not any(called(call) == "Dropout" and at.covers(place) for call, at in near):
            raise CannotPlace("take the dropout out of the network")
        request.edits.arguments.append(Edit(place, "p", "0", DROPOUT_ARGUMENTS))
