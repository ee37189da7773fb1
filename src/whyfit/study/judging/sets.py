"""Which sets of changes suffice on fresh seeds, which of these are minimal, and which say why the
fit failed.
"""

from __future__ import annotations

from itertools import combinations

from whyfit.records.finding import Change
from whyfit.records.study import Arm, SufficientSet, arm
from whyfit.study.effects import LOOKS, compare, deciding_interval
from whyfit.study.judging.additions import tried_alone
from whyfit.study.judging.converses import taken_out
from whyfit.study.judging.rounds import affordable
from whyfit.study.judging.standing import factors_of, needless, surely_misses, surely_works
from whyfit.study.run import Laboratory

MOST_SETS = 10


SHARE_OF_CANDIDATES, SHARE_OF_SINGLES = 0.5, 0.8
"""Share of the budget left for a first look at candidates and their parts; converses need the rest. That
of a single change needs the unchanged script alone, which has been trained."""


def candidates_and_parts(
    laboratory: Laboratory, candidates: tuple[Arm, ...], notes: list[str]
) -> tuple[Arm, ...]:
    """What the budget allows to judge: single changes that look good, the best candidate with its parts,
    the other single changes that findings propose, then the larger candidates with their parts.

    What is to be taken back out of a candidate is paid for before what did not look good alone, since a
    scaling accuses nobody before its parts are tested. The best candidate comes before that too:
    without a set that works nothing can be confirmed, and what was looked at instead only says so
    once more.
    """
    related: dict[Arm, None] = {}
    taken_back: set[Arm] = set()  # what the converses of these candidates will need besides
    start, spent, left_out = laboratory.remaining, 0.0, 0
    tried = tried_alone(laboratory)
    suspected = [arm(change) for change in laboratory.plan.proposed if change in tried]
    singles = [changes for changes in candidates[:MOST_SETS] if len(changes) == 1]
    in_order = (*singles, *candidates[:1], *suspected, *candidates[:MOST_SETS])
    for changes in dict.fromkeys(in_order):
        family = dict.fromkeys((changes, *_parts(changes)))
        price = laboratory.price(family.keys() - related.keys(), LOOKS[0], "confirmation")
        due = laboratory.price(taken_back - related.keys(), LOOKS[0], "confirmation")
        # The first candidate may take all that is left: without it there is nothing to say.
        share = SHARE_OF_SINGLES if len(changes) == 1 else SHARE_OF_CANDIDATES
        if spent + price + due > (share if related else 1.0) * start:
            left_out += changes in candidates
            continue
        spent += price
        related.update(family)
        if changes in candidates:
            taken_back.update(
                without for _with, without in taken_out(laboratory, [changes]).values()
            )
    if left_out:
        notes.append(
            f"{left_out} promising sets of changes were not judged on fresh seeds: "
            "they would take more than the budget"
        )
    return tuple(related)


def _parts(changes: Arm) -> list[Arm]:
    """Proper subsets that could suffice: all of a small set, those without one change of a larger one
    (its smaller subsets were candidates of their own if they looked good).
    """
    smallest = 1 if len(changes) <= 3 else len(changes) - 1
    return [
        arm(*part) for size in range(smallest, len(changes)) for part in combinations(changes, size)
    ]


def sufficient_sets(laboratory: Laboratory, related: tuple[Arm, ...]) -> tuple[SufficientSet, ...]:
    """Candidates that reach the target on fresh seeds, with minimality by their parts."""
    target = laboratory.plan.target_rate
    _settle(laboratory, list(related), "candidates on fresh seeds")
    sufficient = [changes for changes in related if _rate(laboratory, changes) >= target]
    proposed = set(laboratory.plan.proposed)
    minimal = minimal_sets(sufficient, proposed)
    sure = [each for each in minimal if surely_works(laboratory, each)]
    near = {changes for changes in related if not surely_misses(laboratory, changes)}
    counting = counting_sets(clearly_minimal(minimal, near), sure, proposed)
    ranked = sorted(
        sufficient, key=lambda changes: (len(changes), -_rate(laboratory, changes), changes)
    )
    return tuple(
        SufficientSet(changes, changes in minimal, changes in counting) for changes in ranked
    )


def minimal_sets(sufficient: list[Arm], proposed: set[Change]) -> list[Arm]:
    """Sets of which no smaller one does the work (see `needless`)."""
    return [changes for changes in sufficient if not needless(changes, sufficient, proposed)]


def clearly_minimal(minimal: list[Arm], near: set[Arm]) -> list[Arm]:
    """The minimal sets of which every part surely misses the target by a tenth, or all if none is such.

    Where a part is `near` the target, whether the whole set is minimal is a toss that another seed
    would call otherwise, and what the set needs besides that part is little of a reason why the fit
    failed.
    """
    clear = [
        changes for changes in minimal if not any(part < set(changes) for part in map(set, near))
    ]
    return clear or minimal


def counting_sets(minimal: list[Arm], sure: list[Arm], proposed: set[Change]) -> list[Arm]:
    """The minimal sets that say why the fit failed; `sure` are those whose interval clears the target.

    A *repair* is made of nothing but changes that findings propose. Repairs count that have at most
    one change more than the smallest set of any kind (that much a change of another sort, such as a
    smooth activation, may save by going round the faults), unless a smaller repair surely works. Of
    the other sets the smallest count where no repair is as small, or where they hold no proposed
    change, so that they accuse nobody. With two free changes nearly any fault can be made up for, and
    what helps to make up for it is not why the fit failed (docs/planted-faults.md).
    """
    fewest = min((len(changes) for changes in minimal), default=0)
    repairs = [changes for changes in minimal if proposed >= set(changes)]
    smallest = min((len(changes) for changes in repairs), default=99)
    surely = min((len(changes) for changes in repairs if changes in sure), default=99)
    return [
        changes
        for changes in minimal
        if (changes in repairs and len(changes) <= min(fewest + 1, surely))
        or (len(changes) == fewest and (fewest < smallest or not proposed & set(changes)))
    ]


def _settle(laboratory: Laboratory, arms: list[Arm], doing: str) -> None:
    """Add rounds to arms whose interval still holds the target rate.

    Not to those of which another level surely works, unless they are repairs: one that surely works
    speaks for them.
    """
    target = laboratory.plan.target_rate
    proposed, settled = set(laboratory.plan.proposed), set[tuple[str, ...]]()
    for replicates in LOOKS:
        chosen = affordable(laboratory, {changes: (changes,) for changes in arms}, replicates)
        laboratory.run(dict.fromkeys(chosen, replicates), "confirmation", doing)
        settled |= {factors_of(changes) for changes in chosen if surely_works(laboratory, changes)}
        open_arms = []
        for changes in chosen:
            interval = deciding_interval(laboratory.outcomes(changes, "confirmation"))
            matters = proposed >= set(changes) or factors_of(changes) not in settled
            if interval.low < target < interval.high and matters:
                open_arms.append(changes)
        arms = open_arms


def representatives_of(laboratory: Laboratory, sets: tuple[SufficientSet, ...]) -> tuple[Arm, ...]:
    """For each combination of factors the counting set to speak for it: of those that are not clearly
    worse than the best, the one the plan has first. Where some surely work, one of these.
    """
    groups: dict[tuple[str, ...], list[Arm]] = {}
    for each in sets:
        if each.counts:
            groups.setdefault(factors_of(each.changes), []).append(each.changes)
    place = {change: at for at, change in enumerate(laboratory.plan.levels)}
    chosen = []
    for every in groups.values():
        members = [each for each in every if surely_works(laboratory, each)] or every
        best = laboratory.outcomes(members[0], "confirmation")
        as_good = [
            held
            for held in members
            if compare(best, laboratory.outcomes(held, "confirmation")).deciding.low <= 0.0
        ]
        chosen.append(min(as_good, key=lambda held: [place.get(change, 99) for change in held]))
    return tuple(chosen)


def _rate(laboratory: Laboratory, changes: Arm) -> float:
    return laboratory.outcomes(changes, "confirmation").rate
