"""How long a study will take here, in one line, said before it starts.

For the person alone: nothing that is trained depends on it, as it depends on a clock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from whyfit.engine import forecast
from whyfit.records.study import Arm, Phase
from whyfit.study.run import Laboratory


def foretold(
    laboratory: Laboratory, first: Mapping[Arm, int], phase: Phase, *, then_more: bool
) -> str | None:
    """The line, or None where it cannot be told, or where the ledger knows `first` already.

    `first` is what is trained in any case. A study goes on from there until it has decided, at
    most for its budget (`then_more`); the budget counts seconds of another machine.
    """
    if not laboratory.trains_here:
        return None
    needed = laboratory.lacking(first, phase)
    if needed == 0.0:
        return None
    slower = forecast.slowness(os.cpu_count() or 1)
    if then_more:
        return f"up to {forecast.told(laboratory.plan.budget * slower)} of training here"
    return f"{forecast.told(needed * slower)} of training here"
