"""Do the study's intervals cover, and are its verdicts right, where the truth is known?

    python benchmarks/study_coverage.py [--studies N]

The search, the judging and the verdicts are those of a real study; the outcomes of its replicates are
drawn with known success rates (paired between arms, as shared starts make them) in place of being
trained. Counted over N studies (default 2 000, spread over the scenes): how often the 95 % interval
that is shown for an arm holds its true rate, with as many replicates as the study chose to spend; the
same for the sets that were found to work, for the set offered first, and for the paired differences;
and how often the wider intervals do on which verdicts rest, singly and all those of a study at once.
And for each scene: in how many studies every planted cause is confirmed, and in how many anything
else is.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from tests.study import simulated
from tests.study.looks import coverage_at_all_looks
from tests.study.simulated import CENTRED, EPOCHS, FASTER, HE, SPREAD, TANH, Rates, needs

from whyfit.records.finding import Change
from whyfit.records.study import Comparison, Interval, Study
from whyfit.study import confirm
from whyfit.study.effects import deciding_interval, outcome_interval


@dataclass(frozen=True)
class Scene:
    """True rates, what is suspected, and which of it is a cause."""

    name: str
    rates: Rates
    suspected: tuple[Change, ...]
    planted: tuple[Change, ...] = ()


def _same(rate: float) -> Rates:
    return lambda _arm: rate


def _starting_case(held: tuple[Change, ...]) -> float:
    """The rates of the forum's case: two ReLU changes together, or tanh alone."""
    if TANH in held:
        return 1.0
    if {CENTRED, HE} <= set(held):
        return 0.77
    return 0.014 if HE in held else 0.0


def _unsuspected(rate: float) -> Rates:
    """Only a change that nobody suspects works, near the target rate."""
    return lambda held: rate if SPREAD in held else 0.1


def _tenth(held: tuple[Change, ...]) -> float:
    """Every suspected change helps a little, none enough."""
    return min(1.0, 0.1 + 0.1 * len({CENTRED, HE, EPOCHS} & set(held)))


SUSPECTS = (CENTRED, HE, EPOCHS)
FOUR = (CENTRED, HE, TANH, EPOCHS)
SCENES = (
    Scene("no effect, nothing succeeds", _same(0.0), SUSPECTS),
    Scene("no effect, all arms at 0.3", _same(0.3), SUSPECTS),
    Scene("no effect, all arms at 0.6", _same(0.6), SUSPECTS),
    Scene("no effect, all arms at 0.68", _same(0.68), SUSPECTS),
    Scene("no suspect has an effect, another change gives 0.69", _unsuspected(0.69), SUSPECTS),
    Scene("no suspect has an effect, another change gives 0.72", _unsuspected(0.72), SUSPECTS),
    Scene("one cause, 0 to 0.9", needs((CENTRED,), 0.9), SUSPECTS, (CENTRED,)),
    Scene("one cause, 0.4 to 0.8", needs((CENTRED,), 0.8, 0.4), SUSPECTS, (CENTRED,)),
    Scene("two causes only together", needs((CENTRED, HE), 0.8), SUSPECTS, (CENTRED, HE)),
    Scene("the starting case", _starting_case, SUSPECTS, (CENTRED, HE)),
    Scene("three causes at once", needs(SUSPECTS, 0.9), (*SUSPECTS, FASTER), SUSPECTS),
    Scene("four causes at once", needs(FOUR, 0.9), (*FOUR, FASTER), FOUR),
    Scene("each helps by a tenth, none enough", _tenth, SUSPECTS, ()),
)


@dataclass
class Counts:
    """Held and all, by what is counted."""

    held: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, *, held: bool) -> None:
        """Count one more."""
        self.all[what] += 1
        self.held[what] += held

    def share(self, what: str) -> str:
        """What share held."""
        return (
            f"{self.held[what] / self.all[what]:.2%} of {self.all[what]}"
            if self.all[what]
            else "none"
        )


def holds(interval: Interval, value: float) -> bool:
    """Whether an interval holds a value; rounding aside."""
    return interval.low - 1e-12 <= value <= interval.high + 1e-12


def comparisons(study: Study) -> dict[tuple[object, object], Comparison]:
    """All paired differences that a study shows."""
    shown = [*study.causes, *study.blamed]
    return {(each.with_, each.without): each for answer in shown for each in answer.comparisons}


def count(study: Study, scene: Scene, counts: Counts) -> None:
    """Check one study against the truth."""
    for outcomes in study.outcomes:
        if outcomes.phase == "confirmation":
            true = scene.rates(outcomes.arm)
            held = holds(outcome_interval(outcomes), true)
            # At 0 or 1 no exact interval can miss: nothing could be learned from those.
            if 0.0 < true < 1.0:
                counts.add("interval of an arm", held=held)
                counts.add(
                    "deciding interval of an arm", held=holds(deciding_interval(outcomes), true)
                )
            if any(each.changes == outcomes.arm for each in study.sets):
                counts.add("interval of a set that works", held=held)
    seen = simulated.evidence().fit
    assert seen.recipe is not None
    for changes in confirm.rank(study, seen, seen.recipe)[:1]:
        outcomes = study.of(changes)
        assert outcomes is not None
        counts.add(
            "interval of the set offered first",
            held=holds(outcome_interval(outcomes), scene.rates(changes)),
        )
    every = True
    for (with_, without), each in comparisons(study).items():
        true = scene.rates(with_) - scene.rates(without)
        counts.add("interval of a paired difference", held=holds(each.interval, true))
        held = holds(each.deciding, true)
        counts.add("deciding interval of a paired difference", held=held)
        every &= held
    counts.add("all deciding differences of a study at once", held=every)


def main() -> None:
    """Simulate, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    scenes = [scene for scene in SCENES if options.only in scene.name]
    each = -(-options.studies // len(scenes))
    counts = Counts()
    for scene in scenes:
        own, fits = Counts(), 0.0
        planted = {f"wrong-{change.factor}" for change in scene.planted}
        for seed in range(each):
            study = simulated.simulate(scene.rates, scene.suspected, seed)
            count(study, scene, counts)
            said = simulated.statuses(study)
            confirmed = {slug for slug, status in said.items() if status == "confirmed"}
            own.add("found", held=planted <= confirmed)
            own.add("wrong", held=bool(confirmed - planted))
            own.add("denied", held=any(said[slug] == "refuted" for slug in planted))
            fits += study.work["fits"] / each
        words = [f"anything else confirmed in {own.share('wrong')}", f"{fits:.0f} fits"]
        if planted:
            words.insert(0, f"all causes confirmed in {own.share('found')}")
            words.insert(1, f"one refuted in {own.share('denied')}")
        print(f"{scene.name}: {', '.join(words)}", flush=True)
    for what in counts.all:
        print(f"{what}: {counts.share(what)}")
    held = [coverage_at_all_looks(rate) for rate in np.linspace(0.05, 0.95, 181)]
    print(
        "deciding interval of a rate of 0.05 to 0.95 where the study stops as adversely as it can, "
        f"summed exactly: {min(held):.1%} to {max(held):.1%}, on average {np.mean(held):.1%}"
    )


if __name__ == "__main__":
    main()
