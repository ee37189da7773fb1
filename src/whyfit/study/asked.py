"""A study of arms that a person names: each from the same fresh starts, and compared in pairs.

It answers "and if I had ...?", and it is how a comparison in a report is made again: a replicate depends
on its arm, the seed and its number alone, so the counts are the report's.
"""

from __future__ import annotations

import re

from whyfit.engine import lanes
from whyfit.errors import UsageError
from whyfit.records.finding import Change
from whyfit.records.study import Arm, Comparison, arm
from whyfit.study import factors
from whyfit.study.effects import compare
from whyfit.study.run import Laboratory

DEFAULT_REPLICATES = 128

_WHOLE, _NUMBER = r"0*[1-9]\d*", r"(?=.*[1-9])\d*\.?\d+(e[-+]?\d+)?"
_SCALING = r"(\[-1, 1\]|standardised)(, (offset|scale) kept)?"
_NAME = r"[a-z_0-9]+"
FORMS: dict[str, tuple[str, str]] = {
    "input_range": (_SCALING, "[-1, 1] or standardised"),
    "target_range": (_SCALING, "[-1, 1] or standardised"),
    "depth": (rf"{_WHOLE} hidden layers?", "such as 2 hidden layers"),
    "units": (rf"{_WHOLE}(, {_WHOLE})*", "a width for each hidden layer, such as 16 or 16, 8"),
    "bias_initializer": (factors.SPREAD, factors.SPREAD),
    "use_bias": (factors.BIASED, factors.BIASED),
    "trained": (factors.EVERY_LAYER, factors.EVERY_LAYER),
    "optimizer": (rf"{_NAME}\({_NUMBER}\)", f"a name and a rate, such as {factors.ADAM}"),
    "learning_rate": (_NUMBER, "a number above 0"),
    "decay": (_NUMBER, "a number above 0"),
    "schedule": (f"none|{factors.ONCE_AN_EPOCH}", f"none or {factors.ONCE_AN_EPOCH}"),
    "epochs": (_WHOLE, "a whole number from 1"),
    "batch_size": (_WHOLE, "a whole number from 1"),
    "shuffle": (factors.SHUFFLED, factors.SHUFFLED),
    "gradients": (factors.CLEARED, factors.CLEARED),
    "early_stopping": ("none", "none"),
    "dropout": ("none", "none"),
    "weight_penalty": ("none", "none"),
}
"""How a level is written, by its factor, and in words; other factors take a name of the recipe's own."""


def parse_arm(text: str) -> Arm:
    """An arm written as "factor=level and factor=level"; "as it is" is the script unchanged.

    Raises UsageError where it names no factor, or one twice.

    >>> parse_arm("input_range=[-1, 1] and activation=tanh")
    (Change(factor='activation', to='tanh'), Change(factor='input_range', to='[-1, 1]'))
    >>> parse_arm("as it is")
    ()
    """
    if text.strip().lower() == "as it is":
        return ()
    changes = []
    for part in re.split(r"\s+and\s+", text.strip()):
        name, equals, level = part.partition("=")
        if not equals or not level.strip() or name.strip() not in factors.FACTOR_NAMES:
            raise UsageError(
                f"an arm is written factor=level, several joined by ' and ', got {part!r}; "
                f"factors: {', '.join(factors.FACTOR_NAMES)}"
            )
        changes.append(Change(name.strip(), level.strip()))
        form, words = FORMS.get(changes[-1].factor, (_NAME, "a name, such as tanh or he_uniform"))
        if not re.fullmatch(form, changes[-1].to):
            raise UsageError(f"{changes[-1].factor} takes {words}, got {changes[-1].to!r}")
    if not factors.compatible(*changes):
        raise UsageError(
            f"an arm sets each factor once, and an optimizer brings its own learning rate, got {text!r}"
        )
    return arm(*changes)


def written(changes: Arm) -> str:
    """The text from which `parse_arm` makes this arm.

    >>> written(parse_arm("as it is"))
    'as it is'
    """
    return " and ".join(f"{each.factor}={each.to}" for each in changes) or "as it is"


def check(laboratory: Laboratory, changes: Arm) -> None:
    """Raise UsageError if an arm cannot be made of this fit's recipe."""
    obstacle = _obstacle(laboratory, changes)
    if obstacle is None:
        recipe = factors.apply(changes, laboratory.fit, laboratory.recipe)
        obstacle = lanes.why_unsupported(recipe)
    if obstacle:
        raise UsageError(f"no network can be trained with {written(changes)}: {obstacle}")


OF_HIDDEN_LAYERS = {"activation", "depth", "units", "bias_initializer"}


def _obstacle(laboratory: Laboratory, changes: Arm) -> str | None:
    """Why layers or rate cannot be as an arm says. After a change of depth the last width repeats."""
    levels = {change.factor: change.to for change in changes}
    if "decay" in levels and laboratory.recipe.schedule is not None:
        return "the script has a schedule for its learning rate"
    if "schedule" in levels:
        wanted = Change("schedule", levels["schedule"])
        if laboratory.recipe.schedule is None:
            return "the script has no schedule for its learning rate"
        if factors.resolve(wanted, laboratory.fit, laboratory.recipe) is None:
            return "the script's schedule does not move on with each batch"
    layers = len(laboratory.recipe.hidden)
    if not layers and OF_HIDDEN_LAYERS & levels.keys():
        return "the network has no hidden layer"
    depth = int(levels["depth"].split()[0]) if "depth" in levels else layers
    widths = len(levels["units"].split(", ")) if "units" in levels else depth
    if widths == depth or (widths < depth and "depth" in levels):
        return None
    return f"the number of widths is {widths}, that of hidden layers {depth}"


def compare_arms(
    laboratory: Laboratory, arms: tuple[Arm, ...], replicates: int
) -> tuple[Comparison, ...]:
    """Train each arm from the same fresh starts; the first against each of the others.

    The deciding intervals hold at 95 % for all comparisons together.
    """
    for each in arms:
        check(laboratory, each)
    laboratory.run(dict.fromkeys(arms, replicates), "confirmation", "the arms asked for")
    outcomes = [laboratory.outcomes(each, "confirmation") for each in arms]
    return tuple(compare(outcomes[0], each, len(arms) - 1) for each in outcomes[1:])
