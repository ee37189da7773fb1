"""The lower bound against brute force, and what must hold of any lower bound."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyfit.measure import segments
from whyfit.measure.segments import floors


def line_error(x: np.ndarray, y: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(x)), x])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(np.sum(residual**2))


def brute_force(x: np.ndarray, y: np.ndarray, breaks: int) -> float:
    ends = [0, *range(1, len(x)), len(x)]
    best = np.inf
    for cut in combinations(ends[1:-1], breaks):
        edges = [0, *cut, len(x)]
        best = min(best, sum(line_error(x[a:b], y[a:b]) for a, b in pairwise(edges)))
    return best


@given(st.integers(0, 10_000), st.integers(5, 11), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_equals_brute_force(seed: int, count: int, breaks: int):
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(-1, 1, count))
    y = random.normal(size=(count, 2))
    assert floors(x, y, breaks)[breaks].error == pytest.approx(brute_force(x, y, breaks), abs=1e-9)


def test_equal_x_are_one_place():
    x = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    y = np.array([[0.0], [1.0], [5.0], [5.0], [0.0], [0.0]])
    # Whatever the breaks, one x has one prediction: the pair at 0 keeps its own scatter.
    assert floors(x, y, 2)[2].error == pytest.approx(0.5)


def test_never_rises_with_more_breaks():
    random = np.random.default_rng(1)
    errors = [
        floor.error for floor in floors(random.uniform(size=300), random.normal(size=(300, 1)), 6)
    ]
    assert all(a >= b for a, b in pairwise(errors))


def test_bins_give_the_exact_answer(monkeypatch: pytest.MonkeyPatch):
    x = np.linspace(0, 1, 900)
    y = np.sin(7 * x)[:, None]
    exact = floors(x, y, 4)
    monkeypatch.setattr(segments, "MOST_EXACT_POINTS", 100)
    monkeypatch.setattr(segments, "BINS", 90)
    binned = floors(x, y, 4)
    assert all(floor.exact for floor in binned)
    for one, other in zip(exact, binned, strict=True):
        assert other.error == pytest.approx(one.error, rel=1e-9, abs=1e-12)


def test_a_bound_that_is_not_exact_is_still_a_bound(monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(2)
    x, y = random.uniform(size=600), random.normal(size=(600, 1))
    exact = floors(x, y, 3)
    monkeypatch.setattr(segments, "MOST_EXACT_POINTS", 100)
    monkeypatch.setattr(segments, "BINS", 60)
    monkeypatch.setattr(segments, "MOST_PAIRS", 1)
    for floor, true in zip(floors(x, y, 3), exact, strict=True):
        assert floor.error <= true.error + 1e-9
    assert not floors(x, y, 3)[3].exact
