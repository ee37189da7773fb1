"""The panels: every number a view shows, and the JSON document they make."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from itertools import pairwise

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.situations import NAMES, diverged, report_named, report_of
from whyfit.report import panels
from whyfit.report.panels import Report, arms, causes, headline
from whyfit.report.panels.arms import ArmPanel, modes
from whyfit.report.panels.captions import separates

CONTRACT = {"schema_version", "whyfit_version", "script", "environment", "fits"}
FIT_CONTRACT = {
    "framework",
    "line",
    "network",
    "recipe",
    "unexplained_variance",
    "criterion",
    "capacity",
    "replay",
    "findings",
    "causes",
    "arms",
    "fixes",
    "controls",
}
PARTS = [
    "answer",
    "fit",
    "built",
    "training",
    "capacity",
    "causes",
    "luck",
    "takes",
    "fix",
    "method",
]

SCHEMA = json.loads(resources.files("whyfit.report").joinpath("schema.json").read_text("utf-8"))


@pytest.fixture(params=NAMES)
def report(request) -> Report:
    return report_named(request.param)


def test_json_keeps_the_contract(report: Report):
    plain = json.loads(panels.to_json(report), parse_constant=pytest.fail)
    assert plain["schema_version"] == 1
    assert set(plain) >= CONTRACT
    for fit in plain["fits"]:
        assert set(fit) >= FIT_CONTRACT
        for cause in fit["causes"]:
            assert cause["status"] in ("confirmed", "refuted", "undecided", "not-tested")
            assert all(0 <= arm < len(fit["arms"]) for arm in cause["arms"])
        for arm in fit["arms"]:
            assert arm["successes"] <= arm["replicates"]
            assert arm["interval"][0] <= arm["success_rate"] <= arm["interval"][1]
            for change in arm["changes"]:
                assert set(change) == {"factor", "from", "to"}


def test_json_keeps_the_schema(report: Report):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(panels.to_json(report)))


def test_the_schema_can_fail():
    plain = json.loads(panels.to_json(report_named("starting_case")))
    plain["fits"][0]["arms"][0]["successes"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(plain)


def test_the_schema_file_is_what_the_panels_say():
    made = json.loads(json.dumps(panels.schema()))
    assert made == SCHEMA, "run python scripts/make_schema.py"


def test_a_report_can_be_made_again_from_its_json(report: Report):
    again = panels.from_json(panels.to_json(report))
    assert panels.to_json(again) == panels.to_json(report)


def test_not_a_report():
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        panels.from_json(b'{"schema_version": 1}')


def test_every_part_has_its_conclusion(report: Report):
    for fit in report.fits:
        for part in PARTS:
            sentence = getattr(fit.conclusions, part)
            assert sentence, part
            assert "None" not in sentence
            assert "nan" not in sentence
        assert all(fit.captions.values())


def test_every_confirmed_cause_is_named_with_its_proof():
    fit = report_named("starting_case").fits[0]
    confirmed = [cause for cause in fit.causes if cause.status == "confirmed"]
    assert len(confirmed) >= 2
    for cause in confirmed:
        assert cause.observed_as
        assert cause.observed_as in fit.headline
        assert cause.converse is not None
        works, fails = fit.arms[cause.converse.with_], fit.arms[cause.converse.without]
        assert works.success_rate >= fit.criterion.target_rate > fails.success_rate


@pytest.mark.parametrize("name", ["starting_case", "deep", "healthy"])
def test_contributions_add_up(name: str):
    fit = report_named(name).fits[0]
    assert fit.contributions is not None
    assert fit.curve is not None
    assert fit.contributions.largest_error_of_sum < 1e-6
    total = np.sum(np.array(fit.contributions.curves, dtype=float), axis=0) + fit.contributions.bias
    shown = np.array(fit.curve.fit, dtype=float)
    assert total == pytest.approx(shown, abs=1e-4 * max(1.0, np.abs(shown).max()))


def test_pieces_join_and_give_the_curve():
    fit = report_named("deep").fits[0]
    assert fit.curve is not None
    assert len(fit.pieces) == len(fit.curve.hinges) + 1
    x, y = (np.array(values, dtype=float) for values in (fit.curve.x, fit.curve.fit))
    height = y[0]
    for before, after in zip(fit.pieces, fit.pieces[1:], strict=False):
        assert before.high == after.low
        assert after.unit is not None
    for piece in fit.pieces:
        height += piece.slope * (piece.high - piece.low)
    assert height == pytest.approx(y[-1], abs=2e-3)
    assert (fit.pieces[0].low, fit.pieces[-1].high) == (x[0], x[-1])


def test_snapshots_end_at_the_fit():
    fit = report_named("deep").fits[0]
    last = fit.training.snapshots[-1]
    assert fit.training.snapshots[0].epoch == 0
    assert last.unexplained_variance == pytest.approx(fit.unexplained_variance, rel=0.1)
    assert fit.samples is not None
    assert last.curve == pytest.approx(fit.samples.yours, rel=1e-3, abs=1e-3)


def test_thirty_fits_are_kept_with_theirs():
    fit = report_named("starting_case").fits[0]
    assert fit.samples is not None
    assert len(fit.samples.arms[0].curves) == 29
    assert not fit.arms[fit.samples.arms[0].arm].changes


def test_several_inputs():
    fit = report_named("several_inputs").fits[0]
    assert fit.inputs is not None
    assert fit.samples is None
    assert [column.column for column in fit.inputs.columns] == [1, 2, 3]
    left = np.array(fit.inputs.target, dtype=float) - np.array(fit.inputs.fit, dtype=float)
    assert left == pytest.approx(np.array(fit.inputs.residual, dtype=float), abs=1e-3)


def test_the_healthy_fit_says_so():
    fit = report_named("healthy").fits[0]
    assert fit.verdict == "sound"
    assert fit.headline.startswith("Nothing is wrong")
    assert not [cause for cause in fit.causes if cause.status == "confirmed"]


def test_the_unsupported_fit_says_why():
    fit = report_named("unsupported").fits[0]
    assert fit.not_tested == "LSTM is not supported"
    assert "LSTM is not supported" in fit.headline
    assert fit.network.summary == "LSTM, Dense"


def test_the_diverged_fit_has_no_error_and_says_so():
    fit = report_named("diverged").fits[0]
    assert fit.unexplained_variance is None
    assert "not a finite number" in fit.headline
    assert fit.not_to_blame == ()  # nothing mends it, so nothing can be ruled out
    assert not fit.pieces
    assert report_of(diverged(), budget=0.1).fits[0].headline


def arm(changes: int, rate: float, phase: str = "confirmation") -> ArmPanel:
    change = arms.ChangePanel("factor", "a", "b")
    successes = round(100 * rate)
    return ArmPanel((change,) * changes, phase, 100, successes, rate, (0.0, 1.0), 0.1, "label")


def test_the_front_holds_what_no_smaller_set_reaches():
    tried = [arm(0, 0.0), arm(1, 0.1), arm(1, 0.4), arm(2, 0.3), arm(3, 0.9), arm(4, 0.9)]
    assert [(each.changes, each.arm) for each in arms.front(tried)] == [(0, 0), (1, 2), (3, 4)]


def test_what_was_only_selected_is_not_on_the_front():
    tried = [arm(0, 0.0), arm(1, 1.0, "selection"), arm(1, 0.2)]
    assert [each.arm for each in arms.front(tried)] == [0, 2]


def test_the_ladder_goes_from_the_script_to_the_fix():
    fit = report_named("starting_case").fits[0]
    sizes = [len(fit.arms[at].changes) for at in fit.ladder]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert sizes[-1] >= 2


def test_words_for_the_whole_script():
    from whyfit.records.finding import Change

    tanh, stopping = Change("activation", "tanh"), Change("early_stopping", "none")
    assert causes.put_back((tanh,), ()) == "the script as it is"
    assert causes.put_back((tanh, stopping), (tanh,)) == "with the early stopping"


def test_what_is_open_is_not_called_blameless():
    """Standardised targets help alone and make another set worse: that is neither yes nor no."""
    from tests.report.situations import dead, diagnosis_of
    from whyfit.records.finding import Change
    from whyfit.records.study import BASELINE, Cause, Comparison, Interval
    from whyfit.records.study import arm as arm_of

    study = diagnosis_of(dead(), budget=0.1).fits[0].study
    assert study is not None
    scaled = arm_of(Change("target_range", "[-1, 1]"))
    for low, opened in ((0.03, {"target_range"}), (-0.03, set())):
        shown, deciding = Interval(0.01, 0.13), Interval(low, 0.15)
        helps = Comparison(scaled, BASELINE, 128, 10, 0, 0.08, shown, deciding, 0.01)
        cause = Cause("target-not-scaled", "undecided", "Undecided.", True, (helps,))
        assert headline.left_open(replace(study, causes=(cause,))) == opened


def test_figures_that_are_no_png_are_left_out():
    from tests.report.situations import diagnosis_of, healthy

    said = diagnosis_of(healthy(), budget=0.1)
    head = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    report = panels.make_report(
        replace(said, figures=(b"GIF89a", head, head * 20_000)), lambda _file: "script.py"
    )
    assert [(each.width, each.height) for each in report.figures] == [(640, 480)]
    assert "2 of the script's plots" in report.notes[0]


def test_each_of_several_outputs_is_scored_by_itself():
    fit = report_named("several_outputs").fits[0]
    assert [each.output for each in fit.outputs] == [1, 2, 3]
    worst = max(fit.outputs, key=lambda each: each.unexplained_variance or 0.0)
    assert worst.output == 3
    assert f"output {worst.output}" in fit.captions["outputs"]
    assert report_named("deep").fits[0].outputs == ()


@given(st.lists(st.one_of(st.floats(1e-6, 10.0), st.just(float("inf"))), min_size=1, max_size=200))
def test_every_start_is_in_one_group_and_groups_do_not_touch(values):
    found = modes(np.array(values), 0.05)
    assert sum(each.replicates for each in found) == len(values)
    assert sum(each.successes for each in found) == sum(each <= 0.05 for each in values)
    ended = [each for each in found if each.high is not None and each.low is not None]
    for one, other in pairwise(ended):
        assert other.low > 1.4 * one.high


def test_groups_of_starts_are_told_apart():
    random = np.random.default_rng(0)
    values = np.concatenate(
        [random.normal(0.006, 0.0002, 300), random.normal(0.32, 0.01, 90), [0.1], [np.inf] * 10]
    )
    found = modes(random.permutation(values), 0.05)
    assert [each.replicates for each in found] == [300, 91, 10]


@pytest.mark.parametrize(
    ("rows", "separated"),
    [
        (((1, 100, 2), (2, 100, 50), (3, 100, 98)), True),  # the more live units, the better
        (((1, 100, 50), (2, 100, 52), (3, 100, 49)), False),
        (((30, 1, 1), (34, 18, 16), (39, 2, 2)), False),
        (((1, 10, 10), (2, 10, 10)), False),  # no failure to tell from
        (((4, 64, 20),), False),
    ],
)
def test_live_units_are_shown_where_they_tell_success_from_failure(rows, separated: bool):
    table = tuple(arms.LiveUnitsPanel(*row, median_unexplained_variance=0.1) for row in rows)
    arm = replace(report_named("starting_case").fits[0].arms[0], by_live_units=table)
    assert separates(arm) == separated


def test_where_nothing_works_the_nearest_is_named():
    from tests.report.situations import dead, diagnosis_of
    from whyfit.records.finding import Change, Finding
    from whyfit.records.study import Outcomes
    from whyfit.records.study import arm as arm_of

    (said,) = diagnosis_of(dead()).fits
    assert said.study is not None

    def tried(factor: str, to: str, successes: int, replicates: int, phase="confirmation"):
        values = np.where(np.arange(replicates) < successes, 0.01, 0.9)
        change = arm_of(Change(factor, to))
        return Outcomes(change, phase, values, np.zeros(replicates), 0.05)

    outcomes = (
        tried("activation", "tanh", 40, 64),
        tried("units", "8", 20, 64),
        tried("units", "16", 60, 64, "selection"),  # chosen for its luck, perhaps
    )
    levels = tuple(each.arm[0] for each in outcomes)
    study = replace(said.study, outcomes=outcomes, plan=replace(said.study.plan, levels=levels))
    failed = replace(said, fixes=(), verdict="undecided", study=study)
    assert headline.fix_sentence(failed) == (
        "No set of changes that works was found. The best tried, tanh, misses the target: "
        "40 of 64 starts succeed."
    )
    nothing = (tried("units", "8", 0, 64),)
    plan = replace(study.plan, levels=levels[1:2])
    hopeless = replace(failed, study=replace(study, outcomes=nothing, plan=plan))
    assert headline.fix_sentence(hopeless) == "No set of changes that works was found."
    short = replace(failed, study=replace(study, outcomes=nothing))
    assert "for 2 of the 3 changes the budget did not suffice" in headline.fix_sentence(short)
    swinging = Finding("too-many-oscillations", "the targets swing 40 times", ())
    assert "sin and cos" in headline.fix_sentence(replace(hopeless, findings=(swinging,)))


def test_a_good_fit_that_could_not_be_retrained_is_called_good():
    fit = report_named("unsupported").fits[0]
    assert fit.headline.startswith("The fit is good")


def test_a_fix_that_never_works_in_the_framework_is_said_to_be_that():
    from tests.report.situations import dead, diagnosis_of
    from whyfit.records.study import FrameworkRuns

    (said,) = diagnosis_of(dead()).fits
    first, *others = said.fixes
    missed = replace(first, framework_runs=FrameworkRuns(3, 0, (0.9, 0.9, 0.9)))
    sentence = headline.fix_sentence(replace(said, fixes=(missed, *others)))
    assert "does not succeed: 0 of 3 runs" in sentence
    assert "Smallest" not in sentence
