"""What is said of a change that helps in a set beside those that were judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from whyfit.study import rates

SEARCHED, FRESH = "selection", "confirmation"


@pytest.mark.parametrize(
    ("searched", "fresh", "sets", "said"),
    [
        (1.0, None, True, "did not reach to judge that on fresh seeds"),
        (1.0, None, False, "did not reach to judge that on fresh seeds"),
        (1.0, 0.98, True, "that set works too"),
        (1.0, 0.67, True, "no set that works, and in those that do it does not help"),
        (1.0, 0.67, False, "no set that works, and none was found"),
        (0.2, None, True, "no set that works, and in those that do it does not help"),
        (0.2, None, False, "no set that works, and none was found"),
    ],
)
def test_a_set_is_said_to_work_only_on_fresh_seeds(
    searched: float, fresh: float | None, sets: bool, said: str
):
    outcomes = {
        SEARCHED: SimpleNamespace(rate=searched, replicates=32),
        FRESH: SimpleNamespace(rate=fresh or 0.0, replicates=0 if fresh is None else 64),
    }
    laboratory: Any = SimpleNamespace(
        outcomes=lambda _changes, phase: outcomes[phase], plan=SimpleNamespace(target_rate=0.75)
    )
    judged: Any = SimpleNamespace(sets=("one",) if sets else ())
    elsewhere: Any = SimpleNamespace(with_=())
    assert said in rates._standing(laboratory, judged, elsewhere)
