"""Learning rates that callbacks of a Keras fit set, epoch by epoch."""

from __future__ import annotations

import contextlib
import dis
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from whyfit.records.recipe import Recipe
from whyfit.records.schedule import Schedule

MOST_TABLE = 5000
"""Entries of a schedule that is written down rate by rate."""

FURTHER = 16
"""A longer training is asked for up to so many times the epochs."""

KEEPING = ("STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR", "STORE_SUBSCR")
"""Instructions by which a function leaves something behind."""


def is_scheduler(callback: Any) -> bool:
    """Whether a callback is Keras's LearningRateScheduler."""
    kind = type(callback)
    return kind.__name__ == "LearningRateScheduler" and kind.__module__.startswith("keras.")


def rate_now(optimizer: Any) -> float:
    """The learning rate, as the decimal that its float32 stands for."""
    return float(str(np.float32(np.asarray(optimizer.learning_rate))))


def with_rates(recipe: Recipe, rates: Sequence[float], scheduler: Any) -> tuple[Recipe, str | None]:
    """The recipe with the rates seen as its schedule, and why it is not the script's, if so.

    Epochs that were not trained get the rates that the script's own function gives for them; a
    function that keeps something between its calls is not asked.
    """
    if rates[0] <= 0.0:
        return recipe, "a learning rate that starts from zero is not supported"
    table, reason = list(rates), None
    wanted = min(MOST_TABLE, FURTHER * recipe.epochs)
    function = getattr(scheduler, "schedule", None)
    if len(table) > MOST_TABLE:
        reason = "a learning rate that changes so often is not supported"
    elif function is None:
        reason = "a callback that changes the learning rate is not supported"
    elif not _leaves_nothing(function):
        reason = "a LearningRateScheduler that keeps a state is not supported"
    else:
        table += _further(function, len(table), wanted, table[-1])
    multiples = tuple(float(f"{value / rates[0]:.9g}") for value in table)
    optimizer = replace(recipe.optimizer, learning_rate=rates[0])
    schedule = Schedule("table", per="epoch", change="epoch", multiples=multiples)
    return replace(recipe, optimizer=optimizer, schedule=schedule), reason


def of_loop(recipe: Recipe, rates: Sequence[float], length: int) -> tuple[Recipe, str | None]:
    """The recipe with the rates of all steps of a loop as its schedule, the last for ever after.

    `length` is the number of steps of a pass. Also why that is not the script's, if so.
    """
    if rates[0] <= 0.0:
        return recipe, "a learning rate that starts from zero is not supported"
    passes = [set(rates[at : at + length]) for at in range(0, len(rates), length)]
    per: Literal["epoch", "step"] = "epoch" if all(len(each) == 1 for each in passes) else "step"
    table = rates[::length] if per == "epoch" else rates
    if len(table) > MOST_TABLE:
        return recipe, "a learning rate that changes so often is not supported"
    multiples = tuple(float(f"{value / rates[0]:.9g}") for value in table)
    schedule = Schedule("table", per=per, change=per, multiples=multiples)
    return replace(recipe, schedule=schedule), None


def _leaves_nothing(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and all(
        each.opname not in KEEPING for each in dis.get_instructions(code)
    )


def _further(function: Any, first: int, last: int, rate: float) -> list[float]:
    """What the function gives, asked with epoch and rate, or, of the old form, with the epoch alone
    (keras/src/callbacks/learning_rate_scheduler.py).
    """
    found: list[float] = []
    with contextlib.redirect_stdout(io.StringIO()):
        for epoch in range(first, last):
            try:
                rate = float(function(epoch, rate))
            except TypeError:
                rate = float(function(epoch))
            found.append(float(str(np.float32(rate))))
    return found
