"""Hinges against the function itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fits import HE, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.measure.hinges import hinge_positions, trace_hinges
from whyfit.records.network import Activation, Layer, Network

RELU, LINEAR = Activation("relu"), Activation("linear")


def random_network(seed: int, widths: tuple[int, ...]) -> Network:
    random = np.random.default_rng(seed)
    sizes = (1, *widths, 1)
    return Network(
        tuple(
            Layer(
                random.normal(size=(rows, columns)),
                random.normal(size=columns),
                RELU if at < len(widths) else LINEAR,
            )
            for at, (rows, columns) in enumerate(pairwise(sizes))
        )
    )


@given(st.integers(0, 10_000), st.lists(st.integers(1, 5), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_function_is_straight_between_hinges_and_bends_at_them(seed: int, widths: list[int]):
    network = random_network(seed, tuple(widths))
    hinges = trace_hinges(network, -1.0, 1.0)
    inside = sorted({-3.0, 3.0, *(h.position for h in hinges if -3.0 < h.position < 3.0)})
    for left, right in pairwise(inside):
        a, b, c = network(np.array([[left], [(left + right) / 2], [right]]))[:, 0]
        assert a + c - 2 * b == pytest.approx(0.0, abs=1e-9 * (1 + abs(b)))
    for hinge in hinges:
        if -3.0 < hinge.position < 3.0:
            step = 1e-7
            around = network(hinge.position + np.array([[-step], [0.0], [step]]))[:, 0]
            before, after = np.diff(around) / step
            if (
                min(abs(hinge.position - other) for other in inside if other != hinge.position)
                > 1e-5
            ):
                assert before == pytest.approx(hinge.slope_before, abs=1e-4)
                assert after == pytest.approx(hinge.slope_after, abs=1e-4)


@given(st.integers(0, 10_000), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_shifting_x_shifts_the_hinges(seed: int, shift: float):
    network = random_network(seed, (4,))
    first = network.layers[0]
    moved = Layer(first.weight, first.bias - shift * first.weight[0], first.activation)
    assert hinge_positions(moved) == pytest.approx(hinge_positions(first) + shift, abs=1e-6)


@given(st.integers(0, 10_000), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_scaling_a_unit_in_and_out_changes_nothing(seed: int, factor: float):
    network = random_network(seed, (4,))
    first, last = network.layers
    scale = np.array([factor, 1, 1, 1])
    scaled = Network(
        (
            Layer(first.weight * scale, first.bias * scale, RELU),
            Layer(last.weight / scale[:, None], last.bias, LINEAR),
        )
    )
    before, after = trace_hinges(network, -1, 1), trace_hinges(scaled, -1, 1)
    assert [h.position for h in before] == pytest.approx([h.position for h in after])
    assert [h.slope_after for h in before] == pytest.approx(
        [h.slope_after for h in after], abs=1e-8
    )


def test_units_that_never_bend():
    layer = Layer(np.array([[0.0, 2.0]]), None, RELU)
    assert np.isnan(hinge_positions(layer)[0])
    assert hinge_positions(layer)[1] == 0.0


def test_coincident_hinges_are_listed_one_by_one():
    network = Network(
        (Layer(np.array([[1.0, -1.0]]), np.zeros(2), RELU), Layer(np.ones((2, 1)), None, LINEAR))
    )
    hinges = trace_hinges(network, -1.0, 1.0)
    assert [(h.unit, h.position, h.inside) for h in hinges] == [(1, 0.0, True), (2, 0.0, True)]


def test_two_inputs_are_refused():
    network = Network((Layer(np.ones((2, 1)), None, RELU),))
    with pytest.raises(ValueError, match="one input: the network has 2"):
        trace_hinges(network, 0.0, 1.0)


def test_bends_of_deeper_layers_are_traced_by_epoch():
    x, y = sine(200, -1.0, 1.0)
    fit = fit_of(recipe((6, 5), kernel=HE, epochs=10), x, y)
    tracks = gather(fit).tracks
    assert tracks is not None
    assert fit.weight_history is not None
    for at in (0, 10):
        network = fit.recipe.network(fit.weight_history.weights[at])
        wanted = [
            each for each in trace_hinges(network, -1.0, 1.0) if each.layer > 1 and each.inside
        ]
        rows = tracks.deeper[tracks.deeper[:, 0] == at]
        assert [tuple(row[1:]) for row in rows] == [
            (each.layer, each.unit, each.position) for each in wanted
        ]
    assert len(tracks.deeper)
    shallow = gather(fit_of(recipe((6,), kernel=HE, epochs=3), x, y)).tracks
    assert shallow is not None
    assert not len(shallow.deeper)
