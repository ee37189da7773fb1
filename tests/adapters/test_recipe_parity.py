"""A captured recipe, drawn and trained anew by the engine, ends as the framework's own runs do.

Two networks here; `benchmarks/recipe_parity.py` compares eight for each framework.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.recipe_parity import fits_of, parity, script

pytestmark = pytest.mark.framework

LIMIT = 0.001
"""Two tests, each of which would fail a right recipe once in a thousand choices of the seeds."""


@pytest.mark.parametrize(("framework", "net"), [("torch", "by hand"), ("sklearn", "two layers")])
def test_ends_are_those_of_the_framework(framework: str, net: str):
    fits = fits_of(script(framework, net, 20))
    assert parity(fits, 512).p_value > LIMIT
    recipe = fits[0].recipe
    rate = replace(recipe.optimizer, learning_rate=recipe.optimizer.learning_rate / 3)
    wrong = replace(fits[0], recipe=replace(recipe, optimizer=rate))
    assert parity([wrong, *fits[1:]], 512).p_value < LIMIT
