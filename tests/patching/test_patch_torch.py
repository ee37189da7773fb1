"""Changes of PyTorch loops: placed in scripts of several styles, applied with patch(1), read back."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.adapters.scripts import run
from whyfit.patching.patch import patch, unified_diff
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.study import arm
from whyfit.study import factors

pytestmark = pytest.mark.framework

STYLES = {
    "sequential": """
        import numpy as np
        import torch
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset
        sx, sy = MinMaxScaler(), MinMaxScaler()  # two scalers
        t = np.linspace(0, 5, 48).reshape(-1, 1)
        x = torch.tensor(sx.fit_transform(t), dtype=torch.float32)
        y = torch.tensor(sy.fit_transform(np.sin(t)), dtype=torch.float32)
        hidden = 4  # units
        model = nn.Sequential(
            nn.Linear(1, hidden),
            nn.ReLU(),   # keep me
            nn.Linear(hidden, 1),
            nn.Sigmoid(),
        )
        # how it learns
        opt = torch.optim.Adam(model.parameters(), lr=1e-3)
        loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
        for epoch in range(5):
            for a, b in loader:
                loss = nn.functional.mse_loss(model(a), b)
                opt.zero_grad()
                loss.backward()
                opt.step()
    """,
    "class": """
        import numpy as np
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from sklearn.preprocessing import StandardScaler
        EPOCHS = 5
        batch_size = 16
        learning_rate = 1e-3
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(1, 4)
                self.last = nn.Linear(in_features=4, out_features=1)
            def forward(self, x):
                return self.last(F.relu(self.first(x)))  # keep me
        def main():
            t = np.linspace(0, 5, 48).reshape(-1, 1)
            x = torch.from_numpy(StandardScaler().fit_transform(t)).float()
            y = torch.from_numpy(np.sin(t)).float()
            net = Net()
            optimizer = torch.optim.SGD(net.parameters(), learning_rate)
            criterion = nn.MSELoss()
            for epoch in range(EPOCHS):
                order = torch.randperm(len(x))
                for i in range(0, len(x), batch_size):
                    chosen = order[i:i + batch_size]
                    optimizer.zero_grad()
                    criterion(net(x[chosen]), y[chosen]).backward()
                    optimizer.step()
        main()
    """,
}

CHANGES = {
    "input range": (Change("input_range", "[-1, 1]"), lambda fit: abs(fit.x.min() + 1.0) < 1e-6),
    "units": (Change("units", "16"), lambda fit: fit.recipe.layers[0].units == 16),
    "activation": (
        Change("activation", "tanh"),
        lambda fit: fit.recipe.layers[0].activation.name == "tanh",
    ),
    "depth": (
        Change("depth", "2 hidden layers"),
        lambda fit: [each.units for each in fit.recipe.layers] == [4, 4, 1],
    ),
    "initializer": (
        Change("kernel_initializer", "glorot_uniform"),
        lambda fit: (
            {each.kernel_initializer.name for each in fit.recipe.layers} == {"glorot_uniform"}
        ),
    ),
    "biases": (
        Change("bias_initializer", "spread"),
        lambda fit: fit.recipe.layers[0].bias_initializer.maxval == 0.5,
    ),
    "output": (
        Change("output_activation", "linear"),
        lambda fit: fit.recipe.layers[-1].activation.name == "linear",
    ),
    "optimizer": (
        Change("optimizer", "rmsprop(0.02)"),
        lambda fit: (
            (fit.recipe.optimizer.name, fit.recipe.optimizer.learning_rate) == ("rmsprop", 0.02)
        ),
    ),
    "learning rate": (
        Change("learning_rate", "0.02"),
        lambda fit: fit.recipe.optimizer.learning_rate == 0.02,
    ),
    "epochs": (Change("epochs", "7"), lambda fit: fit.recipe.epochs == fit.epochs_done == 7),
    "batch size": (Change("batch_size", "8"), lambda fit: fit.recipe.batch_size == 8),
}

WORDS = {
    ("class", "depth"): "only nn.Sequential can be made deeper",
    ("class", "output"): "by hand",
}


def fit_in(folder: Path, source: str) -> tuple[Fit, str]:
    captured, program = run(folder, source)
    assert captured.error is None, captured.error
    return captured.fits[0], program.path


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_change_is_placed_and_does_what_it_says(tmp_path: Path, style: str, name: str):
    fit, path = fit_in(tmp_path, STYLES[style])
    source = Path(path).read_text()
    change, holds = CHANGES[name]
    patched = patch(source, path, fit, arm(change), (0.5,))
    if words := WORDS.get((style, name)):
        assert patched.source is None
        assert words in patched.words[0]
        return
    assert not holds(fit)
    assert patched.source is not None, patched.words
    (tmp_path / "fix.diff").write_text(unified_diff(source, patched.source, "script.py"))
    subprocess.run(["patch", "-p1", "--quiet", "--input", "fix.diff"], cwd=tmp_path, check=True)
    again, _path = fit_in(tmp_path, (tmp_path / "script.py").read_text())
    assert holds(again)
    if name not in ("input range", "standardised", "biases"):  # whose data or bounds are others
        assert factors.apply(arm(change), fit, fit.recipe) == again.recipe
    assert again.unsupported is None
    kept = [line.split("#")[1] for line in source.splitlines() if "#" in line]
    assert all(comment in patched.source for comment in kept)


def test_all_changes_at_once(tmp_path: Path):
    fit, path = fit_in(tmp_path, STYLES["sequential"])
    wanted = arm(*(change for change, _holds in CHANGES.values()))
    patched = patch(Path(path).read_text(), path, fit, wanted, (0.5, 0.5))
    assert patched.source is not None, patched.words
    again, _path = fit_in(tmp_path, patched.source)
    assert [each.units for each in again.recipe.layers] == [16, 16, 1]
    assert [each.activation.name for each in again.recipe.layers] == ["tanh", "tanh", "linear"]


def test_a_name_used_for_one_thing_is_changed_where_it_is_assigned(tmp_path: Path):
    fit, path = fit_in(tmp_path, STYLES["class"])
    source = Path(path).read_text()
    for change, line in (("epochs", "EPOCHS = 9"), ("learning_rate", "learning_rate = 9")):
        patched = patch(source, path, fit, arm(Change(change, "9")))
        assert patched.source is not None
        assert line in patched.source.splitlines()
        assert len(unified_diff(source, patched.source, "x").splitlines()) < 14


def test_shuffling_without_a_loader_is_told(tmp_path: Path):
    source = STYLES["sequential"].replace(
        "DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)",
        "[(x[at : at + 16], y[at : at + 16]) for at in range(0, 48, 16)]",
    )
    fit, path = fit_in(tmp_path, source)
    patched = patch(Path(path).read_text(), path, fit, arm(Change("shuffle", "every epoch")))
    assert patched.source is None
    assert "randperm" in patched.words[0]
    assert "without a DataLoader" in patched.words[0]


def test_a_loop_that_does_not_count_is_told(tmp_path: Path):
    source = STYLES["class"].replace(
        "for epoch in range(EPOCHS):",
        "epoch = 0\n            while epoch < 5:\n                epoch += 1",
    )
    fit, path = fit_in(tmp_path, source)
    patched = patch(Path(path).read_text(), path, fit, arm(Change("epochs", "9")))
    assert patched.source is None
    assert "by hand" in patched.words[0]


def test_depth_is_left_alone_where_layers_are_filled_one_by_one(tmp_path: Path):
    filled = "        nn.init.zeros_(model[0].bias)\n        # how it learns\n"
    fit, path = fit_in(tmp_path, STYLES["sequential"].replace("        # how it learns\n", filled))
    patched = patch(Path(path).read_text(), path, fit, arm(Change("depth", "2 hidden layers")))
    assert patched.source is None
    assert "layer by layer" in patched.words[0]


def test_a_rate_of_updates_by_hand_is_changed_where_it_is_named(tmp_path: Path):
    fit, path = fit_in(
        tmp_path,
        """
        import torch
        x = torch.linspace(-1, 1, 40).reshape(-1, 1)
        lr = 0.05
        w, v = torch.randn(1, 4, requires_grad=True), torch.randn(4, 1, requires_grad=True)
        for step in range(10):
            (x.mm(w).tanh().mm(v) - x ** 2).pow(2).mean().backward()
            with torch.no_grad():
                for each in (w, v):
                    each -= lr * each.grad
                    each.grad = None
        """,
    )
    source = Path(path).read_text()
    patched = patch(source, path, fit, arm(Change("learning_rate", "0.2"), Change("epochs", "20")))
    assert patched.source == source.replace("lr = 0.05", "lr = 0.2").replace(
        "range(10)", "range(20)"
    )
    literal = source.replace("lr * each", "0.05 * each")
    Path(path).write_text(literal)
    for change in (Change("learning_rate", "0.2"), Change("optimizer", "adam(0.003)")):
        patched = patch(literal, path, fit, arm(change))
        assert patched.source is None
        assert "updates its weights itself" in patched.words[0]


def scheduled(made: str, stepped: str = "sched.step()", *, each_batch: bool = False) -> str:
    """A loop whose rate falls."""
    indent = "    " if each_batch else ""
    return f"""
        import torch
        from torch import nn
        from torch.optim.lr_scheduler import ExponentialLR
        x = torch.linspace(-1, 1, 48).reshape(-1, 1)
        y = torch.sin(3 * x)
        net = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
        opt = torch.optim.SGD(net.parameters(), lr=0.01)
        sched = {made}  # falls
        loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(x, y), batch_size=16, shuffle=True
        )
        for epoch in range(6):
            for a, b in loader:
                loss = nn.functional.mse_loss(net(a), b)
                opt.zero_grad()
                loss.backward()
                opt.step()
            {indent}{stepped}
            print(epoch, sched.get_last_lr())
    """


SCHEDULES = {
    "StepLR": ("torch.optim.lr_scheduler.StepLR(opt, 2, gamma=0.5)", False, 0.01),
    "ExponentialLR": ("ExponentialLR(optimizer=opt, gamma=0.9)", False, 0.01),
    "at each batch": ("torch.optim.lr_scheduler.StepLR(opt, 2)", True, 0.01),
    "OneCycleLR": (
        "torch.optim.lr_scheduler.OneCycleLR(opt, 0.2, total_steps=18, cycle_momentum=False)",
        True,
        0.2,
    ),
    "smaller from the start": (
        "torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 0.1 * 0.9**epoch)",
        False,
        0.001,
    ),
    "a warm-up": (
        "torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 2.0 * (epoch + 1))",
        False,
        0.12,
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_constant_rate_in_place_of_a_scheduler(tmp_path: Path, name: str):
    made, each_batch, rate = SCHEDULES[name]
    fit, path = fit_in(tmp_path, scheduled(made, each_batch=each_batch))
    assert fit.recipe.schedule is not None
    source, change = Path(path).read_text(), arm(Change("schedule", "none"))
    patched = patch(source, path, fit, change)
    assert patched.source is not None, patched.words
    assert "ConstantLR(opt, factor=1)  # falls" in patched.source
    again, _path = fit_in(tmp_path, patched.source)
    assert again.recipe.schedule is None
    largest = factors.apply(change, fit, fit.recipe).optimizer.learning_rate
    assert largest == pytest.approx(rate, rel=0.01)
    assert again.recipe.optimizer.learning_rate == pytest.approx(largest, rel=1e-5)


def test_a_plateau_scheduler_is_kept_from_falling(tmp_path: Path):
    made = "torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, threshold=10.0)"
    fit, path = fit_in(tmp_path, scheduled(made, "sched.step(loss.item())"))
    patched = patch(Path(path).read_text(), path, fit, arm(Change("schedule", "none")))
    assert patched.source is not None, patched.words
    assert "threshold=10.0, min_lr=0.01)" in patched.source
    again, _path = fit_in(tmp_path, patched.source)
    kept = again.recipe.schedule
    assert kept.watches_loss
    assert kept.minimum == again.recipe.optimizer.learning_rate == 0.01


def test_a_scheduler_is_moved_on_once_an_epoch(tmp_path: Path):
    made = "torch.optim.lr_scheduler.StepLR(opt, 2, gamma=0.5)"
    fit, path = fit_in(tmp_path, scheduled(made, each_batch=True))
    source, change = Path(path).read_text(), arm(Change("schedule", factors.ONCE_AN_EPOCH))
    patched = patch(source, path, fit, change)
    assert patched.source is not None, patched.words
    moved = source.replace("        sched.step()\n", "    sched.step()\n")
    assert patched.source == moved
    again, _path = fit_in(tmp_path, patched.source)
    assert again.recipe == factors.apply(change, fit, fit.recipe)
    # Where the scheduler is moved on in a condition too, nothing is guessed.
    twice = source.replace("print(epoch,", "epoch > 9 and sched.step()\n    print(epoch,")
    fit, path = fit_in(tmp_path, twice)
    patched = patch(twice, path, fit, change)
    assert patched.source is None
    assert "call the step() of the scheduler" in patched.words[0]


def descending(loss: str, made: str = "", looked: str = "None") -> str:
    """A loop that descends a loss; what is `made` before it, and printed before and after it."""
    return f"""
        import torch
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import l1_loss
        x = torch.linspace(-1, 1, 40).reshape(-1, 1)
        y = x ** 2
        net = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
        {made}
        print({looked})
        opt = torch.optim.SGD(net.parameters(), lr=0.01)
        for epoch in range(5):
            loss = {loss}
            opt.zero_grad()
            loss.backward()
            opt.step()
        print({looked})
    """


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nn.L1Loss()(net(x), y)", "nn.MSELoss()(net(x), y)"),
        ("nn.HuberLoss('sum', 0.5)(net(x), y)", None),
        ("nn.HuberLoss(delta=0.5, reduction='sum')(net(x), y)", "nn.MSELoss(reduction='sum')"),
        ("F.smooth_l1_loss(net(x), y, beta=2.0)", "F.mse_loss(net(x), y)"),
        ("l1_loss(net(x), target=y)", "torch.nn.functional.mse_loss(net(x), target=y)"),
        ("F.l1_loss(net(x), y, weight=x * x)", "F.mse_loss(net(x), y, weight=x * x)"),
        ("(net(x) - y).abs().mean()", None),
        ("nn.MSELoss()(net(x), y).sqrt()", None),
    ],
)
def test_another_loss(tmp_path: Path, before: str, after: str | None):
    fit, path = fit_in(tmp_path, descending(before))
    change = arm(Change("loss", "mse"))
    patched = patch(Path(path).read_text(), path, fit, change)
    if after is None:
        assert patched.source is None
        assert "the loss has to be changed to mse by hand" in patched.words[0]
        return
    assert patched.source is not None, patched.words
    assert after in patched.source
    again, _path = fit_in(tmp_path, patched.source)
    wanted = factors.apply(change, fit, fit.recipe)
    assert again.recipe == replace(wanted, loss_constant=again.recipe.loss_constant)


def test_a_loss_that_is_only_printed_is_left_alone(tmp_path: Path):
    change = arm(Change("loss", "mse"))
    made = "mae, huber = nn.L1Loss(), nn.HuberLoss()"
    fit, path = fit_in(tmp_path, descending("huber(net(x), y)", made, "mae(net(x), y).item()"))
    source = Path(path).read_text()
    patched = patch(source, path, fit, change)
    assert patched.source == source.replace("nn.HuberLoss()", "nn.MSELoss()")

    code = descending("(net(x) - y).abs().mean()", looked="F.l1_loss(net(x), y).item()")
    fit, path = fit_in(tmp_path, code)
    patched = patch(Path(path).read_text(), path, fit, change)
    assert patched.source is None
    assert "by hand" in patched.words[0]


@pytest.mark.parametrize(
    "made",
    [
        "type('Warm', (torch.optim.lr_scheduler.StepLR,), {})(opt, 2)",
        "(lambda each: torch.optim.lr_scheduler.StepLR(each, 2))(opt)",
    ],
)
def test_a_scheduler_made_in_another_way_is_told(tmp_path: Path, made: str):
    fit, path = fit_in(tmp_path, scheduled(made))
    source = Path(path).read_text()
    patched = patch(source, path, fit, arm(Change("schedule", "none")))
    if patched.source is not None:  # the function that makes it stands in the script
        again, _path = fit_in(tmp_path, patched.source)
        assert again.recipe.schedule is None
    else:
        assert "scheduler" in patched.words[0]


def test_dropout_is_taken_out(tmp_path: Path):
    source = STYLES["sequential"].replace(
        "nn.ReLU(),   # keep me", "nn.ReLU(),   # keep me\n            nn.Dropout(0.3),"
    )
    fit, path = fit_in(tmp_path, source)
    assert fit.recipe.layers[0].dropout == pytest.approx(0.3)
    patched = patch(Path(path).read_text(), path, fit, arm(Change("dropout", "none")))
    assert patched.source is not None, patched.words
    assert "nn.Dropout(0)," in patched.source
    again, _path = fit_in(tmp_path, patched.source)
    assert again.recipe.layers[0].dropout == 0.0
    unused = source.replace("nn.Dropout(0.3),", "").replace(
        "loader =", "spare = nn.Dropout(0.5)\n        loader ="
    )
    hidden = unused.replace(
        "(model(a), b)", "(model[2:](torch.dropout(model[:2](a), 0.3, True)), b)"
    )
    fit, path = fit_in(tmp_path, hidden)
    assert fit.recipe.layers[0].dropout == pytest.approx(0.3)
    patched = patch(hidden, path, fit, arm(Change("dropout", "none")))
    assert patched.source is None
    assert "take the dropout out" in patched.words[0]


@pytest.mark.parametrize(
    ("written", "linear", "tanh"),
    [
        ("F.relu(self.last(z))", "return self.last(z)", "return torch.tanh(self.last(z))"),
        ("self.last(z).relu()", "return self.last(z)", "return torch.tanh(self.last(z))"),
    ],
)
def test_a_function_around_the_output_layer(tmp_path: Path, written: str, linear: str, tanh: str):
    """The hidden layers' own calls stay."""
    source = STYLES["class"].replace(
        "return self.last(F.relu(self.first(x)))  # keep me",
        f"z = F.relu(self.first(x))\n                return {written}",
    )
    fit, path = fit_in(tmp_path, source)
    assert fit.recipe.layers[-1].activation.name == "relu"
    for level, line in (("linear", linear), ("tanh", tanh)):
        text = Path(path).read_text()
        found = patch(text, path, fit, arm(Change("output_activation", level)))
        assert found.source is not None, found.words
        assert line in found.source
        assert "z = F.relu(self.first(x))" in found.source
        again, _path = fit_in(tmp_path, found.source)
        assert [each.activation.name for each in again.recipe.layers] == ["relu", level]
        Path(path).write_text(text)


def test_a_rate_by_name_stays_where_a_scheduler_only_lowers_it(tmp_path: Path):
    source = STYLES["class"].replace(
        "criterion =",
        "slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)\n            criterion =",
    )
    source = source.replace("learning_rate)", "lr=dict(rate=learning_rate)['rate'])")
    source = source.replace(
        "optimizer.step()", "optimizer.step()\n                    slower.step()"
    )
    fit, path = fit_in(tmp_path, source)
    found = patch(Path(path).read_text(), path, fit, arm(Change("schedule", "none")))
    assert found.source is not None, found.words
    assert "lr=dict(rate=learning_rate)['rate'])" in found.source
    assert "ConstantLR(optimizer, factor=1)" in found.source
