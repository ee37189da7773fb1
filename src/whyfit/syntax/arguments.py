"""Arguments of a call in a syntax tree: finding one by its name, and taking one out."""

from __future__ import annotations

import libcst as cst
from libcst import matchers


def given(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument that is given by this name."""
    return next((each for each in call.args if each.keyword and each.keyword.value == name), None)


def is_none(argument: cst.Arg | None) -> bool:
    """Whether an argument is a plain None."""
    return argument is not None and matchers.matches(argument.value, matchers.Name("None"))


def without(call: cst.Call, name: str) -> cst.Call:
    """The call without an argument, with as many lines as before."""
    arguments = list(call.args)
    at = next(
        at for at, each in enumerate(arguments) if each.keyword and each.keyword.value == name
    )
    dropped = arguments.pop(at)
    if at == len(arguments) and at:
        return call.with_changes(args=[*arguments[:-1], _ending(arguments[-1])])
    lost = dropped.comma.whitespace_after if isinstance(dropped.comma, cst.Comma) else None
    if not isinstance(lost, cst.ParenthesizedWhitespace):
        return call.with_changes(args=arguments)
    if at == 0:
        return call.with_changes(args=arguments, whitespace_before_args=lost)
    before = arguments[at - 1]
    assert isinstance(before.comma, cst.Comma)  # an argument came after it
    space = before.comma.whitespace_after
    if isinstance(space, cst.ParenthesizedWhitespace):
        lost = space.with_changes(empty_lines=[*space.empty_lines, cst.EmptyLine(indent=False)])
    comma = before.comma.with_changes(whitespace_after=lost)
    arguments[at - 1] = before.with_changes(comma=comma)
    return call.with_changes(args=arguments)


def _ending(argument: cst.Arg) -> cst.Arg:
    """An argument as the last of its call: without a comma, unless that holds a line's end."""
    if not isinstance(argument.comma, cst.Comma):
        return argument
    if isinstance(argument.comma.whitespace_after, cst.ParenthesizedWhitespace):
        return argument
    return argument.with_changes(comma=cst.MaybeSentinel.DEFAULT)


def code_of(node: cst.CSTNode) -> str:
    """The text of a node."""
    return cst.Module([]).code_for_node(node)
