"""Verdicts: which cause is confirmed, refuted or undecided, as docs/how-we-know.md defines it."""

from __future__ import annotations

from dataclasses import replace

from scipy import stats

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding
from whyfit.records.recipe import Recipe
from whyfit.records.study import (
    BASELINE,
    Blamed,
    Cause,
    CauseStatus,
    Claim,
)
from whyfit.study import factors, size
from whyfit.study.effects import CONFIDENCE, deciding_interval, p_of_no_less
from whyfit.study.judging import Judged
from whyfit.study.judging.rounds import REFUTED_BELOW
from whyfit.study.rates import by_rates
from whyfit.study.run import Laboratory
from whyfit.study.words import (
    capital,
    one_of_many,
)

SLUG_OF_BLAME: dict[tuple[str, str | None], str] = {
    ("input_range", None): "input-not-scaled",
    ("target_range", None): "target-not-scaled",
    ("learning_rate", "up"): "learning-rate-too-low",
    ("learning_rate", "down"): "learning-rate-too-high",
    ("epochs", None): "training-too-short",
}
"""The fault that a commonly tried change would remove, where no rule suspected it."""


def in_accord(blamed: tuple[Blamed, ...], causes: tuple[Cause, ...]) -> tuple[Blamed, ...]:
    """The answers to what people blame, none of which says no to a factor that a confirmed cause is
    about: what was tried of the factor itself did not help, another change did.
    """
    confirmed = {cause.slug for cause in causes if cause.status == "confirmed"}
    named = {factor: slug for (factor, _way), slug in SLUG_OF_BLAME.items() if slug in confirmed}

    def said(each: Blamed) -> Blamed:
        slug = named.get(each.factor)
        if slug is None or each.answer != "no":
            return each
        alone = each.sentence.removeprefix("No: ")
        sentence = f"In part: {slug} is confirmed, by another change than these: {alone}"
        return replace(each, answer="helps", sentence=sentence)

    return tuple(map(said, blamed))


OBSERVED_ONLY = {
    "seed-does-not-seed-weights": "it says why runs differ, not why this one looks as it does",
    "metric-misleads": "the metric takes no part in the training",
    "noise-floor-reached": "no network can explain noise",
    "outside-training-range": "no training on these data shows the network what lies outside them",
    "dropout-left-on": "it is how the predictions are made that goes wrong",
    "plot-order": "the drawing is at fault, not the fit",
    "new-inputs-scaled-apart": "it is what the network is asked that goes wrong",
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
    if "too-few-units" not in known and (found := size.of(laboratory, judged, evidence)):
        said.append(found)
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
            said.append(by_rates(laboratory, judged, slug, claims, observed=False))
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
    interval = deciding_interval(baseline)
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
    return by_rates(laboratory, judged, finding.rule, claims, observed=True)


def _blamed_slug(change: Change, recipe: Recipe) -> str | None:
    direction = None
    if change.factor == "learning_rate":
        direction = "up" if float(change.to) > recipe.optimizer.learning_rate else "down"
    return SLUG_OF_BLAME.get((change.factor, direction))
