"""One fit's report as a record: every number and sentence that a view shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from whyfit.report.panels.arms import ArmPanel, ControlsPanel, EffectPanel, FrontPanel
from whyfit.report.panels.causes import BlamedPanel, CausePanel, ComparisonPanel, FindingPanel
from whyfit.report.panels.curve import CurvePanel, InputsPanel, OutputPanel, SamplesPanel
from whyfit.report.panels.evidence import CapacityPanel, DataPanel, NetworkPanel, PlanPanel
from whyfit.report.panels.fixes import FixPanel
from whyfit.report.panels.training import TrainingPanel
from whyfit.report.panels.units import ContributionPanel, PiecePanel, UnitPanel
from whyfit.report.panels.values import Number, Pair


@dataclass(frozen=True)
class CriterionPanel:
    """When a training counts as a success, and when a set of changes works."""

    tolerance: float
    reason: str
    target_rate: float


@dataclass(frozen=True)
class ReplayPanel:
    """Whether the engine ends where the framework did."""

    status: str
    observed: Number
    interval: Pair | None
    reason: str


@dataclass(frozen=True)
class ConclusionsPanel:
    """The sentence that each part of the report comes to, in the order of the parts."""

    answer: str = ""
    fit: str = ""
    built: str = ""
    training: str = ""
    capacity: str = ""
    causes: str = ""
    luck: str = ""
    takes: str = ""
    fix: str = ""
    method: str = ""


@dataclass(frozen=True)
class FitPanel:
    """All of one fit's report. `captions` say what each figure shows, by the figure's name. `asked`
    compares the first of the arms that a person named with the others, None where they named none.
    `file` is where `line` is, None if that is the script itself.
    """

    framework: str
    line: int
    verdict: str
    headline: str
    fix_sentence: str
    not_to_blame: tuple[str, ...]
    network: NetworkPanel
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
    ladder: tuple[int, ...]
    front: tuple[FrontPanel, ...]
    units: tuple[UnitPanel, ...]
    pieces: tuple[PiecePanel, ...]
    curve: CurvePanel | None
    samples: SamplesPanel | None
    inputs: InputsPanel | None
    contributions: ContributionPanel | None
    training: TrainingPanel
    data: DataPanel
    not_tested: str | None
    not_checked: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    plan: PlanPanel | None
    conclusions: ConclusionsPanel = field(default_factory=ConclusionsPanel)
    captions: dict[str, str] = field(default_factory=dict)
    asked: tuple[ComparisonPanel, ...] | None = None
    outputs: tuple[OutputPanel, ...] = ()
    file: str | None = None
