"""Each kind of training that people write, as it stands in cases/kinds: captured and reproduced."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.adapters.capture import load_script
from whyfit.compat import in_modern_spelling
from whyfit.records.fit import Fit
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

KINDS = sorted((Path(__file__).resolve().parents[2] / "cases" / "kinds").glob("*.py"))


@pytest.fixture(scope="module", params=KINDS, ids=lambda path: path.stem)
def fit(request: pytest.FixtureRequest) -> Fit:
    program, _changes = in_modern_spelling(load_script(str(request.param), []), rewrite=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old spellings, and trainings cut off at their last epoch
        (found,) = capture.run(program, Session(strict=True)).fits
    assert found.framework == request.param.stem.split("_")[0]
    assert Path(found.place.file) == request.param  # not the library that trains
    return found


def test_it_is_captured_whole(fit: Fit):
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.start is not None
    assert 0 < fit.epochs_done <= fit.recipe.epochs
    assert fit.unexplained_variance < 1.1


def test_the_engine_ends_where_the_framework_did(fit: Fit):
    assert replay(fit, 0).status == "reproduced"
