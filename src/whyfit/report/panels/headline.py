"""The answer in words: one sentence on why, one on the smallest fix, and what is not to blame."""

from __future__ import annotations

import numpy as np

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.study import Outcomes, Study, best_unjudged
from whyfit.report.panels.values import percent, rounded
from whyfit.rules import rule_named
from whyfit.study import factors
from whyfit.study.words import describe

SHORT_NAMES = {
    "hinges-share-one-point": "hinges that share one point",
    "hinges-outside-data": "hinges outside the data",
    "units-died-in-training": "units that died in training",
    "units-saturated": "saturated units",
}


def headline(said: FitDiagnosis) -> str:
    """Why the fit looks as it does, in one sentence."""
    study, left = said.study, said.evidence.fit.unexplained_variance
    share = percent(rounded(left))
    if study is not None and study.stopped:
        return f"{_left(left)}; nothing was decided: {study.stopped}."
    match said.verdict:
        case "sound":
            return _sound(said, share)
        case "lucky":
            return (
                f"This run is good ({share} unexplained), but it was lucky: "
                f"{_baseline_count(study)} starts of the same script succeed."
            )
        case "unlucky":
            return f"Bad luck: {_baseline_count(study)} starts of the same script succeed."
        case "explained":
            return _because(said)
        case "mended":
            return (
                "The cause could not be pinned down, but a change that mends it was found."
                f"{_now_and_then(study)}"
            )
        case "undecided":
            if study is not None and _unjudged(study) is not None:
                return (
                    f"{_left(left)}; the budget ended before a set of changes could be judged, and "
                    "without one no cause can be confirmed."
                )
            return (
                f"{_left(left)}; no cause could be confirmed and no set of changes that works was "
                "found."
            )
        case "observed":
            pass
    proven = [finding.message for finding in said.findings if finding.proof == "confirmed"]
    if proven:
        return f"Because {'; and '.join(proven)}."
    if not np.isfinite(left):
        return f"Nothing could be retrained: {said.not_studied}."
    if left <= said.criterion.tolerance and not said.evidence.data.is_unrelated:
        return (
            f"The fit is good: it leaves {share} of the variance unexplained. Whether most starts do "
            f"as well was not tested: {said.not_studied}."
        )
    return f"{_left(left)}; causes were not tested: {said.not_studied}."


ELSEWHERE = (
    "plot-order",
    "dropout-left-on",
    "metric-misleads",
    "outside-training-range",
    "scaler-misused",
    "new-inputs-scaled-apart",
    "too-few-samples",
)
"""Faults that show in a plot or a number although the fit itself is good."""


def _elsewhere(said: FitDiagnosis) -> list[str]:
    return [each.message for each in said.findings if each.rule in ELSEWHERE]


def _sound(said: FitDiagnosis, share: str) -> str:
    """What is to be said of a good fit that was not shown to be lucky."""
    elsewhere, study = _elsewhere(said), said.study
    baseline = study.of(()) if study else None
    if study is not None and baseline is not None and baseline.rate < study.plan.target_rate:
        also = f" What is odd lies elsewhere: {'; '.join(elsewhere)}." if elsewhere else ""
        return (
            f"This run is good ({share} unexplained), but the start decides: "
            f"{_baseline_count(study)} starts of the same script do as well.{also}"
        )
    if elsewhere:
        return (
            f"The training is not at fault: the fit leaves {share} of the variance unexplained, "
            f"and most starts do as well. What is odd lies elsewhere: {'; '.join(elsewhere)}."
        )
    noise = [each.message for each in said.findings if each.rule == "noise-floor-reached"]
    if noise:
        return f"Nothing is wrong: {noise[0]}; most starts do as well."
    return (
        f"Nothing is wrong: the fit leaves {share} of the variance unexplained, "
        "and most starts do as well."
    )


def _left(left: float) -> str:
    if not np.isfinite(left):
        return "The fit diverged: its error is not a finite number"
    return f"The fit leaves {percent(rounded(left))} of the variance unexplained"


def _now_and_then(study: Study | None) -> str:
    """That the script as it is succeeds too, but not often; empty where it never did."""
    baseline = study.of(()) if study else None
    if baseline is None or not baseline.successes:
        return ""
    return f" The start decides too: {_baseline_count(study)} starts of the same script succeed."


def _baseline_count(study: Study | None) -> str:
    baseline = study.of(()) if study else None
    return f"{baseline.successes} of {baseline.replicates}" if baseline else "few"


def _because(said: FitDiagnosis) -> str:
    """Every confirmed cause, in the words of its finding."""
    assert said.study is not None
    confirmed = [
        cause.slug for cause in said.study.causes if cause.status == "confirmed" and cause.observed
    ]
    seen = {finding.rule: finding.message for finding in said.findings}
    messages = [seen.get(slug, slug.replace("-", " ")) for slug in confirmed]
    messages = list(dict.fromkeys(messages))
    return "Because " + "; and ".join(messages) + "." if messages else "A cause was confirmed."


def _unjudged(study: Study) -> Outcomes | None:
    """What the search found that works and no fresh start was left for, where nothing was judged."""
    if study.sets or study.asked is not None:
        return None
    return best_unjudged(study.outcomes, study.plan.target_rate)


TELLING = 64
"""Replicates on fresh seeds from which an arm that misses the target is worth a word."""


def _nearest(study: Study) -> str:
    """That nothing works, and what comes nearest to it: of no fix, but where to look further."""
    sentence = "No set of changes that works was found"
    promising = _unjudged(study)
    if promising is not None:
        return (
            f"In the search {describe(promising.arm)} worked, in {promising.successes} of "
            f"{promising.replicates} starts, but the budget did not reach to judge that on fresh "
            "starts: a larger --budget would."
        )
    judged = [
        each
        for each in study.outcomes
        if each.phase == "confirmation"
        and each.arm
        and each.replicates >= TELLING
        and 0.0 < each.rate < study.plan.target_rate
    ]
    if study.asked is not None:
        return f"{sentence}."
    tried = {change for each in study.outcomes for change in each.arm}
    untried = [change for change in study.plan.levels if change not in tried]
    if untried:
        sentence = (
            f"{sentence}; for {len(untried)} of the {len(study.plan.levels)} changes the budget did "
            "not suffice"
        )
    if not judged:
        return f"{sentence}."
    best = max(judged, key=lambda each: (each.rate, -len(each.arm)))
    return (
        f"{sentence}. The best tried, {describe(best.arm)}, misses the target: "
        f"{best.successes} of {best.replicates} starts succeed."
    )


def fix_sentence(said: FitDiagnosis) -> str:
    """The smallest change that mends the fit, with its counts."""
    if said.study is None or not said.fixes:
        if said.verdict in ("sound", "lucky"):
            where = "the training" if _elsewhere(said) else "this run"
            return f"Nothing to mend in {where}." if said.verdict == "sound" else ""
        if said.verdict == "unlucky":
            return "Run it again, or keep the best of a few runs."
        if said.study is None:
            return _advice(said)
        if said.study.stopped:
            return ""
        return " ".join(filter(None, (_nearest(said.study), _advice(said))))
    first = said.fixes[0]
    outcomes = said.study.of(first.changes)
    assert outcomes is not None
    runs = first.framework_runs
    succeed = f"{outcomes.successes} of {outcomes.replicates} starts succeed"
    if runs is not None and runs.runs and not runs.successes:
        return (
            f"In whyfit's own engine {describe(first.changes)} mends it ({succeed}), but the patched "
            f"script in {said.evidence.fit.framework} does not succeed: 0 of {runs.runs} runs."
        )
    others = [fix.framework_runs for fix in said.fixes[1:]]
    gave_way = any(other is not None and not other.successes for other in others)
    what = "A change" if gave_way else "Smallest change"
    sentence = f"{what} that mends it: {describe(first.changes)} ({succeed}"
    if runs is not None:
        sentence += f"; {runs.successes} of {runs.runs} runs in {said.evidence.fit.framework}"
    return sentence + ")."


OF_THE_TARGETS = ("too-many-oscillations", "target-jumps")
"""Faults that no change of a recipe takes away: what helps against them is only to be found by hand."""


def _advice(said: FitDiagnosis) -> str:
    """What to try against what is proven without retraining, or lies in the targets, where no fix is
    known.
    """
    told = [
        finding.rule
        for finding in said.findings
        if finding.proof == "confirmed" or finding.rule in OF_THE_TARGETS
    ]
    rules = [rule for slug in told if (rule := rule_named(slug)) is not None]
    if not rules:
        return ""
    return f"To try, by hand and untested: {' '.join(rule.advice for rule in rules)}"


def left_open(study: Study) -> set[str]:
    """Factors of which an observed cause says that they may matter after all: a scaling that makes
    one set worse may help by itself, and both must not be said in one breath.
    """
    return {
        change.factor
        for cause in study.causes
        if cause.observed and cause.status == "undecided"
        for each in cause.comparisons
        for change in each.with_
        if change not in each.without and each.deciding.low > 0.0
    }


def not_to_blame(said: FitDiagnosis) -> tuple[str, ...]:
    """What people blame and what was refuted, by short names.

    Empty where no set of changes works: what does not help alone may still be needed then.
    """
    if said.study is None or not any(each.counts for each in said.study.sets):
        return ()
    words = {factor.name: factor.phrase for factor in factors.FACTORS}
    open_ones = left_open(said.study)
    blameless = [
        words[each.factor]
        for each in said.study.blamed
        if each.answer == "no" and each.factor not in open_ones
    ]
    size = [each for each in said.study.causes if each.slug == "too-few-units"]
    if size and size[0].status == "refuted" and "units" not in blameless:
        blameless.append("size")
    blameless += [
        SHORT_NAMES[each.slug]
        for each in said.study.causes
        if each.observed and each.status == "refuted" and each.slug in SHORT_NAMES
    ]
    luck = [each for each in said.study.causes if each.slug == "unlucky-start"]
    if luck and luck[0].status == "refuted":
        blameless.append("luck")
    return tuple(blameless)
