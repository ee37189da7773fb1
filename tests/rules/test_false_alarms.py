"""Silence where nothing is wrong: a few of the fits of benchmarks/false_alarms.py."""

from __future__ import annotations

import pytest

from tests.healthy import confirmed, diagnosed, healthy, noise_only


@pytest.mark.parametrize("seed", range(5))
def test_healthy_fits_confirm_nothing(seed: int):
    words, fit = healthy(seed)
    found = diagnosed(fit)
    assert found.verdict == "sound", words
    assert confirmed(found) == []
    assert {finding.rule for finding in found.findings} <= {"noise-floor-reached"}


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_called_noise(seed: int):
    words, fit = noise_only(seed)
    found = diagnosed(fit)
    assert [finding.rule for finding in found.findings] == ["noise-floor-reached"], words
    assert confirmed(found) == []
