"""Changes of an MLPRegressor, as edits of the script."""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from whyfit.patching.placing import (
    Placing,
    Request,
    by_hand,
    calls_of,
    place_scaling,
    scaler_code,
)
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.syntax.arguments import given
from whyfit.syntax.edits import CannotPlace, Edit, Rewrite, calls_within
from whyfit.syntax.set_again import parameter_set_again

ACTIVATIONS = {"linear": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


SOLVERS = ("sgd", "adam")


def exists(change: Change) -> bool:
    """Whether MLPRegressor has what a change asks for."""
    match change.factor:
        case "activation":
            return change.to in ACTIVATIONS
        case "optimizer":
            return change.to.split("(")[0] in SOLVERS
        case factor:
            return factor in PLACES and factor not in ("kernel_initializer", "bias_initializer")


def _span(place: fits.Place) -> tuple[int, int, int, int]:
    return (place.line, place.column, place.end_line, place.end_column)


def _regressor(request: Request) -> fits.Place:
    """Where the regressor is made; arguments by position mean other things in other versions."""
    place = calls_of(request, "regressor")[0].place
    found = calls_within(request.source, lambda _call: True, place.line, place.end_line)
    for call, where in found:
        # `MLPRegressor(...).fit(x, y)` begins at the same place; the end tells the two apart.
        same = _span(where) == _span(place)
        if same and any(each.keyword is None and not each.star for each in call.args):
            raise CannotPlace(by_hand("regressor", "its arguments are given by position"))
    return place


def _set(argument: str, code: str, request: Request) -> None:
    if _searches(request.source):
        for ending in ("'", '"'):
            if f"{argument}{ending}" in request.source:
                raise CannotPlace(f"the script's search sets {argument} itself")
    if (line := parameter_set_again(request.source, argument)) is not None:
        raise CannotPlace(f"set {argument} to {code} in line {line}, which sets it again")
    request.edits.arguments.append(Edit(_regressor(request), argument, code))


def _activation(request: Request, change: Change) -> None:
    if change.to not in ACTIVATIONS:
        raise CannotPlace(f"scikit-learn has no activation {change.to}")
    _set("activation", f"'{ACTIVATIONS[change.to]}'", request)


def _without_stopping(request: Request, _change: Change) -> None:
    """As many epochs without progress as there are epochs, and no samples held out to go by."""
    recipe = request.fit.recipe
    epochs = recipe.epochs if recipe else 200
    if recipe is not None and recipe.watches_held_out:
        _set("early_stopping", "False", request)
    _set("n_iter_no_change", request.level("epochs") or str(epochs), request)


def _sizes(request: Request, _change: Change) -> None:
    """Units and depth are one argument: the widths of all hidden layers."""
    recipe = request.fit.recipe
    widths = [str(layer.units) for layer in recipe.hidden] if recipe else []
    depth, units = request.level("depth"), request.level("units")
    if units is not None:
        widths = units.split(", ")
    if depth is not None:
        widths += [widths[-1]] * (int(depth.split()[0]) - len(widths))
    code = f"({', '.join(widths)}{',' if len(widths) == 1 else ''})"
    if not any(edit.argument == "hidden_layer_sizes" for edit in request.edits.arguments):
        _set("hidden_layer_sizes", code, request)


def _searches(source: str) -> bool:
    """Whether the script searches over parameters by their names."""
    return "SearchCV(" in source


OF_THE_REGRESSOR = (
    "best_loss_",
    "coefs_",
    "intercepts_",
    "loss_",
    "loss_curve_",
    "n_iter_",
    "set_params",
    "validation_scores_",
)
"""What a pipeline around the regressor has not, or has under other names."""


def _check_surroundings(request: Request) -> None:
    """Raises CannotPlace where the script uses the regressor as a pipeline around it could not be."""
    if _searches(request.source):
        raise CannotPlace("the script's search names parameters of the regressor")
    used = [each for each in OF_THE_REGRESSOR if f".{each}" in request.source]
    if used:
        raise CannotPlace(f"the script reads {used[0]} of the regressor")


def _simple(argument: str) -> Placing:
    return lambda request, change: _set(argument, change.to, request)


def _optimizer(request: Request, change: Change) -> None:
    name, rate = change.to.removesuffix(")").split("(")
    if name not in SOLVERS:
        raise CannotPlace(f"scikit-learn has no solver {name}")
    _set("solver", f"'{name}'", request)
    _set("learning_rate_init", rate, request)


def _in_parts(request: Request) -> bool:
    """Whether the fit was made by calls of partial_fit."""
    place = calls_of(request, "fit")[0].place
    lines = request.source.splitlines()[place.line - 1 : place.end_line]
    return any("partial_fit(" in line for line in lines)


def _epochs(request: Request, change: Change) -> None:
    if _in_parts(request):
        raise CannotPlace(f"each call of partial_fit is one epoch: make {change.to} passes")
    _set("max_iter", change.to, request)


def _shuffle(request: Request, change: Change) -> None:
    where = _span(_regressor(request))
    near = calls_within(request.source, lambda _call: True, where[0], where[2])
    made = next((call for call, place in near if _span(place) == where), None)
    seeded = made is not None and given(made, "random_state") is not None
    if _in_parts(request) and seeded and made is not None and given(made, "shuffle") is None:
        raise CannotPlace(
            "a fixed random_state draws the same order in every call of partial_fit: leave it out"
        )
    _set("shuffle", str(change.to != "off"), request)


def _initializer(_request: Request, change: Change) -> None:
    raise CannotPlace(
        f"scikit-learn draws its start weights in one way only: {change.to} needs another library"
    )


def _scaling(role: str, name: str) -> Placing:
    """Change the script's scaler, or put one around the regressor, which scales predictions too."""
    existing = place_scaling(role, name)

    def place(request: Request, change: Change) -> None:
        fit = request.fit
        if (fit.input_scaler if role == "input_scaler" else fit.target_scaler) is not None:
            existing(request, change)
            return
        if _in_parts(request):
            existing(request, change)  # says what to do: what is put around has no partial_fit
        where = _regressor(request)
        _check_surroundings(request)
        code, kind = scaler_code(change.to)
        rewrite = _around_pipeline(code) if role == "input_scaler" else _around_target(code)
        request.edits.rewritten.append((where, rewrite))
        request.edits.imports[kind] = "sklearn.preprocessing"
        if role == "input_scaler":
            request.edits.imports["make_pipeline"] = "sklearn.pipeline"
        else:
            request.edits.imports["TransformedTargetRegressor"] = "sklearn.compose"

    return place


def _around_pipeline(code: str) -> Rewrite:
    def rewrite(call: cst.BaseExpression) -> cst.Call:
        made = cst.parse_expression(f"make_pipeline({code}, regressor)")
        return _with_inner(made, 1, call)

    return rewrite


def _around_target(code: str) -> Rewrite:
    def rewrite(call: cst.BaseExpression) -> cst.Call:
        made = cst.parse_expression(f"TransformedTargetRegressor(regressor, transformer={code})")
        return _with_inner(made, 0, call)

    return rewrite


def _with_inner(made: cst.BaseExpression, at: int, call: cst.BaseExpression) -> cst.Call:
    assert isinstance(made, cst.Call)
    arguments = list(made.args)
    arguments[at] = arguments[at].with_changes(value=call)
    return made.with_changes(args=arguments)


PLACES: Mapping[str, Placing] = {
    "input_range": _scaling("input_scaler", "x"),
    "target_range": _scaling("target_scaler", "y"),
    "activation": _activation,
    "units": _sizes,
    "depth": _sizes,
    "kernel_initializer": _initializer,
    "bias_initializer": _initializer,
    "shuffle": _shuffle,
    "optimizer": _optimizer,
    "learning_rate": _simple("learning_rate_init"),
    "schedule": lambda request, _change: _set("learning_rate", "'constant'", request),
    "epochs": _epochs,
    "batch_size": _simple("batch_size"),
    "weight_penalty": lambda request, _change: _set("alpha", "0", request),
    "early_stopping": _without_stopping,
}
