"""Causes: what was observed, what was suspected and blamed, and what held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.evidence import finite
from whyfit.records.finding import Finding
from whyfit.records.study import Arm, Cause, Comparison, Study
from whyfit.report.panels.arms import ArmIndex
from whyfit.report.panels.values import Number, Pair, pair
from whyfit.study.asked import written
from whyfit.study.words import describe, without_it


@dataclass(frozen=True)
class MeasurePanel:
    """A number that a rule looked at, and its limit."""

    name: str
    value: Number
    limit: Number
    unit: str


@dataclass(frozen=True)
class FindingPanel:
    """What a rule observed; `units` are (layer, unit), both from 1."""

    rule: str
    message: str
    units: tuple[tuple[int, int], ...]
    measures: tuple[MeasurePanel, ...]


@dataclass(frozen=True)
class ComparisonPanel:
    """Success rate of arm `with` minus that of arm `without`, on the same replicates.

    `gained` replicates succeed only with, `lost` only without. `interval` is the 95 % interval of the
    difference, `deciding_interval` the wider one on which verdicts rest, None in a report of an older
    version.
    """

    with_: int
    without: int
    replicates: int
    gained: int
    lost: int
    difference: float
    interval: Pair
    p_value: float
    deciding_interval: Pair | None = None


@dataclass(frozen=True)
class ConversePanel:
    """The proof of a confirmed cause: arm `with` works, and `without` it, the cause put back, fails.

    `put_back` says in words what differs ("without he_uniform").
    """

    with_: int
    without: int
    put_back: str


@dataclass(frozen=True)
class CausePanel:
    """What is said of one suspected fault, and the numbers behind it.

    `observed_as` is the message of the finding, where a rule saw the fault in this fit. `reproduce` are
    the options of `whyfit run` that train the arms of the first comparison alone again.
    """

    cause: str
    status: str
    sentence: str
    observed: bool
    arms: tuple[int, ...]
    comparisons: tuple[ComparisonPanel, ...]
    observed_as: str = ""
    converse: ConversePanel | None = None
    reproduce: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlamedPanel:
    """The answer to something people usually blame."""

    question: str
    factor: str
    answer: str
    sentence: str
    arms: tuple[int, ...]


def findings(found: Sequence[Finding]) -> tuple[FindingPanel, ...]:
    """Findings with their numbers."""
    return tuple(
        FindingPanel(
            finding.rule,
            finding.message,
            finding.units,
            tuple(
                MeasurePanel(
                    each.name,
                    finite(each.value),
                    None if each.limit is None else finite(float(each.limit)),
                    each.unit,
                )
                for each in finding.measures
            ),
        )
        for finding in found
    )


def causes(said: FitDiagnosis, index: ArmIndex) -> tuple[CausePanel, ...]:
    """All causes of a study; without one, the findings that nothing could test."""
    messages = {finding.rule: finding.message for finding in said.findings}
    if said.study is None:
        return tuple(_untested(finding) for finding in said.findings)
    return tuple(
        CausePanel(
            cause.slug,
            cause.status,
            cause.sentence,
            cause.observed,
            index.of_comparisons(cause.comparisons),
            tuple(_comparison(each, index) for each in cause.comparisons),
            messages.get(cause.slug, "") if cause.observed else "",
            _converse(cause, index),
            _reproduce(cause, index),
        )
        for cause in said.study.causes
    )


def _untested(finding: Finding) -> CausePanel:
    status = finding.proof or "not-tested"
    sentence = finding.message if finding.proof else f"Observed: {finding.message}."
    return CausePanel(finding.rule, status, sentence, True, (), (), finding.message)


def _comparison(each: Comparison, index: ArmIndex) -> ComparisonPanel:
    return ComparisonPanel(
        index.of(each.with_),
        index.of(each.without),
        each.replicates,
        each.gained,
        each.lost,
        each.difference,
        pair(each.interval),
        each.p_value,
        pair(each.deciding),
    )


def _converse(cause: Cause, index: ArmIndex) -> ConversePanel | None:
    if cause.status != "confirmed" or not cause.comparisons:
        return None
    best = cause.comparisons[0]
    words = put_back(best.with_, best.without)
    return ConversePanel(index.of(best.with_), index.of(best.without), words)


def _reproduce(cause: Cause, index: ArmIndex) -> tuple[str, ...]:
    """Nothing where the arms were compared on the selection seeds, which no option names."""
    if not cause.comparisons:
        return ()
    first = cause.comparisons[0]
    pair_of = (first.with_, first.without)
    if any(index.panels[index.of(each)].phase != "confirmation" for each in pair_of):
        return ()
    arms = [part for each in pair_of for part in ("--arm", written(each))]
    return ("--replicates", str(first.replicates), *arms)


def asked(study: Study | None, index: ArmIndex) -> tuple[ComparisonPanel, ...] | None:
    """The comparisons of the arms that a person named, None where they named none."""
    if study is None or study.asked is None:
        return None
    return tuple(_comparison(each, index) for each in study.asked)


def put_back(held: Arm, without: Arm) -> str:
    """What the second arm has put back against the first, in words.

    >>> from whyfit.records.finding import Change
    >>> range_, he = Change("input_range", "[-1, 1]"), Change("kernel_initializer", "he_uniform")
    >>> put_back((range_, he), (range_,))
    'without he_uniform'
    >>> put_back((range_, he), (Change("input_range", "[-1, 1], offset kept"), he))
    'with the offset kept'
    """
    instead = [change for change in without if change not in held]
    if instead:
        return "with the " + ", ".join(change.to.split(", ")[-1] for change in instead)
    removed = tuple(change for change in held if change not in without)
    if not without:
        return "the script as it is"
    return without_it(removed[0]) if len(removed) == 1 else f"without {describe(removed)}"


def blamed(said: FitDiagnosis, index: ArmIndex) -> tuple[BlamedPanel, ...]:
    """The answers to what people usually blame."""
    return tuple(
        BlamedPanel(
            each.question,
            each.factor,
            each.answer,
            each.sentence,
            index.of_comparisons(each.comparisons),
        )
        for each in (said.study.blamed if said.study else ())
    )
