"""The `decay` of an optimizer, which Keras 3 takes and ignores, and the schedule it was in Keras 2.

Keras 2 divided the learning rate by 1 + decay x steps (keras/optimizers.py of 2.2); Keras 3 warns and
goes on without (keras/src/optimizers/base_optimizer.py).
"""

from __future__ import annotations

from typing import Any

import libcst as cst
import numpy as np

from whyfit.records.fit import Place
from whyfit.syntax.arguments import code_of, given, is_none, without


def number_of(decay: Any) -> float | None:
    """The decay as a number above 0, or None: Keras 2 took no other."""
    try:
        number = float(decay)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0.0 else None


def remark(decay: Any, place: Place) -> str:
    """What is said of a decay that was ignored, whether or not the fit is good."""
    return (
        f"Line {place.line}: Keras 3 ignores decay={decay}: the learning rate did not fall. For a rate "
        "that falls as in Keras 2 write learning_rate=keras.optimizers.schedules.InverseTimeDecay("
        f"rate, 1, {decay}), or run with --compat."
    )


def decays(call: cst.Call) -> bool:
    """Whether a decay other than a plain zero or None is given."""
    decay = given(call, "decay")
    if decay is None or is_none(decay):
        return False
    if isinstance(decay.value, (cst.Integer, cst.Float)):
        return float(decay.value.evaluated_value) != 0.0
    return True


def rate_of(call: cst.Call) -> cst.Arg | None:
    """The learning rate that an optimizer is given, by name or first."""
    return given(call, "learning_rate") or next(
        (each for each in call.args if each.keyword is None and not each.star), None
    )


def with_schedule(
    call: cst.Call,
    usual: str,
    *,
    decay: str | None = None,
    bare: str = "schedules.InverseTimeDecay",
) -> tuple[cst.Call, str]:
    """An optimizer's call with its decay as a schedule, and the schedule.

    `usual` is the rate where the call gives none; `decay` the decay, by default that of the call; `bare`
    the class's name where the optimizer's stands alone, without a module.
    """
    old, rate = given(call, "decay"), rate_of(call)
    assert old is not None  # the callers ask
    name = bare
    if isinstance(call.func, cst.Attribute):
        name = f"{code_of(call.func.value)}.schedules.InverseTimeDecay"
    before = code_of(rate.value) if rate else usual
    schedule = f"{name}({before}, 1, {decay or code_of(old.value)})"
    value = cst.parse_expression(schedule)
    if rate is not None:
        changed = [each.with_changes(value=value) if each is rate else each for each in call.args]
        return without(call.with_changes(args=changed), "decay"), schedule
    named = old.with_changes(keyword=cst.Name("learning_rate"), value=value)
    changed = [named if each is old else each for each in call.args]
    return call.with_changes(args=changed), schedule
