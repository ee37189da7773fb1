"""Verdicts: which cause is confirmed, refuted or undecided, as docs/how-we-know.md defines it."""

from __future__ import annotations

from dataclasses import replace

from scipy import stats

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding
from whyfit.records.recipe import Recipe
from whyfit.records.study import (
    BASELINE,
    Arm,
    Cause,
    CauseStatus,
    Claim,
    Comparison,
    Outcomes,
)
from whyfit.study import factors
from whyfit.study.effects import CONFIDENCE, outcome_interval, p_of_no_less
from whyfit.study.judge import DIRECT, REFUTED_BELOW, Judged, does_not_help
from whyfit.study.run import Laboratory
from whyfit.study.search import bar
from whyfit.study.tested import effects_of, helps_elsewhere, open_question, stays_finite
from whyfit.study.words import (
    alone_only,
    capital,
    converse_sentence,
    counts_of,
    describe,
    equivalence_sentence,
    moves,
    one_of_many,
    phrase,
    undecided_sentence,
)

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
    "gradients-accumulate": "the loop is at fault, and no recipe describes it",
    "metric-misleads": "the metric takes no part in the training",
    "noise-floor-reached": "no network can explain noise",
    "outside-training-range": "no training on these data shows the network what lies outside them",
    "plot-order": "the drawing is at fault, not the fit",
    "scaler-misused": "it is what is done with the predictions that goes wrong",
    "target-not-scaled": "it takes a logarithm or the like, which is no change of a recipe",
    "target-jumps": "no change of the recipe takes the jump away",
    "too-few-samples": "it takes more data, which cannot be made up",
    "too-many-oscillations": "no change of the recipe takes the swings away",
}
"""Why retraining cannot judge them. A finding that proposes a change is tested all the same."""


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
        if judged.proves(comparison) and change in laboratory.plan.proposed
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
    return without_false_discoveries(tuple(said))


def without_false_discoveries(said: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """The causes with only as many refuted as hold together: at most one in twenty of the refutations
    of a study is false, on average.

    A cause is refuted where all its comparisons are (intersection-union); the greatest of their p-values
    is the cause's. Over the causes these are corrected by Benjamini & Hochberg (1995), which holds for
    arms that share their starts (positive dependence: Benjamini & Yekutieli 2001).
    """
    rated = [cause for cause in said if cause.comparisons and not cause.proven]
    if not rated:
        return said
    p_values = [
        max(p_of_no_less(each, REFUTED_BELOW) for each in cause.comparisons)
        if cause.status == "refuted"
        else 1.0
        for cause in rated
    ]
    corrected = stats.false_discovery_control(p_values)
    lost = {
        cause.slug
        for cause, p_value in zip(rated, corrected, strict=True)
        if cause.status == "refuted" and p_value > 1.0 - CONFIDENCE
    }
    return tuple(
        replace(cause, status="undecided", sentence=one_of_many(cause.sentence, len(rated)))
        if cause.slug in lost
        else cause
        for cause in said
    )


MOST = 0.5
"""A run is called lucky where surely most starts do not do as well."""


def luck(laboratory: Laboratory, evidence: Evidence) -> Cause:
    """Whether this run was an exception among starts of the same script."""
    baseline = laboratory.outcomes(BASELINE, "confirmation")
    succeeded = evidence.fit.unexplained_variance <= laboratory.plan.criterion.tolerance
    interval = outcome_interval(baseline)
    target = laboratory.plan.target_rate
    count = f"{baseline.successes} of {baseline.replicates} fresh starts of the unchanged script"
    slug = "lucky-start" if succeeded else "unlucky-start"
    status: CauseStatus = "undecided"
    if succeeded:
        if interval.low >= target:
            status, sentence = "refuted", f"Not luck: {count} succeed too."
        elif interval.high < MOST:
            status, sentence = "confirmed", f"This run was lucky: only {count} succeed."
        else:
            sentence = f"Luck plays a part: {count} succeed."
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
        Cause(finding.rule, finding.proof, f"{capital(finding.message)}.", True, proven=True)
        if finding.proof == "confirmed"
        else Cause(finding.rule, "not-tested", observed_only(finding, reason), True)
        for finding in findings
    )


def observed_only(finding: Finding, reason: str) -> str:
    """What was seen, and why no retraining says more."""
    return f"Observed: {finding.message}. Not tested: {reason}."


# ---- one cause ----


def _of_finding(
    laboratory: Laboratory, judged: Judged, evidence: Evidence, finding: Finding
) -> Cause:
    if finding.proof == "confirmed":
        return Cause(finding.rule, "confirmed", f"Proven: {finding.message}.", True, proven=True)
    if finding.rule in OBSERVED_ONLY and not finding.remedies:
        sentence = observed_only(finding, OBSERVED_ONLY[finding.rule])
        return Cause(finding.rule, "not-tested", sentence, True)
    claims = tuple(claim for claim in laboratory.plan.claims if claim.rule == finding.rule)
    changes = tuple(
        change
        for remedy in finding.remedies
        if (change := factors.resolve(remedy, evidence.fit, laboratory.recipe)) is not None
    )
    if not changes:
        sentence = observed_only(finding, "no change of the recipe removes it")
        return Cause(finding.rule, "not-tested", sentence, True)
    kept = [change for change in changes if change.factor in laboratory.plan.kept]
    if len(kept) == len(changes):
        names = ", ".join(dict.fromkeys(change.factor for change in kept))
        sentence = observed_only(finding, f"what would remove it ({names}) was to be kept")
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
    proofs, spared = _proofs(laboratory, judged, claims)
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
        if alone is not None and alone.interval.low <= 0.0:
            sentence = (
                f"Undecided: {phrase(claim.change)} belongs to what works, but it may do so for another "
                f"reason: {moves(laboratory, alone)}."
            )
            return Cause(slug, "undecided", sentence, observed, (alone,))
        sentence = "Undecided: what works needs this change, but seldom this part of it. "
        sentence += converse_sentence(laboratory, held, claim.change, comparison, claim.spared)
        return Cause(slug, "undecided", sentence, observed, (comparison,))
    tested = effects_of(judged, changes)
    if not tested:
        return Cause(slug, "not-tested", "Not tested: the budget did not reach it.", observed)
    if all(does_not_help(each) for each in tested):
        elsewhere = helps_elsewhere(laboratory, changes)
        if elsewhere is not None:
            works = laboratory.outcomes(elsewhere.with_, "selection").rate >= bar(laboratory)
            sentence = f"Undecided: {moves(laboratory, elsewhere)}, " + (
                "but the budget did not reach to judge that on fresh seeds."
                if works and not laboratory.outcomes(elsewhere.with_, "confirmation").replicates
                else "but that is no set that works, and in those that do it does not help."
            )
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
    sentence = undecided_sentence(laboratory, tested)
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
) -> tuple[list[Proof], list[Proof]]:
    """Converses that show a claim, and those that show its change but not the part it is about.

    A part shows nothing where the rest of the scaling suffices without it, as no change does that
    can be taken out of a set that works.
    """
    target = laboratory.plan.target_rate
    shown, only_whole = [], []
    for (held, change, spared), comparison in judged.converse.items():
        for claim in claims:
            if claim.change != change or spared is not None or _taken_away_by_another(held, claim):
                continue
            part = judged.converse.get((held, change, claim.spared), comparison)
            suffices = claim.spared is not None and (
                laboratory.outcomes(part.without, "confirmation").rate >= target
            )
            shows = not suffices and _returns_directly(laboratory, judged, held, claim)
            if judged.proves(part) and judged.proves(comparison) and shows:
                shown.append((held, claim, part))
            elif judged.proves(comparison):
                only_whole.append((held, claim, part))
    return shown, only_whole


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
    return found is not None and found.interval.low > 0.0


def _telling(laboratory: Laboratory, proof: Proof) -> tuple[int, float]:
    """How well a converse serves as the example: sets made of what findings propose come first."""
    held, _claim, comparison = proof
    proposed = sum(change in laboratory.plan.proposed for change in held)
    return proposed, comparison.difference


def _size(laboratory: Laboratory, judged: Judged, evidence: Evidence) -> Cause | None:
    """Size is decided by proof where there is one."""
    capacity, tolerance = evidence.capacity, laboratory.plan.criterion.tolerance
    wider = tuple(change for change in laboratory.plan.levels if change.factor == "units")
    effect = _best_effect(laboratory, judged, wider)
    if capacity is None or capacity.witness > tolerance >= capacity.lower_bound:
        claims = tuple(Claim("too-few-units", change) for change in wider)
        if not claims:
            return None
        if (trained := _trained_witness(laboratory)) is not None:
            sentence = (
                f"No: a network of this size was trained to {trained.unexplained.min():.3g} "
                f"({describe(trained.arm)}); the tolerance is {tolerance:.3g}.{effect}"
            )
            tested = effects_of(judged, wider)
            return Cause("too-few-units", "refuted", sentence, False, tested, proven=True)
        return _by_rates(laboratory, judged, "too-few-units", claims, observed=False)
    units = f"{capacity.bends} hidden unit" + ("s" if capacity.bends != 1 else "")
    if capacity.lower_bound > tolerance:
        sentence = (
            f"Proven: no network with {units} leaves less than {capacity.lower_bound:.3g} "
            f"unexplained (tolerance {tolerance:.3g})."
        )
        return Cause("too-few-units", "confirmed", sentence, True, proven=True)
    sentence = (
        f"No: {units} can reach {capacity.witness:.3g} (a network that does was built and run), "
        f"proven least {capacity.lower_bound:.3g}; the tolerance is {tolerance:.3g}.{effect}"
    )
    return Cause(
        "too-few-units", "refuted", sentence, False, effects_of(judged, wider), proven=True
    )


OF_THE_SHAPE = ("units", "depth", "activation", "output_activation", "use_bias")
"""Factors that decide what a network can be. All others decide what training makes of it: a scaling of
inputs or targets is absorbed by the first or the last layer, if these have biases and the last is
linear."""


def _trained_witness(laboratory: Laboratory) -> Outcomes | None:
    """The arm with the best network of the script's own shape, if one meets the tolerance.

    It proves that the size suffices, where no formula does: for smooth activations and several inputs.
    """
    first, last = laboratory.recipe.layers[0], laboratory.recipe.layers[-1]
    # Scaling several targets changes how much each of them counts, and so what is measured.
    single = laboratory.recipe.layers[-1].units == 1
    absorbed = first.use_bias and last.use_bias and last.activation.name == "linear" and single
    fixed = OF_THE_SHAPE if absorbed else (*OF_THE_SHAPE, "input_range", "target_range")
    same = [
        each
        for each in laboratory.everything()
        if each.replicates and not any(change.factor in fixed for change in each.arm)
    ]
    best = min(same, key=lambda each: each.unexplained.min(), default=None)
    met = best is not None and best.unexplained.min() <= laboratory.plan.criterion.tolerance
    return best if met else None


def _best_effect(laboratory: Laboratory, judged: Judged, changes: tuple[Change, ...]) -> str:
    """What more units do to the luck of the start, where that is clear."""
    clear = [
        comparison
        for (_held, change), comparison in judged.inside.items()
        if change in changes and judged.helps(comparison)
    ]
    if not clear:
        return ""
    best = max(clear, key=lambda each: each.difference)
    more, less = counts_of(laboratory, best.with_), counts_of(laboratory, best.without)
    (change,) = (each for each in best.with_ if each in changes)
    return (
        f" More units still help the luck of the start: {change.to} units raise {less} to {more}."
    )


def _blamed_slug(change: Change, recipe: Recipe) -> str | None:
    direction = None
    if change.factor == "learning_rate":
        direction = "up" if float(change.to) > recipe.optimizer.learning_rate else "down"
    return SLUG_OF_BLAME.get((change.factor, direction))
