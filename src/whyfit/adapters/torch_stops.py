"""Loops that end themselves: a `break` out of the epochs, as early stopping by hand is written."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence

from whyfit.records.fit import Place


def stopped_by_itself(places: Sequence[Place], epochs: int) -> str | None:
    """Why the number of epochs is no part of a recipe, or None where the loop did not end itself.

    `places` are the calls of the script that led to the first step, innermost first. A loop over
    `range(n)` that has a `break` of its own and made fewer than n passes ended where the script found
    it right; a fresh start would end elsewhere.
    """
    for place in places:
        tree = _tree(place.file)
        loops = _loops_around(tree, place.line) if tree is not None else []
        counting = [(loop, last) for loop in loops if (last := _range_end(loop.iter)) is not None]
        for loop, last in counting:
            if not _breaks(loop.body):
                continue
            planned = _number(tree, last)
            if planned is None:
                return "a loop that ends itself is not supported"
            if planned > epochs:
                return (
                    f"a loop that ended itself after {epochs} of its {planned} passes is not "
                    "supported"
                )
        if counting:
            return None  # loops further out go through whole trainings
    return None


def _tree(file: str) -> ast.AST | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # a notebook's cell with magics
        return None


def _loops_around(tree: ast.AST, line: int) -> list[ast.For]:
    """The `for` loops around a line within its function, outermost first."""
    found: list[ast.For] = []
    for node in ast.walk(tree):  # parents come before their children
        if not isinstance(node, (ast.For, ast.FunctionDef)):
            continue
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            found = [*found, node] if isinstance(node, ast.For) else []
    return found


def _range_end(iterated: ast.expr) -> ast.expr | None:
    """What `range(n)` or `range(0, n)` counts to, also inside `tqdm(...)`; a step is of batches."""
    match iterated:
        case ast.Call(func=ast.Name(id="range" | "trange"), args=[last]):
            return last
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=0), last]):
            return last
        case ast.Call(args=[inner, *_]):
            return _range_end(inner)
        case _:
            return None


def _breaks(body: list[ast.stmt]) -> bool:
    """Whether statements leave the loop they stand in."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, (ast.For, ast.While)):
            waiting += node.orelse  # a break in its body is its own
        elif not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.expr)):
            waiting += ast.iter_child_nodes(node)
    return False


def _number(tree: ast.AST | None, value: ast.expr) -> int | None:
    """A whole number, or a name that is given one once."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, int) else None
    if tree is None or not isinstance(value, ast.Name):
        return None
    given = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(each, ast.Name) and each.id == value.id for each in node.targets)
    ]
    match given:
        case [ast.Constant(value=int() as number)]:
            return number
        case _:
            return None
