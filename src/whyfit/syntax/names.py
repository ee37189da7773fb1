"""Names of a script that stand for one number or text all through it."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst.metadata import (
    ExpressionContext,
    ExpressionContextProvider,
    MetadataWrapper,
    PositionProvider,
)

from whyfit.records.fit import Place


def constant(module: cst.Module, name: str) -> str | None:
    """The code of the one plain number or text that a name is ever given, or None."""
    values = _Assignments(name)
    module.visit(values)
    match values.found:
        case [cst.Integer() | cst.Float() | cst.SimpleString() as value]:
            return module.code_for_node(value)
        case _:
            return None


def uses(module: cst.Module, name: str) -> int:
    """How often a name is read."""
    values = _Assignments(name)
    module.visit(values)
    return values.names - values.targets


def assigned_lines(module: cst.Module, name: str) -> list[int]:
    """The lines on which a name gets a value, by assignment, loop, `with` or as a parameter."""
    finder = _Targets(name)
    MetadataWrapper(module).visit(finder)
    return finder.lines


def tried_in_turn(module: cst.Module, name: str) -> int | None:
    """The line of a loop that gives a name one value of a list or tuple after the other, or None."""
    finder = _Loops(name)
    MetadataWrapper(module).visit(finder)
    return finder.line


def assigned_from(module: cst.Module, created: Place) -> str | None:
    """The code of what is given the value of the call at a place, such as `scheduler` or
    `self.scheduler`, or None.
    """
    finder = _Owner(created)
    wrapper = MetadataWrapper(module)
    wrapper.visit(finder)
    return None if finder.found is None else wrapper.module.code_for_node(finder.found)


class _Owner(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, created: Place) -> None:
        super().__init__()
        self._start = created.line, created.column
        self.found: cst.BaseExpression | None = None

    def visit_Assign(self, node: cst.Assign) -> None:
        position: Any = self.get_metadata(PositionProvider, node.value)
        if (position.start.line, position.start.column) == self._start and len(node.targets) == 1:
            self.found = node.targets[0].target


class _Loops(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.line: int | None = None

    def visit_For(self, node: cst.For) -> None:
        target = _Names(self._name)
        node.target.visit(target)
        if target.met and isinstance(node.iter, (cst.List, cst.Tuple)) and self.line is None:
            position: Any = self.get_metadata(PositionProvider, node)
            self.line = position.start.line


class _Targets(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider, ExpressionContextProvider)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.lines: list[int] = []

    def visit_Name(self, node: cst.Name) -> None:
        context = self.get_metadata(ExpressionContextProvider, node, None)
        if node.value == self._name and context is ExpressionContext.STORE:
            position: Any = self.get_metadata(PositionProvider, node)
            self.lines.append(position.start.line)

    def visit_Param(self, node: cst.Param) -> None:
        if node.name.value == self._name:
            position: Any = self.get_metadata(PositionProvider, node)
            self.lines.append(position.start.line)


def module_alias(module: cst.Module, library: str) -> str | None:
    """The name under which a whole library is imported, such as np, or None."""
    for statement in module.body:
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for part in statement.body:
            if not isinstance(part, cst.Import):
                continue
            for alias in part.names:
                if module.code_for_node(alias.name) == library:
                    bound = alias.asname.name if alias.asname else alias.name
                    return bound.value if isinstance(bound, cst.Name) else None
    return None


class _Assignments(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.found: list[cst.BaseExpression | None] = []
        self.names = 0
        self.targets = 0

    def visit_Name(self, node: cst.Name) -> None:
        self.names += node.value == self._name

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)  # not the keyword
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                if target.target.value == self._name:
                    self.targets += 1
                    self.found.append(node.value if len(node.targets) == 1 else None)
            else:
                self._other(target.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._other(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._other(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._other(node.target)

    def visit_Param(self, node: cst.Param) -> None:
        self._other(node.name)

    def _other(self, target: cst.CSTNode) -> None:
        """A target that gives the name no plain value."""
        inner = _Names(self._name)
        target.visit(inner)
        if inner.met:
            self.found.append(None)
            self.targets += inner.met


class _Names(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self.met = name, 0

    def visit_Name(self, node: cst.Name) -> None:
        self.met += node.value == self._name
