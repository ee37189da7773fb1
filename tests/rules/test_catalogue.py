"""The catalogue keeps itself whole: list = folder = cases, and every page has its headings."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.cases import CASES, FOLDER, outcome
from whyfit import rules
from whyfit.rules import HEADINGS, RULES, Rule
from whyfit.study.factors import FACTOR_NAMES

RULE_FILES = {
    path.stem for path in Path(rules.__file__).parent.glob("*.py") if not path.stem.startswith("_")
}


def file_of(rule: Rule) -> str:
    return rule.slug.replace("-", "_")


def test_list_is_folder_is_cases():
    listed = {file_of(rule) for rule in RULES}
    assert len(listed) == len(RULES)
    assert listed == RULE_FILES
    assert listed == {path.name for path in CASES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_page(rule: Rule):
    places = [rule.page.find(heading) for heading in HEADINGS]
    assert -1 not in places
    assert places == sorted(places)
    assert rule.title.endswith(".")
    assert not rule.title.lower().startswith("use ")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_remedies_name_known_factors(rule: Rule):
    """Every `Change("factor", ...)` of a rule file is one the study knows how to make."""
    source = (Path(rules.__file__).parent / f"{file_of(rule)}.py").read_text()
    changes = [
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", None) == "Change"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert set(changes) <= set(FACTOR_NAMES)


@pytest.mark.framework
@pytest.mark.parametrize("name", ["bad", "good"])
@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case(folder: Path, name: str):
    """bad.py shows the fault, good.py does not, and both give exactly what is written down."""
    expected = json.loads((folder / "expected.json").read_text())[name]
    found = outcome(folder / f"{name}.py")
    assert found == expected
    slug = folder.name.replace("_", "-")
    shown = slug in found["findings"] or slug in found["confirmed"]
    assert shown == (name == "bad")


def test_cases_hold_nothing_else():
    for path in FOLDER.iterdir():
        assert {"bad.py", "good.py", "expected.json"} <= {each.name for each in path.iterdir()}
