"""From candidates to what held: the order in which a study judges."""

from __future__ import annotations

from dataclasses import replace

from whyfit.records.study import Arm, Comparison
from whyfit.study.judging import additions, converses
from whyfit.study.judging.judged import Judged
from whyfit.study.judging.rounds import Key
from whyfit.study.judging.sets import candidates_and_parts, representatives_of, sufficient_sets
from whyfit.study.run import Laboratory
from whyfit.study.search import Found


def judge(laboratory: Laboratory, found: Found) -> Judged:
    """Decide sufficiency, minimality, converses and the effect of every change."""
    notes = list(found.notes)
    related = candidates_and_parts(laboratory, found.candidates, notes)
    if not set(related) & set(found.candidates) and laboratory.reserved:
        # What is kept for sharpening fixes is of no use where none could even be judged.
        laboratory.reserved = 0.0
        notes = list(found.notes)
        related = candidates_and_parts(laboratory, found.candidates, notes)
    sets = sufficient_sets(laboratory, related)
    representatives = representatives_of(laboratory, sets)
    possible = len(converses.taken_out(laboratory, related))
    converse = converses.of(laboratory, sets, possible)
    if laboratory.reserved and converses.lacks_parts(laboratory, converse):
        laboratory.reserved = 0.0  # a cause comes before the last digit of a fix
        converse = converses.of(laboratory, sets, possible)
    directly = converses.removed_directly(laboratory, converse)
    single, double = additions.possible(laboratory, representatives)
    count = additions.count(laboratory, representatives)
    alone = additions.effects(laboratory, single, additions.ALONE, count)
    inside = additions.effects(laboratory, double, additions.BESIDE, count)
    additions.replacements(laboratory, representatives, [each.changes for each in sets])
    sets = tuple(replace(each, speaks=each.changes in representatives) for each in sets)
    return Judged(
        sets, representatives, converse, possible, alone, inside, count, tuple(notes), directly
    )


def go_on(laboratory: Laboratory, judged: Judged, *, suspected_only: bool = False) -> Judged:
    """Decide what the budget left open, with what later work has left of it: all of it, or only what
    adding the changes does that findings propose.
    """
    single, double = additions.possible(laboratory, judged.representatives)
    count = judged.additions

    def still_open(
        pairs: dict[Key, tuple[Arm, Arm]], known: dict[Key, Comparison]
    ) -> dict[Key, tuple[Arm, Arm]]:
        return {
            key: pair
            for key, pair in pairs.items()
            if key not in known or not additions.decided(known[key], count)
        }

    single, double = still_open(single, judged.alone), still_open(double, judged.inside)
    if suspected_only:
        single = additions.suspected(laboratory, single)
        double = additions.suspected(laboratory, double)
    else:
        sufficient = [each.changes for each in judged.sets]
        additions.replacements(laboratory, judged.representatives, sufficient)
    return replace(
        judged,
        alone=judged.alone | additions.effects(laboratory, single, additions.ALONE, count),
        inside=judged.inside | additions.effects(laboratory, double, additions.BESIDE, count),
    )
