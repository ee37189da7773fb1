"""What adding each change does: to the script as it is, to what works, and in place of its members."""

from __future__ import annotations

from collections.abc import Mapping

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Arm, Comparison, arm
from whyfit.study.effects import clearly_differs, deciding_interval
from whyfit.study.factors import compatible
from whyfit.study.judging.rounds import REFUTED_BELOW, Key, compared, does_not_help, excludes_zero
from whyfit.study.judging.standing import needless, surely_works
from whyfit.study.run import Laboratory
from whyfit.study.search import PAIR, with_one_more

ALONE, BESIDE = "each change alone, fresh seeds", "each change added to what works"


def possible(
    laboratory: Laboratory, representatives: tuple[Arm, ...]
) -> tuple[dict[Change, tuple[Arm, Arm]], dict[tuple[Arm, Change], tuple[Arm, Arm]]]:
    """Every change added to the script as it is, and to each representative that it could raise."""
    by_itself = {change: (arm(change), BASELINE) for change in tried_alone(laboratory)}
    beside = {
        (held, change): (larger, held)
        for held in representatives
        if has_room(laboratory, held)
        for larger, change in _additions(laboratory, held)
        if not works_by_itself(laboratory, change)
    }
    return by_itself, beside


def count(laboratory: Laboratory, representatives: tuple[Arm, ...]) -> int:
    """How many additions comparisons are corrected for: all that the sets allow, also those left out
    for what came out.
    """
    return len(tried_alone(laboratory)) + sum(
        len(_additions(laboratory, held)) for held in representatives
    )


def works_by_itself(laboratory: Laboratory, change: Change) -> bool:
    """Whether a change that is no repair surely works alone: what it does beside others says no more."""
    return change not in laboratory.plan.proposed and surely_works(laboratory, arm(change))


def effects(
    laboratory: Laboratory, pairs: dict[Key, tuple[Arm, Arm]], doing: str, additions: int
) -> dict[Key, Comparison]:
    """What adding each change does, with as many rounds as decide it; what a finding proposes comes
    before what people commonly try.
    """
    return compared(
        laboratory,
        pairs,
        doing,
        lambda each: decided(each, additions),
        1,
        first=suspected(laboratory, pairs).keys(),
    )


def suspected(
    laboratory: Laboratory, pairs: Mapping[Key, tuple[Arm, Arm]]
) -> dict[Key, tuple[Arm, Arm]]:
    """The pairs that differ in a change which some finding proposes."""
    proposed = set(laboratory.plan.proposed)
    return {
        key: (with_, without)
        for key, (with_, without) in pairs.items()
        if set(with_) - set(without) <= proposed
    }


def decided(comparison: Comparison, additions: int) -> bool:
    """Surely no help or, all additions considered, a help or a harm."""
    differs = excludes_zero(comparison) and clearly_differs(comparison, additions)
    return does_not_help(comparison) or differs


def _additions(laboratory: Laboratory, held: Arm) -> list[tuple[Arm, Change]]:
    """The set with each change that was tried alone added, one at a time."""
    others = [each for each in tried_alone(laboratory) if compatible(*held, each)]
    return list(zip(with_one_more(held, others), others, strict=True))


def tried_alone(laboratory: Laboratory) -> list[Change]:
    """The changes whose effect by themselves the budget allowed to look at."""
    tried = {
        each.arm[0]
        for each in laboratory.everything()
        if each.phase == "selection" and len(each.arm) == 1
    }
    return [change for change in laboratory.plan.levels if change in tried]


def has_room(laboratory: Laboratory, held: Arm) -> bool:
    """Whether a tenth more of the starts could succeed at all: where 90 % surely do, no addition can
    raise the rate by REFUTED_BELOW, and none needs to be trained.
    """
    outcomes = laboratory.outcomes(held, "confirmation")
    return deciding_interval(outcomes).low < 1.0 - REFUTED_BELOW


def replacements(
    laboratory: Laboratory, representatives: tuple[Arm, ...], sufficient: list[Arm]
) -> None:
    """Every change in place of each member of a set that works, on the selection seeds.

    A change that works as well as a member of a larger set would otherwise be called blameless for
    want of the one set that needs it. Most such arms were pairs of the search already, and where a part
    is `sufficient` the whole shows nothing.
    """
    proposed = set(laboratory.plan.proposed)
    wanted: dict[Arm, None] = {}
    for held in representatives:
        for change in laboratory.plan.levels:
            for member in held:
                rest = [each for each in held if each != member]
                other = arm(change, *rest)
                if (
                    compatible(change, *rest)
                    and change not in held
                    and not needless(other, sufficient, proposed)
                ):
                    wanted[other] = None
    allowance = laboratory.remaining
    chosen = []
    for other in sorted(wanted, key=lambda each: laboratory.cost(each, PAIR)):
        have = laboratory.outcomes(other, "confirmation").replicates
        price = laboratory.price((other,), PAIR, "selection")
        if not have and price <= allowance:
            chosen.append(other)
            allowance -= price
    laboratory.run(dict.fromkeys(chosen, PAIR), "selection", "other changes in place of each")
