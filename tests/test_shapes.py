"""Where shapes are checked at run time: every module that names shapes, but for the one left out."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
LEFT_OUT = {"whyfit.records.network"}


def test_the_modules_that_are_checked_are_those_that_name_shapes():
    pytest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    (option, *_others) = pytest["ini_options"]["addopts"].split()
    *checked, _checker = option.removeprefix("--jaxtyping-packages=").split(",")
    naming = {
        ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        for path in SOURCES.rglob("*.py")
        if "import jaxtyping" in (text := path.read_text()) or "from jaxtyping import" in text
    }
    assert naming
    missed = {
        module
        for module in naming - LEFT_OUT
        if not any(module == each or module.startswith(f"{each}.") for each in checked)
    }
    assert missed == set()
    assert naming >= LEFT_OUT
