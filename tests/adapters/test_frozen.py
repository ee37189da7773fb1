"""Layers that no step changes: frozen, left out, or hidden in a list; and models that are layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from tests.adapters.torch_loops import FULL, HEAD, STEP
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

CLASS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = {hidden}
        self.out = nn.Linear(6, 1)
    def forward(self, z):
        for layer in self.hidden:
            z = torch.tanh(layer(z))
        return self.out(z)
model = Net()
{after}
opt = torch.optim.Adam({given}, lr=0.01)
"""
LAYERS = "[nn.Linear(1, 6), nn.Linear(6, 6)]"
KNOWN = f"nn.ModuleList({LAYERS})"
OFF = "for p in model.{}.parameters(): p.requires_grad = False"
KEPT = {
    "in a list": ({"hidden": LAYERS}, [False, False, True]),
    "left out": ({"given": "model.out.parameters()"}, [False, False, True]),
    "first frozen": ({"after": OFF.format("hidden[0]")}, [False, True, True]),
    "middle frozen": ({"after": OFF.format("hidden[1]")}, [True, False, True]),
    "last frozen": ({"after": OFF.format("out")}, [True, True, False]),
    "all but the last frozen": ({"after": OFF.format("hidden")}, [False, False, True]),
    "none": ({}, [True, True, True]),
}
BATCHES = f"""
loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
for epoch in range(40):
    for a, b in loader:
        loss = F.mse_loss(model(a), b); {STEP}
"""
END = "print(*model(x).detach().numpy().ravel())\n"


def network(**parts: str) -> str:
    return HEAD + CLASS.format(
        **{"hidden": KNOWN, "after": "", "given": "model.parameters()"} | parts
    )


def printed(capsys) -> list[float]:
    return [float(each) for each in capsys.readouterr().out.split()]


@pytest.mark.parametrize("loop", [FULL, BATCHES], ids=["full", "batches"])
@pytest.mark.parametrize("name", KEPT)
def test_layers_that_no_step_changes(tmp_path: Path, capsys, name: str, loop: str):
    parts, trained = KEPT[name]
    (fit,) = fits(tmp_path, network(**parts) + loop + END)
    assert fit.unsupported is None
    assert [layer.trainable for layer in fit.recipe.layers] == trained
    assert fit.x.shape == (100, 1)
    assert fit.gradients_cleared  # those that the optimizer was given
    assert fit.predictions.ravel() == pytest.approx(printed(capsys), abs=1e-6)
    kept = np.concatenate(
        [
            np.full(layer.weight.size + layer.bias.size, not each)
            for layer, each in zip(fit.start.layers, trained, strict=True)
        ]
    )
    assert np.array_equal(fit.weight_history.weights[0][kept], fit.weight_history.weights[-1][kept])


@pytest.mark.parametrize("name", ["in a list", "middle frozen"])
def test_the_engine_trains_the_same(tmp_path: Path, name: str):
    """From the same start in the same order, the layers that are kept left as they are."""
    (fit,) = fits(tmp_path, network(**KEPT[name][0]) + FULL)
    assert replay(fit, 0).status == "reproduced"


def test_gradients_that_are_never_cleared_beside_layers_that_are_kept(tmp_path: Path):
    loop = FULL.replace("opt.zero_grad(); ", "")
    (fit,) = fits(tmp_path, network(**KEPT["left out"][0]) + loop)
    assert fit.unsupported is None
    assert fit.gradients_cleared is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[model.out.weight, *model.hidden.parameters()]", "of some layer only one of the two"),
        ("model.out.parameters()", "clipping beside layers that are not trained"),
    ],
)
def test_what_the_engine_does_not_do(tmp_path: Path, given: str, said: str):
    clipped = "nn.utils.clip_grad_norm_(model.parameters(), 1.0); opt.step()"
    loop = FULL.replace("opt.step()", clipped) if "clipping" in said else FULL
    (fit,) = fits(tmp_path, network(given=given) + loop)
    assert said in fit.unsupported
    assert fit.predictions is not None


STEPS = {
    "after one loss": "opt.step(); other.step()",
    "in turns": "(opt if epoch % 2 else other).step()",
}


@pytest.mark.parametrize("name", STEPS)
def test_two_optimizers_that_share_a_network(tmp_path: Path, name: str):
    """What one of them leaves as it is the other trains: neither is a fit with layers that are kept."""
    other = "\nother = torch.optim.Adam(model.hidden.parameters(), lr=0.01)\n"
    loop = FULL.replace("opt.step()", STEPS[name]).replace(
        "opt.zero", "other.zero_grad(); opt.zero"
    )
    captured, _program = run(tmp_path, network(given="model.out.parameters()") + other + loop)
    assert captured.fits
    assert all(
        "optimizer" in fit.unsupported or "before" in fit.unsupported for fit in captured.fits
    )


def test_a_frozen_model_is_asked_no_second_time_aloud(tmp_path: Path, capsys):
    """Its copy is, once for each batch that is looked at, without a word and without a random number."""
    loud = network(after=OFF.format("hidden")).replace(
        "def forward(self, z):", "def forward(self, z):\n        print('asked')"
    )
    drawn = "print(torch.rand(1).item())\n"
    fits(tmp_path, loud + FULL + drawn)
    *asked, number = capsys.readouterr().out.split()
    assert asked == ["asked"] * 20
    fits(tmp_path, network() + FULL + drawn)
    assert float(number) == pytest.approx(printed(capsys)[0])


KERAS = """
import keras
import numpy as np
from keras.layers import Dense, Input
keras.utils.set_random_seed(3)
x = np.linspace(-1, 1, 64).reshape(-1, 1)
y = np.sin(3 * x)
{model}
model.compile(loss='mse', optimizer='adam')
model.fit(x, y, epochs=5, batch_size=16, verbose=0)
print(*model.predict(x, verbose=0).ravel())
"""
BASE = "base = keras.Sequential([Input((1,)), Dense(5, activation='tanh'), Dense(4, activation='relu')])"
MODELS = {
    "a sequence in a sequence": f"{BASE}\nmodel = keras.Sequential([base, Dense(1)])",
    "a sequence in a graph": f"{BASE}\nt = Input((1,))\nmodel = keras.Model(t, Dense(1)(base(t)))",
    "a graph in a sequence": (
        "t = Input((1,))\n"
        "base = keras.Model(t, Dense(4, activation='relu')(Dense(5, activation='tanh')(t)))\n"
        "model = keras.Sequential([base, Dense(1)])"
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_as_a_layer_of_another(tmp_path: Path, capsys, name: str, frozen: bool):
    model = MODELS[name] + ("\nbase.trainable = False" if frozen else "")
    (fit,) = fits(tmp_path, KERAS.format(model=model))
    assert fit.unsupported is None
    assert [layer.units for layer in fit.recipe.layers] == [5, 4, 1]
    assert [layer.trainable for layer in fit.recipe.layers] == [not frozen, not frozen, True]
    assert fit.predictions.ravel() == pytest.approx(printed(capsys), abs=1e-6)
    layers = [call for call in fit.calls if call.role == "layer"]
    assert [call.index for call in layers] == [0, 1, 2]
