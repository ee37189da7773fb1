"""What keeps layers of a script from being trained: flags set to False, and lists that hide layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from whyfit.records.fit import Place

FLAGS = ("trainable", "requires_grad")
METHODS = ("requires_grad_",)


@dataclass(frozen=True)
class _Given:
    """What an attribute or a name is given: the code of the target, and where the value stands."""

    target: str
    place: Place
    is_list: bool


def flags_off(source: str) -> list[Place]:
    r"""Where a flag of training is a plain False: `base.trainable = False`, `Dense(8, trainable=False)`,
    `p.requires_grad = False`, `net.requires_grad_(False)`.

    >>> [each.line for each in flags_off("a.trainable = False\np.requires_grad_(False)\nb = False")]
    [1, 2]
    """
    return _found(source).flags


def lists_of(source: str, made: list[Place]) -> list[Place]:
    r"""The plain lists and tuples in which things made at these places are kept: the value that an
    attribute or a name is given, with them in it or appended to it later.

    >>> source = "self.a = [f(), f()]\nself.b = []\nself.b.append(g())\nc = h([1])"
    >>> [each.line for each in lists_of(source, [Place("", 1, 10, 1, 13), Place("", 3, 14, 3, 17)])]
    [1, 2]
    """
    found, lists = _found(source), []
    for each in found.given:
        appended = [place for target, place in found.appended if target == each.target]
        holders = [each.place, *appended]
        if each.is_list and any(holder.covers(place) for place in made for holder in holders):
            lists.append(each.place)
    return lists


def _found(source: str) -> _Finder:
    finder = _Finder()
    MetadataWrapper(cst.parse_module(source)).visit(finder)
    return finder


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.flags: list[Place] = []
        self.given: list[_Given] = []
        self.appended: list[tuple[str, Place]] = []

    def _place(self, node: cst.CSTNode) -> Place:
        position: Any = self.get_metadata(PositionProvider, node)
        start, end = position.start, position.end
        return Place("", start.line, start.column, end.line, end.column)

    def _is_false(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Name) and node.value == "False"

    def visit_Assign(self, node: cst.Assign) -> None:
        for each in node.targets:
            flag = isinstance(each.target, cst.Attribute) and each.target.attr.value in FLAGS
            if flag and self._is_false(node.value):
                self.flags.append(self._place(node.value))
            code = cst.Module([]).code_for_node(each.target)
            is_list = isinstance(node.value, (cst.List, cst.ListComp, cst.Tuple))
            self.given.append(_Given(code, self._place(node.value), is_list))

    def visit_Call(self, node: cst.Call) -> None:
        match node.func:
            case cst.Attribute(attr=cst.Name(value=how)) if how in METHODS:
                self.flags += [
                    self._place(each.value) for each in node.args if self._is_false(each.value)
                ]
            case cst.Attribute(value=owner, attr=cst.Name(value="append" | "extend")):
                self.appended.append((cst.Module([]).code_for_node(owner), self._place(node)))
            case _:
                pass

    def visit_Arg(self, node: cst.Arg) -> None:
        # Not requires_grad, which is an argument of tensors of data.
        named = node.keyword is not None and node.keyword.value == "trainable"
        if named and self._is_false(node.value):
            self.flags.append(self._place(node.value))
