"""A callback taken out of a call of fit, whatever the list of callbacks looks like."""

from __future__ import annotations

import libcst as cst
import pytest

from whyfit.patching.keras_callbacks import PLATEAU, STOPPING, without_kind
from whyfit.syntax.edits import CannotPlace

SCRIPT = """
es = EarlyStopping(patience=3)
other = keras.callbacks.TerminateOnNaN()
either = EarlyStopping()
either = other
"""
LEFT = "if not isinstance(each, EarlyStopping)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("fit(x, y, callbacks=[es])", "fit(x, y)"),
        ("fit(x, y, callbacks=[es], verbose=0)", "fit(x, y, verbose=0)"),
        ("fit(x, y,\n    callbacks=[es],\n)", "fit(x, y,\n)"),
        ("fit(x, callbacks=[keras.callbacks.EarlyStopping(patience=2), other])", None),
        ("fit(x, callbacks=[other, es])", "fit(x, callbacks=[other])"),
        (
            "fit(x, callbacks=[other, either])",
            f"fit(x, callbacks=[each for each in [other, either] {LEFT}])",
        ),
        (
            "fit(x, callbacks=made())",
            f"fit(x, callbacks=[each for each in made() {LEFT}])",
        ),
    ],
)
def test_what_is_left(before: str, after: str | None):
    call = cst.parse_expression(before)
    assert isinstance(call, cst.Call)
    changed, imported = without_kind(call, cst.parse_module(SCRIPT), STOPPING)
    code = cst.Module([]).code_for_node(changed)
    assert code == (after or "fit(x, callbacks=[other])")
    assert imported == ("isinstance" in code)
    cst.parse_expression(code)


def test_a_call_without_callbacks_is_left_to_the_person():
    call = cst.parse_expression("fit(x, y)")
    assert isinstance(call, cst.Call)
    with pytest.raises(CannotPlace, match="take EarlyStopping out"):
        without_kind(call, cst.parse_module(SCRIPT), STOPPING)


def test_one_kind_is_taken_and_others_stay():
    call = cst.parse_expression("fit(x, callbacks=[es, keras.callbacks.ReduceLROnPlateau()])")
    assert isinstance(call, cst.Call)
    changed, imported = without_kind(call, cst.parse_module(SCRIPT), PLATEAU)
    assert cst.Module([]).code_for_node(changed) == "fit(x, callbacks=[es])"
    assert not imported
