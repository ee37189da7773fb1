"""What success rates say of a cause: confirmed by the converse, refuted by equivalence, or neither."""

from __future__ import annotations

from whyfit.records.study import Arm, Cause, Claim, Comparison
from whyfit.study.judging import Judged
from whyfit.study.judging.converses import DIRECT
from whyfit.study.judging.rounds import does_not_help
from whyfit.study.run import Laboratory
from whyfit.study.search import bar
from whyfit.study.tested import effects_of, helps_elsewhere, open_question, stays_finite
from whyfit.study.words import (
    alone_only,
    converse_sentence,
    equivalence_sentence,
    moves,
    phrase,
    undecided_sentence,
)


def _standing(laboratory: Laboratory, judged: Judged, elsewhere: Comparison) -> str:
    """What a change is worth that helps in a set beside those that were judged."""
    searched, fresh = (
        laboratory.outcomes(elsewhere.with_, phase) for phase in ("selection", "confirmation")
    )
    if not fresh.replicates and searched.rate >= bar(laboratory):
        return "but the budget did not reach to judge that on fresh seeds"
    if judged.sets and fresh.replicates and fresh.rate >= laboratory.plan.target_rate:
        return "and that set works too, but those that were judged first do without this change"
    if not judged.sets:
        return "but that is no set that works, and none was found to test it in"
    return "but that is no set that works, and in those that do it does not help"


def by_rates(
    laboratory: Laboratory,
    judged: Judged,
    slug: str,
    claims: tuple[Claim, ...],
    *,
    observed: bool,
) -> Cause:
    """Confirmed by the converse, refuted by equivalence, otherwise undecided."""
    proofs, spared, apart = _proofs(laboratory, judged, claims)
    changes = tuple(claim.change for claim in claims)
    # With enough other changes nearly anything can be made to matter: a part of a scaling counts as the
    # cause only if at least half of the sets that need the scaling need this part of it.
    if proofs and len(proofs) >= len(spared):
        held, claim, comparison = max(proofs, key=lambda each: _telling(laboratory, each))
        sentence = converse_sentence(laboratory, held, claim.change, comparison, claim.spared)
        if observed:
            return Cause(slug, "confirmed", sentence, observed, (comparison,))
        belongs = f"{phrase(claim.change)} belongs to what works"
        sentence = f"Not seen in this fit, though {belongs}. {sentence}"
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    if spared:
        held, claim, comparison = spared[0]
        alone = _directly(judged, held, claim)
        if alone is not None and alone.deciding.low <= 0.0:
            sentence = (
                f"Undecided: {phrase(claim.change)} belongs to what works, but it may do so for another "
                f"reason: {moves(laboratory, alone)}."
            )
            return Cause(slug, "undecided", sentence, observed, (alone,))
        sentence = "Undecided: what works needs this change, but seldom this part of it. "
        sentence += converse_sentence(laboratory, held, claim.change, comparison, claim.spared)
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    if apart:
        held, claim, comparison = apart[0]
        sentence = (
            f"Undecided: what works needs {phrase(claim.change)}, but the budget did not reach to tell "
            "whether it is for this. "
        )
        sentence += converse_sentence(laboratory, held, claim.change, comparison)
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    tested = effects_of(judged, changes)
    if not tested:
        return Cause(slug, "not-tested", "Not tested: the budget did not reach it.", observed)
    if all(does_not_help(each) for each in tested):
        elsewhere = helps_elsewhere(laboratory, changes)
        if elsewhere is not None:
            stands = _standing(laboratory, judged, elsewhere)
            sentence = f"Undecided: {moves(laboratory, elsewhere)}, {stands}."
            return Cause(slug, "undecided", sentence, observed, (*tested, elsewhere))
        said = equivalence_sentence(laboratory, tested)
        tamed = stays_finite(laboratory, changes) if observed else None
        if tamed is not None:
            sentence = (
                f"In part: {phrase(tamed)} keeps the training from diverging, which is not enough "
                f"({said[:-1]})."
            )
            return Cause(slug, "undecided", sentence, observed, tested)
        open_one = open_question(laboratory, judged, changes)
        if open_one is None:
            return Cause(slug, "refuted", f"No: {said}", observed, tested)
        sentence = alone_only(said, open_one)
        return Cause(slug, "undecided", sentence, observed, tested)
    sentence = undecided_sentence(laboratory, tested, judged.helps)
    return Cause(slug, "undecided", sentence, observed, tested)


OF_THE_ACTIVATION = (
    "units-dead-at-start",
    "units-died-in-training",
    "units-saturated",
    "hinges-share-one-point",
    "hinges-outside-data",
    "vanishing-gradient",
)
"""Faults of what the hidden activation does: another one takes them away by itself, so that a set
that sets it and needs something else too shows nothing of them."""


def _taken_away_by_another(held: Arm, claim: Claim) -> bool:
    return claim.rule in OF_THE_ACTIVATION and any(
        change.factor == "activation" and change != claim.change for change in held
    )


Proof = tuple[Arm, Claim, Comparison]


def _proofs(
    laboratory: Laboratory, judged: Judged, claims: tuple[Claim, ...]
) -> tuple[list[Proof], list[Proof], list[Proof]]:
    """Converses that show a claim, those that show its change but not the part it is about, and those
    of which the part was not trained.

    A part shows nothing where the rest of the scaling suffices without it, as no change does that
    can be taken out of a set that works.
    """
    target = laboratory.plan.target_rate
    shown, only_whole, unknown = [], [], []
    for (held, change, spared), comparison in judged.converse.items():
        for claim in claims:
            if claim.change != change or spared is not None or _taken_away_by_another(held, claim):
                continue
            part = judged.converse.get((held, change, claim.spared))
            if part is None:
                if judged.proves(comparison):
                    unknown.append((held, claim, comparison))
                continue
            suffices = claim.spared is not None and (
                laboratory.outcomes(part.without, "confirmation").rate >= target
            )
            shows = not suffices and _returns_directly(laboratory, judged, held, claim)
            if judged.proves(part) and judged.proves(comparison) and shows:
                shown.append((held, claim, part))
            elif judged.proves(comparison):
                only_whole.append((held, claim, part))
    return shown, only_whole, unknown


def _directly(judged: Judged, held: Arm, claim: Claim) -> Comparison | None:
    direct = DIRECT.get(claim.rule)
    if direct is None or claim.spared is None:
        return None
    return judged.directly.get((held, claim.spared, direct))


def _returns_directly(laboratory: Laboratory, judged: Judged, held: Arm, claim: Claim) -> bool:
    """Whether success returns, at least in part, where the fault alone is removed (see `DIRECT`).

    Taken for granted where the fault has no such change, or the change cannot stand in the set.
    """
    direct = DIRECT.get(claim.rule)
    if direct is None or claim.spared is None or direct not in laboratory.plan.levels:
        return True
    found = _directly(judged, held, claim)
    return found is not None and found.deciding.low > 0.0


def _telling(laboratory: Laboratory, proof: Proof) -> tuple[int, float]:
    """How well a converse serves as the example: sets made of what findings propose come first."""
    held, _claim, comparison = proof
    proposed = sum(change in laboratory.plan.proposed for change in held)
    return proposed, comparison.difference
