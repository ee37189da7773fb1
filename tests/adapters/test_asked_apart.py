"""Inputs that the script asks about, and the constants by which a scaler of its made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit.measure.evidence import gather
from whyfit.rules import new_inputs_scaled_apart

pytestmark = pytest.mark.framework

HEAD = """
import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler
x, new = np.linspace(0, 10, 60)[:, None], np.linspace(2, 4, 20)[:, None]
y = np.sin(x)
scaler = {scaler}
"""
BEFORE = "a = scaler.fit_transform(x)\nb = {asked}\n"
TRAIN = {
    "sklearn": """
from sklearn.neural_network import MLPRegressor
model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(a, y[:, 0])
""",
    "keras": """
import keras
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(a, y, epochs=3, verbose=0)
""",
    "torch": """
import torch
model = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.Adam(model.parameters())
inputs, targets = (torch.tensor(each, dtype=torch.float32) for each in (a, y))
for epoch in range(3):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(inputs), targets).backward()
    optimizer.step()
""",
}
ASK = {
    "sklearn": "model.predict(b)\n",
    "keras": "model.predict(b, verbose=0)\n",
    "torch": "with torch.no_grad(): model(torch.tensor(b, dtype=torch.float32))\n",
}
AGAIN, OTHER, SAME = (
    "scaler.fit_transform(new)",
    "{scaler}.fit_transform(new)",
    "scaler.transform(new)",
)


def script(framework: str, scaler: str, asked: str, *, before: bool = True) -> str:
    head = (HEAD + BEFORE).replace("{asked}", asked).replace("{scaler}", scaler)
    if not before:
        line = "b = " + asked.replace("{scaler}", scaler) + "\n"
        return head.replace(line, "") + TRAIN[framework] + line + ASK[framework]
    return head + TRAIN[framework] + ASK[framework]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("before", [True, False], ids=["before the fit", "after it"])
@pytest.mark.parametrize("scaler", ["StandardScaler()", "MinMaxScaler()"])
@pytest.mark.parametrize("framework", TRAIN)
def test_a_scaler_that_is_fitted_again(tmp_path: Path, framework: str, scaler: str, before: bool):
    (fit,) = fits(tmp_path, script(framework, scaler, AGAIN, before=before))
    x, new = np.linspace(0, 10, 60), np.linspace(2, 4, 20)
    standard = scaler == "StandardScaler()"
    own = (new - new.mean()) / new.std() if standard else (new - 2) / 2
    right = (new - x.mean()) / x.std() if standard else new / 10
    deviation = 1.0 if standard else x.std() / 10
    assert fit.asked_apart.points == 20
    assert fit.asked_apart.shift == pytest.approx(
        np.sqrt(np.mean((own - right) ** 2)) / deviation, rel=1e-5
    )
    assert fit.in_input_units(fit.x).ravel() == pytest.approx(x, abs=1e-5)  # by its own constants
    assert "20 inputs asked for" in new_inputs_scaled_apart.check(gather(fit)).message


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_sparse_inputs_are_asked_without_a_word(tmp_path: Path):
    sparse = "from scipy.sparse import csr_matrix\nmodel.predict(csr_matrix(b))\n"
    (fit,) = fits(
        tmp_path,
        (HEAD + BEFORE).format(scaler="StandardScaler()", asked="a") + TRAIN["sklearn"] + sparse,
    )
    assert fit.asked is None


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_another_scaler(tmp_path: Path, framework: str):
    (fit,) = fits(tmp_path, script(framework, "StandardScaler()", OTHER))
    assert fit.asked_apart.shift > 0.5


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("framework", TRAIN)
@pytest.mark.parametrize("asked", [SAME, "a", "a[::2]", "np.linspace(-1, 1, 9)[:, None]"])
def test_nothing_to_say(tmp_path: Path, framework: str, asked: str):
    (fit,) = fits(tmp_path, script(framework, "StandardScaler()", asked))
    assert fit.asked is not None
    assert new_inputs_scaled_apart.check(gather(fit)) is None
