"""Diffs of a few cases, applied by patch(1) and run; `benchmarks/patched_cases.py` tries all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from benchmarks.patched_cases import CASES, patched, problem_with, scripts

pytestmark = pytest.mark.framework

CHOSEN = random.Random(6).sample(
    [each for each in scripts() if each.parent != CASES / "development"], 3
)


@pytest.mark.parametrize("script", CHOSEN, ids=lambda script: script.parent.name)
def test_every_diff_applies_and_runs(script: Path):
    found = patched(script, budget=1.0)
    assert [one for one in found if one.problem] == []


def test_a_diff_that_breaks_the_script_is_told(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text("x = 1\nprint(x)\n")
    diff = "--- a/script.py\n+++ b/script.py\n@@ -1,2 +1,2 @@\n-x = 1\n+y = 1\n print(x)\n"
    assert "NameError" in str(problem_with(script, diff, tmp_path / "1"))
    assert "patch ended" in str(problem_with(script, diff.replace("x = 1", "z"), tmp_path / "2"))
