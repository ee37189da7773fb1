"""Layers that were not trained are, after the patch, in every way of leaving them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.scripts import run
from tests.adapters.test_frozen import BASE, KERAS, KNOWN, LAYERS, OFF, network
from tests.adapters.torch_loops import FULL
from whyfit.patching.patch import Patch, patch
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.study import arm

pytestmark = pytest.mark.framework

ALL = arm(Change("trained", "all"))
APPENDED = (
    "[]\n        for a, b in ((1, 6), (6, 6)):\n            self.hidden.append(nn.Linear(a, b))"
)
MADE = "[nn.Linear(a, 6) for a in (1, 6)]"
CALLS = {
    "list": (network(hidden=LAYERS), f"self.hidden = {KNOWN}"),
    "appended": (network(hidden=APPENDED), "self.hidden = nn.ModuleList([])"),
    "comprehension": (network(hidden=MADE), f"self.hidden = nn.ModuleList({MADE})"),
    "part": (network(given="model.out.parameters()"), "Adam(model.parameters(), lr=0.01)"),
    "by number": (network(given="model.hidden[1].parameters()"), "Adam(model.parameters(), lr"),
    "flag": (network(after=OFF.format("hidden")), "p.requires_grad = True"),
    "list beside data": (
        network(hidden=LAYERS) + "w = torch.tensor(1.0, requires_grad=False)\n",
        f"self.hidden = {KNOWN}",
    ),
    "method": (network(after="model.out.requires_grad_(False)"), "model.out.requires_grad_(True)"),
}
KERAS_MODELS = {
    "attribute": (
        f"{BASE}\nbase.trainable = False\nmodel = keras.Sequential([base, Dense(1)])",
        "base.trainable = True",
    ),
    "argument": (
        "model = keras.Sequential([Input((1,)), Dense(5, 'tanh', trainable=False), Dense(1)])",
        "Dense(5, 'tanh', trainable=True)",
    ),
    "loop": (
        f"{BASE}\nfor layer in base.layers: layer.trainable = False\n"
        "model = keras.Sequential([base, Dense(1)])",
        "layer.trainable = True",
    ),
}


def patched(folder: Path, source: str) -> tuple[Fit, Patch]:
    captured, program = run(folder, source)
    assert captured.error is None, captured.error
    (fit,) = captured.fits
    assert not all(layer.trainable for layer in fit.recipe.layers)
    return fit, patch(Path(program.path).read_text(), program.path, fit, ALL)


def check(folder: Path, source: str, line: str) -> None:
    _fit, found = patched(folder, source)
    assert found.source is not None, found.words
    assert line in found.source
    captured, _program = run(folder, found.source)
    assert all(layer.trainable for layer in captured.fits[0].recipe.layers)


@pytest.mark.parametrize("name", CALLS)
def test_every_layer_of_a_torch_network_is_trained(tmp_path: Path, name: str):
    source, line = CALLS[name]
    check(tmp_path, source + FULL, line)


@pytest.mark.parametrize("name", KERAS_MODELS)
def test_every_layer_of_a_keras_model_is_trained(tmp_path: Path, name: str):
    model, line = KERAS_MODELS[name]
    check(tmp_path, KERAS.format(model=model), line)


def test_an_optimizer_of_layers_that_are_no_part_of_the_model(tmp_path: Path):
    """Nothing stands in the script that could be turned: the person is told what to do."""
    given = network(given="chosen").replace(
        "\nopt =", "\nchosen = [*model.out.parameters()]\nopt ="
    )
    _fit, found = patched(tmp_path, given + FULL)
    assert found.source is None
    assert found.words == ("give the optimizer the weights of every layer, by hand",)
