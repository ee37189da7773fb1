"""All factors, and what is done with changes of them: resolved to a level, applied, joined.

Levels are texts, and a finding's remedy may name one relatively ("x4", "/10", "centred",
"customary", "spread"); `resolve` turns it into the level it means for this recipe.
"""

from __future__ import annotations

from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Recipe
from whyfit.records.schedule import Schedule
from whyfit.records.study import Arm, arm
from whyfit.study.factors.factor import Factor
from whyfit.study.factors.scale import INPUT_RANGE, OFFSET_KEPT, SCALE_KEPT, TARGET_RANGE, scalings
from whyfit.study.factors.shape import (
    ACTIVATION,
    DEPTH,
    OUTPUT_ACTIVATION,
    TRAINED,
    UNITS,
    USE_BIAS,
)
from whyfit.study.factors.starts import BIAS_INITIALIZER, KERNEL_INITIALIZER, bias_levels, customary
from whyfit.study.factors.training import (
    BATCH_SIZE,
    DECAY,
    DROPOUT,
    EARLY_STOPPING,
    EPOCHS,
    GRADIENTS,
    LEARNING_RATE,
    LOSS,
    OPTIMIZER,
    SCHEDULE,
    SHUFFLE,
    WEIGHT_PENALTY,
)

FACTORS: tuple[Factor, ...] = (
    INPUT_RANGE,
    TARGET_RANGE,
    ACTIVATION,
    DEPTH,
    UNITS,
    KERNEL_INITIALIZER,
    BIAS_INITIALIZER,
    USE_BIAS,
    TRAINED,
    OUTPUT_ACTIVATION,
    SCHEDULE,
    OPTIMIZER,
    LEARNING_RATE,
    DECAY,
    EPOCHS,
    EARLY_STOPPING,
    DROPOUT,
    WEIGHT_PENALTY,
    BATCH_SIZE,
    SHUFFLE,
    LOSS,
    GRADIENTS,
)
"""In the order in which changes are applied (see `apply`)."""

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
        return next(iter(scalings(data)), factor_named(change.factor).current(fit, recipe))
    if change.factor == "kernel_initializer" and level == "customary":
        return customary(recipe)
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
            return level in scalings(fit.x)
        case "target_range":
            return level in scalings(fit.y)
        case "bias_initializer":
            return bool(bias_levels(fit, recipe))
        case "activation" | "units" | "depth":
            return bool(recipe.hidden)
        case "decay":
            return recipe.schedule is None
        case "schedule":
            return recipe.schedule is not None and (level == "none" or _by_step(recipe.schedule))
        case _:
            return True


def _by_step(schedule: Schedule) -> bool:
    """Whether each step of the training moves it on, as in a loop that asks it after each batch."""
    return schedule.per == "step" and not schedule.watches_loss


def apply(changes: Arm, fit: Fit, recipe: Recipe) -> Recipe:
    """The recipe of an arm. Changes are applied in the order of FACTORS, because the spread of the
    biases depends on inputs and weights, a new layer takes the widths set after it, and a rate that is
    set counts for more than the one at which a schedule is left.
    """
    for factor in FACTORS:
        for change in changes:
            if change.factor == factor.name:
                recipe = factor.apply(fit, recipe, change.to)
    return recipe


def compatible(*changes: Change) -> bool:
    """Whether the changes are of different factors, so that they can be made together.

    A new optimizer brings its own learning rate. A rate or a decay that is proposed for the old one
    would mean something else beside it: a tenth of a rate of 0.2 is seven times Adam's 0.003.
    """
    changed = {change.factor for change in changes}
    of_the_old = {"learning_rate", "decay"} & changed
    return len(changed) == len(changes) and not ("optimizer" in changed and of_the_old)


def joined(*arms: Arm) -> Arm:
    """All changes of some arms together."""
    return arm(*(change for each in arms for change in each))
