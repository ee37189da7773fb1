"""The text view: plain words for a terminal of any width and encoding."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from scripts.make_readme import BEGIN, END, shown_text

from tests.report.situations import NAMES, report_named, report_of, unsupported
from whyfit.report import text


def lines_of(name: str, *, width: int = 80, verbosity: int = 0, **options) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, **options)
    text.render(report_named(name), console, verbosity=verbosity)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_a_terminal(name: str):
    lines = lines_of(name)
    assert max(len(line) for line in lines) <= 80
    # One line for the rule above and one for the files come from the command line.
    assert len(lines) <= 23


def test_with_more_causes_the_plot_makes_room():
    report = report_named("starting_case")
    fit = report.fits[0]
    first = next(cause for cause in fit.causes if cause.status == "confirmed")
    more = replace(fit, causes=(first, *fit.causes))
    out = io.StringIO()
    text.render(replace(report, fits=(more,)), Console(file=out, width=80, highlight=False))
    assert len(out.getvalue().splitlines()) <= 23
    assert out.getvalue().count(f"✓ {first.cause}") == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [20, 40, 200])
def test_in_ascii_and_narrow(name: str, width: int):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict", newline="")
    text.render(report_named(name), Console(file=out, width=width, highlight=False), verbosity=1)
    out.flush()
    assert raw.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_quiet_is_the_verdict_alone(name: str):
    lines = lines_of(name, verbosity=-1)
    assert ": " in lines[0]
    assert len(lines) <= 8


def test_every_confirmed_cause_is_named_with_its_counts():
    whole = " ".join(" ".join(lines_of("starting_case")).split())
    fit = report_named("starting_case").fits[0]
    for cause in fit.causes:
        if cause.status == "confirmed":
            assert cause.converse is not None
            works, fails = fit.arms[cause.converse.with_], fit.arms[cause.converse.without]
            assert f"✓ {cause.cause}: {cause.observed_as}" in whole
            assert f"{works.successes} of {works.replicates} starts" in whole
            assert f"{fails.successes} of {fails.replicates}" in whole


def test_verbose_adds_arms_and_intervals():
    few, many = lines_of("starting_case"), lines_of("starting_case", verbosity=1)
    assert not any("arm 0:" in line for line in few)
    assert any(re.search(r"arm 0: the script as it is: 0 of \d+ \(", line) for line in many)
    assert any("refuted" in line for line in many)
    assert any("95 % interval" in line for line in many)


def test_colour_only_where_wanted(monkeypatch: pytest.MonkeyPatch):
    assert any("\x1b[" in line for line in lines_of("starting_case", force_terminal=True))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = lines_of("starting_case", force_terminal=True)
    assert not any("\x1b[3" in line for line in plain)
    assert not any("\x1b[" in line for line in lines_of("starting_case"))


def test_the_readme_shows_the_real_text():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = readme[readme.index(BEGIN) + len(BEGIN) : readme.index(END)]
    assert shown == shown_text(report_named("starting_case")), (
        "run python scripts/make_readme.py --stored"
    )


def test_an_error_that_was_not_measured_is_not_called_infinite():
    """Outputs of another shape than the targets: there is no error to speak of, and no divergence."""
    fit = replace(unsupported(), predictions=None)
    said = io.StringIO()
    text.render(report_of(fit), Console(file=said, width=80, highlight=False))
    assert "its error could not be measured" in said.getvalue()


def test_a_line_of_a_diff_that_is_cut_says_so_at_either_end():
    before, after = "-" + "a" * 60 + "x" + "b" * 60, "+" + "a" * 60 + "y" + "b" * 60
    cut = text._short_diff(f"{before}\n{after}\n", 50)
    assert [len(line) for line in cut] == [50, 50]
    assert [line[0] for line in cut] == ["-", "+"]
    assert all(line[1] == "…" and line.endswith("…") for line in cut)
    assert "x" in cut[0]
    assert "y" in cut[1]
    assert text._short_diff("-short\n", 50) == ["-short"]
    (first,) = text._short_diff("-" + "a" * 80 + "\n", 50)
    assert first == "-" + "a" * 48 + "…"
