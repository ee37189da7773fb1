"""Where a script sets again what it has given to a constructor."""

from __future__ import annotations

import ast

RATE_NAMES = ("learning_rate", "lr")
NO_OPTIMIZERS = ("self", "args", "config", "cfg", "params", "options", "hparams")
"""Names of things that have a learning rate of their own and are no optimizers."""


def rate_set_again(source: str) -> int | None:
    r"""The first line that gives an optimizer another learning rate: by `optimizer.learning_rate = ...`,
    `.learning_rate.assign(...)` or `set_value(optimizer.learning_rate, ...)`; None without one.

    >>> rate_set_again("opt = Adam(0.1)\nopt.learning_rate.assign(0.5)")
    2
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "assign":
                targets = [node.func.value]
            elif node.func.attr == "set_value":
                targets = node.args[:1]
        found += [each.lineno for each in targets if _is_rate(each)]
    return min(found, default=None)


def parameter_set_again(source: str, name: str) -> int | None:
    r"""The first line of a `set_params` that names the parameter, None without one.

    >>> parameter_set_again("net = MLPRegressor(alpha=1)\nnet.set_params(alpha=2)", "alpha")
    2
    """
    found = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "set_params"
        and any((each.arg or "").split("__")[-1] == name for each in node.keywords)
    ]
    return min(found, default=None)


def _is_rate(node: ast.expr) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr not in RATE_NAMES:
        return False
    return not (isinstance(node.value, ast.Name) and node.value.id in NO_OPTIMIZERS)
