"""The public names, and the promise that importing whyfit is light."""

from __future__ import annotations

import subprocess
import sys

import whyfit

HEAVY = ("keras", "torch", "sklearn", "jax", "tensorflow", "matplotlib")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in answer.stdout.split()}


def test_public_names_are_listed():
    code = (
        "import sys, whyfit;"
        "names = {name for name in dir(whyfit) if not name.startswith('_')};"
        "print(*(name for name in names if f'whyfit.{name}' not in sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert sorted(whyfit.__all__) == sorted({*answer.stdout.split(), "__version__"})


def test_import_loads_no_framework():
    assert modules_after("import whyfit").isdisjoint(HEAVY)


def test_the_command_line_loads_no_framework():
    assert modules_after("import whyfit.cli").isdisjoint(HEAVY)


def test_text_and_verdicts_draw_nothing():
    views = "import whyfit.report.text, whyfit.report.check, whyfit.report.compare"
    assert modules_after(views).isdisjoint(HEAVY)


def test_the_page_needs_no_framework():
    loaded = modules_after("import whyfit.report.html")
    assert loaded.isdisjoint(set(HEAVY) - {"matplotlib"})


def test_the_check_above_can_fail():
    assert "matplotlib" in modules_after("import matplotlib")
