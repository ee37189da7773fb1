"""Answers to what people usually blame, whether or not any rule fired."""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change
from whyfit.records.study import Answer, Blamed, Comparison, arm
from whyfit.study import factors
from whyfit.study.judging import Judged
from whyfit.study.judging.rounds import does_not_help
from whyfit.study.run import Laboratory
from whyfit.study.tested import effects_of, helps_elsewhere, open_question, stays_finite
from whyfit.study.words import (
    alone_only,
    converse_sentence,
    count_of,
    counts_of,
    equivalence_sentence,
    given,
    moves,
    phrase,
    undecided_sentence,
)


def blamed(laboratory: Laboratory, judged: Judged, evidence: Evidence) -> tuple[Blamed, ...]:
    """An answer for every factor people blame, whether or not any rule fired, and for luck."""
    answers = []
    for factor in factors.FACTORS:
        changes = tuple(change for change in laboratory.plan.levels if change.factor == factor.name)
        if factor.name in laboratory.plan.kept:
            answers.append(
                Blamed(factor.question, factor.name, "not-tested", "Not tested: it was to be kept.")
            )
        elif changes:
            answers.append(_answer(laboratory, judged, evidence, factor, changes))
    return tuple(answers)


def _answer(
    laboratory: Laboratory,
    judged: Judged,
    evidence: Evidence,
    factor: factors.Factor,
    changes: tuple[Change, ...],
) -> Blamed:
    def answer(kind: Answer, sentence: str, *numbers: Comparison) -> Blamed:
        return Blamed(factor.question, factor.name, kind, sentence, numbers)

    alone = [
        each.changes
        for each in judged.sets
        if len(each.changes) == 1 and each.changes[0] in changes
    ]
    if alone:
        counts = ", ".join(
            f"{phrase(held[0])} alone: {counts_of(laboratory, held)}" for held in alone
        )
        return answer("yes", f"Yes: {counts} succeed.")
    member = [
        (held, change, comparison)
        for (held, change, spared), comparison in judged.converse.items()
        if change in changes and spared is None and judged.proves(comparison)
    ]
    if member:
        held, change, comparison = max(member, key=lambda each: each[2].difference)
        own = laboratory.outcomes(arm(change), "confirmation")
        sentence = (
            f"Only together with others: {phrase(change)} alone gives {count_of(own)}; "
            + converse_sentence(laboratory, held, change, comparison)
        )
        return answer("together", sentence, comparison)
    tested = effects_of(judged, changes)
    if not tested:
        return answer("not-tested", "Not tested: the budget did not reach it.")
    size = evidence.capacity if factor.name == "units" else None
    proof = ""
    if size is not None and size.witness <= laboratory.plan.criterion.tolerance:
        proof = (
            f"size is not the limit, {size.bends} units can reach {size.witness:.3g} unexplained; "
        )
    tamed = stays_finite(laboratory, changes)
    if tamed is not None and not any(each.deciding.low > 0.0 for each in tested):
        sentence = f"In part: {phrase(tamed)} keeps the training from diverging, but "
        return answer("helps", sentence + f"{moves(laboratory, tested[0])}.", *tested)
    if all(does_not_help(each) for each in tested):
        elsewhere = helps_elsewhere(laboratory, changes)
        if elsewhere is not None:
            sentence = f"In part: {proof}{moves(laboratory, elsewhere)}."
            return answer("helps", sentence, elsewhere, *tested)
        said = equivalence_sentence(laboratory, tested)
        open_one = open_question(laboratory, judged, changes)
        if open_one is not None and not proof:
            return answer("undecided", alone_only(said, open_one), *tested)
        return answer("no", f"No: {proof}{said}", *tested)
    helps = [each for each in tested if judged.helps(each)]
    if helps:
        best = max(helps, key=lambda each: each.difference)
        what = phrase(next(change for change in best.with_ if change in changes))
        start = "No" if proof else "In part"
        return answer(
            "helps",
            f"{start}: {proof}{what} raises {counts_of(laboratory, best.without)} "
            f"to {counts_of(laboratory, best.with_)}{given(best.without)}.",
            *tested,
        )
    harms = [each for each in tested if judged.harms(each)]
    if harms:
        worst = min(harms, key=lambda each: each.difference)
        what = phrase(next(change for change in worst.with_ if change in changes))
        return answer(
            "no",
            f"No: {what} makes it worse, from {counts_of(laboratory, worst.without)} "
            f"to {counts_of(laboratory, worst.with_)}{given(worst.without)}.",
            *tested,
        )
    return answer("undecided", undecided_sentence(laboratory, tested, judged.helps), *tested)
