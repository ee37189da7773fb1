"""Weights that a script updates itself: `w -= rate * w.grad`, in the ways it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.records.fit import Place
from whyfit.syntax import names


@dataclass(frozen=True)
class Update:
    """A statement that moves a tensor by its own gradient.

    `tensor` is its code, such as `w` or `layer.weight`; `looped` says that a loop between the call of
    backward and the statement goes through the tensors.
    """

    place: Place
    tensor: str
    looped: bool


def rate_name(source: str, rate: float) -> str | None:
    """The name of the learning rate in `w -= name * w.grad`, if it is assigned once, as that number, and
    used for nothing else.
    """
    module = cst.parse_module(source)
    finder = _Factors(module)
    module.visit(finder)
    found = set(finder.factors)
    if len(found) != 1 or None in found:
        return None
    name = str(found.pop())
    value = names.constant(module, name)
    try:
        same = value is not None and float(value) == rate
    except ValueError:
        return None
    return name if same and names.uses(module, name) == len(finder.factors) else None


def updates_after(source: str, backward: Place) -> list[Update] | None:
    """The updates that follow a call of backward in its loop or function, in the order of the text.

    None where a gradient is read anywhere else than between that call and the update of its tensor: such
    a place would miss what is cleared after the update.
    """
    module = cst.parse_module(source)
    finder = _Gradients(module, backward)
    MetadataWrapper(module, unsafe_skip_copy=True).visit(finder)
    first, last = finder.scope
    found = [each for each in finder.updates if first <= each.place.start <= last]
    found = [each for each in found if each.place.start >= backward.end]
    starts: dict[str, tuple[int, int]] = {}
    for each in found:
        starts.setdefault(each.tensor, each.place.start)
    for tensor, at in finder.reads:
        if tensor in starts and not backward.end <= at < starts[tensor]:
            return None
    return found


class _Factors(cst.CSTVisitor):
    """What gradients are multiplied with in `-=`: names, or None for anything else."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self._module = module
        self.factors: list[str | None] = []

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        value = node.value
        if not isinstance(node.operator, cst.SubtractAssign) or not isinstance(
            value, cst.BinaryOperation
        ):
            return
        codes = [self._module.code_for_node(each) for each in (value.left, value.right)]
        gradient = [code.endswith((".grad", ".grad.data")) for code in codes]
        if isinstance(value.operator, cst.Multiply) and any(gradient):
            other = value.left if gradient[1] else value.right
            self.factors.append(other.value if isinstance(other, cst.Name) else None)


class _Gradients(cst.CSTVisitor):
    """All updates of a script, all other places that read a gradient, and the innermost loop or function
    around a call.
    """

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, module: cst.Module, inside: Place) -> None:
        super().__init__()
        self._module, self._inside = module, inside
        self.scope = ((0, 0), (10**9, 0))
        self.updates: list[Update] = []
        self.reads: list[tuple[str, tuple[int, int]]] = []
        self._bound: list[set[str]] = []

    def _place(self, node: cst.CSTNode) -> Place:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        return Place("", start.line, start.column, end.line, end.column)

    def _narrow(self, node: cst.CSTNode) -> bool:
        place = self._place(node)
        around = place.covers(self._inside)
        if around:
            self.scope = (place.start, place.end)
        return around

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._narrow(node)

    def visit_While(self, node: cst.While) -> None:
        self._narrow(node)

    def visit_For(self, node: cst.For) -> None:
        around = self._narrow(node)
        targets = set() if around else {each.value for each in _names(node.target)}
        self._bound.append(targets)

    def leave_For(self, original_node: cst.For) -> None:
        self._bound.pop()

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        return self._statement(node, self._module.code_for_node(node.target), node.value)

    def visit_Assign(self, node: cst.Assign) -> bool:
        target = self._module.code_for_node(node.targets[0].target)
        # A tensor that gets another name or value is not moved; its data are.
        return self._statement(node, target if target.endswith(".data") else "", node.value)

    def visit_Expr(self, node: cst.Expr) -> bool:
        match node.value:
            case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value=name)), args=args):
                target = self._module.code_for_node(owner) if name.endswith("_") else ""
                return self._statement(node, target, *(each.value for each in args))
            case _:
                return True

    def _statement(self, node: cst.CSTNode, target: str, *values: cst.BaseExpression) -> bool:
        """Note an update and do not look inside; true for a statement of another kind."""
        tensor = target.removesuffix(".data")
        if not tensor or not any(tensor in self._of(value) for value in values):
            return True
        root = tensor.split(".")[0].split("[")[0]
        looped = any(root in targets for targets in self._bound)
        self.updates.append(Update(self._place(node), tensor, looped))
        for other in {each for value in values for each in self._of(value)} - {tensor}:
            self.reads.append((other, self._place(node).start))
        return False

    def _of(self, value: cst.BaseExpression) -> list[str]:
        """The tensors whose gradients an expression reads."""
        reader = _Read(self._module)
        value.visit(reader)
        return reader.tensors

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node.attr.value == "grad":
            self.reads.append((self._module.code_for_node(node.value), self._place(node).start))


class _Read(cst.CSTVisitor):
    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self._module = module
        self.tensors: list[str] = []

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node.attr.value == "grad":
            self.tensors.append(self._module.code_for_node(node.value))


def _names(target: cst.CSTNode) -> list[cst.Name]:
    if isinstance(target, cst.Name):
        return [target]
    return [name for child in target.children for name in _names(child)]
