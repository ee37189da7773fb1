"""Keras callbacks in a call of `fit`: taking one of a kind out of them."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst
from libcst import matchers as m

from whyfit.patching.placing import Request, calls_of
from whyfit.syntax.edits import CannotPlace, argument_of, calls_within

STOPPING, PLATEAU = "EarlyStopping", "ReduceLROnPlateau"


def take_out(request: Request, kind: str) -> None:
    """Take the callbacks of a kind out of the call of `fit`."""
    (fit, *_more) = calls_of(request, "fit")
    module = cst.parse_module(request.source)
    for found, place in calls_within(
        request.source, lambda _call: True, fit.place.line, fit.place.end_line
    ):
        if (
            replace(place, file=fit.place.file) == fit.place
            and without_kind(found, module, kind)[1]
        ):
            request.edits.imports[kind] = "keras.callbacks"
    request.edits.rewritten.append((fit.place, lambda call: without_kind(call, module, kind)[0]))


def without_kind(call: cst.Call, module: cst.Module, kind: str) -> tuple[cst.Call, bool]:
    """A call of `fit` without callbacks of a kind, and whether the name has to be imported for it.

    Out of a list in the call itself its elements are taken; any other expression is filtered. Raises
    CannotPlace where the call has no callbacks.
    """
    argument = argument_of(call, "callbacks")
    if argument is None:
        raise CannotPlace(f"take {kind} out of the callbacks")
    if isinstance(argument.value, cst.List):
        kept = [each for each in argument.value.elements if not _is_one(each.value, module, kind)]
        if not kept:
            return _without(call, argument), False
        if len(kept) < len(argument.value.elements):
            kept[-1] = kept[-1].with_changes(comma=argument.value.elements[-1].comma)
            return _with(call, argument, argument.value.with_changes(elements=kept)), False
    code = cst.Module([]).code_for_node(argument.value)
    filtered = f"[each for each in {code} if not isinstance(each, {kind})]"
    return _with(call, argument, cst.parse_expression(filtered)), True


def _with(call: cst.Call, argument: cst.Arg, value: cst.BaseExpression) -> cst.Call:
    changed = argument.with_changes(value=value)
    return call.with_changes(args=[changed if each is argument else each for each in call.args])


def _is_one(value: cst.BaseExpression, module: cst.Module, kind: str) -> bool:
    """Whether it is EarlyStopping(...), say, or a name that is only ever given one."""
    made = m.Call(func=m.Name(kind) | m.Attribute(attr=m.Name(kind)))
    if m.matches(value, made):
        return True
    if not isinstance(value, cst.Name):
        return False
    target = m.AssignTarget(target=m.Name(value.value))
    given = m.findall(module, m.Assign(targets=[m.AtLeastN(n=0), target, m.AtLeastN(n=0)]))
    return bool(given) and all(m.matches(each, m.Assign(value=made)) for each in given)


def _without(call: cst.Call, argument: cst.Arg) -> cst.Call:
    at = call.args.index(argument)
    kept = [*call.args[:at], *call.args[at + 1 :]]
    if kept and at == len(kept):  # what closes the call stays as it was written
        kept[-1] = kept[-1].with_changes(
            comma=argument.comma, whitespace_after_arg=argument.whitespace_after_arg
        )
    return call.with_changes(args=kept)
