"""The whole report of a script, built from its diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from whyfit._version import __version__
from whyfit.records.diagnosis import Diagnosis, FitDiagnosis
from whyfit.records.evidence import finite
from whyfit.report.panels import arms, causes, curve, evidence, fixes, headline, training, units
from whyfit.report.panels.captions import captions
from whyfit.report.panels.conclusions import conclusions
from whyfit.report.panels.fit import CriterionPanel, FitPanel, ReplayPanel
from whyfit.report.panels.plain_text import clipped
from whyfit.report.panels.values import pair

SCHEMA_VERSION = 1
MOST_FIGURE_BYTES = 150_000
MOST_WARNINGS = 10


@dataclass(frozen=True)
class FigurePanel:
    """A plot that the script drew, as PNG (base64 in JSON), with its size in pixels."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Report:
    """The whole report: what the JSON file holds.

    `command` is what made it, empty if unknown. `seconds` and `work` (fits the engine `trained`, fits
    that came `from_ledger`) say how it was made; nothing else depends on that. `script_sha256` is that
    of the script's text, by which `whyfit fix` knows it again.
    """

    schema_version: int
    whyfit_version: str
    script: str
    status: int
    error: str | None
    environment: dict[str, str]
    fits: tuple[FitPanel, ...]
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    command: str = ""
    figures: tuple[FigurePanel, ...] = ()
    work: dict[str, int] = field(default_factory=dict)
    script_sha256: str = ""

    def place(self, fit: FitPanel) -> str:
        """File and line of the call that trained a fit."""
        return f"{fit.file or self.script}:{fit.line}"


def make_report(diagnosis: Diagnosis, shown: Callable[[str], str]) -> Report:
    """The panels of a diagnosis, which names files as `shown` does.

    Texts are cut where they are too long to be read by anyone.
    """
    figures, notes = _figures(diagnosis)
    script = shown(diagnosis.script)
    report = Report(
        SCHEMA_VERSION,
        __version__,
        script,
        diagnosis.status,
        diagnosis.error,
        dict(diagnosis.environment),
        tuple(fit_panel(each, shown, script) for each in diagnosis.fits),
        (*diagnosis.notes, *notes),
        {name: round(value, 2) for name, value in diagnosis.seconds.items()},
        diagnosis.command,
        figures,
        dict(diagnosis.work),
        diagnosis.source_sha256,
    )
    return clipped(report)


def _figures(diagnosis: Diagnosis) -> tuple[tuple[FigurePanel, ...], tuple[str, ...]]:
    """The script's plots as far as they fit into a report that opens at once."""
    kept: list[FigurePanel] = []
    for content in diagnosis.figures:
        whole = content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24
        if whole and sum(len(each.png) for each in kept) + len(content) <= MOST_FIGURE_BYTES:
            width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
            kept.append(FigurePanel(content, width, height))
    left = len(diagnosis.figures) - len(kept)
    notes = (f"{left} of the script's plots are too large to be shown",) if left else ()
    return tuple(kept), notes


def fit_panel(said: FitDiagnosis, shown: Callable[[str], str], script: str) -> FitPanel:
    """All of one fit's report, in that of a `script` whose files are named as `shown` does."""
    measured, fit, study = said.evidence, said.evidence.fit, said.study
    file = shown(fit.place.file)
    index = arms.ArmIndex(fit, study)
    panel = FitPanel(
        framework=fit.framework,
        line=fit.place.line,
        file=None if file == script else file,
        verdict=said.verdict,
        headline=headline.headline(said),
        fix_sentence=headline.fix_sentence(said),
        not_to_blame=headline.not_to_blame(said),
        network=evidence.network(fit),
        recipe=msgspec.to_builtins(fit.recipe) if fit.recipe else None,
        unexplained_variance=finite(fit.unexplained_variance),
        criterion=CriterionPanel(
            said.criterion.tolerance,
            said.criterion.reason,
            study.plan.target_rate if study else 0.7,
        ),
        capacity=evidence.capacity(measured),
        replay=_replay(said),
        findings=causes.findings(said.findings),
        causes=causes.causes(said, index),
        blamed=causes.blamed(said, index),
        arms=index.panels,
        fixes=fixes.fixes(said, index),
        controls=arms.controls(study),
        shapley=arms.shapley(study),
        interactions=arms.interactions(study),
        ladder=arms.ladder(said.fixes, index),
        front=arms.front(index.panels),
        units=units.units(said),
        pieces=units.pieces(measured),
        curve=curve.curve(said),
        samples=curve.samples(said, index),
        inputs=curve.inputs(said),
        outputs=curve.outputs(said),
        contributions=units.contributions(said),
        training=training.training(said),
        data=evidence.data(measured),
        not_tested=said.not_studied,
        not_checked=measured.not_measured,
        notes=study.notes if study else (),
        warnings=fit.warnings[:MOST_WARNINGS],
        plan=evidence.plan(study),
        asked=causes.asked(study, index),
    )
    return replace(panel, conclusions=conclusions(panel), captions=captions(panel))


def _replay(said: FitDiagnosis) -> ReplayPanel:
    return ReplayPanel(
        said.replay.status,
        finite(said.replay.observed),
        pair(said.replay.interval) if said.replay.interval else None,
        said.replay.reason,
    )
