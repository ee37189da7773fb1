"""For pytest: the fixture `assert_healthy_fit`, whose failure message is the verdict.

Loaded with every run of pytest where whyfit is installed, so it imports nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from whyfit.library.shown import Diagnosis


@pytest.fixture
def assert_healthy_fit() -> Callable[..., Diagnosis]:
    """Fail with the verdict unless a trained model fits its data, and not by luck.

    Call it as `whyfit.diagnose`: `assert_healthy_fit(model, x, y, history)`. It returns the diagnosis.
    """

    def check(model: Any, x: Any, y: Any, history: Any = None, **options: Any) -> Diagnosis:
        from whyfit import diagnose

        diagnosis = diagnose(model, x, y, history, **options)
        if not diagnosis.healthy:
            pytest.fail(diagnosis.verdict, pytrace=False)
        return diagnosis

    return check
