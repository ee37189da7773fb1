"""The line that says how long a study takes: when it is said, and that nothing else depends on it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fits import HE, fit_of, recipe, sine
from whyfit.engine import forecast
from whyfit.ledger.ledger import Ledger
from whyfit.measure.evidence import gather
from whyfit.records.fit import Fit
from whyfit.records.study import Study
from whyfit.rules import findings
from whyfit.study import memory
from whyfit.study.asked import parse_arm
from whyfit.study.conduct import StudyOptions, conduct


@pytest.fixture(scope="module")
def fit() -> Fit:
    x, y = sine(400)
    return fit_of(recipe((8,), kernel=HE, epochs=100), x, y)


def lines(fit: Fit, options: StudyOptions, **rest) -> tuple[Study, list[str]]:
    said: list[str] = []

    def note(progress) -> None:
        if progress.stays:
            said.append(progress.doing)

    evidence = gather(fit)
    study = conduct(evidence, findings(evidence), fit.recipe, options, report=note, **rest)
    return study, said


def test_a_study_says_at_most_how_long(fit: Fit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecast, "slowness", lambda _threads: 20.0)
    study, said = lines(fit, StudyOptions(budget=1.0))
    assert said == ["up to about 20 s of training here"]
    monkeypatch.setattr(forecast, "slowness", lambda _threads: 0.5)
    again, said = lines(fit, StudyOptions(budget=1.0))
    assert said == ["up to less than a second of training here"]
    assert again.work == study.work
    assert [each.arm for each in again.outcomes] == [each.arm for each in study.outcomes]


def test_arms_that_were_asked_for_are_told_exactly(fit: Fit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecast, "slowness", lambda _threads: 1000.0)
    arms = (parse_arm("units=16"), parse_arm("as it is"))
    _study, once = lines(fit, StudyOptions(arms=arms, replicates=64))
    _study, twice = lines(fit, StudyOptions(arms=arms, replicates=128))
    first, second = (int(each[0].split()[1]) for each in (once, twice))
    assert second == pytest.approx(2 * first, abs=1)


def test_what_the_ledger_knows_takes_no_time(fit: Fit, tmp_path: Path):
    options = StudyOptions(arms=(parse_arm("units=16"), parse_arm("as it is")), replicates=32)
    ledger = Ledger.open(tmp_path / "ledger", pytest.fail)
    about = memory.about(fit, fit.recipe, 0, 30.0, 0.05)
    _study, said = lines(fit, options, page=ledger.page(about))
    assert len(said) == 1
    _study, said = lines(fit, options, page=ledger.page(about))
    assert said == []
    ledger.close()


def test_elsewhere_nothing_is_told(fit: Fit):
    from concurrent.futures import ThreadPoolExecutor

    options = StudyOptions(arms=(parse_arm("as it is"),), replicates=16)
    with ThreadPoolExecutor(1) as executor:
        _study, said = lines(fit, options, executor=executor)
    assert said == []


def test_finding_out_is_quick():
    forecast.slowness.cache_clear()
    began = time.process_time()
    forecast.slowness(1)
    assert time.process_time() - began < 0.2
