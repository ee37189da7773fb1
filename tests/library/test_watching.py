"""`whyfit.watch()` as a block and as a callback, `%%whyfit`, and the fixture for pytest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import whyfit
from tests.library.models import X, Y, keras_model, sklearn_model, torch_model, train_torch
from whyfit.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.framework


# ---- a block ----


def test_a_block_sees_all_three_frameworks_with_their_starts():
    with whyfit.watch(retrain=False) as seen:
        keras_model(epochs=3)
        torch_model(epochs=3)
        sklearn_model()
    assert {fit.framework for fit in seen.fits} == {"keras", "torch", "sklearn"}
    assert all(fit.start is not None and fit.unsupported is None for fit in seen.fits)
    assert all(fit.place.file == keras_model.__code__.co_filename for fit in seen.fits[:1])
    assert len(seen.diagnosis.fits) == 3


def test_nothing_is_watched_after_a_block():
    import keras
    from sklearn.neural_network import MLPRegressor
    from torch import autograd, nn, optim

    before = keras.Model.fit, MLPRegressor._fit, autograd.backward
    with whyfit.watch() as seen:
        assert keras.Model.fit is not before[0]
    assert (keras.Model.fit, MLPRegressor._fit, autograd.backward) == before
    optim.SGD(nn.Linear(1, 1).parameters(), 0.1).step()
    assert seen.fits == ()


def test_an_exception_in_a_block_is_the_programs_own():
    seen = whyfit.watch(retrain=False)
    with pytest.raises(ZeroDivisionError), seen:  # noqa: PT012
        torch_model(epochs=3)
        raise ZeroDivisionError
    assert len(seen.fits) == 1


def test_a_torch_model_from_before_the_block_is_measured_and_said_to_be_older():
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    x, y = (torch.tensor(each, dtype=torch.float32) for each in (X, Y))
    with whyfit.watch() as first:
        train_torch(model, optimizer, x, y, 5)
    (fit,) = first.fits
    assert fit.recipe.layers[0].units == 4
    assert "from before the watch" in fit.unsupported
    with whyfit.watch() as second:
        train_torch(model, optimizer, x, y, 5)
    assert "trained before" in second.fits[0].unsupported


def test_the_diagnosis_comes_after_the_block_and_needs_a_fit():
    with whyfit.watch() as seen, pytest.raises(UsageError, match="still running"):
        _ = seen.diagnosis
    with pytest.raises(UsageError, match="no fit was seen"):
        _ = seen.diagnosis
    with seen, pytest.raises(UsageError, match="running already"), seen:
        pass


def test_shown_at_the_end_if_asked(capsys):
    with whyfit.watch(show=True, retrain=False):
        torch_model(epochs=3)
    assert "of the variance unexplained" in capsys.readouterr().out


# ---- a callback ----


def test_a_callback_records_what_a_block_records():
    seen = whyfit.watch(retrain=False)
    _model, history = keras_model(epochs=4, batch_size=20, callbacks=[seen])
    with whyfit.watch() as block:
        keras_model(epochs=4, batch_size=20)
    (fit,), (like,) = seen.fits, block.fits
    assert fit.recipe == like.recipe
    assert fit.unsupported is None
    assert np.array_equal(fit.weight_history.weights, like.weight_history.weights)
    assert fit.history == like.history
    assert fit.history["loss"] == tuple(history.history["loss"])
    assert fit.place.file == like.place.file
    assert len(seen.diagnosis.fits) == 1


def test_a_callback_keeps_the_epochs_of_a_fit_that_was_cut_off():
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    seen = whyfit.watch(retrain=False)
    with pytest.raises(KeyboardInterrupt):
        keras_model(epochs=9, callbacks=[seen, Stop()])
    assert seen.diagnosis.record.fits[0].evidence.fit.epochs_done == 3


def test_a_callback_does_not_change_the_training():
    plain = keras_model(epochs=3)[0].get_weights()
    watched = keras_model(epochs=3, callbacks=[whyfit.watch()])[0].get_weights()
    for one, other in zip(plain, watched, strict=True):
        assert np.array_equal(one, other)


# ---- a notebook's cell ----

CELL = """
import keras, numpy as np
x = np.linspace(-1, 1, 64)[:, None]
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, activation='relu'),
                          keras.layers.Dense(1)])
model.compile(loss='mse', optimizer='adam')
h = model.fit(x, np.sin(3 * x), epochs=3, verbose=0)
"""


@pytest.fixture
def shell():
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    made = interactive.InteractiveShell.instance()
    made.run_line_magic("load_ext", "whyfit")
    yield made
    interactive.InteractiveShell.clear_instance()


def test_a_cell_under_watch_shows_its_diagnosis(shell, capsys):
    shell.run_cell("%%whyfit --no-study --name why\n" + CELL)
    out = capsys.readouterr().out
    assert "1-3-1 relu" in out
    assert "Cell In[" in out
    assert shell.user_ns["why"].report.fits[0].line == 8
    assert "h" in shell.user_ns  # the cell's names are the notebook's


def test_a_cell_without_a_fit_or_with_an_error_says_so(shell, capsys):
    shell.run_cell("%%whyfit\nz = 1 + 1")
    assert "no fit was seen" in capsys.readouterr().out
    shell.run_cell("%%whyfit --no-study\n" + CELL + "1 / 0\n")
    out = capsys.readouterr().out
    assert "ZeroDivisionError" in out
    assert "1-3-1 relu" in out
    assert not shell.run_cell("%%whyfit --keep colour\nz = 1").success


# ---- the fixture for pytest ----

TESTED = """
import numpy as np
from tests.library.models import X, Y, torch_model

def test_small(assert_healthy_fit):
    model, optimizer, losses = torch_model()
    assert_healthy_fit(model, X, Y, losses, optimizer=optimizer, retrain=False)

def test_large(assert_healthy_fit):
    model, optimizer, losses = torch_model(400, 64)
    found = assert_healthy_fit(model, X, Y, losses, optimizer=optimizer, retrain=False)
    assert found.healthy
"""


def test_the_fixture_fails_with_the_verdict(pytester: pytest.Pytester, monkeypatch):
    pytester.makepyfile(TESTED)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess("-p", "no:jaxtyping", f"--rootdir={pytester.path}")
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "\nThe fit leaves 32% of the variance unexplained" in text
    assert "Failed: The f" in text  # the summary begins with the verdict too
    assert "pytest_plugin.py" not in text  # the verdict, not a traceback of ours
