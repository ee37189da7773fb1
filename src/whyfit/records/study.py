"""What a study plans, what came out, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from whyfit.records.finding import Change
from whyfit.records.network import Array

Arm = tuple[Change, ...]
"""A set of changes in sorted order, at most one for a factor; the empty one is the baseline."""

BASELINE: Arm = ()

Phase = Literal["selection", "confirmation"]
CauseStatus = Literal["confirmed", "refuted", "undecided", "not-tested"]
FixStatus = Literal["verified", "promising", "suggested"]
Answer = Literal["yes", "together", "helps", "no", "undecided", "not-tested"]
ReplayStatus = Literal["reproduced", "differs", "not-run"]


def arm(*changes: Change) -> Arm:
    """The arm with these changes."""
    return tuple(sorted(set(changes)))


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Criterion:
    """When a replicate counts as a success: unexplained variance at most `tolerance`."""

    tolerance: float
    reason: str


@dataclass(frozen=True)
class Claim:
    """That a change would remove a fault.

    A scaling both centres and rescales, and a fault may be about one of the two: then `spared` is the
    change that does the rest and leaves the fault in, which is the sharper converse.
    """

    rule: str
    change: Change
    spared: Change | None = None


@dataclass(frozen=True)
class Plan:
    """Everything fixed before the first replicate runs.

    `selection_seed` draws the starts on which arms are chosen, `confirmation_seed` those on which
    they are judged; they never meet. `levels` are the changes tried alone, in order; `claims`
    say which of them would remove which observed fault.
    """

    criterion: Criterion
    target_rate: float
    selection_seed: int
    confirmation_seed: int
    budget: float
    levels: tuple[Change, ...]
    claims: tuple[Claim, ...]
    kept: tuple[str, ...] = ()

    @property
    def proposed(self) -> tuple[Change, ...]:
        """The changes that some finding says would remove it."""
        return tuple(dict.fromkeys(claim.change for claim in self.claims))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Replicates of one arm from one phase, in the order of their numbers.

    `unexplained` is infinite where a replicate diverged; `live_units` counts the hidden units that
    are on for some sample at the start.
    """

    arm: Arm
    phase: Phase
    unexplained: Float[Array, replicates]
    live_units: Float[Array, replicates]
    tolerance: float

    @property
    def succeeded(self) -> Bool[Array, replicates]:
        """Which replicates met the criterion; a diverged one has not."""
        return self.unexplained <= self.tolerance

    @property
    def replicates(self) -> int:
        """Number of trainings."""
        return len(self.unexplained)

    @property
    def successes(self) -> int:
        """Number of trainings that met the criterion."""
        return int(np.sum(self.succeeded))

    @property
    def rate(self) -> float:
        """Share of trainings that met the criterion."""
        return self.successes / self.replicates if self.replicates else float("nan")

    @property
    def median(self) -> float:
        """Median unexplained variance; infinite if most diverged."""
        return float(np.median(self.unexplained)) if self.replicates else float("nan")


def best_unjudged(outcomes: Iterable[Outcomes], target: float) -> Outcomes | None:
    """The set that reached the target rate in the search and of which no start was trained to judge it;
    the smallest, of these the best. None where every such set was judged.
    """
    outcomes = tuple(outcomes)
    judged = {each.arm for each in outcomes if each.phase == "confirmation" and each.replicates}
    promising = [
        each
        for each in outcomes
        if each.phase == "selection" and each.arm and each.arm not in judged and each.rate >= target
    ]
    return min(promising, key=lambda each: (len(each.arm), -each.rate), default=None)


@dataclass(frozen=True, eq=False)
class Samples:
    """Curves of some replicates of an arm, in the targets as passed to `fit`."""

    arm: Arm
    curves: Float[Array, "replicates points outputs"]
    unexplained: Float[Array, replicates]
    live_units: Float[Array, replicates]


@dataclass(frozen=True)
class Comparison:
    """One arm against another on the same replicates: success rate of `with_` minus `without`.

    `gained` replicates succeed only with, `lost` only without; `p_value` is McNemar's exact one.
    `interval` is the 95 % interval of this difference; `deciding` is the wider one on which verdicts
    rest: it holds at all looks of the study, and for all comparisons that it is corrected for.
    """

    with_: Arm
    without: Arm
    replicates: int
    gained: int
    lost: int
    difference: float
    interval: Interval
    deciding: Interval
    p_value: float


@dataclass(frozen=True)
class SufficientSet:
    """A set of changes whose success rate on the confirmation seeds reaches the target.

    `minimal`: no proper subset does. `counts`: minimal, with at most one change more than the fewest.
    `speaks`: the one of its combination of factors that is offered and tested further.
    """

    changes: Arm
    minimal: bool
    counts: bool
    speaks: bool = False


@dataclass(frozen=True)
class Cause:
    """What is said of one suspected fault; `comparisons` are the numbers behind the status, which for
    one that is `proven` only illustrate it.
    """

    slug: str
    status: CauseStatus
    sentence: str
    observed: bool
    comparisons: tuple[Comparison, ...] = ()
    proven: bool = False


@dataclass(frozen=True)
class Blamed:
    """The answer to something people usually blame."""

    question: str
    factor: str
    answer: Answer
    sentence: str
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class FrameworkRuns:
    """Runs of the patched script in the person's own framework."""

    runs: int
    successes: int
    unexplained: tuple[float, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fix:
    """A set of changes that mends the fit, and how far that has been checked.

    `diff` is a unified diff of the script, or None where a change could not be placed; `words` then
    say what to do by hand.
    """

    changes: Arm
    status: FixStatus
    diff: str | None = None
    words: tuple[str, ...] = ()
    framework_runs: FrameworkRuns | None = None


@dataclass(frozen=True)
class Shapley:
    """Each factor's fair share of the success rate of all changes together.

    `values` has one entry per change; `interactions` one per pair: how much more the two give together
    than apart. Each is (value, interval).
    """

    changes: Arm
    values: tuple[tuple[Change, float, Interval], ...]
    interactions: tuple[tuple[Change, Change, float, Interval], ...]


@dataclass(frozen=True)
class Replay:
    """Whether the engine, from the captured start weights, ends where the framework did.

    `interval` spans the unexplained variance of the engine's replicates, which differ in data order
    alone.
    """

    status: ReplayStatus
    observed: float
    interval: Interval | None
    replicates: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Study:
    """All that was found by retraining.

    `asked` is None, or where a person named the arms the first of them against each of the others;
    then nothing else was trained. `stopped` is why it did not come to its end, empty if it did.
    """

    plan: Plan
    outcomes: tuple[Outcomes, ...]
    sets: tuple[SufficientSet, ...]
    causes: tuple[Cause, ...]
    blamed: tuple[Blamed, ...]
    shapley: Shapley | None
    random_changes: tuple[int, int] | None
    notes: tuple[str, ...] = ()
    work: dict[str, float] = field(default_factory=dict)
    asked: tuple[Comparison, ...] | None = None
    stopped: str = ""

    def of(self, changes: Arm) -> Outcomes | None:
        """The arm's outcomes on the confirmation seeds, or else on the selection seeds."""
        found = [each for each in self.outcomes if each.arm == changes]
        found.sort(key=lambda each: each.phase)
        return found[0] if found else None
