"""Loops and functions of a script that its training stands in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.records.fit import Place
from whyfit.syntax import names
from whyfit.syntax.edits import calls_within


def counted_loop(source: str, inside: Place, epochs: int) -> tuple[Place, tuple[str, ...]] | None:
    """The `range` call of the loop around a place that runs so often, and its arguments by position.

    None if no loop counts to that number, or more than one does.
    """
    module = cst.parse_module(source)
    found = []
    for loop, _span in _loops(source, inside):
        call = _range_of(loop.iter)
        if call is None or not _counts_from_zero(module, call):
            continue
        if _number(module, call.args[-1].value) == epochs:
            found.append((call, ("stop",) if len(call.args) == 1 else ("start", "stop")))
    if len(found) != 1:
        return None
    wanted, positions = found[0]
    code = module.code_for_node(wanted)
    matches = [
        place
        for call, place in calls_within(source, _is_range, 1, inside.line)
        if module.code_for_node(call) == code
        and any(span.covers(place) for _loop, span in _loops(source, inside))
    ]
    return (matches[0], positions) if len(matches) == 1 else None


@dataclass(frozen=True)
class Loop:
    """A `for` loop around a place: whether it goes through `range(n)`, the number n where the script
    shows it, and whether a statement of it leaves it.
    """

    counts: bool
    turns: int | None
    breaks: bool


def for_loops_around(source: str, inside: Place) -> list[Loop]:
    """The `for` loops around a place, outermost first. A range that begins later or has a step goes
    through samples and counts nothing.
    """
    module = cst.parse_module(source)
    found = []
    for loop, _span in _loops(source, inside):
        call = _range_of(loop.iter)
        counts = call is not None and _counts_from_zero(module, call)
        turns = _number(module, call.args[-1].value) if call is not None and counts else None
        leaves = _Leaves()
        loop.body.visit(leaves)
        found.append(Loop(counts, turns, leaves.found))
    return found


def _counts_from_zero(module: cst.Module, call: cst.Call) -> bool:
    match call.args:
        case [_last]:
            return True
        case [first, _last]:
            return _number(module, first.value) == 0
        case _:
            return False


def step_name(source: str, inside: Place, size: int) -> str | None:
    """The name of the batch size in `range(0, n, name)` of a loop around a place, if it is assigned
    once, as that number.
    """
    module = cst.parse_module(source)
    for loop, _span in _loops(source, inside):
        call = _range_of(loop.iter)
        match call:
            case cst.Call(args=[_first, _last, cst.Arg(value=cst.Name(value=name))]):
                if names.constant(module, name) == str(size):
                    return name
            case _:
                pass
    return None


def calls_in_function(
    source: str, line: int, wanted: Callable[[cst.Call], bool]
) -> list[tuple[cst.Call, Place]]:
    """Calls of a kind in the function that begins at a line."""
    finder = _Functions(line)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    if finder.last == 0:
        return []
    return calls_within(source, wanted, line, finder.last)


def owner_of(source: str, at: Place, method: str) -> str | None:
    """The name before `.method()` in the call at a place, such as `opt` or `self.opt`."""
    module = cst.parse_module(source)
    for call, place in calls_within(source, lambda _call: True, at.line, at.end_line):
        match call:
            case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value=name)), args=[]):
                same = place == replace(at, file="")
                if name == method and same and _is_dotted(owner):
                    return module.code_for_node(owner)
            case _:
                pass
    return None


def innermost(source: str, inside: Place) -> Place | None:
    """The innermost `for` loop around a place."""
    found = _loops(source, inside)
    return found[-1][1] if found else None


@dataclass(frozen=True)
class Moved:
    """A statement of the innermost loop around the training, by its call, and where that loop begins."""

    call: Place
    loop: Place
    code: str


def step_in_loop(source: str, created: Place, inside: Place) -> Moved | None:
    """The one `scheduler.step()` that stands by itself in the innermost loop around the place `inside`,
    the scheduler being what the call at `created` made; None if that is not so.
    """
    module = cst.parse_module(source)
    owner = names.assigned_from(module, created)
    loops = _loops(source, inside)
    if owner is None or len(loops) < 2:
        return None
    steps = [
        (call, place)
        for call, place in calls_within(source, lambda _call: True, 1, 10**9)
        if module.code_for_node(call.func) == f"{owner}.step"
    ]
    loop, span = loops[-1]
    if (
        len(steps) != 1
        or not span.covers(steps[0][1])
        or not in_one_function(source, created, inside)
    ):
        return None
    code = module.code_for_node(steps[0][0])
    own = [
        line
        for line in loop.body.body
        if isinstance(line, cst.SimpleStatementLine)
        and [module.code_for_node(each) for each in line.body] == [code]
    ]
    return Moved(steps[0][1], span, code) if len(own) == 1 else None


def _is_dotted(name: cst.BaseExpression) -> bool:
    while isinstance(name, cst.Attribute):
        name = name.value
    return isinstance(name, cst.Name)


def in_one_function(source: str, one: Place, two: Place) -> bool:
    """Whether two places stand in the same function, or both in none."""
    finder = _Functions(0)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    around = [[span for span in finder.spans if span.covers(each)] for each in (one, two)]
    return around[0] == around[1]


def reads_name(source: str, name: str) -> bool:
    """Whether a script has a variable of this name."""
    return names.uses(cst.parse_module(source), name) > 0 or f"{name} =" in source


def _number(module: cst.Module, value: cst.BaseExpression) -> int | None:
    code = module.code_for_node(value)
    if isinstance(value, cst.Name):
        code = names.constant(module, value.value) or ""
    return int(code) if code.isdigit() else None


def _is_range(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Name) and call.func.value in ("range", "trange")


def _range_of(iterated: cst.BaseExpression) -> cst.Call | None:
    """`range(...)`, also inside `tqdm(range(...))`."""
    if not isinstance(iterated, cst.Call):
        return None
    if _is_range(iterated):
        return iterated
    return _range_of(iterated.args[0].value) if iterated.args else None


def _loops(source: str, inside: Place) -> list[tuple[cst.For, Place]]:
    finder = _Loops(inside)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    return finder.found


class _Loops(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, inside: Place) -> None:
        super().__init__()
        self._inside = inside
        self.found: list[tuple[cst.For, Place]] = []

    def visit_For(self, node: cst.For) -> None:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        span = Place("", start.line, start.column, end.line, end.column)
        if span.covers(self._inside):
            self.found.append((node, span))


class _Leaves(cst.CSTVisitor):
    """Whether there is a `break` of the loop whose body is visited."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_Break(self, node: cst.Break) -> None:
        self.found = True

    def visit_For(self, node: cst.For) -> bool:
        return self._only_else(node)

    def visit_While(self, node: cst.While) -> bool:
        return self._only_else(node)

    def _only_else(self, node: cst.For | cst.While) -> bool:
        if node.orelse is not None:  # a break in the body is the inner loop's own
            node.orelse.visit(self)
        return False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False


class _Functions(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, line: int) -> None:
        super().__init__()
        self._line, self.last = line, 0
        self.spans: list[Place] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        self.spans.append(Place("", start.line, start.column, end.line, end.column))
        if start.line == self._line:
            self.last = int(end.line)
