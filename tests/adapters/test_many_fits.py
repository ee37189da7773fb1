"""Scripts with many fits, fits inside fits, data that are no arrays, and scripts that fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from tests.adapters.scripts import fits, run
from whyfit.report import html, panels
from whyfit.report.panels.table import fit_table

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]

DATA = """
import numpy as np
import warnings
warnings.simplefilter("ignore")
x = np.linspace(-1, 1, 60).reshape(-1, 1)
y = np.sin(3 * x)
"""

LOOP = (
    DATA
    + """
from sklearn.neural_network import MLPRegressor

class Trial:
    def __init__(self, units, rate):
        self.units, self.rate = units, rate

    def fit(self):
        model = MLPRegressor(hidden_layer_sizes=(self.units,), learning_rate_init=self.rate,
                             max_iter=30, random_state=0)
        return model.fit(x, y.ravel()).score(x, y.ravel())

scores = [Trial(units, rate).fit() for units in (2, 4, 8, 16, 32)
          for rate in (0.0001, 0.001, 0.01, 0.1)]
"""
)

KERAS = (
    DATA
    + """
import keras
def make(units):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units, activation="relu"),
                              keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="adam")
    return model
"""
)


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A loop over settings: the report of its 20 fits, and what was printed."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "loop.py").write_text(LOOP)
    answer = subprocess.run(
        [sys.executable, "-m", "whyfit", "run", "--budget", "0.3", "--confirm", "0", "loop.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return panels.from_json((folder / "loop.whyfit.json").read_bytes()), answer.stdout


def test_of_many_fits_only_the_worst_is_retrained(loop):
    report, _printed = loop
    left = [panel.unexplained_variance for panel in report.fits]
    assert len(left) == 20
    worst = left.index(max(left))
    assert [at for at, panel in enumerate(report.fits) if panel.plan is not None] == [worst]
    others = [panel for at, panel in enumerate(report.fits) if at != worst]
    said = f"only the worst, fit {worst + 1} (line {report.fits[worst].line}), is retrained"
    assert all(said in panel.not_tested for panel in others)


def test_they_are_printed_as_a_table_and_the_worst_in_full(loop):
    report, printed = loop
    table = fit_table(report)
    assert table.head == ("fit", "network", "rate", "unexplained")
    assert len(table.rows) == 20
    assert [row[2] for row in table.rows[:4]] == ["0.0001", "0.001", "0.01", "0.1"]
    lines = printed.splitlines()
    assert f"the worst, fit {table.whole + 1}, is explained below" in lines[1]
    rows = lines[3:23]
    assert [row.split()[0] for row in rows] == [str(at) for at in range(1, 21)]
    assert sum("sklearn; " in line for line in lines) == 1  # the head of a fit told in full
    assert max(map(len, lines)) <= 80


def test_the_page_has_the_table_the_worst_whole_and_the_others_in_short(loop):
    report, _printed = loop
    page = html.render(report)
    worst = fit_table(report).whole + 1
    assert page.count("<article") == 20
    assert page.index(f'id="fit{worst}-head"') < page.index('id="fit1-head"')
    assert page.count('class="plot"') > 0
    assert all(f'href="#fit{at}-answer"' in page for at in range(1, 21))
    assert page.count('id="fit1-fit"') == 0
    assert len(page) < 1_000_000


def test_two_fits_are_both_told(tmp_path: Path):
    found = fits(
        tmp_path, KERAS + "for units in (3, 5): make(units).fit(x, y, epochs=2, verbose=0)"
    )
    assert [fit.recipe.layers[0].units for fit in found] == [3, 5]
    assert len({fit.place for fit in found}) == 1


def test_a_fit_inside_a_fit_is_said(tmp_path: Path):
    source = KERAS + dedent(
        """
        inner = make(3)
        class Inner(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                inner.fit(x, y, epochs=1, verbose=0)
        make(5).fit(x, y, epochs=2, verbose=0, callbacks=[Inner()])
        """
    )
    captured, _program = run(tmp_path, source)
    (fit,) = captured.fits
    assert fit.recipe.layers[0].units == 5
    line = source.splitlines().index("        inner.fit(x, y, epochs=1, verbose=0)") + 1
    assert captured.problems == (f"Line {line}: a fit inside another fit was not followed.",)


def test_a_model_that_overrides_fit_is_one_fit(tmp_path: Path):
    source = KERAS + dedent(
        """
        class Mine(keras.Sequential):
            def fit(self, *args, **kwargs):
                return super().fit(*args, **kwargs)
        model = Mine([keras.Input((1,)), keras.layers.Dense(3), keras.layers.Dense(1)])
        model.compile(loss="mse", optimizer="adam")
        model.fit(x, y, epochs=2, verbose=0)
        """
    )
    captured, _program = run(tmp_path, source)
    assert len(captured.fits) == 1
    assert captured.problems == ()


@pytest.mark.parametrize(
    ("data", "samples"),
    [
        ("(pair for pair in [(x, y)] * 2)", 120),  # one epoch, that saw each sample twice
        ("DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), 20)", 60),
    ],
)
def test_data_that_are_no_arrays(tmp_path: Path, data: str, samples: int):
    source = KERAS + "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
    source += f"make(3).fit({data}, epochs=1, verbose=0)\n"
    (fit,) = fits(tmp_path, source)
    assert len(fit.x) == len(fit.y) == samples


FORK = (
    DATA
    + """
import os, sys
from sklearn.neural_network import MLPRegressor
child = os.fork()
if child == 0 or AFTER:
    MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0).fit(x, y.ravel())
if child == 0:
    print("child", flush=True)
    sys.exit(3)
print("parent of", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("after", [True, False])
def test_a_script_that_forks(tmp_path: Path, after: bool):
    (tmp_path / "fork.py").write_text(FORK.replace("AFTER", str(after)))
    answer = subprocess.run(
        [sys.executable, "-m", "whyfit", "run", "--no-study", "fork.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith("child\nparent of 3\n")
    said = "The script started other processes; what was trained in them was not followed"
    if after:
        assert answer.stdout.count(said) == 1
        assert answer.stdout.count("Wrote") == 1  # the child wrote no report
        assert len(json.loads((tmp_path / "fork.whyfit.json").read_text())["fits"]) == 1
    else:
        assert said in answer.stderr
        assert not list(tmp_path.glob("*.json"))


def test_workers_of_a_loader_are_not_worth_a_word(tmp_path: Path):
    source = DATA + dedent(
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        net = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        optimizer = torch.optim.SGD(net.parameters(), 0.01)
        data = TensorDataset(torch.tensor(x).float(), torch.tensor(y).float())
        for a, b in DataLoader(data, batch_size=30, num_workers=1):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(a), b).backward()
            optimizer.step()
        """
    )
    captured, _program = run(tmp_path, source)
    assert len(captured.fits) == 1
    assert captured.problems == ()


def test_where_no_fit_can_be_retrained_the_last_is_told(tmp_path: Path):
    """With it the script ends; the reason is said, not only a table shown."""
    source = (
        DATA
        + """
import torch
model = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
x, y = (torch.tensor(each, dtype=torch.float32) for each in (x, y))
for epoch in range(5):
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss = ((model(x) - y) ** 2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
"""
    )
    (tmp_path / "anew.py").write_text(source)
    command = [sys.executable, "-m", "whyfit", "run", "anew.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    said = " ".join(said.split())
    assert "5 fits; none can be retrained; the last, fit 5, is explained below" in said
    assert "the optimizer is made anew while the training goes on (made in line 12)" in said
    assert "Because" not in said


def test_a_worst_fit_that_is_not_reproduced_is_told_as_the_worst(loop):
    """It was tried; the others say that only it was."""
    report = loop[0]
    at = fit_table(report).whole
    differs = replace(report.fits[at].replay, status="differs")
    worst = replace(report.fits[at], plan=None, replay=differs)
    fits = (*report.fits[:at], worst, *report.fits[at + 1 :])
    table = fit_table(replace(report, fits=fits))
    assert (table.whole, table.tried) == (at, True)
