"""Judging candidates on fresh seeds: which sets are sufficient, and what each change does.

Everything here runs on the confirmation seeds, which no choice has seen. Replicates are added in
rounds until the intervals decide or the most allowed is reached; the intervals hold at all these looks
together (see `effects`). Converses are corrected for all that the candidates allow, a number that is
known before a confirmation seed is touched: which of them are looked at depends on the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Arm, Comparison, Shapley, SufficientSet, arm
from whyfit.study.effects import LOOKS, clearly_differs, compare, outcome_interval, shapley
from whyfit.study.factors import compatible
from whyfit.study.run import Laboratory
from whyfit.study.search import PAIR, Found, with_one_more

BASELINE_ROUNDS, DEAR_BASELINE = (128, 512), 64
REFUTED_BELOW = 0.10
"""A change that moves the success rate by less than this is not why the fit failed."""

MOST_SETS = 10
SHARE_OF_CANDIDATES, SHARE_OF_SINGLES = 0.5, 0.8
"""Share of the budget left for a first look at candidates and their parts; converses need the rest. That
of a single change needs the unchanged script alone, which has been trained."""

MOST_FACTORIAL = 4
FACTORIAL = 64
RANDOM_SETS = 16


Key = TypeVar("Key")
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
    adding a change to the baseline or to a representative does; `notes` what the budget left out.
    """

    sets: tuple[SufficientSet, ...]
    representatives: tuple[Arm, ...]
    converse: dict[Converse, Comparison]
    converses: int
    alone: dict[Change, Comparison]
    inside: dict[tuple[Arm, Change], Comparison]
    notes: tuple[str, ...] = ()
    directly: dict[tuple[Arm, Change, Change], Comparison] = field(default_factory=dict)

    def proves(self, comparison: Comparison) -> bool:
        """Whether taking a change out surely lowers the success rate, all converses considered."""
        low = comparison.interval.low
        return low > 0.0 and clearly_differs(comparison, self.converses)

    def helps(self, comparison: Comparison) -> bool:
        """Whether adding a change surely raises the success rate, all additions considered."""
        additions = len(self.alone) + len(self.inside)
        return comparison.difference > 0.0 and clearly_differs(comparison, additions)

    def harms(self, comparison: Comparison) -> bool:
        """Whether adding a change surely lowers the success rate, all additions considered."""
        additions = len(self.alone) + len(self.inside)
        return comparison.difference < 0.0 and clearly_differs(comparison, additions)


DIRECT = {"units-dead-at-start": Change("activation", "leaky_relu")}
"""What removes a fault and touches little else. A scaling removes it too, and much besides: where the
scaling is taken back and the fault alone is removed, the success must return in part, or the
scaling was needed for something else."""


def judge(laboratory: Laboratory, found: Found) -> Judged:
    """Decide sufficiency, minimality, converses and the effect of every change."""
    notes = list(found.notes)
    related = _related(laboratory, found.candidates, notes)
    sets = _sufficient_sets(laboratory, related)
    representatives = _representatives(laboratory, sets)
    converses = len(_taken_out(laboratory, related))
    converse = _converses(laboratory, sets, converses)
    directly = _removed_directly(laboratory, converse)
    by_itself, beside = _added(laboratory, representatives)
    additions = len(by_itself) + len(beside)
    alone = _effects(laboratory, by_itself, ALONE, additions)
    inside = _effects(laboratory, beside, BESIDE, additions)
    _replacements(laboratory, representatives)
    sets = tuple(replace(each, speaks=each.changes in representatives) for each in sets)
    return Judged(sets, representatives, converse, converses, alone, inside, tuple(notes), directly)


ALONE, BESIDE = "each change alone, fresh seeds", "each change added to what works"


def go_on(laboratory: Laboratory, judged: Judged) -> Judged:
    """Decide what the budget left open, with what later work has left of it."""
    by_itself, beside = _added(laboratory, judged.representatives)
    additions = len(by_itself) + len(beside)

    def still_open(pairs: dict[Key, tuple[Arm, Arm]], known: dict[Key, Comparison]) -> list[Key]:
        return [key for key in pairs if key not in known or not _decided(known[key], additions)]

    single = {key: by_itself[key] for key in still_open(by_itself, judged.alone)}
    _replacements(laboratory, judged.representatives)
    double = {key: beside[key] for key in still_open(beside, judged.inside)}
    return replace(
        judged,
        alone=judged.alone | _effects(laboratory, single, ALONE, additions),
        inside=judged.inside | _effects(laboratory, double, BESIDE, additions),
    )


def _added(
    laboratory: Laboratory, representatives: Arms
) -> tuple[dict[Change, tuple[Arm, Arm]], dict[tuple[Arm, Change], tuple[Arm, Arm]]]:
    """Every change added to the script as it is, and to each representative that it could raise."""
    by_itself = {change: (arm(change), BASELINE) for change in _tried_alone(laboratory)}
    beside = {
        (held, change): (larger, held)
        for held in representatives
        if has_room(laboratory, held)
        for larger, change in _additions(laboratory, held)
    }
    return by_itself, beside


def _rate(laboratory: Laboratory, changes: Arm) -> float:
    return laboratory.outcomes(changes, "confirmation").rate


def _affordable(laboratory: Laboratory, groups: dict[Key, Arms], replicates: int) -> list[Key]:
    """The groups of arms whose replicates the rest of the budget pays for, the cheapest first."""
    if laboratory.overdue:
        return []
    prices = {
        key: laboratory.price(arms, replicates, "confirmation") for key, arms in groups.items()
    }
    chosen, left = [], laboratory.remaining
    for key in sorted(prices, key=lambda key: prices[key]):
        if prices[key] <= left:
            chosen.append(key)
            left -= prices[key]
    return chosen


def _related(
    laboratory: Laboratory, candidates: tuple[Arm, ...], notes: list[str]
) -> tuple[Arm, ...]:
    """What the budget allows to judge: single changes that look good, the best candidate with its parts,
    the other single changes that findings propose, then the larger candidates with their parts.

    The best candidate comes before what did not look good alone: without a set that works nothing
    can be confirmed, and what was looked at instead only says so once more.
    """
    related: dict[Arm, None] = {}
    start, spent, left_out = laboratory.remaining, 0.0, 0
    tried = _tried_alone(laboratory)
    suspected = [arm(change) for change in laboratory.plan.proposed if change in tried]
    singles = [changes for changes in candidates[:MOST_SETS] if len(changes) == 1]
    in_order = (*singles, *candidates[:1], *suspected, *candidates[:MOST_SETS])
    for changes in dict.fromkeys(in_order):
        family = dict.fromkeys((changes, *_parts(changes)))
        price = laboratory.price(family.keys() - related.keys(), LOOKS[0], "confirmation")
        # The first candidate may take all that is left: without it there is nothing to say.
        share = SHARE_OF_SINGLES if len(changes) == 1 else SHARE_OF_CANDIDATES
        if spent + price > (share if related else 1.0) * start:
            left_out += changes in candidates
            continue
        spent += price
        related.update(family)
    if left_out:
        notes.append(
            f"{left_out} promising sets of changes were not judged on fresh seeds: "
            "they would take more than the budget"
        )
    return tuple(related)


def _sufficient_sets(laboratory: Laboratory, related: tuple[Arm, ...]) -> tuple[SufficientSet, ...]:
    """Candidates that reach the target on fresh seeds, with minimality by their parts."""
    target = laboratory.plan.target_rate
    _settle(laboratory, list(related), "candidates on fresh seeds")
    sufficient = [changes for changes in related if _rate(laboratory, changes) >= target]
    proposed = set(laboratory.plan.proposed)
    minimal = minimal_sets(sufficient, proposed)
    sure = [each for each in minimal if _surely_works(laboratory, each)]
    near = {changes for changes in related if not _surely_misses(laboratory, changes)}
    counting = counting_sets(clearly_minimal(minimal, near), sure, proposed)
    ranked = sorted(
        sufficient, key=lambda changes: (len(changes), -_rate(laboratory, changes), changes)
    )
    return tuple(
        SufficientSet(changes, changes in minimal, changes in counting) for changes in ranked
    )


def _parts(changes: Arm) -> list[Arm]:
    """Proper subsets that could suffice: all of a small set, those without one change of a larger one
    (its smaller subsets were candidates of their own if they looked good).
    """
    smallest = 1 if len(changes) <= 3 else len(changes) - 1
    return [
        arm(*part) for size in range(smallest, len(changes)) for part in combinations(changes, size)
    ]


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


def _surely_works(laboratory: Laboratory, changes: Arm) -> bool:
    interval = outcome_interval(laboratory.outcomes(changes, "confirmation"))
    return interval.low >= laboratory.plan.target_rate


def _surely_misses(laboratory: Laboratory, changes: Arm) -> bool:
    """Whether an arm falls short of the target by more than what counts as an effect."""
    interval = outcome_interval(laboratory.outcomes(changes, "confirmation"))
    return interval.high < laboratory.plan.target_rate - REFUTED_BELOW


def needless(changes: Arm, sufficient: Iterable[Arm], proposed: set[Change]) -> bool:
    """Whether a smaller sufficient set does what these changes do, so that they cannot count.

    That is any proper subset. A set with a change that no finding proposes is needless too where a
    part of its factors suffices at another level: with tanh alone sufficient, a larger learning rate
    beside leaky ReLU says nothing of the learning rate. Otherwise levels near the target rate make
    verdicts a toss.
    """
    factors = {change.factor for change in changes}
    return any(
        set(other) < set(changes)
        or (not proposed >= set(changes) and {change.factor for change in other} < factors)
        for other in sufficient
    )


def _settle(laboratory: Laboratory, arms: list[Arm], doing: str) -> None:
    """Add rounds to arms whose interval still holds the target rate."""
    target = laboratory.plan.target_rate
    for replicates in LOOKS:
        chosen = _affordable(laboratory, {changes: (changes,) for changes in arms}, replicates)
        laboratory.run(dict.fromkeys(chosen, replicates), "confirmation", doing)
        open_arms = []
        for changes in chosen:
            interval = outcome_interval(laboratory.outcomes(changes, "confirmation"))
            if interval.low < target < interval.high:
                open_arms.append(changes)
        arms = open_arms


def _representatives(laboratory: Laboratory, sets: tuple[SufficientSet, ...]) -> tuple[Arm, ...]:
    """For each combination of factors the counting set to speak for it: of those that are not clearly
    worse than the best, the one the plan has first.
    """
    groups: dict[tuple[str, ...], list[Arm]] = {}
    for each in sets:
        if each.counts:
            combination = tuple(change.factor for change in each.changes)
            groups.setdefault(combination, []).append(each.changes)
    place = {change: at for at, change in enumerate(laboratory.plan.levels)}
    chosen = []
    for members in groups.values():
        best = laboratory.outcomes(members[0], "confirmation")
        as_good = [
            held
            for held in members
            if compare(best, laboratory.outcomes(held, "confirmation")).interval.low <= 0.0
        ]
        chosen.append(min(as_good, key=lambda held: [place.get(change, 99) for change in held]))
    return tuple(chosen)


def _taken_out(laboratory: Laboratory, sets: Iterable[Arm]) -> dict[Converse, tuple[Arm, Arm]]:
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


def _converses(
    laboratory: Laboratory, sets: tuple[SufficientSet, ...], converses: int
) -> dict[Converse, Comparison]:
    """What taking each change out of each counting set does, corrected for all that were possible."""
    pairs = _taken_out(laboratory, (each.changes for each in sets if each.counts))

    def decided(comparison: Comparison) -> bool:
        return clearly_differs(comparison, converses) and _excludes_zero(comparison)

    return _compared(laboratory, pairs, "taking each change back", decided, converses)


def _removed_directly(
    laboratory: Laboratory, converse: dict[tuple[Arm, Change, Change | None], Comparison]
) -> dict[tuple[Arm, Change, Change], Comparison]:
    """For faults that a scaling removes among much else: the fault alone removed, the scaling not."""
    pairs: dict[tuple[Arm, Change, Change], tuple[Arm, Arm]] = {}
    for (held, _out, spared), comparison in converse.items():
        for claim in laboratory.plan.claims:
            direct = DIRECT.get(claim.rule)
            if spared is None or claim.spared != spared or direct not in laboratory.plan.levels:
                continue
            if compatible(*comparison.without, direct) and comparison.interval.low > 0.0:
                larger = arm(*comparison.without, direct)
                pairs[held, spared, direct] = (larger, comparison.without)
    return _compared(
        laboratory, pairs, "removing a fault by itself", _decides_refutation, max(1, len(pairs))
    )


def _effects(
    laboratory: Laboratory, pairs: dict[Key, tuple[Arm, Arm]], doing: str, additions: int
) -> dict[Key, Comparison]:
    """What adding each change does, with as many rounds as decide it."""
    return _compared(laboratory, pairs, doing, lambda each: _decided(each, additions), 1)


def _decided(comparison: Comparison, additions: int) -> bool:
    """Surely no help or, all additions considered, a help or a harm."""
    differs = _excludes_zero(comparison) and clearly_differs(comparison, additions)
    return does_not_help(comparison) or differs


def _compared(
    laboratory: Laboratory,
    pairs: dict[Key, tuple[Arm, Arm]],
    doing: str,
    decided: Callable[[Comparison], bool],
    corrections: int,
) -> dict[Key, Comparison]:
    """Paired comparisons, each with as many rounds as it takes to decide."""
    compared: dict[Key, Comparison] = {}
    waiting = dict(pairs)
    for replicates in LOOKS:
        chosen = _affordable(laboratory, waiting, replicates)
        arms = [each for key in chosen for each in waiting[key]]
        laboratory.run(dict.fromkeys(arms, replicates), "confirmation", doing)
        waiting = {key: waiting[key] for key in chosen}
        for key, (with_, without) in list(waiting.items()):
            compared[key] = compare(
                laboratory.outcomes(with_, "confirmation"),
                laboratory.outcomes(without, "confirmation"),
                corrections,
            )
            if decided(compared[key]):
                del waiting[key]
    return compared


def _excludes_zero(comparison: Comparison) -> bool:
    return comparison.interval.low > 0.0 or comparison.interval.high < 0.0


def does_not_help(comparison: Comparison) -> bool:
    """Whether the change surely raises the success rate by less than REFUTED_BELOW, if at all."""
    return comparison.interval.high < REFUTED_BELOW


def _decides_refutation(comparison: Comparison) -> bool:
    """Surely no help, or surely one."""
    return does_not_help(comparison) or comparison.interval.low > 0.0


def _replacements(laboratory: Laboratory, representatives: tuple[Arm, ...]) -> None:
    """Every change in place of each member of a set that works, on the selection seeds.

    A change that works as well as a member of a larger set would otherwise be called blameless for
    want of the one set that needs it. Most such arms were pairs of the search already.
    """
    wanted: dict[Arm, None] = {}
    for held in representatives:
        for change in laboratory.plan.levels:
            for member in held:
                rest = [each for each in held if each != member]
                if compatible(change, *rest) and change not in held:
                    wanted[arm(change, *rest)] = None
    allowance = laboratory.remaining
    chosen = []
    for other in sorted(wanted, key=lambda each: laboratory.cost(each, PAIR)):
        have = laboratory.outcomes(other, "confirmation").replicates
        price = laboratory.price((other,), PAIR, "selection")
        if not have and price <= allowance:
            chosen.append(other)
            allowance -= price
    laboratory.run(dict.fromkeys(chosen, PAIR), "selection", "other changes in place of each")


def has_room(laboratory: Laboratory, held: Arm) -> bool:
    """Whether a tenth more of the starts could succeed at all: where 90 % surely do, no addition can
    raise the rate by REFUTED_BELOW, and none needs to be trained.
    """
    outcomes = laboratory.outcomes(held, "confirmation")
    return outcome_interval(outcomes).low < 1.0 - REFUTED_BELOW


def _tried_alone(laboratory: Laboratory) -> list[Change]:
    tried = {
        each.arm[0]
        for each in laboratory.everything()
        if each.phase == "selection" and len(each.arm) == 1
    }
    return [change for change in laboratory.plan.levels if change in tried]


def _additions(laboratory: Laboratory, held: Arm) -> list[tuple[Arm, Change]]:
    """The set with each change that was tried alone added, one at a time."""
    others = [each for each in _tried_alone(laboratory) if compatible(*held, each)]
    return list(zip(with_one_more(held, others), others, strict=True))


# ---- baseline, factorial, controls ----


def train_baseline(laboratory: Laboratory) -> None:
    """The untouched recipe on fresh seeds: what luck alone gives.

    Rounds are added until the rate is clearly above the target, or below what could be called luck. One
    that would take a fifth of the budget is left out; of the first, half is done all the same.
    """
    target = laboratory.plan.target_rate
    for replicates in BASELINE_ROUNDS:
        price = laboratory.price((BASELINE,), replicates, "confirmation")
        if price > 0.2 * laboratory.plan.budget:
            if replicates > BASELINE_ROUNDS[0]:
                return
            replicates = DEAR_BASELINE
        laboratory.run({BASELINE: replicates}, "confirmation", "the script as it is, fresh seeds")
        interval = outcome_interval(laboratory.outcomes(BASELINE, "confirmation"))
        if interval.low > target or interval.high < REFUTED_BELOW:
            return


def factorial(laboratory: Laboratory, judged: Judged) -> Shapley | None:
    """Shapley values over all changes of the sets that count, if they can be made together."""
    changes: list[Change] = []
    for held in sorted(judged.representatives, key=len):
        for change in held:
            if compatible(*changes, change) and len(changes) < MOST_FACTORIAL:
                changes.append(change)
    if len(changes) < 2:
        return None
    full = arm(*changes)
    subsets = [arm(*part) for size in range(len(full) + 1) for part in combinations(full, size)]
    if sum(laboratory.cost(each, FACTORIAL) for each in subsets) > laboratory.remaining:
        return None
    laboratory.run(dict.fromkeys(subsets, FACTORIAL), "confirmation", "all combinations")
    return shapley(full, {each: laboratory.outcomes(each, "confirmation") for each in subsets})


def random_changes(laboratory: Laboratory, size: int) -> tuple[int, int] | None:
    """Successes and replicates of sets of `size` random changes: or None.

    A control: would anything have helped? None if no such set is possible or affordable.
    """
    changes = laboratory.plan.levels
    possible = [arm(*part) for part in combinations(changes, size) if compatible(*part)]
    if not possible:
        return None
    random = np.random.default_rng(laboratory.plan.confirmation_seed)
    picked = random.permutation(len(possible))[:RANDOM_SETS]
    arms = [possible[at] for at in picked]
    while arms and sum(laboratory.cost(each, 16) for each in arms) > laboratory.remaining:
        arms.pop()
    if not arms:
        return None
    laboratory.run(dict.fromkeys(arms, 16), "confirmation", "random changes, as a control")
    outcomes = [laboratory.outcomes(each, "confirmation") for each in arms]
    successes = sum(int(np.sum(each.succeeded[:16])) for each in outcomes)
    return successes, 16 * len(outcomes)
