"""Keras callbacks in a call of `fit`: taking EarlyStopping out of them."""

from __future__ import annotations

import libcst as cst
from libcst import matchers as m

from whyfit.syntax.edits import CannotPlace, argument_of

STOPPING = "EarlyStopping"
_MADE = m.Call(func=m.Name(STOPPING) | m.Attribute(attr=m.Name(STOPPING)))


def without_stopping(call: cst.Call, module: cst.Module) -> tuple[cst.Call, bool]:
    """A call of `fit` without EarlyStopping, and whether the name has to be imported for it.

    Out of a list in the call itself its elements are taken; any other expression is filtered. Raises
    CannotPlace where the call has no callbacks.
    """
    argument = argument_of(call, "callbacks")
    if argument is None:
        raise CannotPlace("take EarlyStopping out of the callbacks")
    if isinstance(argument.value, cst.List):
        kept = [each for each in argument.value.elements if not _stops(each.value, module)]
        if not kept:
            return _without(call, argument), False
        if len(kept) < len(argument.value.elements):
            kept[-1] = kept[-1].with_changes(comma=argument.value.elements[-1].comma)
            return _with(call, argument, argument.value.with_changes(elements=kept)), False
    code = cst.Module([]).code_for_node(argument.value)
    filtered = f"[each for each in {code} if not isinstance(each, {STOPPING})]"
    return _with(call, argument, cst.parse_expression(filtered)), True


def _with(call: cst.Call, argument: cst.Arg, value: cst.BaseExpression) -> cst.Call:
    changed = argument.with_changes(value=value)
    return call.with_changes(args=[changed if each is argument else each for each in call.args])


def _stops(value: cst.BaseExpression, module: cst.Module) -> bool:
    """Whether it is EarlyStopping(...), or a name that is only ever given one."""
    if m.matches(value, _MADE):
        return True
    if not isinstance(value, cst.Name):
        return False
    target = m.AssignTarget(target=m.Name(value.value))
    given = m.findall(module, m.Assign(targets=[m.AtLeastN(n=0), target, m.AtLeastN(n=0)]))
    return bool(given) and all(m.matches(each, m.Assign(value=_MADE)) for each in given)


def _without(call: cst.Call, argument: cst.Arg) -> cst.Call:
    at = call.args.index(argument)
    kept = [*call.args[:at], *call.args[at + 1 :]]
    if kept and at == len(kept):  # what closes the call stays as it was written
        kept[-1] = kept[-1].with_changes(
            comma=argument.comma, whitespace_after_arg=argument.whitespace_after_arg
        )
    return call.with_changes(args=kept)
