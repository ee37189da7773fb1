"""Scaling by hand, put into a script that has no scaler, with its inverse for predictions.

Above the training come lines that take the mean and deviation (or the range) of the data; every use of
the model then gets scaled inputs, and every prediction is turned back. A use that cannot be
followed leaves the change to the person: half a scaling is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.patching.placing import Request
from whyfit.records.fit import Place
from whyfit.records.network import Array
from whyfit.syntax import names
from whyfit.syntax.edits import CannotPlace, Rewrite, argument_of

HARMLESS = (
    "add",
    "compile",
    "count_params",
    "eval",
    "get_weights",
    "layers",
    "modules",
    "named_parameters",
    "parameters",
    "state_dict",
    "summary",
    "train",
    "weights",
    "zero_grad",
)
"""What may be asked of a model whose inputs or outputs are scaled outside it."""


@dataclass(frozen=True, eq=False)
class Use:
    """One use of the model: `how` is a method's or attribute's name, "" for a call of the model itself,
    or None where it is passed on. `function` is the line of the function it stands in, 0 for none.
    """

    how: str | None
    call: cst.Call | None
    place: Place
    function: int


def uses_of(source: str, name: str) -> list[Use]:
    """Every use of a name that stands for a model, in the order of the text."""
    finder = _Uses(name)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    return sorted(finder.found, key=lambda each: (each.place.line, each.place.column))


@dataclass(frozen=True)
class Code:
    """The code of one scaling: lines that measure the data, the scaled data, and the way back."""

    lines: tuple[str, ...]
    scaled: Callable[[str], str]
    back: Callable[[str], str]


def code_for(name: str, data: str, level: str, mean: str, deviation: str, ends: str) -> Code:
    """The code that scales `data` to a level, with names made of `name`.

    `mean`, `deviation` and `ends` are the framework's calls, with {} for the data; `ends` has also the
    word min or max.
    """
    if level == "[-1, 1]":
        low, high = f"{name}_low", f"{name}_high"
        least, most = (ends.format(data, which=which) for which in ("min", "max"))
        return Code(
            (f"{low}, {high} = {least}, {most}",),
            lambda code: f"2 * ({code} - {low}) / ({high} - {low}) - 1",
            lambda code: f"(({code} + 1) / 2 * ({high} - {low}) + {low})",
        )
    middle, size = f"{name}_mean", f"{name}_std"
    return Code(
        (f"{middle}, {size} = {mean.format(data)}, {deviation.format(data)}",),
        lambda code: f"({code} - {middle}) / {size}",
        lambda code: f"({code} * {size} + {middle})",
    )


def refuse_what_cannot_be_followed(
    uses: list[Use], followed: Callable[[Use], bool], function: int, first: int
) -> None:
    """Raises CannotPlace at the first use of the model that scaling outside it would break.

    `function` is the line of the function that trains, 0 for none; the scaling is known from line
    `first` on.
    """
    for use in uses:
        if use.how in HARMLESS:
            continue
        line = use.place.line
        if use.how is None or not followed(use):
            raise CannotPlace(f"line {line} uses the model in a way that cannot be followed")
        if line < first:
            raise CannotPlace(f"line {line} asks the model before it is trained")
        if function and use.function != function:
            raise CannotPlace(f"line {line} uses the model in another function")


def check_data(data: Array, source: str) -> None:
    """Raises CannotPlace where the arithmetic would go wrong."""
    if bool((data.max(axis=0) == data.min(axis=0)).any()):
        raise CannotPlace("a column has one value only")
    if "pandas" in source:
        raise CannotPlace("the script has tables of pandas")


def check_names(request: Request, stem: str) -> None:
    """Raises CannotPlace where the script has the names already that the scaling needs."""
    for ending in ("mean", "std", "low", "high"):
        if names.uses(cst.parse_module(request.source), f"{stem}_{ending}"):
            raise CannotPlace(f"the script uses the name {stem}_{ending} itself")


def function_of(source: str, place: Place) -> int:
    """The line of the innermost function around a place, 0 for none."""
    return _enclosing(source, place).function


def loops_around(source: str, place: Place) -> list[tuple[int, int]]:
    """First and last lines of the loops around a place within its function, outermost first."""
    return _enclosing(source, place).loops


def wrapped(scaled: Callable[[str], str], code: cst.BaseExpression) -> cst.BaseExpression:
    """An expression with the scaling around it; brackets only where they are needed."""
    text = cst.Module([]).code_for_node(code)
    simple = isinstance(code, (cst.Name, cst.Attribute, cst.Subscript, cst.Call))
    return cst.parse_expression(scaled(text if simple else f"({text})"))


def with_scaled_argument(
    argument: str, positions: tuple[str, ...], scaled: Callable[[str], str]
) -> Rewrite:
    """A call with one of its arguments scaled."""

    def rewrite(call: cst.Call) -> cst.BaseExpression:
        given = argument_of(call, argument, positions)
        if given is None:
            raise CannotPlace(f"the argument {argument} could not be found")
        at = next(at for at, each in enumerate(call.args) if each is given)
        arguments = list(call.args)
        arguments[at] = given.with_changes(value=wrapped(scaled, given.value))
        return call.with_changes(args=arguments)

    return rewrite


def turned_back(back: Callable[[str], str]) -> Rewrite:
    """A prediction in the units of the script."""
    return lambda call: cst.parse_expression(back(cst.Module([]).code_for_node(call)))


class _Uses(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._functions: list[int] = []
        self._seen: set[int] = set()
        self.found: list[Use] = []

    def _place(self, node: cst.CSTNode) -> Place:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        return Place("", start.line, start.column, end.line, end.column)

    def _add(self, how: str | None, call: cst.Call | None, node: cst.CSTNode) -> None:
        function = self._functions[-1] if self._functions else 0
        self.found.append(Use(how, call, self._place(node), function))

    def _is_model(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Name) and node.value == self._name

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._functions.append(self._place(node).line)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self._functions.pop()

    def visit_Call(self, node: cst.Call) -> None:
        match node.func:
            case cst.Attribute(value=inner, attr=cst.Name(value=how)) if self._is_model(inner):
                self._seen.add(id(inner))
                self._add(how, node, node)
            case cst.Name() as inner if self._is_model(inner):
                self._seen.add(id(inner))
                self._add("", node, node)
            case _:
                pass

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if self._is_model(node.value) and id(node.value) not in self._seen:
            self._seen.add(id(node.value))
            self._add(node.attr.value, None, node)
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)  # not the keyword
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        return not self._is_model(node.target)

    def visit_Name(self, node: cst.Name) -> None:
        if self._is_model(node) and id(node) not in self._seen:
            self._add(None, None, node)


def _enclosing(source: str, place: Place) -> _Enclosing:
    finder = _Enclosing(place)
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    return finder


class _Enclosing(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._inside = place
        self.function = 0
        self.loops: list[tuple[int, int]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            position: Any = self.get_metadata(PositionProvider, node)
            first, last = position.start.line, position.end.line
            if not first <= self._inside.line <= last:
                return False
            if isinstance(node, cst.FunctionDef):
                self.function, self.loops = first, []
            elif isinstance(node, (cst.For, cst.While)):
                self.loops.append((first, last))
        return True
