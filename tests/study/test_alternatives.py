"""Lines that the author left commented out, as arms of the study."""

from __future__ import annotations

import pytest

from tests.fits import UNIFORM, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.study import arm
from whyfit.study.alternatives import read
from whyfit.study.conduct import StudyOptions, conduct

ONE = recipe((4,), kernel=UNIFORM, rate=1e-3, epochs=20)
FIT = fit_of(ONE, *sine(100))

SCRIPT = """
model = Sequential()
# a layer of four units would do (or so they say)
model.add(Dense(4, activation="relu"))
{}
model.add(Dense(1))
model.compile(loss="mse", optimizer=Adam(0.001))
{}
model.fit(x, y, epochs=20, batch_size=32)
"""


@pytest.mark.parametrize(
    ("layer", "training", "changes"),
    [
        ("# model.add(Dense(4, activation='tanh'))", "", (Change("activation", "tanh"),)),
        (
            "#model.add(Dense(8, activation='sigmoid'))",
            "",
            (Change("activation", "sigmoid"), Change("units", "8")),
        ),
        ("", "# model.fit(x, y, epochs=200, batch_size=32)", (Change("epochs", "200"),)),
        ("", "# model.compile(loss='mae', optimizer=Adam(0.001))", (Change("loss", "mae"),)),
        ("", "# model.compile(loss='mse', optimizer=Adam(0.1))", (Change("learning_rate", "0.1"),)),
        ("", "# model.compile(loss='mse', optimizer='sgd')", (Change("optimizer", "sgd(0.01)"),)),
        # What no factor can say, or nobody can know, is not tested.
        ("# model.add(Dense(4, activation='relu', kernel_initializer='he_normal'))", "", ()),
        ("# model.add(Dense(n, activation='relu'))", "", ()),
        ("# model.add(Dense(4))", "", ()),
        ("# model.add(Dense(4, activation='gelu_of_mine'))", "", ()),
    ],
)
def test_what_a_commented_line_would_change(layer, training, changes):
    (found,) = read(SCRIPT.format(layer, training), FIT, ONE)
    assert found.changes == arm(*changes)
    assert found.text in layer + training


@pytest.mark.parametrize(
    "line",
    [
        "# print(model.summary())",
        "# this is prose (and more)",
        "# relu",
        "# model.add(Dense(4, activation='relu'))",  # the same as the active line
        "x = 1  # model.add(Dense(4, activation='tanh'))",
    ],
)
def test_other_comments_are_no_alternatives(line):
    assert read(SCRIPT.format(line, ""), FIT, ONE) == ()


def test_an_activation_layer_in_place_of_another():
    source = """net = nn.Sequential(
    nn.Linear(1, 4),
    nn.ReLU(),
    # nn.Tanh(),
    nn.Linear(4, 1),
)"""
    (found,) = read(source, FIT, ONE)
    assert found.changes == arm(Change("activation", "tanh"))
    deeper = recipe((4, 4), epochs=20)
    (unclear,) = read(source, FIT, deeper)  # one of two layers
    assert unclear.changes == ()


def test_a_script_that_does_not_parse_has_none():
    assert read("def (:", FIT, ONE) == ()


def test_it_is_an_arm_of_the_study_named_by_its_line():
    source = SCRIPT.format("# model.add(Dense(8, activation='tanh'))", "# model.fit(x, n)")
    study = conduct(gather(FIT), (), ONE, StudyOptions(budget=1.0), source=source)
    both = study.of(arm(Change("activation", "tanh"), Change("units", "8")))
    assert both is not None
    assert (both.phase, both.replicates) == ("confirmation", 64)
    (tried,) = [note for note in study.notes if note.startswith("line 5 ")]
    assert f"{both.successes} of 64" in tried
    (untried,) = [note for note in study.notes if note.startswith("line 8 ")]
    assert "not tested" in untried
