"""Scaling by hand around a Keras model: fit, predict, evaluate and calls of the model itself."""

from __future__ import annotations

import libcst as cst

from whyfit.patching import scaling
from whyfit.patching.placing import Placing, Request, calls_of
from whyfit.patching.scaling import Code, Use
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.syntax import names
from whyfit.syntax.arguments import called
from whyfit.syntax.edits import CannotPlace, Rewrite, argument_of, calls_within

FIT_ARGUMENTS = ("x", "y")
CHECKPOINT = "ModelCheckpoint"
"""Where a script makes one, weights that are loaded after the fit are of the scaled training."""

ASKED = ("", "predict", "predict_on_batch", "evaluate")
"""How a trained model is asked; the inputs are the first argument of each."""


def by_hand(data: str) -> Placing:
    """Places the scaling of x or y, named by `data`."""

    def place(request: Request, change: Change) -> None:
        fit = request.fit
        scaling.check_data(fit.x if data == "x" else fit.y, request.source)
        (fitted, *_more) = calls_of(request, "fit")
        call = _call_at(request.source, fitted.place)
        model = _model_of(call)
        given = argument_of(call, data, FIT_ARGUMENTS)
        if given is None or not isinstance(given.value, cst.Name):
            raise CannotPlace(f"{data} is no plain name where fit is called")
        stem = given.value.value
        scaling.check_names(request, stem)
        code = _code(request, stem, change.to)
        uses = scaling.uses_of(request.source, model)
        function = scaling.function_of(request.source, fitted.place)

        saved = calls_within(request.source, lambda call: called(call) == CHECKPOINT, 1, 10**9)

        def followed(use: Use) -> bool:
            if use.how == "fit":
                return use.place.line == fitted.place.line
            kept = use.how == "load_weights" and use.place.line > fitted.place.line
            return use.how in ASKED or (kept and bool(saved))

        scaling.refuse_what_cannot_be_followed(uses, followed, function, fitted.place.line)
        _add(request, code, data, fitted.place, uses)

    return place


def _add(request: Request, code: Code, data: str, fitted: fits.Place, uses: list[Use]) -> None:
    edits = request.edits
    evaluated = any(use.how == "evaluate" for use in uses)
    said = (
        "  # errors are those of scaled targets from here on" if data == "y" and evaluated else ""
    )
    edits.inserted += [(fitted, line + said) for line in code.lines]
    changes: list[tuple[fits.Place, Rewrite]] = [
        (fitted, scaling.with_scaled_argument(data, FIT_ARGUMENTS, code.scaled)),
        (fitted, _with_validation(0 if data == "x" else 1, code)),
    ]
    for use in uses:
        if use.how not in ASKED or use.call is None:
            continue
        if data == "x":
            first = "inputs" if use.how == "" else "x"
            changes.append((use.place, scaling.with_scaled_argument(first, (first,), code.scaled)))
        elif use.how == "evaluate":
            changes.append(
                (use.place, scaling.with_scaled_argument("y", FIT_ARGUMENTS, code.scaled))
            )
        else:
            changes.append((use.place, scaling.turned_back(code.back)))
    # What goes in first: a prediction that is turned back is no call any more.
    edits.rewritten = [*changes, *edits.rewritten] if data == "x" else [*edits.rewritten, *changes]


def _code(request: Request, stem: str, level: str) -> Code:
    numpy = names.module_alias(cst.parse_module(request.source), "numpy")
    if numpy is None:
        numpy = "numpy"
        request.edits.imports["numpy"] = ""
    return scaling.code_for(
        stem,
        stem,
        level,
        mean=f"{numpy}.mean({{}}, axis=0)",
        deviation=f"{numpy}.std({{}}, axis=0)",
        ends=f"{numpy}.{{which}}({{}}, axis=0)",
    )


def _with_validation(at: int, code: Code) -> Rewrite:
    """`validation_data=(a, b)` is scaled as the data are."""

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        given = argument_of(call, "validation_data")
        if given is None:
            return call
        match given.value:
            case cst.Tuple(elements=elements) if len(elements) >= 2:
                made = list(elements)
                value = scaling.wrapped(code.scaled, made[at].value)
                made[at] = made[at].with_changes(value=value)
                changed = given.with_changes(value=given.value.with_changes(elements=made))
                return call.with_changes(
                    args=[changed if each is given else each for each in call.args]
                )
            case _:
                raise CannotPlace("validation_data is no pair where fit is called")

    return rewrite


def _call_at(source: str, place: fits.Place) -> cst.Call:
    for call, where in calls_within(source, lambda _call: True, place.line, place.end_line):
        if (where.line, where.column) == (place.line, place.column) and _is_fit(call):
            return call
    raise CannotPlace("the call of fit was not found")


def _is_fit(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value == "fit"


def _model_of(call: cst.Call) -> str:
    match call.func:
        case cst.Attribute(value=cst.Name(value=name)):
            return name
        case _:
            raise CannotPlace("the model has no plain name where fit is called")
