"""Panels: the report as plain data. Text, HTML and JSON are views of these records and add nothing.

Every number a view shows is a field here, so that tests need no drawing, and a report can be drawn
again from its JSON alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from whyfit._version import __version__
from whyfit.records.diagnosis import Diagnosis, FitDiagnosis
from whyfit.records.evidence import Evidence, finite
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.study import Arm, Comparison, Fix, Outcomes, Study
from whyfit.study import factors
from whyfit.study.effects import rate_interval
from whyfit.study.words import describe

SCHEMA_VERSION = 1
MOST_STRIP = 256

Number = float | None
Pair = tuple[Number, Number]


@dataclass(frozen=True)
class ChangePanel:
    factor: str
    from_: str
    to: str


@dataclass(frozen=True)
class ArmPanel:
    """`strip` holds unexplained variances of some replicates, None where one diverged."""

    changes: tuple[ChangePanel, ...]
    phase: str
    replicates: int
    successes: int
    success_rate: float
    interval: Pair
    median_unexplained_variance: Number
    label: str
    strip: tuple[Number, ...] = ()
    by_live_units: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class ComparisonPanel:
    with_: int
    without: int
    replicates: int
    difference: float
    interval: Pair
    p_value: float


@dataclass(frozen=True)
class MeasurePanel:
    name: str
    value: Number
    limit: Number
    unit: str


@dataclass(frozen=True)
class FindingPanel:
    rule: str
    message: str
    units: tuple[tuple[int, int], ...]
    measures: tuple[MeasurePanel, ...]


@dataclass(frozen=True)
class CausePanel:
    cause: str
    status: str
    sentence: str
    observed: bool
    arms: tuple[int, ...]
    comparisons: tuple[ComparisonPanel, ...]


@dataclass(frozen=True)
class BlamedPanel:
    question: str
    factor: str
    answer: str
    sentence: str
    arms: tuple[int, ...]


@dataclass(frozen=True)
class FrameworkRunsPanel:
    runs: int
    successes: int
    unexplained_variance: tuple[float, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class FixPanel:
    changes: tuple[ChangePanel, ...]
    label: str
    status: str
    arm: int
    success_rate: float
    successes: int
    replicates: int
    interval: Pair
    diff: str | None
    words: tuple[str, ...]
    framework_runs: FrameworkRunsPanel | None


@dataclass(frozen=True)
class CapacityPanel:
    lower_bound: float
    witness: float
    bends: int
    exact: bool
    floors: tuple[float, ...]
    reached: tuple[float, ...]


@dataclass(frozen=True)
class CriterionPanel:
    tolerance: float
    reason: str
    target_rate: float


@dataclass(frozen=True)
class ReplayPanel:
    status: str
    observed: Number
    interval: Pair | None
    reason: str


@dataclass(frozen=True)
class ControlPanel:
    replicates: int
    successes: int
    interval: Pair


@dataclass(frozen=True)
class ControlsPanel:
    baseline_fresh: ControlPanel | None
    random_changes: ControlPanel | None


@dataclass(frozen=True)
class EffectPanel:
    changes: tuple[str, ...]
    value: float
    interval: Pair


@dataclass(frozen=True)
class UnitPanel:
    """One hidden unit at start and end; `hinge` is in the person's units of x, None if it has none."""

    layer: int
    unit: int
    state_at_start: str
    state_at_end: str
    on_at_start: float
    on_at_end: float
    saturated_at_start: float
    hinge_at_start: Number
    hinge_at_end: Number
    died_at_epoch: int | None


@dataclass(frozen=True)
class CurvePanel:
    """Target, fit and residual in the person's own units, by the first input."""

    x: tuple[float, ...]
    target: tuple[float, ...]
    fit: tuple[Number, ...]
    residual: tuple[Number, ...]
    hinges: tuple[float, ...]
    fixed: tuple[Number, ...]
    fixed_label: str
    inputs: int
    others: tuple[tuple[Number, ...], ...] = ()


@dataclass(frozen=True)
class ContributionPanel:
    """What each unit of the last hidden layer adds to the output, at the points of the curve."""

    names: tuple[str, ...]
    curves: tuple[tuple[float, ...], ...]
    bias: float
    largest_error_of_sum: float


@dataclass(frozen=True)
class TrainingPanel:
    """Loss by epoch, and hinge positions by epoch in the person's units of x."""

    epochs: tuple[int, ...]
    loss: tuple[Number, ...]
    track_epochs: tuple[int, ...]
    tracks: tuple[tuple[Number, ...], ...]
    last_fall: float
    steps: int


@dataclass(frozen=True)
class FitPanel:
    """All of one fit's report."""

    framework: str
    line: int
    verdict: str
    headline: str
    fix_sentence: str
    not_to_blame: tuple[str, ...]
    network: dict[str, Any]
    recipe: dict[str, Any] | None
    unexplained_variance: Number
    criterion: CriterionPanel
    capacity: CapacityPanel | None
    replay: ReplayPanel
    findings: tuple[FindingPanel, ...]
    causes: tuple[CausePanel, ...]
    blamed: tuple[BlamedPanel, ...]
    arms: tuple[ArmPanel, ...]
    fixes: tuple[FixPanel, ...]
    controls: ControlsPanel
    shapley: tuple[EffectPanel, ...]
    interactions: tuple[EffectPanel, ...]
    units: tuple[UnitPanel, ...]
    curve: CurvePanel | None
    contributions: ContributionPanel | None
    training: TrainingPanel
    data: dict[str, Any]
    not_tested: str | None
    not_checked: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    plan: dict[str, Any] | None


@dataclass(frozen=True)
class Report:
    """The whole report: what the JSON file holds."""

    schema_version: int
    whyfit_version: str
    script: str
    status: int
    error: str | None
    environment: dict[str, str]
    fits: tuple[FitPanel, ...]
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def make_report(diagnosis: Diagnosis, shown_script: str) -> Report:
    """The panels of a diagnosis."""
    return Report(
        SCHEMA_VERSION,
        __version__,
        shown_script,
        diagnosis.status,
        diagnosis.error,
        dict(diagnosis.environment),
        tuple(_fit_panel(each) for each in diagnosis.fits),
        diagnosis.notes,
        {name: round(value, 2) for name, value in diagnosis.seconds.items()},
    )


def to_json(report: Report) -> bytes:
    """The report as JSON; what is not a finite number is null."""
    plain = _renamed(msgspec.to_builtins(report))
    return msgspec.json.format(msgspec.json.encode(plain), indent=1)


def from_json(content: bytes) -> Report:
    """A report from its JSON. Raises msgspec.DecodeError or ValidationError."""
    return msgspec.convert(_renamed(msgspec.json.decode(content), back=True), Report, strict=False)


def _renamed(value: Any, *, back: bool = False) -> Any:
    """`from_` and `with_` are `from` and `with` in JSON, where these are ordinary words."""
    if isinstance(value, dict):
        return {_name(name, back): _renamed(each, back=back) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renamed(each, back=back) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _name(name: str, back: bool) -> str:
    if back:
        return name + "_" if name in ("from", "with") else name
    return name.removesuffix("_")


# ---- one fit ----


def _fit_panel(said: FitDiagnosis) -> FitPanel:
    evidence, fit, study = said.evidence, said.evidence.fit, said.study
    index = _ArmIndex(fit, study)
    return FitPanel(
        framework=fit.framework,
        line=fit.place.line,
        verdict=said.verdict,
        headline=_headline(said),
        fix_sentence=_fix_sentence(said),
        not_to_blame=_not_to_blame(said),
        network=_network(fit),
        recipe=msgspec.to_builtins(fit.recipe) if fit.recipe else None,
        unexplained_variance=finite(fit.unexplained_variance),
        criterion=CriterionPanel(
            said.criterion.tolerance,
            said.criterion.reason,
            study.plan.target_rate if study else 0.7,
        ),
        capacity=_capacity(evidence),
        replay=ReplayPanel(
            said.replay.status,
            finite(said.replay.observed),
            (said.replay.interval.low, said.replay.interval.high) if said.replay.interval else None,
            said.replay.reason,
        ),
        findings=tuple(
            FindingPanel(
                finding.rule,
                finding.message,
                finding.units,
                tuple(
                    MeasurePanel(
                        each.name,
                        finite(each.value),
                        None if each.limit is None else float(each.limit),
                        each.unit,
                    )
                    for each in finding.measures
                ),
            )
            for finding in said.findings
        ),
        causes=_causes(said, index),
        blamed=tuple(
            BlamedPanel(
                each.question,
                each.factor,
                each.answer,
                each.sentence,
                index.of_comparisons(each.comparisons),
            )
            for each in (study.blamed if study else ())
        ),
        arms=index.panels,
        fixes=tuple(_fix(fix, fit, study, index) for fix in said.fixes if study),
        controls=_controls(study),
        shapley=_shapley(study),
        interactions=_interactions(study),
        units=_units(evidence),
        curve=_curve(said),
        contributions=_contributions(said),
        training=_training(evidence),
        data=_data(evidence),
        not_tested=said.not_studied,
        not_checked=evidence.not_measured,
        notes=study.notes if study else (),
        warnings=fit.warnings[:10],
        plan=_plan(study),
    )


class _ArmIndex:
    """The arms of a study in order, those on confirmation seeds first, and their numbers."""

    def __init__(self, fit: Fit, study: Study | None) -> None:
        self._place: dict[Arm, int] = {}
        panels = []
        outcomes = study.outcomes if study else ()
        confirmed = {each.arm for each in outcomes if each.phase == "confirmation"}
        shown = [each for each in outcomes if each.phase == "confirmation"]
        shown += [each for each in outcomes if each.arm not in confirmed]
        for each in shown:
            self._place[each.arm] = len(panels)
            panels.append(_arm(fit, each))
        self.panels = tuple(panels)

    def of(self, changes: Arm) -> int:
        return self._place[changes]

    def of_comparisons(self, comparisons: tuple[Comparison, ...]) -> tuple[int, ...]:
        arms = [each for one in comparisons for each in (one.without, one.with_)]
        return tuple(dict.fromkeys(self._place[each] for each in arms if each in self._place))


def _change(fit: Fit, change: Change) -> ChangePanel:
    current = ""
    if fit.recipe is not None:
        current = factors.factor_named(change.factor).current(fit, fit.recipe)
    return ChangePanel(change.factor, current, change.to)


def _arm(fit: Fit, outcomes: Outcomes) -> ArmPanel:
    interval = rate_interval(outcomes.successes, outcomes.replicates)
    live = []
    for count in np.unique(outcomes.live_units):
        here = outcomes.live_units == count
        live.append((int(count), int(np.sum(outcomes.succeeded[here])), int(np.sum(here))))
    return ArmPanel(
        tuple(_change(fit, change) for change in outcomes.arm),
        outcomes.phase,
        outcomes.replicates,
        outcomes.successes,
        outcomes.rate,
        (interval.low, interval.high),
        finite(outcomes.median),
        describe(outcomes.arm),
        tuple(_rounded(value) for value in outcomes.unexplained[:MOST_STRIP]),
        tuple(live),
    )


def _rounded(value: float, digits: int = 4) -> Number:
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def _causes(said: FitDiagnosis, index: _ArmIndex) -> tuple[CausePanel, ...]:
    if said.study is None:
        return tuple(
            CausePanel(
                finding.rule,
                finding.proof or "not-tested",
                f"Not tested: {said.not_studied}." if not finding.proof else finding.message,
                True,
                (),
                (),
            )
            for finding in said.findings
        )
    return tuple(
        CausePanel(
            cause.slug,
            cause.status,
            cause.sentence,
            cause.observed,
            index.of_comparisons(cause.comparisons),
            tuple(
                ComparisonPanel(
                    index.of(each.with_),
                    index.of(each.without),
                    each.replicates,
                    each.difference,
                    (each.interval.low, each.interval.high),
                    each.p_value,
                )
                for each in cause.comparisons
            ),
        )
        for cause in said.study.causes
    )


def _fix(fix: Fix, fit: Fit, study: Study | None, index: _ArmIndex) -> FixPanel:
    outcomes = study.of(fix.changes) if study else None
    assert outcomes is not None  # a fix is an arm of the study
    interval = rate_interval(outcomes.successes, outcomes.replicates)
    runs = fix.framework_runs
    return FixPanel(
        tuple(_change(fit, change) for change in fix.changes),
        describe(fix.changes),
        fix.status,
        index.of(fix.changes),
        outcomes.rate,
        outcomes.successes,
        outcomes.replicates,
        (interval.low, interval.high),
        fix.diff,
        fix.words,
        FrameworkRunsPanel(runs.runs, runs.successes, runs.unexplained, runs.failures)
        if runs
        else None,
    )


def _controls(study: Study | None) -> ControlsPanel:
    if study is None:
        return ControlsPanel(None, None)

    def control(successes: int, replicates: int) -> ControlPanel:
        interval = rate_interval(successes, replicates)
        return ControlPanel(replicates, successes, (interval.low, interval.high))

    baseline = study.of(())
    fresh = None
    if baseline is not None and baseline.phase == "confirmation":
        fresh = control(baseline.successes, baseline.replicates)
    random = control(*study.random_changes) if study.random_changes else None
    return ControlsPanel(fresh, random)


def _shapley(study: Study | None) -> tuple[EffectPanel, ...]:
    if study is None or study.shapley is None:
        return ()
    return tuple(
        EffectPanel((describe((change,)),), value, (interval.low, interval.high))
        for change, value, interval in study.shapley.values
    )


def _interactions(study: Study | None) -> tuple[EffectPanel, ...]:
    if study is None or study.shapley is None:
        return ()
    return tuple(
        EffectPanel((describe((first,)), describe((second,))), value, (interval.low, interval.high))
        for first, second, value, interval in study.shapley.interactions
    )


def _plan(study: Study | None) -> dict[str, Any] | None:
    if study is None:
        return None
    plan = study.plan
    return {
        "budget": plan.budget,
        "target_rate": plan.target_rate,
        "selection_seed": plan.selection_seed,
        "confirmation_seed": plan.confirmation_seed,
        "levels": [{"factor": each.factor, "to": each.to} for each in plan.levels],
        "proposed": [{"factor": each.factor, "to": each.to} for each in plan.proposed],
        "kept": list(plan.kept),
        "fits_trained": int(study.work.get("fits", 0)),
    }


# ---- evidence ----


def network_summary(fit: Fit) -> str:
    """Widths and activations of a dense network ("1-4-1 relu"), or the kinds of its layers."""
    recipe = fit.recipe
    if recipe is None:
        return fit.summary
    widths = [recipe.inputs, *(layer.units for layer in recipe.layers)]
    names = dict.fromkeys(layer.activation.name for layer in recipe.hidden)
    return " ".join(["-".join(map(str, widths)), *names])


def _network(fit: Fit) -> dict[str, Any]:
    recipe = fit.recipe
    layers = (
        []
        if recipe is None
        else [
            {"units": layer.units, "activation": layer.activation.name, "bias": layer.use_bias}
            for layer in recipe.layers
        ]
    )
    return {
        "summary": network_summary(fit),
        "inputs": recipe.inputs if recipe else fit.x.shape[1],
        "layers": layers,
        "parameters": recipe.parameters if recipe else None,
    }


def _capacity(evidence: Evidence) -> CapacityPanel | None:
    found = evidence.capacity
    if found is None:
        return None
    return CapacityPanel(
        found.lower_bound, found.witness, found.bends, found.exact, found.floors, found.reached
    )


def _data(evidence: Evidence) -> dict[str, Any]:
    data, fit = evidence.data, evidence.fit
    return {
        "samples": data.samples,
        "x": [msgspec.to_builtins(column) for column in data.x[:20]],
        "y": [msgspec.to_builtins(column) for column in data.y[:20]],
        "noise_floor": data.noise_floor,
        "best_line": finite(data.best_line),
        "x_shape": list(fit.x_shape),
        "y_shape": list(fit.y_shape),
        "input_scaler": fit.input_scaler.kind if fit.input_scaler else None,
        "target_scaler": fit.target_scaler.kind if fit.target_scaler else None,
        "seeds": [f"{call.function}({call.seed}), line {call.line}" for call in fit.seeds],
    }


def _in_x_units(fit: Fit, position: float) -> Number:
    if not np.isfinite(position):
        return None
    return finite(float(fit.in_input_units(np.array([[position]]))[0, 0]))


def _units(evidence: Evidence) -> tuple[UnitPanel, ...]:
    fit = evidence.fit
    starts = _first_hinges(evidence.start_hinges)
    ends = _first_hinges(evidence.end_hinges)
    deaths = {(layer, unit): epoch for layer, unit, epoch in evidence.deaths}
    panels = []
    for start, end in list(zip(evidence.start_units, evidence.end_units, strict=False))[:256]:
        key = (start.layer, start.unit)
        panels.append(
            UnitPanel(
                start.layer,
                start.unit,
                start.state,
                end.state,
                start.on,
                end.on,
                start.saturated,
                _in_x_units(fit, starts[key]) if key in starts else None,
                _in_x_units(fit, ends[key]) if key in ends else None,
                deaths.get(key),
            )
        )
    return tuple(panels)


def _first_hinges(hinges: Any) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for hinge in hinges:
        found.setdefault((hinge.layer, hinge.unit), hinge.position)
    return found


def _listed(values: Array) -> tuple[Number, ...]:
    return tuple(_rounded(float(value), 6) for value in values)


def _curve(said: FitDiagnosis) -> CurvePanel | None:
    evidence, fit, rows = said.evidence, said.evidence.fit, said.rows
    if fit.predictions is None or not len(rows):
        return None
    x = fit.in_input_units(fit.x)[rows, 0]
    target = fit.in_target_units(fit.y)[rows, 0]
    predicted = fit.in_target_units(fit.predictions)[rows, 0]
    fixed, label = _typical(said, 1)
    hinges = [
        place
        for hinge in evidence.end_hinges
        if hinge.inside and (place := _in_x_units(fit, hinge.position)) is not None
    ]
    others = ()
    baseline = next((each for each in said.samples if each.arm == ()), None)
    if baseline is not None:
        others = tuple(
            _listed(fit.in_target_units(curve)[:, 0][:: max(1, len(rows) // 150)])
            for curve in baseline.curves[:12]
        )
    return CurvePanel(
        tuple(float(f"{value:.6g}") for value in x),
        tuple(float(f"{value:.6g}") for value in target),
        _listed(predicted),
        _listed(target - predicted),
        tuple(hinges[:100]),
        _listed(fit.in_target_units(fixed)[:, 0]) if fixed is not None else (),
        label,
        fit.x.shape[1],
        others,
    )


def _typical(said: FitDiagnosis, at: int) -> tuple[Array | None, str]:
    """The curve of a fix's median successful replicate, and the fix's name."""
    if len(said.samples) <= at:
        return None, ""
    sample = said.samples[at]
    order = np.argsort(np.where(np.isfinite(sample.unexplained), sample.unexplained, np.inf))
    good = [at for at in order if sample.unexplained[at] <= said.criterion.tolerance] or list(order)
    return sample.curves[good[len(good) // 2]], describe(sample.arm)


def _contributions(said: FitDiagnosis) -> ContributionPanel | None:
    fit, rows = said.evidence.fit, said.rows
    network = fit.end
    if network is None or fit.x.shape[1] != 1 or not network.hidden or not len(rows):
        return None
    last = network.layers[-1]
    if last.activation.name != "linear" or last.weight.shape[0] > 32:
        return None
    hidden = network.traced(fit.x[rows])[-2][1]
    parts = hidden * last.weight[:, 0]
    scale = 1.0
    if fit.target_scaler is not None:
        scale = float(fit.target_scaler.transform.scale[0])
    bias = float(last.bias[0]) if last.bias is not None else 0.0
    whole = network(fit.x[rows])[:, 0]
    if not np.all(np.isfinite(parts)):
        return None
    names = tuple(f"unit {unit + 1}" for unit in range(parts.shape[1]))
    offset = float(fit.in_target_units(np.array([[bias] * fit.y.shape[1]]))[0, 0])
    return ContributionPanel(
        names,
        tuple(tuple(float(f"{v:.5g}") for v in column * scale) for column in parts.T),
        offset,
        float(np.max(np.abs(parts.sum(axis=1) + bias - whole))),
    )


def _training(evidence: Evidence) -> TrainingPanel:
    losses = evidence.fit.history.get("loss", ())
    picked = np.unique(np.linspace(0, max(0, len(losses) - 1), 300).astype(int))
    picked = picked[: len(losses)]
    tracks, track_epochs = (), ()
    if evidence.tracks is not None:
        count = len(evidence.tracks.epochs)
        at = np.unique(np.linspace(0, count - 1, 150).astype(int))
        track_epochs = tuple(int(each) for each in evidence.tracks.epochs[at])
        tracks = tuple(
            tuple(_in_x_units(evidence.fit, float(value)) for value in unit)
            for unit in evidence.tracks.positions[at].T[:64]
        )
    return TrainingPanel(
        tuple(int(each) + 1 for each in picked),
        tuple(_rounded(float(losses[each]), 5) for each in picked),
        track_epochs,
        tracks,
        evidence.training.last_fall,
        evidence.training.steps,
    )


# ---- sentences ----


def _percent(value: float) -> str:
    return f"{value:.0%}" if value >= 0.095 else f"{value:.2%}" if value < 0.01 else f"{value:.1%}"


def _headline(said: FitDiagnosis) -> str:
    fit, study = said.evidence.fit, said.study
    left = fit.unexplained_variance
    match said.verdict:
        case "sound":
            return (
                f"Nothing is wrong: the fit leaves {_percent(left)} of the variance unexplained, "
                "and most starts do as well."
            )
        case "lucky":
            return (
                f"This run is good ({_percent(left)} unexplained), but it was lucky: "
                f"{_baseline_count(study)} starts of the same script succeed."
            )
        case "unlucky":
            return f"Bad luck: {_baseline_count(study)} starts of the same script succeed."
        case "explained":
            return _because(said)
        case "mended":
            return "The cause could not be pinned down, but a change that mends it was found."
        case "undecided":
            return (
                f"The fit leaves {_percent(left)} of the variance unexplained; no cause could be "
                "confirmed and no set of changes that works was found."
            )
        case "observed":
            pass
    if not np.isfinite(left):
        return f"Nothing could be retrained: {said.not_studied}."
    return (
        f"The fit leaves {_percent(left)} of the variance unexplained; "
        f"causes were not tested: {said.not_studied}."
    )


def _baseline_count(study: Study | None) -> str:
    baseline = study.of(()) if study else None
    return f"{baseline.successes} of {baseline.replicates}" if baseline else "few"


def _because(said: FitDiagnosis) -> str:
    assert said.study is not None
    confirmed = [
        cause.slug for cause in said.study.causes if cause.status == "confirmed" and cause.observed
    ]
    messages = [finding.message for finding in said.findings if finding.rule in confirmed]
    if not messages:
        return "A cause was confirmed."
    return "Because " + "; and ".join(messages[:3]) + "."


def _fix_sentence(said: FitDiagnosis) -> str:
    if said.study is None or not said.fixes:
        if said.verdict in ("sound", "lucky"):
            return "Nothing to mend in this run." if said.verdict == "sound" else ""
        if said.verdict == "unlucky":
            return "Run it again, or keep the best of a few runs."
        return "No set of changes that works was found." if said.study else ""
    first = said.fixes[0]
    outcomes = said.study.of(first.changes)
    assert outcomes is not None
    sentence = (
        f"Smallest change that mends it: {describe(first.changes)} "
        f"({outcomes.successes} of {outcomes.replicates} starts succeed"
    )
    runs = first.framework_runs
    if runs is not None:
        sentence += f"; {runs.successes} of {runs.runs} runs in {said.evidence.fit.framework}"
    return sentence + ")."


_SHORT_NAMES = {
    "hinges-share-one-point": "hinges that share one point",
    "hinges-outside-data": "hinges outside the data",
    "units-died-in-training": "units that died in training",
    "units-saturated": "saturated units",
}


def _not_to_blame(said: FitDiagnosis) -> tuple[str, ...]:
    if said.study is None:
        return ()
    words = {factor.name: factor.phrase for factor in factors.FACTORS}
    blameless = [words[each.factor] for each in said.study.blamed if each.answer == "no"]
    size = [each for each in said.study.causes if each.slug == "too-few-units"]
    if size and size[0].status == "refuted" and "units" not in blameless:
        blameless.append("size")
    blameless += [
        _SHORT_NAMES[each.slug]
        for each in said.study.causes
        if each.observed and each.status == "refuted" and each.slug in _SHORT_NAMES
    ]
    luck = [each for each in said.study.causes if each.slug == "unlucky-start"]
    if luck and luck[0].status == "refuted":
        blameless.append("luck")
    return tuple(blameless)
