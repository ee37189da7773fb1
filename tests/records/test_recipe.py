"""Networks, recipes and start weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fits import HE, recipe
from whyfit.engine.initializers import draw
from whyfit.records.recipe import Affine, flatten


@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_flatten_is_the_inverse_of_network(seed: int, widths: list[int]):
    one = recipe(tuple(widths), inputs=2)
    row = np.random.default_rng(seed).normal(size=one.parameters)
    assert flatten(one.network(row)) == pytest.approx(row)


def test_steps_count_the_short_last_batch():
    assert recipe(epochs=500, batch_size=32).steps(10_000) == 500 * 313


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_affine_and_back(offset: float, scale: float):
    data = np.linspace(-5, 5, 7)[:, None]
    affine = Affine((offset,), (scale,))
    assert affine.invert(affine(data)) == pytest.approx(data, abs=1e-9)


def test_starts_are_paired():
    """The same replicate keeps the ranks of its draws under another distribution, and a wider layer
    holds the narrower one."""
    narrow, wide, he = recipe((4,)), recipe((8,)), recipe((4,), kernel=HE)
    first = [
        each.network(draw(each, 3, 5, 1)[0]).layers[0].weight[0] for each in (narrow, wide, he)
    ]
    assert first[1][:4] == pytest.approx(first[0])
    assert np.argsort(first[2]).tolist() == np.argsort(first[0]).tolist()


def test_replicates_do_not_depend_on_the_call():
    one = recipe()
    assert np.array_equal(draw(one, 1, 0, 32)[16:], draw(one, 1, 16, 16))
    assert not np.array_equal(draw(one, 1, 0, 16), draw(one, 2, 0, 16))
