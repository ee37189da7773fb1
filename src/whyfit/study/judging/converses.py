"""What taking a change, or the part of it that is about the fault, back out of a set does.

Converses are corrected for all that the candidates allow, a number that is known before a confirmation
seed is touched: which of them are looked at depends on the outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from whyfit.records.finding import Change
from whyfit.records.study import Arm, Comparison, SufficientSet, arm
from whyfit.study.effects import clearly_differs
from whyfit.study.factors import compatible
from whyfit.study.judging.judged import Converse
from whyfit.study.judging.rounds import compared, decides_refutation, excludes_zero
from whyfit.study.run import Laboratory

DIRECT = {"units-dead-at-start": Change("activation", "leaky_relu")}
"""What removes a fault and touches little else. A scaling removes it too, and much besides: where the
scaling is taken back and the fault alone is removed, the success must return in part, or the
scaling was needed for something else."""


def taken_out(laboratory: Laboratory, sets: Iterable[Arm]) -> dict[Converse, tuple[Arm, Arm]]:
    """Every set beside itself without each change, or without the part of it that a finding claims."""
    pairs: dict[Converse, tuple[Arm, Arm]] = {}
    for held in sets:
        for out in held:
            rest = [change for change in held if change != out]
            pairs[held, out, None] = (held, arm(*rest))
            for claim in laboratory.plan.claims:
                if claim.change == out and claim.spared is not None:
                    pairs[held, out, claim.spared] = (held, arm(*rest, claim.spared))
    return pairs


def of(
    laboratory: Laboratory, sets: tuple[SufficientSet, ...], converses: int
) -> dict[Converse, Comparison]:
    """What taking each change out of each counting set does, corrected for all that were possible."""
    pairs = taken_out(laboratory, (each.changes for each in sets if each.counts))

    def decided(comparison: Comparison) -> bool:
        return clearly_differs(comparison, converses) and excludes_zero(comparison)

    return compared(laboratory, pairs, "taking each change back", decided, converses)


def lacks_parts(laboratory: Laboratory, converse: Mapping[Converse, Comparison]) -> bool:
    """Whether a change was taken out of a set and a part of it, which a finding claims, was not."""
    wanted = taken_out(laboratory, {held for held, _out, _spared in converse})
    return any(
        key not in converse and (key[0], key[1], None) in converse and key[2] is not None
        for key in wanted
    )


def removed_directly(
    laboratory: Laboratory, converse: dict[tuple[Arm, Change, Change | None], Comparison]
) -> dict[tuple[Arm, Change, Change], Comparison]:
    """For faults that a scaling removes among much else: the fault alone removed, the scaling not."""
    pairs: dict[tuple[Arm, Change, Change], tuple[Arm, Arm]] = {}
    for (held, _out, spared), comparison in converse.items():
        for claim in laboratory.plan.claims:
            direct = DIRECT.get(claim.rule)
            if spared is None or claim.spared != spared or direct not in laboratory.plan.levels:
                continue
            if compatible(*comparison.without, direct) and comparison.deciding.low > 0.0:
                larger = arm(*comparison.without, direct)
                pairs[held, spared, direct] = (larger, comparison.without)
    return compared(
        laboratory, pairs, "removing a fault by itself", decides_refutation, max(1, len(pairs))
    )
