"""Scaling of the inputs by hand in a PyTorch script: at each call of the model.

The targets are left to the person: which calls of the model feed a loss, and which are predictions that
have to be turned back, cannot be told from a script for sure.
"""

from __future__ import annotations

import libcst as cst

from whyfit.patching import scaling
from whyfit.patching.placing import Request, calls_of
from whyfit.patching.scaling import Use
from whyfit.records import fit as fits
from whyfit.records.finding import Change
from whyfit.syntax import names
from whyfit.syntax.arguments import called
from whyfit.syntax.edits import CannotPlace, argument_of, calls_within

OPTIMIZER_ARGUMENTS = ("params", "lr")


def by_hand(request: Request, change: Change) -> None:
    """Places the scaling of x."""
    scaling.check_data(request.fit.x, request.source)
    trained = calls_of(request, "fit")[0].place
    made = calls_of(request, "optimizer")[0].place
    model = model_name(request, made)
    if not model.isidentifier():
        raise CannotPlace(f"the model has no plain name, but is {model}")
    uses = scaling.uses_of(request.source, model)
    function = scaling.function_of(request.source, trained)
    loops = [
        (first, last)
        for first, last in scaling.loops_around(request.source, trained)
        if not first <= made.line <= last
    ]
    if not loops or scaling.function_of(request.source, made) != function:
        raise CannotPlace("the loop that trains does not stand beside what it trains")
    first, last = loops[0]
    scaling.refuse_what_cannot_be_followed(uses, lambda use: use.how == "", function, first)
    inside = [use for use in uses if use.how == "" and first <= use.place.line <= last]
    name, data = _data(request.source, inside, first)
    scaling.check_names(request, name)
    code = scaling.code_for(
        name,
        data,
        change.to,
        mean="{}.mean(0)",
        deviation="{}.std(0, unbiased=False)",
        ends="{}.a{which}(0)",
    )
    request.edits.above += [(first, line) for line in code.lines]
    for use in uses:
        if use.how == "":
            rewrite = scaling.with_scaled_argument("input", ("input",), code.scaled)
            request.edits.rewritten.insert(0, (use.place, rewrite))


def _data(source: str, uses: list[Use], first: int) -> tuple[str, str]:
    """A name for the inputs, and the code of the tensor that holds them all: what the model is called
    with in the loop, or what that is cut of, or the first tensor of the script's one TensorDataset.
    """
    given = [use.call.args[0].value for use in uses if use.call is not None and use.call.args]
    found = {_base(each) for each in given}
    sets = calls_within(source, _is_data_set, 1, 10**9)
    if len(sets) == 1 and sets[0][0].args:
        found = {_base(sets[0][0].args[0].value)}
    name = found.pop() if len(found) == 1 else None
    if name is not None and _assigned_above(source, name, first):
        return name, name
    if len(sets) == 1 and (tensors := _tensors_of(source, sets[0][1], first)):
        return "x", f"{tensors}[0]"
    raise CannotPlace("the tensor that holds all inputs could not be found")


def _tensors_of(source: str, data_set: fits.Place, first: int) -> str | None:
    """The code of the tensors of a data set that has a name, or that a loader with a name was given."""
    module = cst.parse_module(source)
    owner = names.assigned_from(module, data_set)
    if owner is not None:
        return f"{owner}.tensors" if _assigned_above(source, owner, first) else None
    for call, place in calls_within(source, _is_loader, 1, 10**9):
        inside = place.covers(data_set) and argument_of(call, "dataset", ("dataset",)) is not None
        owner = names.assigned_from(module, place) if inside else None
        if owner is not None and _assigned_above(source, owner, first):
            return f"{owner}.dataset.tensors"
    return None


def _is_loader(call: cst.Call) -> bool:
    return called(call) == "DataLoader"


def _base(value: cst.BaseExpression) -> str | None:
    while isinstance(value, cst.Subscript):
        value = value.value
    return value.value if isinstance(value, cst.Name) else None


def _is_data_set(call: cst.Call) -> bool:
    return called(call) == "TensorDataset"


def _assigned_above(source: str, name: str, line: int) -> bool:
    """Whether every assignment of a name stands above a line, and there is one."""
    lines = names.assigned_lines(cst.parse_module(source), name)
    return bool(lines) and max(lines) < line


def model_name(request: Request, place: fits.Place) -> str:
    """`model` of `Adam(model.parameters())`."""
    for call, where in calls_within(request.source, lambda _call: True, place.line, place.end_line):
        if (where.line, where.column) != (place.line, place.column):
            continue
        given = argument_of(call, "params", OPTIMIZER_ARGUMENTS)
        match given:
            case cst.Arg(
                value=cst.Call(func=cst.Attribute(value=model, attr=cst.Name(value="parameters")))
            ):
                return cst.Module([]).code_for_node(model)
            case _:
                pass
    raise CannotPlace("the optimizer is not given model.parameters()")
