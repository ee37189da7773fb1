"""The same weights and data through Keras, PyTorch and scikit-learn give the same evidence."""

from __future__ import annotations

from dataclasses import astuple, fields

import numpy as np
import pytest

from tests.adapters.scripts import fits
from tests.adapters.test_conformance import SCRIPTS
from whyfit import rules
from whyfit.measure.evidence import gather
from whyfit.records.evidence import Evidence

pytestmark = pytest.mark.framework

ALIKE = (
    "data",
    "start_units",
    "end_units",
    "deaths",
    "start_hinges",
    "end_hinges",
    "curve",
    "floors",
    "patterns",
    "between",
)
"""What depends on weights, data and the shape of the network alone."""


@pytest.fixture(scope="module", params=["relu", "tanh"])
def measured(request, tmp_path_factory) -> dict[str, Evidence]:
    found = {}
    for name, script in SCRIPTS.items():
        folder = tmp_path_factory.mktemp(name)
        source = script.replace("PREDICTIONS", str(folder / "predictions.npy"))
        source = source.replace(
            "torch.nn.Tanh", "torch.nn.ReLU" if request.param == "relu" else "torch.nn.Tanh"
        )
        source = source.replace('"tanh"', f'"{request.param}"').replace(
            "np.sin(3 * x)", "np.sin(8 * x)"
        )
        (fit,) = fits(folder, source)
        found[name] = gather(fit)
    return found


def numbers(value: object) -> list[float]:
    """All numbers of a record, in order; None as NaN."""
    if value is None:
        return [float("nan")]
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, tuple):
        return [each for part in value for each in numbers(part)]
    return numbers(astuple(value))


@pytest.mark.parametrize("name", ["torch", "sklearn"])
def test_the_same_numbers(measured: dict[str, Evidence], name: str):
    mine, other = measured[name], measured["keras"]
    assert set(ALIKE) <= {field.name for field in fields(Evidence)}
    for part in ALIKE:
        one, two = numbers(getattr(mine, part)), numbers(getattr(other, part))
        assert one == pytest.approx(two, rel=1e-4, abs=1e-5, nan_ok=True), part
    assert (mine.capacity is None) == (other.capacity is None)
    if mine.capacity is not None and other.capacity is not None:
        assert mine.capacity.lower_bound == pytest.approx(other.capacity.lower_bound, rel=1e-5)
        assert mine.capacity.witness == pytest.approx(other.capacity.witness, rel=1e-3)
    for one, two in (
        (mine.steps.gradients, other.steps.gradients),
        (mine.steps.curvature, other.steps.curvature),
        (mine.steps.end_curvature, other.steps.end_curvature),
        (mine.steps.moved, other.steps.moved),
        (mine.identities.odd, other.identities.odd),
        (mine.identities.linear, other.identities.linear),
        (mine.training.last_fall, other.training.last_fall),
    ):
        assert np.allclose(one, two, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["torch", "sklearn"])
def test_the_same_findings(measured: dict[str, Evidence], name: str):
    """But for what the start was drawn from: only Keras was asked by name, and the weights were set."""
    mine, other = (
        {each.rule for each in rules.findings(evidence)} - {"seed-does-not-seed-weights"}
        for evidence in (measured[name], measured["keras"])
    )
    assert mine == other
    assert mine
