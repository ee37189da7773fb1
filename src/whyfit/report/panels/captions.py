"""Captions: what each figure shows, said in words. Made from panels alone."""

from __future__ import annotations

import numpy as np
from scipy import stats

from whyfit.report.panels.arms import ArmPanel
from whyfit.report.panels.conclusions import number
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.values import percent, several


def captions(panel: FitPanel) -> dict[str, str]:
    """One text for each figure that the panels can make, by the figure's name."""
    made = {
        "fit": _fit(panel),
        "parts": _parts(panel),
        "units": _units(panel),
        "loss": _loss(panel),
        "tracks": _tracks(panel),
        "snapshots": _snapshots(panel),
        "capacity": _capacity(panel),
        "witness": _witness(panel),
        "strips": _strips(panel),
        "multiples": _multiples(panel),
        "outcomes": _outcomes(panel),
        "dose": _dose(panel),
        "front": _front(panel),
        "ladder": _ladder(panel),
        "mended": _mended(panel),
        "agreement": _agreement(panel),
        "by_input": _by_input(panel),
        "slices": _slices(panel),
        "outputs": _outputs(panel),
    }
    return {name: text for name, text in made.items() if text}


def _fit(panel: FitPanel) -> str:
    curve = panel.curve
    if curve is None or curve.inputs > 1:
        return ""
    first = " (first output)" if curve.outputs > 1 else ""
    bends = f" It bends at {_places(curve.hinges)}." if curve.hinges else ""
    return f"Target and fit{first} in your own units, and below them target minus fit.{bends}"


def _places(places: tuple[float | None, ...]) -> str:
    shown = [f"x = {number(place)}" for place in places[:6]]
    more = len(places) - len(shown)
    return ", ".join(shown) + (f" and {more} more places" if more > 0 else "")


def _parts(panel: FitPanel) -> str:
    parts = panel.contributions
    if parts is None:
        return ""
    where = "" if parts.layer == 1 else f" of layer {parts.layer}"
    error = parts.largest_error_of_sum
    agreement = "exactly" if error == 0.0 else f"to within {error:.1e}"
    return (
        f"What each unit{where} adds to the output. With the bias, {number(parts.bias)}, the parts sum "
        f"to the network's output {agreement}."
    )


def _units(panel: FitPanel) -> str:
    shown = [unit for unit in panel.units if unit.state_at_end != "smooth"]
    if not shown or not any(unit.on_where for unit in shown):
        return ""
    off = [f"{unit.layer}.{unit.unit}" for unit in shown if unit.state_at_end == "off"]
    dead = f" Off everywhere: unit {', '.join(off[:12])}." if off else " None is off everywhere."
    return f"Where on x each unit is on at the end; a dot marks where it bends.{dead}"


def _loss(panel: FitPanel) -> str:
    course = panel.training
    losses = [value for value in course.loss if value is not None]
    if not losses:
        return ""
    return (
        f"The loss went from {number(losses[0])} to {number(losses[-1])} in "
        f"{several(course.epochs[-1], 'epoch')}."
    )


def _tracks(panel: FitPanel) -> str:
    if not panel.training.tracks or panel.curve is None:
        return ""
    low, high = panel.curve.x[0], panel.curve.x[-1]
    inside = sum(
        1
        for track in panel.training.tracks
        if track[-1] is not None and low is not None and high is not None and low < track[-1] < high
    )
    return (
        f"Where each unit of the first layer bends, by epoch. At the end {inside} of "
        f"{len(panel.training.tracks)} lie inside the data, the shaded band.{_deeper(panel)}"
    )


def _deeper(panel: FitPanel) -> str:
    bends = panel.training.deeper_bends
    if not bends:
        return ""
    counts = [
        sum(each.epoch == epoch for each in bends) for epoch in (bends[0].epoch, bends[-1].epoch)
    ]
    return (
        f" Units of deeper layers make {several(counts[0], 'bend')} there at epoch "
        f"{bends[0].epoch} and {counts[1]} at epoch {bends[-1].epoch}."
    )


def _snapshots(panel: FitPanel) -> str:
    shots = panel.training.snapshots
    if not shots:
        return ""
    return (
        f"The curve after {', '.join(str(shot.epoch) for shot in shots)} epochs: it leaves "
        f"{percent(shots[0].unexplained_variance)} unexplained at the start and "
        f"{percent(shots[-1].unexplained_variance)} at the end."
    )


def _capacity(panel: FitPanel) -> str:
    bounds = panel.capacity
    if bounds is None or panel.unexplained_variance is None:
        return ""
    return (
        f"With {several(bounds.bends, 'bend')} no curve leaves less than {number(bounds.lower_bound)} "
        f"of the variance unexplained (proven). A network that was built and run leaves "
        f"{number(bounds.witness)}; yours leaves {number(panel.unexplained_variance)}."
    )


def _witness(panel: FitPanel) -> str:
    if panel.capacity is None or panel.curve is None or not panel.curve.witness:
        return ""
    return (
        f"The witness: the best network of this size that was found. It leaves "
        f"{number(panel.capacity.witness)} unexplained."
    )


def _strips(panel: FitPanel) -> str:
    if not panel.arms:
        return ""
    return (
        "Each dot is one network trained from a start of its own; those left of the dashed line, the "
        f"tolerance {number(panel.criterion.tolerance)}, succeed."
    )


def _baseline_samples(panel: FitPanel) -> int:
    if panel.samples is None or not panel.samples.arms:
        return 0
    first = panel.samples.arms[0]
    return len(first.curves) if not panel.arms[first.arm].changes else 0


def _multiples(panel: FitPanel) -> str:
    count = _baseline_samples(panel)
    if not count or panel.samples is None:
        return ""
    good = sum(
        value is not None and value <= panel.criterion.tolerance
        for value in panel.samples.arms[0].unexplained_variance
    )
    return (
        f"Your fit and {several(count, 'other training')} of the unchanged script; "
        f"{good} of the {count} succeed."
    )


def _outputs(panel: FitPanel) -> str:
    scored = [each for each in panel.outputs if each.unexplained_variance is not None]
    if not scored:
        return ""
    worst = max(scored, key=lambda each: each.unexplained_variance or 0.0)
    return (
        f"Each output by itself. The worst is output {worst.output}, of whose variance "
        f"{percent(worst.unexplained_variance)} is unexplained."
    )


def _outcomes(panel: FitPanel) -> str:
    baseline = next((arm for arm in panel.arms if not arm.changes), None)
    if baseline is None or not baseline.strip:
        return ""
    text = (
        "What the starts of the unchanged script leave unexplained: the median is "
        f"{number(baseline.median_unexplained_variance)}"
    )
    if len(baseline.by_live_units) > 1:
        text += "; each row holds the starts with so many live hidden units"
    return text + "."


def _dose(panel: FitPanel) -> str:
    arm = dose_arm(panel)
    if arm is None:
        return ""
    rows = panel.arms[arm].by_live_units
    first, last = rows[0], rows[-1]
    return (
        f"{panel.arms[arm].label}: of the starts with {several(first.live_units, 'live unit')} "
        f"{first.successes} of {first.replicates} succeed, of those with "
        f"{last.live_units} {last.successes} of {last.replicates}."
    )


def dose_arm(panel: FitPanel) -> int | None:
    """The fix in which live units at the start tell successes from failures, or None."""
    return next((fix.arm for fix in panel.fixes if separates(panel.arms[fix.arm])), None)


SEPARATED = 0.01
"""At this level of the rank test (Mann & Whitney 1947) chance makes a table for one arm in a hundred."""


def separates(arm: ArmPanel) -> bool:
    """Whether the starts that succeed have more live units, or fewer, than those that fail."""
    rows = arm.by_live_units
    live = np.array([row.live_units for row in rows])
    good = np.repeat(live, [row.successes for row in rows])
    bad = np.repeat(live, [row.replicates - row.successes for row in rows])
    if len(live) < 2 or not len(good) or not len(bad):
        return False
    return float(stats.mannwhitneyu(good, bad).pvalue) < SEPARATED


def _front(panel: FitPanel) -> str:
    if len(panel.front) < 2:
        return ""
    steps = [
        f"{each.changes}: {panel.arms[each.arm].successes} of {panel.arms[each.arm].replicates}"
        for each in panel.front
    ]
    return "The best success by number of changes. " + "; ".join(steps) + "."


def _ladder(panel: FitPanel) -> str:
    if len(panel.ladder) < 2:
        return ""
    last = panel.arms[panel.ladder[-1]]
    singles = [panel.arms[at] for at in panel.ladder if len(panel.arms[at].changes) == 1]
    best = max((arm.success_rate for arm in singles), default=0.0)
    return f"Alone the changes give at most {percent(best)}, all together {percent(last.success_rate)}."


def _mended(panel: FitPanel) -> str:
    curve = panel.curve
    if curve is None or not curve.fixed or curve.inputs > 1:
        return ""
    return f"Your fit, and a typical success with {curve.fixed_label}."


def _agreement(panel: FitPanel) -> str:
    if panel.inputs is None:
        return ""
    return (
        "Predicted against true; on the line they agree. "
        f"{percent(panel.unexplained_variance)} of the variance is unexplained."
    )


def _by_input(panel: FitPanel) -> str:
    if panel.inputs is None or not panel.inputs.columns:
        return ""
    strongest = max(panel.inputs.columns, key=lambda each: abs(each.residual_correlation or 0.0))
    left = f" {panel.inputs.left_out} more inputs are not drawn." if panel.inputs.left_out else ""
    return (
        "Target minus fit by each input. Most in line with input "
        f"{strongest.column} (correlation {number(strongest.residual_correlation)}).{left}"
    )


def _slices(panel: FitPanel) -> str:
    if panel.inputs is None or not any(each.slice_fit for each in panel.inputs.columns):
        return ""
    return "The fit along each input, all other inputs at their medians."
