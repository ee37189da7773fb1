"""What a PyTorch network with dropout answers after the training, and whether dropout was on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from tests.adapters.torch_loops import FULL, HEAD
from whyfit.measure.evidence import gather
from whyfit.rules import dropout_left_on

pytestmark = pytest.mark.framework

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.drop = nn.Linear(1, 20), nn.Linear(20, 1), nn.Dropout(0.5)
    def forward(self, z):
        return self.b({drop}(torch.tanh(self.a({given}))))
model = Net()
opt = torch.optim.Adam(model.parameters(), lr=0.05)
"""
LOOP = FULL.replace("range(20)", "range(200)")
PLAIN = HEAD + NET.format(drop="self.drop", given="z") + LOOP
ALWAYS = HEAD + NET.format(drop="F.dropout", given="z") + LOOP
ASKING = {
    "left on": (PLAIN + "p = model(x[:40])\n", [40], True),
    "left on without gradients": (PLAIN + "with torch.no_grad(): p = model(x)\n", [100], True),
    "turned off": (PLAIN + "model.eval()\np = model(x)\n", [100], False),
    "turned off and on again": (
        PLAIN + "model.eval()\nmodel(x)\nmodel.train()\nmodel(x)\n",
        [100, 100],
        True,
    ),
    "never to be turned off": (ALWAYS + "model.eval()\np = model(x)\n", [100], True),
    "not asked": (PLAIN, [], False),
}


@pytest.mark.parametrize("name", ASKING)
def test_answers_with_dropout_on(tmp_path: Path, name: str):
    source, points, told = ASKING[name]
    (fit,) = fits(tmp_path, source)
    assert fit.unsupported is None
    assert [len(each.x) for each in fit.answers] == points
    found = dropout_left_on.check(gather(fit))
    assert (found is not None) == told
    if told:
        last = source.rstrip().count("\n") + 1
        assert f"answers of line {last} were given with dropout on" in found.message


def test_a_network_that_diverged_has_no_answers_of_its_own(tmp_path: Path):
    (fit,) = fits(
        tmp_path, PLAIN.replace("Adam", "SGD").replace("lr=0.05", "lr=1e30") + "model(x)\n"
    )
    assert fit.answers
    found = gather(fit)
    assert not np.isfinite(fit.predictions).all()
    assert found.regularisation.scatter is None
    assert dropout_left_on.check(found) is None


def test_a_network_that_another_optimizer_goes_on_with(tmp_path: Path):
    """What it answers in that training is no answer of the first."""
    more = "opt = torch.optim.SGD(model.parameters(), lr=0.1)\n" + LOOP + "model(x)\n"
    found = fits(tmp_path, PLAIN + more)
    assert len(found) == 2
    assert all(fit.answers == () for fit in found)


def test_answers_off_the_network_are_measured(tmp_path: Path):
    (fit,) = fits(tmp_path, PLAIN + "model(x)\n")
    (given,) = fit.answers
    off = ((given.outputs - fit.end(given.x)) ** 2).mean() / fit.y.var()
    assert gather(fit).regularisation.scatter.share == pytest.approx(off)


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.replace("    loss =", "    model(x); loss ="),  # while it is trained
        PLAIN + "kept = model.state_dict()\nmodel(x)\nmodel.load_state_dict(kept)\n",
        HEAD + NET.format(drop="self.drop", given="2 * z") + LOOP + "model(x)\n",
        HEAD + NET.format(drop="", given="z") + LOOP + "model(x)\n",
    ],
    ids=["between steps", "before other weights", "other inputs", "no dropout"],
)
def test_what_is_no_answer_of_the_trained_network(tmp_path: Path, source: str):
    """Or is known too little of: the layers are not all the model does, or have no dropout."""
    (fit,) = fits(tmp_path, source)
    assert fit.answers == ()
    assert gather(fit).regularisation.scatter is None
