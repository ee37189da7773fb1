"""Conclusions: the sentence each part of a report comes to. Made from panels alone."""

from __future__ import annotations

from collections import Counter

from whyfit.report.panels.evidence import WeightsPanel
from whyfit.report.panels.fit import ConclusionsPanel, FitPanel
from whyfit.report.panels.values import Number, percent, several


def conclusions(panel: FitPanel) -> ConclusionsPanel:
    """The ten sentences."""
    return ConclusionsPanel(
        panel.headline,
        _fit(panel),
        _built(panel),
        _training(panel),
        _capacity(panel),
        _causes(panel),
        _luck(panel),
        _takes(panel),
        _fix(panel),
        _method(panel),
    )


def number(value: Number, digits: int = 3) -> str:
    """A number as people write it, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def share_alike(weights: WeightsPanel) -> str:
    """What a weighted fit leaves where all samples count alike."""
    if weights.unweighted is None:
        return "no finite error where all count alike"
    return f"{percent(weights.unweighted)} if all count alike"


def _why_not(panel: FitPanel) -> str:
    return panel.not_tested or "the fit needs none"


def _fit(panel: FitPanel) -> str:
    if panel.unexplained_variance is None:
        return "Your fit has no finite error: its predictions or its targets cannot be scored"
    sentence = f"Your fit leaves {percent(panel.unexplained_variance)} of the variance unexplained"
    weights = panel.data.weights
    if weights is not None:
        sentence += f", weighted as the samples are ({share_alike(weights)})"
    curve = panel.curve
    if curve is None:
        return sentence
    sizes = [(abs(value), at) for at, value in enumerate(curve.residual) if value is not None]
    if not sizes or curve.inputs > 1:
        return sentence
    _size, worst = max(sizes)
    return (
        f"{sentence}; it misses most at x = {number(curve.x[worst])}, "
        f"by {number(curve.residual[worst])}"
    )


def _built(panel: FitPanel) -> str:
    if not panel.units:
        missing = [each for each in panel.not_checked if each.startswith("units")]
        reason = missing[0].split(": ", 1)[-1] if missing else "the weights are unknown"
        return f"The units could not be looked at: {reason}"
    count = len(panel.units)
    if all(unit.state_at_start == "smooth" for unit in panel.units):
        return f"{several(count, 'smooth hidden unit')} add up to the curve; none can die"
    off, off_end = (
        sum(getattr(unit, state) == "off" for unit in panel.units)
        for state in ("state_at_start", "state_at_end")
    )
    sentence = (
        f"{count - off} of {count} hidden units were alive at the start, "
        f"{count - off_end} at the end"
    )
    if panel.pieces:
        sentence += f"; the curve has {several(len(panel.pieces) - 1, 'bend')} inside the data"
    return sentence


def _training(panel: FitPanel) -> str:
    course = panel.training
    if not course.epochs:
        return "No loss was recorded"
    if course.first_nonfinite is not None:
        return f"The loss stopped being a finite number in epoch {course.first_nonfinite}"
    epochs = several(course.epochs[-1], "epoch")
    if course.last_fall is not None and course.last_fall > 0.02:
        sentence = f"The loss was still falling after {epochs}"
    else:
        sentence = f"The loss had settled after {epochs}"
    deaths = [unit.died_at_epoch for unit in panel.units if unit.died_at_epoch is not None]
    if deaths:
        sentence += (
            f"; {several(len(deaths), 'unit')} died on the way, the first in epoch {min(deaths)}"
        )
    return sentence


def _capacity(panel: FitPanel) -> str:
    bounds = panel.capacity
    if bounds is None:
        missing = [each for each in panel.not_checked if each.startswith("capacity")]
        reason = missing[0].split(": ", 1)[-1] if missing else "the network is not of the kind"
        return f"Whether this network could do better was not computed: it {reason}"
    if bounds.lower_bound > panel.criterion.tolerance:
        return "No network of this size can make this curve"
    if bounds.witness <= panel.criterion.tolerance:
        return "A network of this size can make this curve: size is not the limit"
    return "Whether a network of this size can make this curve is open"


def _causes(panel: FitPanel) -> str:
    if not panel.causes:
        return "Nothing was suspected"
    counts = Counter(cause.status for cause in panel.causes)
    words = {
        "confirmed": "confirmed",
        "refuted": "refuted",
        "undecided": "undecided",
        "not-tested": "not tested",
    }
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    return f"Of {several(len(panel.causes), 'suspected cause')}: {', '.join(parts)}"


def _luck(panel: FitPanel) -> str:
    fresh = panel.controls.baseline_fresh
    if fresh is None:
        return f"No other start was trained: {_why_not(panel)}"
    return f"{fresh.successes} of {fresh.replicates} starts of the same script succeed"


def _takes(panel: FitPanel) -> str:
    if panel.plan is None:
        return f"No change was tried: {_why_not(panel)}"
    best = {each.changes: panel.arms[each.arm] for each in panel.front}
    if panel.verdict in ("sound", "lucky", "unlucky"):
        return "Nothing needs to change for the script to succeed" + (
            " often" if panel.verdict != "lucky" else " now and then"
        )
    if not panel.fixes:
        top = max(best.values(), key=lambda arm: arm.success_rate, default=None)
        if top is None:
            return "No set of changes that works was found"
        if top.success_rate >= panel.criterion.target_rate:
            return panel.fix_sentence.rstrip(".")
        return (
            "No set of changes that works was found; the best, "
            f"{top.label}, succeeds in {top.successes} of {top.replicates} starts"
        )
    fewest = min(panel.fixes, key=lambda fix: len(fix.changes))
    size = len(fewest.changes)
    if size == 1:
        return (
            f"One change is enough: {fewest.label} succeeds in "
            f"{fewest.successes} of {fewest.replicates} starts"
        )
    sentence = f"It takes {size} changes together"
    if 1 in best:
        single = best[1]
        sentence += (
            f": the best single one, {single.label}, succeeds in "
            f"{single.successes} of {single.replicates} starts, "
            f"{fewest.label} in {fewest.successes} of {fewest.replicates}"
        )
    return sentence


def _fix(panel: FitPanel) -> str:
    if not panel.fixes:
        return panel.fix_sentence.rstrip(".") or f"No fix is offered: {_why_not(panel)}"
    fix = panel.fixes[0]
    sentence = f"With {fix.label} {fix.successes} of {fix.replicates} starts succeed"
    if fix.framework_runs is not None:
        runs = fix.framework_runs
        return sentence + f", and {runs.successes} of {runs.runs} runs in {panel.framework}"
    return sentence


def _method(panel: FitPanel) -> str:
    if panel.plan is None:
        return f"Nothing was retrained: {_why_not(panel)}"
    return (
        f"Every number comes from {several(panel.plan.fits_trained, 'retrained network')}; "
        "what was chosen was judged on fresh starts"
    )
