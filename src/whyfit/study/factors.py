"""Factors: what may be changed in a recipe, to which levels, and how.

Levels are texts, and a finding's remedy may name one relatively ("x4", "/10", "centred",
"customary", "spread"); `resolve` turns it into the level it means for this recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.network import Activation, Array
from whyfit.records.recipe import (
    NO_PENALTY,
    Affine,
    DenseLayer,
    Initializer,
    Optimizer,
    Recipe,
)
from whyfit.records.study import Arm, arm


@dataclass(frozen=True)
class Factor:
    """One thing that may be changed.

    `current` names the level the fit has; `common` the levels people try, whether or not any rule
    fired; `apply` sets a level; `question` is what people ask when they blame it.
    """

    name: str
    phrase: str
    question: str
    current: Callable[[Fit, Recipe], str]
    common: Callable[[Fit, Recipe], tuple[str, ...]]
    apply: Callable[[Fit, Recipe, str], Recipe]


# ---- scale of the data ----

RANGE, STANDARDISED = "[-1, 1]", "standardised"


def _current_range(data: Array) -> str:
    if data.shape[1] > 1:
        return "as passed"
    return f"[{data.min():.4g}, {data.max():.4g}]"


def _scalings(data: Array) -> tuple[str, ...]:
    """The customary centred scaling, unless the data are centred and of size one already.

    Data that were scaled to a range (all within [-1, 1]) go to the range [-1, 1]; raw data are
    standardised, as people are told to.
    """
    low, high = data.min(axis=0), data.max(axis=0)
    mean, deviation = data.mean(axis=0), data.std(axis=0)
    fills = np.all(np.abs(low + 1.0) < 0.05) and np.all(np.abs(high - 1.0) < 0.05)
    standard = np.all(np.abs(mean) < 0.05) and np.all(np.abs(deviation - 1.0) < 0.05)
    if fills or standard or np.all(deviation == 0.0):
        return ()
    in_range = np.all(low >= -1.001) and np.all(high <= 1.001)
    return (RANGE,) if in_range and np.any(high - low > 0.5) else (STANDARDISED,)


OFFSET_KEPT, SCALE_KEPT = ", offset kept", ", scale kept"


def scaling(data: Array, level: str) -> Affine:
    """The column-wise map of the data to a level; constant columns are only shifted.

    A level may end in ", offset kept" (only the scale is changed) or ", scale kept" (only the offset).
    """
    if level.endswith(OFFSET_KEPT):
        whole = scaling(data, level.removesuffix(OFFSET_KEPT))
        return Affine(tuple(0.0 for _column in whole.offset), whole.scale)
    if level.endswith(SCALE_KEPT):
        whole = scaling(data, level.removesuffix(SCALE_KEPT))
        return Affine(whole.offset, tuple(1.0 for _column in whole.scale))
    if level == RANGE:
        offset = (data.max(axis=0) + data.min(axis=0)) / 2.0
        scale = (data.max(axis=0) - data.min(axis=0)) / 2.0
    else:
        offset, scale = data.mean(axis=0), data.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    return Affine(tuple(map(float, offset)), tuple(map(float, scale)))


# ---- start weights ----


def _customary(recipe: Recipe) -> str:
    """He before a ReLU-like activation, Glorot otherwise, in the family the script already uses."""
    family = (
        "normal" if "normal" in _hidden_or_output(recipe).kernel_initializer.name else "uniform"
    )
    relu_like = _hidden_or_output(recipe).activation.name in ("relu", "leaky_relu", "elu")
    return f"he_{family}" if relu_like else f"glorot_{family}"


def _hidden_or_output(recipe: Recipe) -> DenseLayer:
    return recipe.layers[0]


def _initializers(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    used = {layer.kernel_initializer.name for layer in recipe.layers}
    wanted = dict.fromkeys((_customary(recipe), "glorot_uniform"))
    return tuple(name for name in wanted if used != {name})


def _current_initializer(_fit: Fit, recipe: Recipe) -> str:
    names = dict.fromkeys(str(layer.kernel_initializer) for layer in recipe.layers)
    return ", ".join(names)


def _with_initializer(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    initializer = Initializer(level)
    layers = (replace(layer, kernel_initializer=initializer) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


SPREAD = "spread"


def _current_biases(_fit: Fit, recipe: Recipe) -> str:
    return ", ".join(dict.fromkeys(str(layer.bias_initializer) for layer in recipe.hidden))


def _bias_levels(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    biased = [layer for layer in recipe.hidden if layer.use_bias]
    alike = ("zeros", "ones", "constant")
    return (SPREAD,) if biased and biased[0].bias_initializer.name in alike else ()


def bias_spread(fit: Fit, recipe: Recipe, index: int) -> float:
    """Bound a of the uniform biases (-a, a) that spread a layer's hinges over its inputs.

    A unit bends at -b / w, so biases as large as the largest weight times the largest input put the
    hinges at all places of the input's range. Hidden layers' inputs are taken as of size one.
    """
    inputs, units, _biased = recipe.shapes[index]
    weight = recipe.layers[index].kernel_initializer.root_mean_square(inputs, units) * np.sqrt(3.0)
    reach = 1.0
    if index == 0:
        x = recipe.input_transform(fit.x) if recipe.input_transform else fit.x
        reach = float(np.max(np.abs(x)))
    return float(f"{weight * reach:.2g}")


def _with_biases(fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    hidden = []
    for index, layer in enumerate(recipe.hidden):
        bound = bias_spread(fit, recipe, index)
        spread = Initializer("random_uniform", minval=-bound, maxval=bound)
        hidden.append(replace(layer, bias_initializer=spread))
    return recipe.with_hidden(tuple(hidden))


# ---- shape ----


def _activations(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    used = {layer.activation.name for layer in recipe.hidden}
    return tuple(name for name in ("tanh", "sigmoid", "relu") if recipe.hidden and name not in used)


def _with_activation(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    activation = Activation(level)
    changed = recipe.with_hidden(
        tuple(replace(layer, activation=activation) for layer in recipe.hidden)
    )
    return _drawn_as_sklearn_does(changed, level) if recipe.framework == "sklearn" else changed


def _drawn_as_sklearn_does(recipe: Recipe, activation: str) -> Recipe:
    """scikit-learn's _init_coef draws all weights by the hidden activation, closer for logistic."""
    name = "sklearn_logistic_uniform" if activation == "sigmoid" else "sklearn_uniform"
    drawn = Initializer(name)
    layers = (
        replace(layer, kernel_initializer=drawn, bias_initializer=drawn)
        if layer.kernel_initializer.name.startswith("sklearn_")
        else layer
        for layer in recipe.layers
    )
    return replace(recipe, layers=tuple(layers))


def _widths(recipe: Recipe) -> str:
    return ", ".join(str(layer.units) for layer in recipe.hidden)


def _wider(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    if not recipe.hidden:
        return ()
    return tuple(", ".join(str(layer.units * times) for layer in recipe.hidden) for times in (2, 4))


def _with_units(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    widths = [int(width) for width in level.split(", ")]
    if len(recipe.hidden) > len(widths):  # a depth change came first
        widths += [widths[-1]] * (len(recipe.hidden) - len(widths))
    return recipe.with_hidden(
        tuple(
            replace(layer, units=units) for layer, units in zip(recipe.hidden, widths, strict=True)
        )
    )


def _depth_name(count: int) -> str:
    return f"{count} hidden layer" + ("s" if count != 1 else "")


def _deeper(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    return (_depth_name(len(recipe.hidden) + 1),) if recipe.hidden else ()


def _with_depth(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    wanted = int(level.split()[0])
    extra = max(0, wanted - len(recipe.hidden))
    return recipe.with_hidden(recipe.hidden[:wanted] + (recipe.hidden[-1],) * extra)


def _output_levels(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    return () if recipe.layers[-1].activation.name == "linear" else ("linear",)


def _with_output(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    output = replace(recipe.layers[-1], activation=Activation(level))
    return replace(recipe, layers=(*recipe.hidden, output))


BIASED = "in every layer"


def _bias_use(_fit: Fit, recipe: Recipe) -> str:
    biased = [layer.use_bias for layer in recipe.layers]
    return BIASED if all(biased) else "in some layers" if any(biased) else "in no layer"


def _with_use_of_biases(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = (replace(layer, use_bias=True) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


# ---- training ----

SHUFFLED = "every epoch"

CLEARED = "cleared"


def _current_gradients(_fit: Fit, recipe: Recipe) -> str:
    return CLEARED if recipe.clears_gradients else "kept"


def _with_learning_rate(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=float(level)))


ADAM = "adam(0.003)"
"""Adam at three times its default rate, which small networks on scaled data stand well."""

QUICK_ADAM = "adam(0.03)"
"""For trainings of few steps: Adam moves a weight by at most about its rate in each."""


def _current_optimizer(_fit: Fit, recipe: Recipe) -> str:
    return f"{recipe.optimizer.name}({recipe.optimizer.learning_rate:g})"


DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("torch", "adam"): {"epsilon": 1e-8},
    ("torch", "rmsprop"): {"epsilon": 1e-8, "rho": 0.99},
    ("sklearn", "adam"): {"epsilon": 1e-8},
    ("sklearn", "sgd"): {"momentum": 0.9, "nesterov": True},
}
"""Constants of a rule where a framework's defaults are not Keras's: torch/optim/adam.py and rmsprop.py,
MLPRegressor's signature."""


def _with_optimizer(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    name, rate = level.removesuffix(")").split("(")
    constants = DEFAULTS.get((recipe.framework, name), {})
    made = Optimizer(name, float(rate), framework=recipe.framework, **constants)
    return replace(recipe, optimizer=made)


def _batch_sizes(fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    current = min(recipe.batch_size, len(fit.x))
    sizes = {max(1, current // 4), min(len(fit.x), current * 4)} - {current}
    return tuple(str(size) for size in sorted(sizes))


def _current_stop(_fit: Fit, recipe: Recipe) -> str:
    stopping = recipe.early_stopping
    return f"after {stopping.patience} epochs without progress" if stopping else "none"


def _current_dropout(_fit: Fit, recipe: Recipe) -> str:
    shares = [recipe.input_dropout, *(layer.dropout for layer in recipe.layers)]
    return ", ".join(f"{each:g}" for each in dict.fromkeys(shares) if each) or "none"


def _without_dropout(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = tuple(replace(layer, dropout=0.0) for layer in recipe.layers)
    return replace(recipe, layers=layers, input_dropout=0.0)


def _penalties(recipe: Recipe) -> list[float]:
    sizes = [
        size
        for layer in recipe.layers
        for each in (layer.kernel_penalty, layer.bias_penalty, layer.activity_penalty)
        for size in (each.l1, each.l2)
    ]
    return [size for size in dict.fromkeys((*sizes, recipe.optimizer.weight_decay)) if size]


def _current_penalty(_fit: Fit, recipe: Recipe) -> str:
    return ", ".join(f"{size:g}" for size in _penalties(recipe)) or "none"


USUAL_PENALTY = 1e-4
"""scikit-learn's default alpha; nobody blames a penalty of that size before it was looked at."""


def _penalty_levels(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    return ("none",) if max(_penalties(recipe), default=0.0) > USUAL_PENALTY else ()


def _without_penalty(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = tuple(
        replace(
            layer,
            kernel_penalty=NO_PENALTY,
            bias_penalty=NO_PENALTY,
            activity_penalty=NO_PENALTY,
        )
        for layer in recipe.layers
    )
    return replace(recipe, layers=layers, optimizer=replace(recipe.optimizer, weight_decay=0.0))


FACTORS: tuple[Factor, ...] = (
    Factor(
        "input_range",
        "input range",
        "Is it how the inputs are scaled?",
        lambda fit, _recipe: _current_range(fit.x),
        lambda fit, _recipe: _scalings(fit.x),
        lambda fit, recipe, level: replace(recipe, input_transform=scaling(fit.x, level)),
    ),
    Factor(
        "target_range",
        "target range",
        "Is it how the targets are scaled?",
        lambda fit, _recipe: _current_range(fit.y),
        lambda fit, _recipe: _scalings(fit.y),
        lambda fit, recipe, level: replace(recipe, target_transform=scaling(fit.y, level)),
    ),
    Factor(
        "activation",
        "activation",
        "Is it the activation?",
        lambda _fit, recipe: ", ".join(
            dict.fromkeys(layer.activation.name for layer in recipe.hidden)
        ),
        _activations,
        _with_activation,
    ),
    Factor(
        "depth",
        "depth",
        "Would another layer help?",
        lambda _fit, recipe: _depth_name(len(recipe.hidden)),
        _deeper,
        _with_depth,
    ),
    Factor(
        "units",
        "units",
        "Is the network too small?",
        lambda _fit, recipe: _widths(recipe),
        _wider,
        _with_units,
    ),
    Factor(
        "kernel_initializer",
        "initializer",
        "Is it the initializer?",
        _current_initializer,
        _initializers,
        _with_initializer,
    ),
    Factor(
        "bias_initializer",
        "bias initializer",
        "Is it the start of the biases?",
        _current_biases,
        _bias_levels,
        _with_biases,
    ),
    Factor(
        "use_bias",
        "biases",
        "Is it that biases are missing?",
        _bias_use,
        lambda fit, recipe: () if _bias_use(fit, recipe) == BIASED else (BIASED,),
        _with_use_of_biases,
    ),
    Factor(
        "output_activation",
        "output activation",
        "Is it the output activation?",
        lambda _fit, recipe: recipe.layers[-1].activation.name,
        _output_levels,
        _with_output,
    ),
    Factor(
        "optimizer",
        "optimizer",
        "Is it the optimizer?",
        _current_optimizer,
        lambda _fit, recipe: (ADAM, QUICK_ADAM) if recipe.optimizer.name == "sgd" else (),
        _with_optimizer,
    ),
    Factor(
        "learning_rate",
        "learning rate",
        "Is it the learning rate?",
        lambda _fit, recipe: f"{recipe.optimizer.learning_rate:g}",
        lambda _fit, recipe: (
            f"{recipe.optimizer.learning_rate / 10:g}",
            f"{recipe.optimizer.learning_rate * 10:g}",
        ),
        _with_learning_rate,
    ),
    Factor(
        "epochs",
        "epochs",
        "Was it trained too briefly?",
        lambda _fit, recipe: str(recipe.epochs),
        lambda _fit, recipe: (str(recipe.epochs * 4),),
        lambda _fit, recipe, level: replace(recipe, epochs=int(level)),
    ),
    Factor(
        "early_stopping",
        "early stopping",
        "Did it stop too early?",
        _current_stop,
        lambda _fit, _recipe: (),
        lambda _fit, recipe, _level: replace(recipe, early_stopping=None),
    ),
    Factor(
        "dropout",
        "dropout",
        "Is it the dropout?",
        _current_dropout,
        lambda fit, recipe: () if _current_dropout(fit, recipe) == "none" else ("none",),
        _without_dropout,
    ),
    Factor(
        "weight_penalty",
        "weight penalty",
        "Is it the weight penalty?",
        _current_penalty,
        _penalty_levels,
        _without_penalty,
    ),
    Factor(
        "batch_size",
        "batch size",
        "Is it the batch size?",
        lambda _fit, recipe: str(recipe.batch_size),
        _batch_sizes,
        lambda _fit, recipe, level: replace(recipe, batch_size=int(level)),
    ),
    Factor(
        "shuffle",
        "shuffling",
        "Is it the order of the samples?",
        lambda _fit, recipe: SHUFFLED if recipe.shuffle else "off",
        lambda _fit, recipe: () if recipe.shuffle else (SHUFFLED,),
        lambda _fit, recipe, level: replace(recipe, shuffle=level == SHUFFLED),
    ),
    Factor(
        "loss",
        "loss",
        "Is it the loss?",
        lambda _fit, recipe: recipe.loss,
        lambda _fit, recipe: () if recipe.loss == "mse" else ("mse",),
        lambda _fit, recipe, level: replace(recipe, loss=level),
    ),
    Factor(
        "gradients",
        "gradients",
        "Is it that gradients are never cleared?",
        _current_gradients,
        lambda _fit, recipe: () if recipe.clears_gradients else (CLEARED,),
        lambda _fit, recipe, level: replace(recipe, clears_gradients=level == CLEARED),
    ),
)

FACTOR_NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)


def factor_named(name: str) -> Factor:
    """The factor of this name; KeyError if there is none."""
    return next(factor for factor in FACTORS if factor.name == name)


def common_changes(fit: Fit, recipe: Recipe) -> tuple[Change, ...]:
    """What people commonly try on such a recipe, one change at a time."""
    return tuple(
        Change(factor.name, level)
        for factor in FACTORS
        for level in factor.common(fit, recipe)
        if level != factor.current(fit, recipe)
    )


def resolve(change: Change, fit: Fit, recipe: Recipe) -> Change | None:
    """The change with its level made concrete, or None if the recipe already has it."""
    factor = factor_named(change.factor)
    level = _concrete(change, fit, recipe)
    if level == factor.current(fit, recipe) or not _possible(change.factor, level, fit, recipe):
        return None
    return Change(change.factor, level)


def _concrete(change: Change, fit: Fit, recipe: Recipe) -> str:
    level = change.to
    if change.factor in ("input_range", "target_range") and level in (SCALED, *PARTS):
        data = fit.x if change.factor == "input_range" else fit.y
        return next(iter(_scalings(data)), factor_named(change.factor).current(fit, recipe))
    if change.factor == "kernel_initializer" and level == "customary":
        return _customary(recipe)
    if level[0] in "x/" and level[1:].isdigit():
        times = int(level[1:])
        ratio = times if level[0] == "x" else 1 / times
        match change.factor:
            case "learning_rate":
                return f"{recipe.optimizer.learning_rate * ratio:g}"
            case "epochs":
                return str(max(1, round(recipe.epochs * ratio)))
            case "batch_size":
                return str(max(1, round(recipe.batch_size * ratio)))
            case "units":
                return ", ".join(str(round(layer.units * ratio)) for layer in recipe.hidden)
            case _:
                pass
    return level


SCALED = "scaled"
"""What a finding says of a scaling that it needs as a whole."""

PARTS = {"centred": OFFSET_KEPT, "rescaled": SCALE_KEPT}
"""What a finding may say of a scaling that it needs, and what to spare to leave the fault in."""


def spared(remedy: Change, resolved: Change) -> Change | None:
    """The change that does all a scaling does but the part a remedy names, or None."""
    left_in = PARTS.get(remedy.to)
    return Change(resolved.factor, resolved.to + left_in) if left_in else None


def _possible(factor: str, level: str, fit: Fit, recipe: Recipe) -> bool:
    match factor:
        case "input_range":
            return level in _scalings(fit.x)
        case "target_range":
            return level in _scalings(fit.y)
        case "bias_initializer":
            return bool(_bias_levels(fit, recipe))
        case "activation" | "units" | "depth":
            return bool(recipe.hidden)
        case _:
            return True


def apply(changes: Arm, fit: Fit, recipe: Recipe) -> Recipe:
    """The recipe of an arm. Changes are applied in the order of FACTORS, because the spread of the
    biases depends on inputs and weights, and a new layer takes the widths set after it.
    """
    for factor in FACTORS:
        for change in changes:
            if change.factor == factor.name:
                recipe = factor.apply(fit, recipe, change.to)
    return recipe


def compatible(*changes: Change) -> bool:
    """Whether the changes are of different factors, so that they can be made together.

    A new optimizer brings its own learning rate. A rate that is proposed for the old one would mean
    something else beside it: a tenth of a rate of 0.2 is seven times Adam's 0.003.
    """
    changed = {change.factor for change in changes}
    return len(changed) == len(changes) and not {"optimizer", "learning_rate"} <= changed


def joined(*arms: Arm) -> Arm:
    """All changes of some arms together."""
    return arm(*(change for each in arms for change in each))
