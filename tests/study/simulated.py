"""Studies without training: a laboratory that draws its outcomes from known success rates."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import stats

from tests.fits import UNIFORM, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding
from whyfit.records.study import Arm, Outcomes, Phase, Study
from whyfit.study.conduct import conduct_in
from whyfit.study.plan import make_plan
from whyfit.study.run import Laboratory

Rates = Callable[[Arm], float]
"""The true success rate of every arm."""

SHARED = 0.5
"""Correlation of the normal scores of two arms' replicates, which are paired as in a real study."""


@dataclass
class Simulated(Laboratory):
    """A laboratory whose replicates succeed with the rates of a table, without any training."""

    rates: Rates = lambda _arm: 0.0
    table: dict[tuple[Arm, Phase], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._common = {
            phase: _normal(seed, 512)
            for phase, seed in (
                ("selection", self.plan.selection_seed),
                ("confirmation", self.plan.confirmation_seed),
            )
        }
        self._prices: dict[Arm, float] = {}
        self._drawn: dict[tuple[Arm, Phase], np.ndarray] = {}

    def cost(self, arm: Arm, replicates: int) -> float:
        if arm not in self._prices:
            self._prices[arm] = super().cost(arm, 16) / 16
        return self._prices[arm] * replicates

    def price(self, arms: Iterable[Arm], replicates: int, phase: Phase) -> float:
        return sum(
            self.cost(arm, max(0, replicates - self.table.get((arm, phase), 0)))
            for arm in dict.fromkeys(arms)
        )

    def run(self, wanted: Mapping[Arm, int], phase: Phase, doing: str) -> None:
        for arm, replicates in wanted.items():
            have = self.table.get((arm, phase), 0)
            self.spent += self.cost(arm, max(0, replicates - have))
            self.fits += max(0, replicates - have)
            self.table[arm, phase] = max(have, replicates)

    def outcomes(self, arm: Arm, phase: Phase) -> Outcomes:
        if (arm, phase) not in self._drawn:
            own = _normal(zlib.crc32(repr((arm, phase)).encode()) ^ self.plan.selection_seed, 512)
            score = np.sqrt(SHARED) * self._common[phase] + np.sqrt(1.0 - SHARED) * own
            succeeded = score < stats.norm.ppf(self.rates(arm))
            self._drawn[arm, phase] = np.where(succeeded, 0.01, 0.5 * np.exp(0.1 * own))
        n = self.table.get((arm, phase), 0)
        values = self._drawn[arm, phase][:n]
        return Outcomes(arm, phase, values, np.zeros(n), self.plan.criterion.tolerance)

    def everything(self) -> tuple[Outcomes, ...]:
        return tuple(self.outcomes(*key) for key, n in self.table.items() if n)


def _normal(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


@cache
def evidence() -> Evidence:
    """A fit that fails, on which the simulated outcomes are hung."""
    x, y = sine(100)
    one = recipe((4,), kernel=UNIFORM, rate=1e-3, epochs=20, batch_size=25, shuffle=True)
    return gather(fit_of(one, x, y))


def finding(change: Change) -> Finding:
    """The suspicion that this change would remove a fault, which bears the name of its factor."""
    return Finding(f"wrong-{change.factor}", "something was seen", (), (), (change,))


def simulate(rates: Rates, suspected: Iterable[Change], seed: int, budget: float = 30.0) -> Study:
    """A study of arms with these success rates, where findings suspect these changes."""
    seen = evidence()
    assert seen.fit.recipe is not None
    findings = tuple(finding(change) for change in suspected)
    plan = make_plan(seen, findings, seen.fit.recipe, budget=budget, seed=seed)
    laboratory = Simulated(seen.fit, seen.fit.recipe, plan, rates=rates)
    return conduct_in(laboratory, seen, findings)


def statuses(study: Study) -> dict[str, str]:
    """The status of each cause."""
    return {cause.slug: cause.status for cause in study.causes}


CENTRED = Change("input_range", "[-1, 1]")
HE = Change("kernel_initializer", "he_uniform")
TANH = Change("activation", "tanh")
LEAKY = Change("activation", "leaky_relu")
EPOCHS = Change("epochs", "80")
FASTER = Change("learning_rate", "0.01")
SPREAD = Change("bias_initializer", "spread")
BATCH = Change("batch_size", "6")


def needs(changes: Arm, succeeding: float, otherwise: float = 0.0) -> Rates:
    """All of these changes are needed, whatever else is changed."""
    wanted = set(changes)
    return lambda held: succeeding if wanted <= set(held) else otherwise
