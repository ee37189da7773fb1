"""Every diff that a case offers applies by patch(1), and the patched script runs.

Here those of cases/kinds, trained by the engine, and of one pair by plain Python; the diffs of all pairs
are tried in tests/rules/test_catalogue.py. `benchmarks/patched_cases.py` runs all in the framework.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from benchmarks.patched_cases import patched, problem_with, scripts

from tests.cases import assert_applies_and_runs, captured, diagnosed, diffs

pytestmark = pytest.mark.framework

PAIRS = [each for each in scripts() if each.name == "bad.py"]
KINDS = [each for each in scripts() if each.parent.name == "kinds"]
CHOSEN = random.Random(7).sample(PAIRS, 1)
NO_FIT = ("keras_2017",)
"""It ends with Keras's own exception, unless `--compat` is said."""


@pytest.mark.parametrize("script", KINDS, ids=lambda script: script.stem)
def test_every_diff_of_a_kind_of_training(script: Path, tmp_path: Path):
    if script.stem in NO_FIT:
        assert captured(script).fits == ()
        return
    for number, diff in enumerate(diffs(diagnosed(script, budget=0.5))):
        assert_applies_and_runs(script, diff, tmp_path / str(number))


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
