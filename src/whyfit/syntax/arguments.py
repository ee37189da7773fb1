"""Calls in a syntax tree: their names and arguments, and other calls made of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import libcst as cst
from libcst import matchers


def given(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument that is given by this name."""
    return next((each for each in call.args if each.keyword and each.keyword.value == name), None)


def called(call: cst.Call) -> str:
    """The last name of what is called: `Linear` of `nn.Linear(1, 4)`; empty where it has none.

    >>> called(cst.parse_expression("nn.Linear(1, 4)")), called(cst.parse_expression("f()()"))
    ('Linear', '')
    """
    match call.func:
        case cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)):
            return name
        case _:
            return ""


def kept(call: cst.Call, keywords: Collection[str]) -> list[cst.Arg]:
    """The arguments that are given by these names."""
    return [each for each in call.args if each.keyword and each.keyword.value in keywords]


def renamed(call: cst.Call, name: str, owner: str, arguments: Sequence[cst.Arg]) -> cst.Call:
    """Another function of the same module, `owner` where the script has it without one.

    >>> made = renamed(cst.parse_expression("F.l1_loss(p, y)"), "mse_loss", "torch.nn.functional", [])
    >>> code_of(made), code_of(renamed(cst.parse_expression("L1Loss()"), "MSELoss", "torch.nn", []))
    ('F.mse_loss()', 'torch.nn.MSELoss()')
    """
    function = call.func
    if isinstance(function, cst.Attribute):
        function = function.with_changes(attr=cst.Name(name))
    else:
        function = cst.parse_expression(f"{owner}.{name}")
    given_now = list(arguments)
    if given_now:
        given_now[-1] = given_now[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return call.with_changes(func=function, args=given_now)


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
