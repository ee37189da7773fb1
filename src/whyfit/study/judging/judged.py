"""What held on fresh seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

from whyfit.records.finding import Change
from whyfit.records.study import Arm, Comparison, SufficientSet
from whyfit.study.effects import clearly_differs

Arms = tuple[Arm, ...]


Converse = tuple[Arm, Change, Change | None]
"""A set, the change that is taken out of it, and what takes its place."""


@dataclass(frozen=True)
class Judged:
    """What held on fresh seeds.

    `sets` are the sufficient ones; `representatives` the minimal ones that count, one for each
    combination of factors; `converse` what taking a change out of a counting set does, by (set, change,
    what takes its place), and `converses` how many of these were possible; `directly` what removing a
    fault alone does where the part of the scaling that would have is spared, by (set, spared part, what
    removes it); `alone` and `inside` what
    adding a change to the baseline or to a representative does, and `additions` how many of these were
    possible; `notes` what the budget left out.
    """

    sets: tuple[SufficientSet, ...]
    representatives: tuple[Arm, ...]
    converse: dict[Converse, Comparison]
    converses: int
    alone: dict[Change, Comparison]
    inside: dict[tuple[Arm, Change], Comparison]
    additions: int
    notes: tuple[str, ...] = ()
    directly: dict[tuple[Arm, Change, Change], Comparison] = field(default_factory=dict)

    def proves(self, comparison: Comparison) -> bool:
        """Whether taking a change out surely lowers the success rate, all converses considered."""
        low = comparison.deciding.low
        return low > 0.0 and clearly_differs(comparison, self.converses)

    def helps(self, comparison: Comparison) -> bool:
        """Whether adding a change surely raises the success rate, all additions considered."""
        return comparison.difference > 0.0 and clearly_differs(comparison, self.additions)

    def harms(self, comparison: Comparison) -> bool:
        """Whether adding a change surely lowers the success rate, all additions considered."""
        return comparison.difference < 0.0 and clearly_differs(comparison, self.additions)
