"""What the network is made of: activation, depth, units, biases, the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from whyfit.records.fit import Fit
from whyfit.records.network import Activation
from whyfit.records.recipe import (
    DenseLayer,
    Initializer,
    Recipe,
)
from whyfit.study.factors.factor import Factor


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
    return _where(recipe, lambda layer: layer.use_bias, (BIASED, "in some layers", "in no layer"))


def _where(recipe: Recipe, has: Callable[[DenseLayer], bool], names: tuple[str, str, str]) -> str:
    """The name for all, some or none of the layers that have something."""
    found = [has(layer) for layer in recipe.layers]
    return names[0] if all(found) else names[1] if any(found) else names[2]


def _with_use_of_biases(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = (replace(layer, use_bias=True) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


EVERY_LAYER = "all"


def _trained(_fit: Fit, recipe: Recipe) -> str:
    return _where(recipe, lambda layer: layer.trainable, (EVERY_LAYER, "some", "none"))


def _with_all_trained(_fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    layers = (replace(layer, trainable=True) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


ACTIVATION = Factor(
    "activation",
    "activation",
    "Is it the activation?",
    lambda _fit, recipe: ", ".join(dict.fromkeys(layer.activation.name for layer in recipe.hidden)),
    _activations,
    _with_activation,
)

DEPTH = Factor(
    "depth",
    "depth",
    "Would another layer help?",
    lambda _fit, recipe: _depth_name(len(recipe.hidden)),
    _deeper,
    _with_depth,
)

UNITS = Factor(
    "units",
    "units",
    "Is the network too small?",
    lambda _fit, recipe: _widths(recipe),
    _wider,
    _with_units,
)

USE_BIAS = Factor(
    "use_bias",
    "biases",
    "Is it that biases are missing?",
    _bias_use,
    lambda fit, recipe: () if _bias_use(fit, recipe) == BIASED else (BIASED,),
    _with_use_of_biases,
)

TRAINED = Factor(
    "trained",
    "trained layers",
    "Is it that some layers are not trained?",
    _trained,
    lambda fit, recipe: () if _trained(fit, recipe) == EVERY_LAYER else (EVERY_LAYER,),
    _with_all_trained,
)

OUTPUT_ACTIVATION = Factor(
    "output_activation",
    "output activation",
    "Is it the output activation?",
    lambda _fit, recipe: recipe.layers[-1].activation.name,
    _output_levels,
    _with_output,
)
