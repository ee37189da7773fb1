"""What is captured of the losses of PyTorch loops: their formulas, weights and penalties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from tests.adapters.torch_loops import FULL, HEAD, NET, STEP, batch
from whyfit.engine.lanes import Order, train
from whyfit.records.recipe import Penalty, flatten
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

LOSSES = {
    "nn.MSELoss()(model(x), y)": ("mse", "mean", 1.0),
    "((model(x) - y) ** 2).mean()": ("mse", "mean", 1.0),
    "torch.mean((y - model(x)).pow(2))": ("mse", "mean", 1.0),
    "0.5 * torch.sum(torch.square(model(x) - y)) / N": ("mse", "mean", 0.5),
    "F.mse_loss(model(x), y, reduction='sum')": ("mse", "sum", 1.0),
    "F.mse_loss(model(x), y, reduction='none').sum()": ("mse", "sum", 1.0),
    "F.l1_loss(model(x), y)": ("mae", "mean", 1.0),
    "(y - model(x)).abs().mean()": ("mae", "mean", 1.0),
    "nn.HuberLoss(delta=0.5)(model(x), y)": ("huber", "mean", 1.0),
    "nn.SmoothL1Loss(beta=0.5)(model(x), y)": ("huber", "mean", 2.0),
    "F.mse_loss(model(x).squeeze(), y[:, 0])": ("mse", "mean", 1.0),
}


@pytest.mark.parametrize("code", LOSSES)
def test_losses_by_module_function_or_hand(tmp_path: Path, code: str):
    (fit,) = fits(tmp_path, HEAD + NET + FULL.replace("F.mse_loss(model(x), y)", code))
    assert fit.unsupported is None
    assert (fit.recipe.loss, fit.recipe.reduction, fit.recipe.loss_factor) == LOSSES[code]
    assert fit.y == pytest.approx(np.sin(3 * np.linspace(-1, 1, 100))[:, None], abs=1e-6)


ROOTS = {
    "F.mse_loss(model(x), y).sqrt()": ("mean", 1.0),
    "torch.sqrt(F.mse_loss(model(x), y) + 1e-8)": ("mean", 1.0),
    "3 * torch.sqrt(((model(x) - y) ** 2).sum() / 25)": ("mean", 6.0),
    "torch.norm(model(x) - y) / 10": ("sum", 0.1),
    "F.mse_loss(model(x), y, reduction='sum') ** 0.5": ("sum", 1.0),
}


@pytest.mark.parametrize("code", ROOTS)
def test_roots_of_squares_are_retrained(tmp_path: Path, code: str):
    """100 samples, so that their sum divided by 25 is four times the mean."""
    (fit,) = fits(tmp_path, HEAD + NET + FULL.replace("F.mse_loss(model(x), y)", code))
    assert fit.unsupported is None
    recipe = fit.recipe
    assert (recipe.loss, recipe.reduction) == ("rmse", ROOTS[code][0])
    assert recipe.loss_factor == pytest.approx(ROOTS[code][1])
    assert replay(fit, 0).status == "reproduced"
    other = replace(recipe, loss_factor=3.0 * recipe.loss_factor)
    assert replay(replace(fit, recipe=other), 0).status == "differs"


LOSS = "F.mse_loss(model(x), y)"


NO_ROOTS = {
    "torch.sqrt((model(x) - y) ** 2 + 1e-6).mean()": "a root of single errors",
    "((model(x) - y) ** 2).sqrt().mean()": "a root of single errors",
    "torch.sqrt(F.mse_loss(model(x), y) + 0.1)": "a number that is added under a root",
    "torch.sqrt(F.huber_loss(model(x), y))": "the root of huber",
    "torch.norm(model(x) - y).sqrt()": "the root of a norm",
    "F.mse_loss(model(x), y).sqrt().sqrt()": "a root of single errors",
}


@pytest.mark.parametrize("code", NO_ROOTS)
def test_other_roots_are_told(tmp_path: Path, code: str):
    (fit,) = fits(tmp_path, HEAD + NET + FULL.replace("F.mse_loss(model(x), y)", code))
    assert fit.unsupported is not None
    assert NO_ROOTS[code] in fit.unsupported


PENALTIES = {
    f"{LOSS} + 0.01 * sum((p ** 2).sum() for p in model.parameters())": ((0, 0.01), (0, 0.01)),
    f"{LOSS} + 0.5 * 0.01 * torch.norm(model[0].weight) ** 2": ((0, 0.005), (0, 0)),
    f"0.1 + {LOSS} + model[0].weight.abs().sum() / 50": ((0.02, 0), (0, 0)),
    f"2 * ({LOSS} + 0.04 * model[0].weight.view(-1).square().sum() / 4)": ((0, 0.02), (0, 0)),
    f"{LOSS} + sum(0.04 * (p * p).mean() for p in model[0].parameters())": ((0, 0.01), (0, 0.01)),
    f"{LOSS} + 0.05 * sum(p.norm(1) for p in model.parameters())": ((0.05, 0), (0.05, 0)),
}


@pytest.mark.parametrize("code", PENALTIES)
def test_penalties_written_by_hand(tmp_path: Path, code: str):
    (fit,) = fits(tmp_path, HEAD + NET + FULL.replace(LOSS, code).replace("range(20)", "range(80)"))
    assert fit.unsupported is None
    first = fit.recipe.layers[0]
    found = [(each.l1, each.l2) for each in (first.kernel_penalty, first.bias_penalty)]
    assert np.array(found) == pytest.approx(np.array(PENALTIES[code]), rel=1e-5)
    assert replay(fit, 0).status == "reproduced"
    none = {"kernel_penalty": Penalty(), "bias_penalty": Penalty()}
    free = replace(fit.recipe, layers=tuple(replace(each, **none) for each in fit.recipe.layers))
    assert replay(replace(fit, recipe=free), 0).status == "differs"


EACH = "F.mse_loss(model(x), y, reduction='none')"


WEIGHTED = {  # the loss, and what each sample's is multiplied with
    "by hand": ("(weight * (model(x) - y) ** 2).mean()", lambda w: w),
    "on the right": ("((model(x) - y).abs() * weight).mean()", lambda w: w),
    "a module": ("(nn.MSELoss(reduction='none')(model(x), y) * weight).mean()", lambda w: w),
    "divided by their sum": (f"({EACH} * weight).sum() / weight.sum()", lambda w: w),
    "an argument": ("F.mse_loss(model(x), y, weight=weight)", lambda w: w),
    "divided by": (f"({EACH} / weight).mean()", lambda w: 1 / w),
    "a row": (f"2 * (weight[:, 0] * {EACH}.sum(dim=1)).sum() / N", lambda w: w),
    "inside the square": ("((weight * (model(x) - y)) ** 2).mean()", lambda w: w**2),
    "inside the absolute value": ("(weight * (model(x) - y)).abs().mean()", lambda w: w),
}


GIVEN = "weight = 0.1 + (x + 1) ** 2\n"


@pytest.mark.parametrize("name", WEIGHTED)
def test_sample_weights_are_captured(tmp_path: Path, name: str):
    loss, weighed = WEIGHTED[name]
    code = FULL.replace("F.mse_loss(model(x), y)", loss)
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + code)
    assert fit.unsupported is None
    assert fit.sample_weight == pytest.approx(weighed(0.1 + (fit.x[:, 0] + 1) ** 2), rel=1e-5)
    assert fit.recipe.divide_by_weights == (name in ("divided by their sum", "an argument"))
    assert replay(fit, 0).status == "reproduced"
    assert replay(replace(fit, sample_weight=None), 0).status == "differs"


@pytest.mark.parametrize("shared", ["mean()", "sum() / w.sum()"])
def test_sample_weights_of_a_loader(tmp_path: Path, shared: str):
    code = f"""
for epoch in range(6):
    for a, b, w in DataLoader(TensorDataset(x, y, weight), batch_size=32, shuffle=True):
        loss = (w * (model(a) - b) ** 2).{shared}; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + code)
    assert fit.unsupported is None
    assert batch(fit) == (32, 6, True, False)
    assert fit.recipe.divide_by_weights == (shared != "mean()")
    assert len(np.unique(fit.x)) == 100
    assert fit.sample_weight == pytest.approx(0.1 + (fit.x[:, 0] + 1) ** 2, rel=1e-5)


NOT_WEIGHTED = {
    "spread": ("(weight[:, 0] * (model(x) - y) ** 2).mean()", "weights of shape (100,) for losses"),
    "of a mean": (
        "(weight * F.mse_loss(model(x), y)).mean()",
        "weights of shape (100, 1) for losses",
    ),
    "of one column": (
        "(weight[:2, 0] * (m(x) - z) ** 2).mean()",
        "weights of shape (2,) for losses",
    ),
    "a root": (f"(weight * {EACH}).mean().sqrt()", "sample weights under a root"),
    "two": (f"(weight * (weight * {EACH})).mean()", "a loss with several sample weights"),
    "two, one inside": (
        "(weight * (weight * (model(x) - y)) ** 2).mean()",
        "several sample weights",
    ),
    "negative": (f"((weight - 0.5) * {EACH}).mean()", "negative sample weights"),
    "a penalty of samples": (
        f"(weight * ({EACH} + 0.01 * model[0].weight.square().sum())).mean()",
        "a penalty that is added to the losses of samples",
    ),
    "by the error": (f"({EACH}.detach().sqrt() * {EACH}).mean()", "sample weights that change"),
}


@pytest.mark.parametrize("name", NOT_WEIGHTED)
def test_weights_that_are_not_one_number_a_sample_are_told(tmp_path: Path, name: str):
    loss, reason = NOT_WEIGHTED[name]
    two = (
        "m = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 2)); z = torch.cat([y, y], 1)\n"
    )
    other = "opt = torch.optim.SGD(m.parameters(), lr=0.1)\n" if "m(x)" in loss else ""
    code = FULL.replace("F.mse_loss(model(x), y)", loss)
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + two + other + code)
    assert reason in fit.unsupported
    assert len(fit.x) == 100
    assert (fit.sample_weight is None) == (name != "a root")


STEPS_THAT_DIFFER = {
    "weights later": "(weight[i:i+25] * e if epoch else e).mean()",
    "weights at first": "(e if epoch else weight[i:i+25] * e).mean()",
}


@pytest.mark.parametrize("name", STEPS_THAT_DIFFER)
def test_weights_at_some_steps_only_are_told(tmp_path: Path, name: str):
    code = f"""
for epoch in range(4):
    for i in range(0, N, 25):
        e = F.mse_loss(model(x[i:i+25]), y[i:i+25], reduction='none')
        loss = {STEPS_THAT_DIFFER[name]}; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + code)
    assert fit.unsupported is not None


@pytest.mark.parametrize(
    "loss", ["(w * (model(a) - b) ** 2).mean()", "((w * (model(a) - b)) ** 2).mean()"]
)
def test_a_last_batch_of_one_weighted_sample_is_told(tmp_path: Path, loss: str):
    code = f"""
for epoch in range(6):
    for a, b, w in DataLoader(TensorDataset(x, y, weight), batch_size=33):
        loss = {loss}; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + code)
    assert fit.unsupported is not None


def test_weights_of_columns_are_told(tmp_path: Path):
    code = f"""
m = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 4)); z = torch.cat([y, y, y, y], 1)
opt = torch.optim.SGD(m.parameters(), lr=0.1)
for epoch in range(6):
    for i in range(0, N, 4):
        e = F.mse_loss(m(x[i:i+4]), z[i:i+4], reduction='none')
        loss = (torch.tensor([1.0, 2.0, 3.0, 4.0]) * e.mean(0)).sum(); {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert "weights of columns" in fit.unsupported


@pytest.mark.parametrize(
    ("reduced", "expected"),
    [
        ("mean(0).sum()", ("mean", 2.0)),
        ("sum(1).mean()", ("mean", 2.0)),
        ("sum(0).mean()", ("sum", 0.5)),
        ("mean(1).sum()", ("sum", 0.5)),
    ],
)
def test_samples_and_columns_reduced_one_after_the_other(
    tmp_path: Path, reduced: str, expected: tuple[str, float]
):
    """How a batch of another size would count hangs on what is done with the samples."""
    code = f"""
m = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 2)); z = torch.cat([y, -y], 1)
opt = torch.optim.SGD(m.parameters(), lr=0.01)
for epoch in range(6):
    for i in range(0, N, 32):
        loss = F.mse_loss(m(x[i:i+32]), z[i:i+32], reduction='none').{reduced}; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert fit.unsupported is None
    assert (fit.recipe.reduction, fit.recipe.loss_factor) == expected
    assert replay(fit, 0).status == "reproduced"


def test_weights_beside_samples_that_come_again(tmp_path: Path):
    """The same inputs with other weights are no weights that change."""
    code = f"""
a = x[:25].repeat(4, 1); b = torch.cat([k * torch.sin(a[:25]) for k in (1, 2, 3, 4)])
for epoch in range(6):
    for i in range(0, N, 25):
        loss = (weight[i:i+25] * (model(a[i:i+25]) - b[i:i+25]) ** 2).mean(); {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + GIVEN + NET + code)
    assert fit.unsupported is None
    assert len(fit.x) == 100
    assert replay(fit, 0).status == "reproduced"


@pytest.mark.parametrize(
    ("loss", "factor"),
    [
        ("(3 * ({})) ** 2", 9.0),
        ("(({}) / 0.4).abs()", 2.5),
        ("(({}) / torch.tensor([0.5])) ** 2", 4.0),
    ],
)
def test_differences_in_other_units_are_a_factor(tmp_path: Path, loss: str, factor: float):
    code = f"({loss.format('model(x) - y')}).mean()"
    (fit,) = fits(tmp_path, HEAD + NET + FULL.replace("F.mse_loss(model(x), y)", code))
    assert fit.recipe.loss_factor == pytest.approx(factor, rel=1e-6)
    assert replay(fit, 0).status == "reproduced"


CHANGING = {
    "a weight for one sample": "weight[i] * F.mse_loss(model(x[i:i+1]), y[i:i+1])",
    "a factor that falls": "0.99 ** epoch * F.mse_loss(model(x[i:i+1]), y[i:i+1])",
    "another loss later": "(F.mse_loss if epoch < 2 else F.l1_loss)(model(x[i:i+1]), y[i:i+1])",
}


@pytest.mark.parametrize("name", CHANGING)
def test_a_loss_that_changes_is_told(tmp_path: Path, name: str):
    code = f"""
weight = 0.1 + torch.rand(N)
for epoch in range(4):
    for i in range(N):
        loss = {CHANGING[name]}; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert fit.unsupported == "a loss that changes while training goes on is not supported"


def test_a_sum_divided_by_a_number_is_no_mean_of_a_short_batch(tmp_path: Path):
    code = f"""
for epoch in range(20):
    for i in range(0, N, 30):
        loss = ((model(x[i:i+30]) - y[i:i+30]) ** 2).sum() / 30; {STEP}
"""
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert fit.unsupported is None
    assert (fit.recipe.reduction, fit.recipe.loss_factor) == ("sum", pytest.approx(1 / 30))
    trained = train(fit.recipe, fit.x, fit.y, flatten(fit.start)[None], order=Order("given"))
    assert trained.weights[0] == pytest.approx(flatten(fit.end), abs=1e-5)
