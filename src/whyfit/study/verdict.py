"""Verdicts: which cause is confirmed, refuted or undecided, and the answers to what people blame.

The definitions are those of docs/how-we-know.md; every sentence carries its counts.
"""

from __future__ import annotations

from math import ceil

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding
from whyfit.records.recipe import Recipe
from whyfit.records.study import (
    BASELINE,
    Answer,
    Arm,
    Blamed,
    Cause,
    CauseStatus,
    Claim,
    Comparison,
    Outcomes,
    Phase,
    Plan,
    arm,
)
from whyfit.study import factors
from whyfit.study.effects import compare, rate_interval
from whyfit.study.judge import REFUTED_BELOW, Judged, does_not_help
from whyfit.study.run import Laboratory

SLUG_OF_BLAME: dict[tuple[str, str | None], str] = {
    ("input_range", None): "input-not-scaled",
    ("target_range", None): "target-not-scaled",
    ("learning_rate", "up"): "learning-rate-too-low",
    ("learning_rate", "down"): "learning-rate-too-high",
    ("epochs", None): "training-too-short",
}
"""The fault that a commonly tried change would remove, where no rule suspected it."""

OBSERVED_ONLY = {
    "seed-does-not-seed-weights": "it says why runs differ, not why this one looks as it does",
}


def causes(
    laboratory: Laboratory, judged: Judged, evidence: Evidence, findings: tuple[Finding, ...]
) -> tuple[Cause, ...]:
    """The status of every finding, of what people blame, of size and of luck."""
    said = [_of_finding(laboratory, judged, evidence, finding) for finding in findings]
    known = {cause.slug for cause in said}
    if "too-few-units" not in known and (size := _size(laboratory, judged, evidence)):
        said.append(size)
    spoken_for = {
        change
        for (_held, change, _spared), comparison in judged.converse.items()
        if comparison.interval.low > 0.0 and change in laboratory.plan.proposed
    }
    for change in laboratory.plan.levels:
        slug = _blamed_slug(change, laboratory.recipe)
        if change in spoken_for:  # a finding has already said what it does
            continue
        if slug and slug not in known and slug not in {cause.slug for cause in said}:
            same = tuple(
                other
                for other in laboratory.plan.levels
                if _blamed_slug(other, laboratory.recipe) == slug
            )
            claims = tuple(Claim(slug, other) for other in same)
            said.append(_by_rates(laboratory, judged, slug, claims, observed=False))
    said.append(luck(laboratory, evidence))
    return tuple(said)


def luck(laboratory: Laboratory, evidence: Evidence) -> Cause:
    """Whether this run was an exception among starts of the same script."""
    baseline = laboratory.outcomes(BASELINE, "confirmation")
    succeeded = evidence.fit.unexplained_variance <= laboratory.plan.criterion.tolerance
    interval = rate_interval(baseline.successes, baseline.replicates)
    target = laboratory.plan.target_rate
    count = f"{baseline.successes} of {baseline.replicates} fresh starts of the unchanged script"
    slug = "lucky-start" if succeeded else "unlucky-start"
    status: CauseStatus = "undecided"
    if succeeded:
        if interval.low >= target:
            status, sentence = "refuted", f"Not luck: {count} succeed too."
        elif interval.high < target:
            status, sentence = "confirmed", f"This run was lucky: only {count} succeed."
        else:
            sentence = f"{count} succeed."
    elif interval.low >= target:
        status, sentence = "confirmed", f"Bad luck: {count} succeed."
    elif interval.high < REFUTED_BELOW:
        status, sentence = "refuted", f"Not bad luck: {count} succeed."
    else:
        sentence = f"Luck plays a part: {count} succeed."
    return Cause(slug, status, sentence, observed=status == "confirmed")


def not_tested(findings: tuple[Finding, ...], reason: str) -> tuple[Cause, ...]:
    """The findings as causes that no retraining could judge; proofs still stand."""
    return tuple(
        Cause(finding.rule, finding.proof, f"{_capital(finding.message)}.", True)
        if finding.proof == "confirmed"
        else Cause(finding.rule, "not-tested", f"Not tested: {reason}.", True)
        for finding in findings
    )


# ---- one cause ----


def _of_finding(
    laboratory: Laboratory, judged: Judged, evidence: Evidence, finding: Finding
) -> Cause:
    if finding.proof == "confirmed":
        return Cause(finding.rule, "confirmed", f"Proven: {finding.message}.", True)
    if finding.rule in OBSERVED_ONLY:
        sentence = f"Observed, not tested: {OBSERVED_ONLY[finding.rule]}."
        return Cause(finding.rule, "not-tested", sentence, True)
    claims = tuple(claim for claim in laboratory.plan.claims if claim.rule == finding.rule)
    changes = tuple(
        change
        for remedy in finding.remedies
        if (change := factors.resolve(remedy, evidence.fit, laboratory.recipe)) is not None
    )
    if not changes:
        return Cause(
            finding.rule, "not-tested", "Not tested: no change of the recipe removes it.", True
        )
    kept = [change for change in changes if change.factor in laboratory.plan.kept]
    if len(kept) == len(changes):
        names = ", ".join(dict.fromkeys(change.factor for change in kept))
        sentence = f"Not tested: what would remove it ({names}) was to be kept."
        return Cause(finding.rule, "not-tested", sentence, True)
    return _by_rates(laboratory, judged, finding.rule, claims, observed=True)


def _by_rates(
    laboratory: Laboratory,
    judged: Judged,
    slug: str,
    claims: tuple[Claim, ...],
    *,
    observed: bool,
) -> Cause:
    """Confirmed by the converse, refuted by equivalence, otherwise undecided."""
    proofs, spared = _proofs(judged, claims)
    changes = tuple(claim.change for claim in claims)
    # With enough other changes nearly anything can be made to matter: a part of a scaling counts as the
    # cause only if at least half of the sets that need the scaling need this part of it.
    if proofs and len(proofs) >= len(spared):
        held, claim, comparison = max(proofs, key=lambda each: _telling(laboratory, each))
        sentence = _converse_sentence(laboratory, held, claim.change, comparison, claim.spared)
        if observed:
            return Cause(slug, "confirmed", sentence, observed, (comparison,))
        belongs = f"{_phrase(claim.change)} belongs to what works"
        sentence = f"Not seen in this fit, though {belongs}. {sentence}"
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    if spared:
        held, claim, comparison = spared[0]
        sentence = "Undecided: what works needs this change, but seldom this part of it. "
        sentence += _converse_sentence(laboratory, held, claim.change, comparison, claim.spared)
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    tested = _effects_of(judged, changes)
    if not tested:
        return Cause(slug, "not-tested", "Not tested: the budget did not reach it.", observed)
    if all(does_not_help(each) for each in tested):
        elsewhere = _helps_elsewhere(laboratory, changes)
        if elsewhere is not None:
            sentence = (
                f"Undecided: {_moves(laboratory, elsewhere)}, but that is no set that works, and in "
                "those that do it does not help."
            )
            return Cause(slug, "undecided", sentence, observed, (*tested, elsewhere))
        sentence = f"No: {_equivalence_sentence(laboratory, tested)}"
        if judged.representatives:
            return Cause(slug, "refuted", sentence, observed, tested)
        sentence = (
            f"Undecided: alone it does not help ({_equivalence_sentence(laboratory, tested)[:-1]}), "
            "but no set of changes that works was found to test it in."
        )
        return Cause(slug, "undecided", sentence, observed, tested)
    sentence = _undecided_sentence(laboratory, tested)
    return Cause(slug, "undecided", sentence, observed, tested)


def _helps_elsewhere(laboratory: Laboratory, changes: tuple[Change, ...]) -> Comparison | None:
    """The clearest help of a change in any context that was trained, or None.

    A set may miss the target rate by a hair; what makes it nearly work must not be called refuted. All
    pairs of arms that differ by the change are looked at, with the interval corrected for their number.
    """
    table = {(each.arm, each.phase): each for each in laboratory.everything()}
    pairs = [
        (larger, smaller)
        for (held, phase), larger in table.items()
        for change in changes
        if change in held
        and (smaller := table.get((tuple(each for each in held if each != change), phase)))
    ]
    compared = [compare(larger, smaller, len(pairs)) for larger, smaller in pairs]
    clear = [each for each in compared if each.interval.low > REFUTED_BELOW]
    return max(clear, key=lambda each: each.difference, default=None)


Proof = tuple[Arm, Claim, Comparison]


def _proofs(judged: Judged, claims: tuple[Claim, ...]) -> tuple[list[Proof], list[Proof]]:
    """Converses that show a claim, and those that show its change but not the part it is about."""
    shown, only_whole = [], []
    for (held, change, spared), comparison in judged.converse.items():
        for claim in claims:
            if claim.change != change or spared is not None:
                continue
            part = judged.converse.get((held, change, claim.spared), comparison)
            if part.interval.low > 0.0 and comparison.interval.low > 0.0:
                shown.append((held, claim, part))
            elif comparison.interval.low > 0.0:
                only_whole.append((held, claim, part))
    return shown, only_whole


def _telling(laboratory: Laboratory, proof: Proof) -> tuple[int, float]:
    """How well a converse serves as the example: sets made of what findings propose come first."""
    held, _claim, comparison = proof
    proposed = sum(change in laboratory.plan.proposed for change in held)
    return proposed, comparison.difference


def _effects_of(judged: Judged, changes: tuple[Change, ...]) -> tuple[Comparison, ...]:
    alone = [judged.alone[change] for change in changes if change in judged.alone]
    inside = [
        comparison for (_held, change), comparison in judged.inside.items() if change in changes
    ]
    return (*alone, *inside)


def _size(laboratory: Laboratory, judged: Judged, evidence: Evidence) -> Cause | None:
    """Size is decided by proof where there is one."""
    capacity, tolerance = evidence.capacity, laboratory.plan.criterion.tolerance
    wider = tuple(change for change in laboratory.plan.levels if change.factor == "units")
    effect = _best_effect(laboratory, judged, wider)
    if capacity is None or capacity.witness > tolerance >= capacity.lower_bound:
        claims = tuple(Claim("too-few-units", change) for change in wider)
        if not claims:
            return None
        return _by_rates(laboratory, judged, "too-few-units", claims, observed=False)
    units = f"{capacity.bends} hidden unit" + ("s" if capacity.bends != 1 else "")
    if capacity.lower_bound > tolerance:
        sentence = (
            f"Proven: no network with {units} leaves less than {capacity.lower_bound:.3g} "
            f"unexplained (tolerance {tolerance:.3g})."
        )
        return Cause("too-few-units", "confirmed", sentence, True)
    sentence = (
        f"No: {units} can reach {capacity.witness:.3g} (a network that does was built and run), "
        f"proven least {capacity.lower_bound:.3g}; the tolerance is {tolerance:.3g}.{effect}"
    )
    return Cause("too-few-units", "refuted", sentence, False, _effects_of(judged, wider))


def _best_effect(laboratory: Laboratory, judged: Judged, changes: tuple[Change, ...]) -> str:
    """What more units do to the luck of the start, where that is clear."""
    clear = [
        comparison
        for (_held, change), comparison in judged.inside.items()
        if change in changes and comparison.interval.low > 0.0
    ]
    if not clear:
        return ""
    best = max(clear, key=lambda each: each.difference)
    more, less = _counts(laboratory, best.with_), _counts(laboratory, best.without)
    (change,) = (each for each in best.with_ if each in changes)
    return (
        f" More units still help the luck of the start: {change.to} units raise {less} to {more}."
    )


def _blamed_slug(change: Change, recipe: Recipe) -> str | None:
    direction = None
    if change.factor == "learning_rate":
        direction = "up" if float(change.to) > recipe.optimizer.learning_rate else "down"
    return SLUG_OF_BLAME.get((change.factor, direction))


# ---- what people blame ----


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
            f"{_phrase(held[0])} alone: {_counts(laboratory, held)}" for held in alone
        )
        return answer("yes", f"Yes: {counts} succeed.")
    member = [
        (held, change, comparison)
        for (held, change, spared), comparison in judged.converse.items()
        if change in changes and spared is None and comparison.interval.low > 0.0
    ]
    if member:
        held, change, comparison = max(member, key=lambda each: each[2].difference)
        own = laboratory.outcomes(arm(change), "confirmation")
        sentence = (
            f"Only together with others: {_phrase(change)} alone gives {_count(own)}; "
            + _converse_sentence(laboratory, held, change, comparison)
        )
        return answer("together", sentence, comparison)
    tested = _effects_of(judged, changes)
    if not tested:
        return answer("not-tested", "Not tested: the budget did not reach it.")
    size = evidence.capacity if factor.name == "units" else None
    proof = ""
    if size is not None and size.witness <= laboratory.plan.criterion.tolerance:
        proof = (
            f"size is not the limit, {size.bends} units can reach {size.witness:.3g} unexplained; "
        )
    if all(does_not_help(each) for each in tested):
        elsewhere = _helps_elsewhere(laboratory, changes)
        if elsewhere is not None:
            sentence = f"In part: {proof}{_moves(laboratory, elsewhere)}."
            return answer("helps", sentence, elsewhere, *tested)
        return answer("no", f"No: {proof}{_equivalence_sentence(laboratory, tested)}", *tested)
    helps = [each for each in tested if each.interval.low > 0.0]
    if helps:
        best = max(helps, key=lambda each: each.difference)
        what = _phrase(next(change for change in best.with_ if change in changes))
        start = "No" if proof else "In part"
        return answer(
            "helps",
            f"{start}: {proof}{what} raises {_counts(laboratory, best.without)} "
            f"to {_counts(laboratory, best.with_)}{_given(best.without)}.",
            *tested,
        )
    harms = [each for each in tested if each.interval.high < 0.0]
    if harms:
        worst = min(harms, key=lambda each: each.difference)
        what = _phrase(next(change for change in worst.with_ if change in changes))
        return answer(
            "no",
            f"No: {what} makes it worse, from {_counts(laboratory, worst.without)} "
            f"to {_counts(laboratory, worst.with_)}{_given(worst.without)}.",
            *tested,
        )
    return answer("undecided", _undecided_sentence(laboratory, tested), *tested)


# ---- words ----


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _phrase(change: Change) -> str:
    factor = factors.factor_named(change.factor)
    match change.factor:
        case "units":
            return f"{change.to} units"
        case "depth":
            return change.to
        case "kernel_initializer" | "activation":
            return change.to
        case "bias_initializer":
            return "spread biases"
        case "output_activation":
            return f"a {change.to} output"
        case "epochs":
            return f"{change.to} epochs"
        case _:
            pass
    return f"{factor.phrase} {change.to}"


def describe(changes: Arm) -> str:
    """A set of changes in words."""
    return " and ".join(_phrase(change) for change in changes) or "the script as it is"


def _count(outcomes: Outcomes) -> str:
    return f"{outcomes.successes} of {outcomes.replicates}"


def _counts(laboratory: Laboratory, changes: Arm) -> str:
    return _count(laboratory.outcomes(changes, "confirmation"))


def _given(without: Arm) -> str:
    return f" beside {describe(without)}" if without else ""


def _converse_sentence(
    laboratory: Laboratory,
    held: Arm,
    change: Change,
    comparison: Comparison,
    spared: Change | None = None,
) -> str:
    without = "the script as it is" if len(held) == 1 else f"without {_phrase(change)}"
    if spared is not None:
        without = f"the same with the {spared.to.split(', ')[-1]}"
    return (
        f"{describe(held)}: {_counts(laboratory, held)} starts succeed; "
        f"{without}: {_counts(laboratory, comparison.without)} "
        f"(difference {comparison.difference:+.2f}, {_interval(comparison)})."
    )


def _interval(comparison: Comparison) -> str:
    return f"95 % interval {comparison.interval.low:+.2f} to {comparison.interval.high:+.2f}"


def _equivalence_sentence(laboratory: Laboratory, tested: tuple[Comparison, ...]) -> str:
    """The first comparison and the one that came nearest to helping."""
    first = tested[0]
    nearest = max(tested, key=lambda each: each.interval.high)
    said = [_moves(laboratory, first)]
    if nearest is not first:
        said.append(_moves(laboratory, nearest))
    return ", and ".join(said) + "."


def _moves(laboratory: Laboratory, comparison: Comparison) -> str:
    added = next(change for change in comparison.with_ if change not in comparison.without)
    n = comparison.replicates
    phase: Phase = "confirmation"
    if laboratory.outcomes(comparison.with_, phase).replicates < n:
        phase = "selection"
    before, after = (
        int(laboratory.outcomes(each, phase).succeeded[:n].sum())
        for each in (comparison.without, comparison.with_)
    )
    return (
        f"{_phrase(added)} takes {before} to {after} of {n}{_given(comparison.without)} "
        f"({_interval(comparison)})"
    )


def _undecided_sentence(laboratory: Laboratory, tested: tuple[Comparison, ...]) -> str:
    """The comparison that is least decided, and how many replicates would decide it."""
    widest = max(tested, key=lambda each: each.interval.high - each.interval.low)
    for each in tested:
        if not does_not_help(each):
            widest = each
            break
    return f"Undecided: {_moves(laboratory, widest)}{_what_would_decide(widest)}."


def _what_would_decide(comparison: Comparison) -> str:
    """Replicates at which the interval would clear the bound it now holds."""
    interval, difference = comparison.interval, comparison.difference
    if interval.low > 0.0:
        return "; it helps, but no set that works needs it"
    half = (interval.high - interval.low) / 2
    gap = max(abs(REFUTED_BELOW - difference), difference)
    if gap < 0.01:
        return "; it lies at the bound, so that no affordable number would decide"
    needed = ceil(comparison.replicates * (half / gap) ** 2 / 16) * 16
    return f"; about {max(needed, 2 * comparison.replicates)} replicates would decide"


def plan_words(plan: Plan) -> str:
    """The criterion in words."""
    return (
        f"success: unexplained variance at most {plan.criterion.tolerance:.3g} "
        f"({plan.criterion.reason}); a set works if {plan.target_rate:.0%} of starts succeed"
    )
