"""Drawing: sketches and figures against their golden files, and what every figure must hold.

That the same panels give the same bytes is tested with the page.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.report import shapes
from tests.report.situations import report_named
from whyfit.report import panels
from whyfit.report.drawing import canvas, curves, sketch
from whyfit.report.figures import figures

STORED = Path(__file__).parent / "starting_case.json"
GOLDEN = Path(__file__).parent / "golden"


def golden_figures(report):
    return {
        name: shapes.shapes(figure.svg) for name, figure in figures(report.fits[0], "fit1").items()
    }


def sketches() -> dict[str, str]:
    x = tuple(np.linspace(0.0, 1.0, 101))
    box = sketch.CurveBox(x, tuple(np.sin(2 * np.pi * np.array(x))))
    bent = tuple(np.maximum(0.0, np.array(x) - 0.3))
    broken = tuple(None if 0.4 < place < 0.6 else place for place in x)
    return {
        "strip": sketch.strip((0.0001, 0.04, 0.05, 0.0501, 1.0, None), 0.05),
        "bar": sketch.bar(0.75, (0.71, 0.79)),
        "bent": box.path(bent),
        "broken": box.path(broken),
        "far": box.path(tuple(1e6 * np.array(x))),
    }


@pytest.mark.parametrize("name", sketches())
def test_sketches_are_the_golden_ones(name: str):
    assert sketches()[name] == (GOLDEN / f"{name}.svgpart").read_text().rstrip("\n")


def test_a_straight_line_needs_two_points_and_a_bend_one_more():
    assert sketches()["bent"].count("L") == 2
    assert "L36.0" in sketches()["bent"]  # 0.3 of a width of 120


def test_a_curve_breaks_where_it_has_no_value():
    assert sketches()["broken"].count("M") == 2


def test_a_diverged_replicate_is_a_miss_at_the_far_end():
    far = f"M{sketch.strip_place(sketch.STRIP_HIGH):g} "
    assert far in sketches()["strip"].split('class="dot good"')[0]


def test_curves_have_few_points_and_keep_their_bends():
    fit = report_named("starting_case").fits[0]
    assert fit.curve is not None
    assert len(fit.curve.x) <= 620
    x = np.array(fit.curve.x, dtype=float)
    for hinge in fit.curve.hinges:
        assert np.min(np.abs(x - hinge)) < 2 * (x[-1] - x[0]) / 10_000


def test_figures_hold_what_they_should():
    fit = report_named("starting_case").fits[0]
    made = figures(fit, "fit1")
    assert set(made) == {
        "fit",
        "parts",
        "units",
        "loss",
        "tracks",
        "capacity",
        "witness",
        "front",
        "mended",
    }
    assert len(re.findall(r'<g class="unit-\d">', made["parts"].svg)) == 4
    assert "data-frame=" in made["fit"].svg
    assert all(figure.caption and figure.keys for figure in made.values())
    assert made["parts"].rows[0][0] == "0"


def test_figures_show_what_the_golden_file_has():
    drawn = golden_figures(panels.from_json(STORED.read_bytes()))
    kept = json.loads(shapes.GOLDEN.read_text())
    assert drawn.keys() == kept.keys()
    different = [name for name in kept if not shapes.same(json_of(drawn[name]), kept[name])]
    assert not different


def json_of(shown):
    return json.loads(json.dumps(shown))


def test_a_figure_that_loses_a_line_or_moves_it_is_noticed():
    kept = json.loads(shapes.GOLDEN.read_text())
    moved = json_of(kept["fit"])
    assert shapes.same(moved, kept["fit"])
    moved["lines"][0]["ends"][1] += 10.0
    assert not shapes.same(moved, kept["fit"])
    assert not shapes.same({**kept["fit"], "lines": kept["fit"]["lines"][1:]}, kept["fit"])
    assert not shapes.same({**kept["fit"], "texts": ["?"]}, kept["fit"])


def test_figures_of_several_inputs():
    made = figures(report_named("several_inputs").fits[0], "fit1")
    assert {"agreement", "by_input", "slices"} <= set(made)
    assert "fit" not in made
    assert made["slices"].svg.count(">input ") == 3


def test_a_dead_unit_is_drawn_as_one():
    fit = report_named("starting_case").fits[0]
    dead = curves.dead_units(fit)
    assert dead
    keys = {text: role for role, text in figures(fit, "fit1")["parts"].keys}
    for unit in dead:
        assert keys[f"unit {unit} (off)"] == "dead"


def test_small_numbers_keep_their_digits_on_an_axis():
    def draw(figure):
        axes = figure.subplots()
        axes.plot([1, 2], [1e-5, 1.0])
        axes.set_yscale("log")

    drawn = canvas.svg("name", draw, 2.0)
    assert ">0.001<" in drawn or ">0.0001<" in drawn
    assert not re.search(r' d="[^"]*\.\d{3}', drawn)


def test_text_of_others_is_not_mathematics():
    def draw(figure):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1])
        axes.set_yticks([0, 1], ["$x^2$", "<b>&"])

    drawn = canvas.svg("name", draw, 2.0)
    assert "$x^2$" in drawn
    assert "&lt;b&gt;&amp;" in drawn
    assert drawn == canvas.svg("name", draw, 2.0)


def test_points_of_one_x_are_all_drawn():
    """A curve through repeated samples goes up and down in one place."""
    x, y = np.array([0.0, 1.0, 1.0, 1.0, 2.0]), np.array([0.0, 3.0, -3.0, 1.0, 0.0])
    assert sketch._corners(x, y) == [0, 1, 2, 3, 4]
