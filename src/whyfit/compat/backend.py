"""Functions of `keras.backend` that Keras 3 took out, and what is written for them today.

The old meanings are those of keras/backend/tensorflow_backend.py of 2.2; Keras 3 keeps them, out of
reach, in keras/src/legacy/backend.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

SAME = frozenset(
    [
        "abs",
        "all",
        "any",
        "arange",
        "cast",
        "clip",
        "cos",
        "dot",
        "elu",
        "equal",
        "exp",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
        "log",
        "max",
        "maximum",
        "mean",
        "min",
        "minimum",
        "ndim",
        "not_equal",
        "one_hot",
        "ones",
        "ones_like",
        "prod",
        "reshape",
        "round",
        "shape",
        "sigmoid",
        "sign",
        "sin",
        "softmax",
        "softplus",
        "softsign",
        "sqrt",
        "square",
        "squeeze",
        "stack",
        "std",
        "stop_gradient",
        "sum",
        "tanh",
        "tile",
        "transpose",
        "var",
        "zeros",
        "zeros_like",
        "binary_crossentropy",
        "categorical_crossentropy",
    ]
)
"""Functions that keras.ops has under their name, with the same arguments in the same places."""

RENAMED = {
    "pow": "power",
    "permute_dimensions": "transpose",
    "int_shape": "shape",
    "get_value": "convert_to_numpy",
    "eval": "convert_to_numpy",
    "constant": "convert_to_tensor",
    "repeat_elements": "repeat",
}
"""Functions that keras.ops has under another name, with the same arguments in the same places."""

AXIS: Mapping[str, tuple[int, str]] = {
    "argmax": (1, "-1"),
    "argmin": (1, "-1"),
    "expand_dims": (1, "-1"),
    "concatenate": (1, "-1"),
    "cumsum": (1, "0"),
    "cumprod": (1, "0"),
}
"""Functions whose `axis` had another default: its place, and the default it had."""

KEYWORDS = {
    "clip": {"min_value": "x_min", "max_value": "x_max"},
    "reshape": {"shape": "newshape"},
    "tile": {"n": "repeats"},
    "one_hot": {"indices": "x"},
    "permute_dimensions": {"pattern": "axes"},
    "repeat_elements": {"rep": "repeats"},
    "concatenate": {"tensors": "xs"},
    "pow": {"x": "x1", "a": "x2"},
    "stop_gradient": {"variables": "variable"},
    **{
        name: {"x": "x1", "y": "x2"}
        for name in (
            "dot",
            "equal",
            "greater",
            "greater_equal",
            "less",
            "less_equal",
            "maximum",
            "minimum",
            "not_equal",
        )
    },
}
"""Arguments by name that have another today."""

SAID = {
    "variable": "keras.Variable",
    "random_uniform": "keras.random.uniform",
    "random_normal": "keras.random.normal",
    "l2_normalize": "keras.utils.normalize",
    "update": "variable.assign(...)",
    "update_add": "variable.assign_add(...)",
    "update_sub": "variable.assign_sub(...)",
    "switch": "keras.ops.where or keras.ops.cond",
    "hard_sigmoid": "keras.ops.hard_sigmoid, which has another slope (1/6 instead of 0.2)",
    "batch_dot": "keras.ops.einsum",
    "learning_phase": "",
    "set_learning_phase": "",
}
"""Functions whose successor is called otherwise, or means something else: said, not guessed."""

MOVED = {"set_value", "relu", "flatten", "gather", *SAME, *RENAMED, *AXIS}
"""All that is rewritten."""


def modern_call(name: str, call: cst.Call, ops: str) -> tuple[cst.BaseExpression, str]:
    """A call of a function that moved, written for Keras 3, and the new name; `ops` names keras.ops."""
    if name == "set_value" and len(call.args) == 2:
        variable, value = call.args
        changed = cst.Call(
            cst.Attribute(variable.value, cst.Name("assign")),
            [value.with_changes(comma=cst.MaybeSentinel.DEFAULT)],
        )
        return changed, "variable.assign(value)"
    if name == "flatten":
        shape = cst.Arg(cst.parse_expression("(-1,)"))
        return _of(call, ops, "reshape", [*call.args, shape]), "keras.ops.reshape(x, (-1,))"
    if name == "gather":
        axis = _named("axis", "0")
        return _of(call, ops, "take", [*call.args, axis]), "keras.ops.take(x, indices, axis=0)"
    if name == "relu" and len(call.args) > 1:
        parent = ops.rpartition(".")[0]
        where = f"{parent}.activations" if parent else "keras.activations"
        arguments = [_renamed(each, {"alpha": "negative_slope"}) for each in call.args]
        return _of(call, where, "relu", arguments), "keras.activations.relu"
    new = RENAMED.get(name, name)
    arguments = [_renamed(each, KEYWORDS.get(name, {})) for each in call.args]
    if name in AXIS:
        place, default = AXIS[name]
        given = len(arguments) > place or any(
            each.keyword is not None and each.keyword.value == "axis" for each in arguments
        )
        arguments += [] if given else [_named("axis", default)]
    return _of(call, ops, new, arguments), f"keras.ops.{new}"


def _of(call: cst.Call, module: str, name: str, arguments: list[cst.Arg]) -> cst.Call:
    return call.with_changes(func=cst.parse_expression(f"{module}.{name}"), args=arguments)


def _named(name: str, value: str) -> cst.Arg:
    tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(cst.parse_expression(value), keyword=cst.Name(name), equal=tight)


def _renamed(argument: cst.Arg, names: Mapping[str, str]) -> cst.Arg:
    old = argument.keyword.value if argument.keyword else ""
    return argument.with_changes(keyword=cst.Name(names[old])) if old in names else argument


METRICS = {
    "acc": "accuracy",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
}
"""Keys of `history.history` in Keras 2.2, and the metric's name in `compile`, which is the key today."""


def modern_key(key: str, metrics: set[str]) -> str | None:
    """What a key of a history is called today, for these metrics of `compile`, if something else.

    >>> modern_key("val_acc", {"accuracy"}), modern_key("val_acc", {"acc"})
    ('val_accuracy', None)
    """
    prefix = "val_" if key.startswith("val_") else ""
    old = key.removeprefix(prefix)
    new = METRICS.get(old)
    return f"{prefix}{new}" if new in metrics and old not in metrics else None
