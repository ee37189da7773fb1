"""Alternatives that the author left commented out beside the line that took their place.

A commented line counts if it parses as a call and an active call of the same name, or of another
activation layer, stands beside it. What differs between the two is a change of the recipe, if it is a
literal that some factor knows; otherwise it is said that the line was not tested. Nothing of the
script is run.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from whyfit.engine import lanes
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Recipe
from whyfit.records.study import Arm, arm
from whyfit.study import factors

NEAR = 3
"""Lines between a commented call and the active one beside it, other comments included."""

DENSE = ("Dense", "Linear")
ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "LeakyReLU": "leaky_relu"}
RATES = {"sgd": 0.01, "adam": 0.001, "rmsprop": 0.001}
"""Keras's default learning rates, for an optimizer that is named by a string."""

OF_KEYWORD = {
    "epochs": "epochs",
    "max_iter": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "learning_rate_init": "learning_rate",
    "lr": "learning_rate",
    "loss": "loss",
    "activation": "activation",
    "units": "units",
    "hidden_layer_sizes": "units",
    "optimizer": "optimizer",
}
"""Factors by the keyword that sets them in Keras, PyTorch and scikit-learn."""

LOSSES = {"mean_squared_error": "mse", "mean_absolute_error": "mae"}


@dataclass(frozen=True)
class Alternative:
    """A commented line; `changes` is empty where it could not be made out what it would do."""

    line: int
    text: str
    changes: Arm


Difference = tuple[str, str, ast.expr, ast.Call]
"""Callee, keyword (or the number of a positional argument), the commented value, the active call."""


def read(source: str, fit: Fit, recipe: Recipe) -> tuple[Alternative, ...]:
    """The alternatives in a script; none where it does not parse."""
    try:
        tree = ast.parse(source)
        comments = list(_commented(source))
    except (SyntaxError, tokenize.TokenError):
        return ()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    layers = sorted(
        (each for each in calls if _name(each) in DENSE),
        key=lambda each: (each.lineno, each.col_offset),
    )
    found = []
    for line, text, call in comments:
        active = _beside(line, call, calls)
        if active is None or ast.dump(active) == ast.dump(call):
            continue
        changes = [_change(difference, layers, recipe) for difference in _differences(call, active)]
        known = arm(*(change for change in changes if change is not None))
        complete = bool(changes) and all(changes) and len(known) == len(changes)
        usable = complete and _works(known, fit, recipe)
        found.append(Alternative(line, text, known if usable else ()))
    return tuple(found)


def _commented(source: str) -> Iterator[tuple[int, str, ast.Call]]:
    """Whole-line comments that are calls, or assign one."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or token.line[: token.start[1]].strip():
            continue
        text = token.string.lstrip("#").strip()
        try:
            body = ast.parse(text.rstrip(",")).body
        except (SyntaxError, ValueError):
            continue
        if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign):
            call = body[0].value
            if isinstance(call, ast.Call):
                yield token.start[0], text, call


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _beside(line: int, call: ast.Call, calls: list[ast.Call]) -> ast.Call | None:
    """The nearest active call that the commented one could stand for."""
    alike = [
        each
        for each in calls
        if abs(each.lineno - line) <= NEAR
        and (_name(each) == _name(call) or {_name(each), _name(call)} <= ACTIVATIONS.keys())
        and [_name(inner) for inner in _inner(each)] == [_name(inner) for inner in _inner(call)]
    ]
    return min(alike, key=lambda each: abs(each.lineno - line), default=None)


def _inner(call: ast.Call) -> list[ast.Call]:
    """Calls that are positional arguments, such as the layer that is added."""
    return [each for each in call.args if isinstance(each, ast.Call)]


def _differences(commented: ast.Call, active: ast.Call) -> Iterator[Difference]:
    if _name(commented) != _name(active):
        yield _name(commented), "", commented, active
        return
    there: dict[str, ast.expr] = {str(at): value for at, value in enumerate(active.args)}
    there |= {each.arg or "**": each.value for each in active.keywords}
    here: dict[str, ast.expr] = {str(at): value for at, value in enumerate(commented.args)}
    here |= {each.arg or "**": each.value for each in commented.keywords}
    for key in dict.fromkeys((*here, *there)):
        one, other = here.get(key), there.get(key)
        if one is not None and other is not None and ast.dump(one) == ast.dump(other):
            continue
        if isinstance(one, ast.Call) and isinstance(other, ast.Call) and _name(one) == _name(other):
            yield from _differences(one, other)
        else:
            # What the active call sets and the other does not goes back to a default we do not guess.
            yield _name(commented), key, one or ast.Name("unknown"), active


def _change(difference: Difference, layers: list[ast.Call], recipe: Recipe) -> Change | None:
    """The change of a known factor, or None."""
    callee, key, value, active = difference
    if callee in ACTIVATIONS and not key:
        return Change("activation", ACTIVATIONS[callee]) if len(recipe.hidden) == 1 else None
    factor = OF_KEYWORD.get("units" if callee == "Dense" and key == "0" else key)
    if callee.lower() in RATES and key == "0":
        factor = "learning_rate"
    if factor == "optimizer":
        return _optimizer(value)
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return None
    if active in layers:
        return _of_layer(factor, literal, layers.index(active), recipe)
    if factor == "units":
        sizes = literal if isinstance(literal, tuple) else (literal,)
        alike = len(sizes) == len(recipe.hidden) and all(isinstance(each, int) for each in sizes)
        return Change("units", ", ".join(map(str, sizes))) if alike else None
    if factor in ("epochs", "batch_size") and isinstance(literal, int):
        return Change(factor, str(literal))
    if factor == "learning_rate" and isinstance(literal, int | float):
        return Change(factor, f"{literal:g}")
    if factor in ("loss", "activation") and isinstance(literal, str):
        known = {"logistic": "sigmoid", "identity": "linear"} | LOSSES
        return Change(factor, known.get(literal, literal))
    return None


def _of_layer(factor: str | None, literal: object, place: int, recipe: Recipe) -> Change | None:
    """A change of one dense layer, where a factor can say it."""
    hidden = recipe.hidden
    if factor == "activation" and isinstance(literal, str):
        if place == len(hidden):
            return Change("output_activation", literal)
        return Change("activation", literal) if len(hidden) == 1 else None
    if factor == "units" and isinstance(literal, int) and place < len(hidden):
        widths = [literal if at == place else layer.units for at, layer in enumerate(hidden)]
        return Change("units", ", ".join(map(str, widths)))
    return None


def _optimizer(value: ast.expr) -> Change | None:
    """An optimizer by its name, or by a call with nothing but a learning rate."""
    name, rate = "", None
    match value:
        case ast.Constant(value=str(text)):
            name = text.lower()
        case ast.Call(args=[], keywords=[]):
            name = _name(value).lower()
        case ast.Call(args=[ast.Constant(value=float(number) | int(number))], keywords=[]):
            name, rate = _name(value).lower(), number
        case ast.Call(
            args=[],
            keywords=[
                ast.keyword(
                    arg="learning_rate", value=ast.Constant(value=float(number) | int(number))
                )
            ],
        ):
            name, rate = _name(value).lower(), number
        case _:
            pass
    if name not in RATES:
        return None
    return Change("optimizer", f"{name}({RATES[name] if rate is None else rate:g})")


def _works(changes: Arm, fit: Fit, recipe: Recipe) -> bool:
    """Whether the recipe of the alternative can be trained, and differs."""
    try:
        changed = factors.apply(changes, fit, recipe)
        return changed != recipe and lanes.why_unsupported(changed) is None
    except (ValueError, KeyError):
        return False
