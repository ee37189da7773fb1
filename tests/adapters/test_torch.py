"""What is captured of PyTorch training loops of many spellings."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from tests.adapters.torch_loops import FULL, HEAD, NET, STEP, batch
from whyfit.engine.lanes import Order, train
from whyfit.fast import EngineSubstitute
from whyfit.measure.evidence import gather
from whyfit.records.recipe import Initializer, flatten
from whyfit.rules import findings

pytestmark = pytest.mark.framework

LOOPS = {
    "full batch": (FULL, lambda fit: batch(fit) == (100, 20, False, False)),
    "slices": (
        f"""
for epoch in range(4):
    for i in range(0, N, 32):
        loss = F.mse_loss(model(x[i:i+32]), y[i:i+32]); {STEP}
""",
        lambda fit: batch(fit) == (32, 4, False, False) and np.all(np.diff(fit.x[:, 0]) > 0),
    ),
    "permutation": (
        f"""
for epoch in range(4):
    order = torch.randperm(N)
    for i in range(0, N, 32):
        loss = F.mse_loss(model(x[order[i:i+32]]), y[order[i:i+32]]); {STEP}
""",
        lambda fit: batch(fit) == (32, 4, True, False) and len(np.unique(fit.x)) == 100,
    ),
    "permutation, rest left out": (
        f"""
for epoch in range(12):
    order = torch.randperm(N)
    for i in range(N // 32):
        chosen = order[32*i:32*i+32]
        loss = F.mse_loss(model(x[chosen]), y[chosen]); {STEP}
""",
        lambda fit: batch(fit) == (32, 12, True, True),
    ),
    "loader": (
        f"""
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
valid = DataLoader(TensorDataset(x[:50], y[:50]), batch_size=50)
for epoch in range(4):
    for a, b in loader:
        loss = F.mse_loss(model(a), b); {STEP}
    with torch.no_grad():
        for a, b in valid:
            F.mse_loss(model(a), b)
""",
        lambda fit: batch(fit) == (32, 4, True, False) and np.all(np.diff(fit.x[:, 0]) > 0),
    ),
    "loader made anew, drop_last": (
        f"""
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True, drop_last=True):
        loss = F.mse_loss(model(a), b); {STEP}
""",
        lambda fit: batch(fit) == (32, 4, True, True) and len(fit.x) == 100,
    ),
    "one pass": (
        f"""
for a, b in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
    loss = F.mse_loss(model(a), b); {STEP}
""",
        lambda fit: batch(fit)[:2] == (32, 1) and len(fit.x) == 100,
    ),
    "equal rows": (
        f"""
x = x.mul(5).round(); y = x ** 2
for epoch in range(4):
    order = torch.randperm(N)
    for i in range(0, N, 25):
        chosen = order[i:i+25]
        loss = F.mse_loss(model(x[chosen]), y[chosen]); {STEP}
""",
        lambda fit: batch(fit) == (25, 4, True, False) and len(fit.x) == 100,
    ),
    "stopped in a pass": (
        f"""
for step in range(4 * 6 + 2):
    i = 25 * (step % 4)
    loss = F.mse_loss(model(x[i:i+25]), y[i:i+25]); {STEP}
""",
        lambda fit: fit.epochs_done == 6 == len(fit.history["loss"]),
    ),
    "closure": (
        """
def closure():
    opt.zero_grad(); loss = F.mse_loss(model(x), y); loss.backward(); return loss
for epoch in range(5):
    opt.step(closure)
""",
        lambda fit: batch(fit) == (100, 5, False, False) and fit.gradients_cleared,
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_data_and_passes_of_a_loop(tmp_path: Path, name: str):
    loop, holds = LOOPS[name]
    save = "\nnp.save('OUT', model(x).detach().numpy()); np.save('X', x.numpy())\n".replace(
        "OUT", str(tmp_path / "out.npy")
    ).replace("X'", str(tmp_path / "x.npy") + "'")
    (fit,) = fits(tmp_path, HEAD + NET + loop + save)
    assert fit.unsupported is None
    assert holds(fit), batch(fit)
    assert fit.gradients_cleared
    if name != "stopped in a pass":
        out = fit.end(np.load(tmp_path / "x.npy").astype(float))
        assert out == pytest.approx(np.load(tmp_path / "out.npy"), abs=1e-5)


NETWORKS = {
    "functions": (
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(1, 5), nn.Linear(5, 3, bias=False), nn.Linear(3, 1)
    def forward(self, x):
        return self.c(torch.sigmoid(self.b(F.leaky_relu(self.a(x), 0.1))))
model = Net()
""",
        [("leaky_relu", (0.1,)), ("sigmoid", ()), ("linear", ())],
    ),
    "flat in and out": (
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(1, 5), nn.Linear(5, 1)
    def forward(self, x):
        return self.c(self.a(x.unsqueeze(1)).sin()).squeeze(1)
model = Net(); x = x[:, 0]; y = y[:, 0]
""",
        [("sine", ()), ("linear", ())],
    ),
    "modules": (
        "model = nn.Sequential(nn.Linear(1, 4), nn.ELU(0.5), nn.Sequential(nn.Linear(4, 4), "
        "nn.Softplus()), nn.Linear(4, 4), nn.GELU('tanh'), nn.Linear(4, 1))\n",
        [("elu", (0.5,)), ("softplus", ()), ("gelu_tanh", ()), ("linear", ())],
    ),
    "dropout": (
        "model = nn.Sequential(nn.Linear(1, 40), nn.SELU(), nn.Dropout(0.25), nn.Linear(40, 1))\n",
        [("selu", ()), ("linear", ())],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_are_chains(tmp_path: Path, name: str):
    code, activations = NETWORKS[name]
    optimizer = "opt = torch.optim.Adam(model.parameters(), 1e-2)\n"
    save = f"\nmodel.eval()\nnp.save({str(tmp_path / 'out.npy')!r}, model(x).detach().numpy())\n"
    (fit,) = fits(tmp_path, HEAD + code + optimizer + FULL + save)
    assert fit.unsupported is None
    found = [(each.activation.name, each.activation.constants) for each in fit.recipe.layers]
    assert found == activations
    out = np.load(tmp_path / "out.npy").reshape(-1, 1)
    assert fit.predictions == pytest.approx(out, abs=1e-5)
    assert fit.recipe.layers[0].dropout == (0.25 if name == "dropout" else 0.0)


STARTS = {
    "": ("torch_uniform", "torch_uniform"),
    "nn.init.xavier_uniform_(model[0].weight)": ("glorot_uniform", "torch_uniform"),
    "nn.init.kaiming_uniform_(model[0].weight, nonlinearity='relu')": (
        "he_uniform",
        "torch_uniform",
    ),
    "nn.init.zeros_(model[0].bias); model[0].weight.data.normal_(0, 0.1)": (
        "random_normal",
        "zeros",
    ),
    "model[0].weight.data.uniform_(-0.05, 0.05); model[0].bias.data.fill_(0.5)": (
        "random_uniform",
        "constant",
    ),
    "model.double(); x = x.double(); y = y.double()": ("torch_uniform", "torch_uniform"),
}


@pytest.mark.parametrize("code", STARTS)
def test_start_weights_are_known_by_how_they_were_filled(tmp_path: Path, code: str):
    (fit,) = fits(tmp_path, HEAD + NET + code + FULL)
    first = fit.recipe.layers[0]
    assert (first.kernel_initializer.name, first.bias_initializer.name) == STARTS[code]
    assert fit.unsupported is None


OPTIMIZERS = {
    "SGD(model.parameters(), 0.1, momentum=0.9, dampening=0.1)": ("sgd", 0.1, 0.0),
    "AdamW(model.parameters())": ("adamw", 0.001, 0.01),
    "Adam(model.parameters(), weight_decay=0.1, amsgrad=True)": ("adam", 0.001, 0.1),
    "RMSprop(model.parameters(), centered=True)": ("rmsprop", 0.01, 0.0),
    "Adagrad(model.parameters())": ("adagrad", 0.01, 0.0),
    "Adadelta(model.parameters())": ("adadelta", 1.0, 0.0),
    "NAdam(model.parameters())": ("nadam", 0.002, 0.0),
    "Adamax(model.parameters())": ("adamax", 0.002, 0.0),
}


@pytest.mark.parametrize("code", OPTIMIZERS)
def test_optimizers(tmp_path: Path, code: str):
    (fit,) = fits(tmp_path, HEAD + NET + f"opt = torch.optim.{code}\n" + FULL)
    rule = fit.recipe.optimizer
    assert (rule.name, rule.learning_rate, rule.weight_decay) == OPTIMIZERS[code]
    assert rule.framework == "torch"
    assert fit.unsupported is None


SCHEDULES = {
    "StepLR(opt, 5, 0.5)": ("exponential", [1.0, 0.5]),
    "ExponentialLR(opt, 0.9)": ("exponential", [0.59049]),
    "CosineAnnealingLR(opt, 20)": ("cosine", [0.5]),
    "MultiStepLR(opt, [5, 10], 0.1)": ("table", [0.1, 0.01]),
    "LambdaLR(opt, lambda epoch: 1 / (1 + epoch))": ("table", [1 / 6]),
}


@pytest.mark.parametrize("code", SCHEDULES)
def test_schedules_give_the_rates_that_were_used(tmp_path: Path, code: str):
    loop = FULL.rstrip() + "; rates.append(opt.param_groups[0]['lr']); schedule.step()\n"
    made = f"rates = []; schedule = torch.optim.lr_scheduler.{code}\n"
    save = f"np.save({str(tmp_path / 'rates.npy')!r}, rates)\n"
    (fit,) = fits(tmp_path, HEAD + NET + made + loop + save)
    assert fit.recipe.schedule.kind == SCHEDULES[code][0]
    assert fit.recipe.schedule.rates(0.1, 20, 1, 100) == pytest.approx(
        np.load(tmp_path / "rates.npy"), rel=1e-6
    )


def test_clipping_and_plateau(tmp_path: Path):
    code = """
schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=3, threshold=0.01)
for epoch in range(20):
    loss = F.mse_loss(model(x), y); opt.zero_grad(); loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.5); opt.step(); schedule.step(loss.item())
"""
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert fit.recipe.optimizer.global_clipnorm == 1.5
    assert (fit.recipe.schedule.kind, fit.recipe.schedule.patience) == ("plateau", 3)
    assert fit.unsupported is None


REFUSED = {
    "broadcast": (
        "import warnings; warnings.simplefilter('ignore')\n"
        + NET
        + FULL.replace("(model(x), y)", "(model(x), y[:, 0])"),
        "spread against each other",
    ),
    "broadcast by hand": (
        NET + FULL.replace("F.mse_loss(model(x), y)", "((model(x).squeeze() - y) ** 2).mean()"),
        "outputs of shape (100,) and targets of shape (100, 1)",
    ),
    "norm": (
        "model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))\n"
        "opt = torch.optim.SGD(model.parameters(), lr=0.1)\n" + FULL,
        "BatchNorm is not supported",
    ),
    "lbfgs": (
        NET.replace("SGD", "LBFGS") + LOOPS["closure"][0],
        "optimizer LBFGS is not supported",
    ),
    "drawn batches": (
        NET
        + f"""
for step in range(200):
    chosen = torch.randint(0, N, (32,))
    loss = F.mse_loss(model(x[chosen]), y[chosen]); {STEP}
""",
        "not passes over one data set",
    ),
    "penalty": (
        NET
        + FULL.replace(
            "F.mse_loss(model(x), y)",
            "F.mse_loss(model(x), y) + 0.1 * sum(p.exp().sum() for p in model.parameters())",
        ),
        "a loss of several terms",
    ),
    "raw tensors": (
        "w = torch.linspace(-1, 1, 4).reshape(1, 4).requires_grad_()\n"
        "v = torch.randn(4, 1, requires_grad=True)\n"
        "opt = torch.optim.SGD([w, v], lr=0.01)\n"
        + FULL.replace("model(x)", "x.mm(w).clamp(min=0).mm(v)"),
        "sets by hand",
    ),
    "accumulated": (
        NET
        + """
for epoch in range(6):
    opt.zero_grad()
    for i in (0, 50):
        F.mse_loss(model(x[i:i+50]), y[i:i+50]).backward()
    opt.step()
""",
        "several losses",
    ),
    "residual": (
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(1, 5), nn.Linear(5, 1)
    def forward(self, x):
        return self.c(torch.tanh(self.a(x))) + x * self.a.weight.sum()
model = Net(); opt = torch.optim.SGD(model.parameters(), lr=0.1)
"""
        + FULL,
        "is not supported",
    ),
}


def test_a_step_that_was_not_seen_is_no_step_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from whyfit.adapters.torch import adapter

    seen = []

    def fails_once(*args: object) -> object:
        seen.append(args)
        if len(seen) == 3:
            raise RuntimeError("not this one")
        return read(*args)

    read = adapter.read_loss
    monkeypatch.setattr(adapter, "read_loss", fails_once)
    code = LOOPS["slices"][0]
    captured, _program = run(tmp_path, HEAD + NET + code, strict=False)
    (fit,) = captured.fits
    assert "reading a loss failed" in fit.unsupported
    assert "not this one" in captured.problems[0]


def test_data_of_a_network_that_is_no_chain_are_those_of_their_batches(tmp_path: Path):
    code = (
        NET.replace("nn.Tanh()", "nn.Tanh(), nn.LayerNorm(4)")
        + f"""
for epoch in range(20):
    for i in range(0, N, 25):
        loss = F.mse_loss(model(x[i:i+25]), y[i:i+25]); {STEP}
"""
    )
    (fit,) = fits(tmp_path, HEAD + code)
    assert len(fit.x) == 100
    assert len(np.unique(fit.x)) == 100
    assert fit.predictions is not None


def test_predictions_are_those_the_loss_compares(tmp_path: Path):
    """A network whose outputs are scaled after its call predicts the scaled ones."""
    code = NET.replace("nn.Tanh()", "nn.Tanh(), nn.LayerNorm(4)") + FULL.replace(
        "model(x)", "10 * model(x)"
    )
    (fit,) = fits(tmp_path, HEAD + code)
    assert fit.unsupported is not None
    assert fit.predictions is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_again_gets_evidence_and_a_reason(tmp_path: Path, name: str):
    code, reason = REFUSED[name]
    (fit,) = fits(tmp_path, HEAD + code)
    assert fit.unsupported is not None
    assert reason in fit.unsupported
    assert fit.predictions is not None
    assert fit.gradients_cleared is not False
    assert len(fit.x) == (50 if name == "accumulated" else 100)
    findings(gather(fit))


def test_shapes_at_the_loss_call(tmp_path: Path):
    (fit,) = fits(tmp_path, HEAD + REFUSED["broadcast"][0])
    assert (fit.output_shape, fit.y_shape) == ((100, 1), (100,))
    assert fit.y.shape == (100, 1)


def test_a_loop_over_rates_is_as_many_fits(tmp_path: Path):
    code = textwrap.indent(NET.replace("lr=0.1", "lr=rate") + FULL, "    ")
    found = fits(tmp_path, HEAD + "for rate in (0.1, 0.01, 0.001):\n" + code)
    assert [fit.recipe.optimizer.learning_rate for fit in found] == [0.1, 0.01, 0.001]
    assert len({fit.unexplained_variance for fit in found}) == 3
    assert all(fit.unsupported is None for fit in found)


def test_going_on_with_another_optimizer_is_a_fit_of_its_own(tmp_path: Path):
    again = "opt = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    first, second = fits(tmp_path, HEAD + NET + FULL + again + FULL)
    assert "trained on by another optimizer (made in line 17)" in first.unsupported
    assert second.unsupported == "a model that was trained before this fit is not supported"
    assert np.array_equal(first.weight_history.weights[-1], second.weight_history.weights[0])


def test_two_networks_in_turns(tmp_path: Path):
    code = """
models = [nn.Linear(1, 1) for _ in range(2)]
optimizers = [torch.optim.SGD(each.parameters(), lr=0.1) for each in models]
for epoch in range(5):
    for model, opt in zip(models, optimizers):
        loss = F.mse_loss(model(x), y); opt.zero_grad(); loss.backward(); opt.step()
"""
    found = fits(tmp_path, HEAD + code)
    assert [fit.epochs_done for fit in found] == [5, 5]
    assert {fit.unsupported for fit in found} == {
        "networks that are trained in turns are not supported"
    }


def test_weights_loaded_afterwards_are_not_the_end(tmp_path: Path):
    code = "import copy; kept = copy.deepcopy(model.state_dict())\n"
    (fit,) = fits(tmp_path, HEAD + NET + code + FULL + "model.load_state_dict(kept)\n")
    assert fit.unexplained_variance < 0.5
    assert not np.array_equal(fit.weight_history.weights[0], fit.weight_history.weights[-1])


def test_an_exception_in_the_loop_keeps_whole_passes(tmp_path: Path):
    code = f"""
for epoch in range(50):
    for i in range(0, N, 25):
        loss = F.mse_loss(model(x[i:i+25]), y[i:i+25]); {STEP}
        if epoch == 9 and i == 50:
            raise ValueError('enough')
"""
    captured, _program = run(tmp_path, HEAD + NET + code)
    assert captured.error == "ValueError: enough"
    (fit,) = captured.fits
    assert fit.epochs_done == 9
    assert fit.weight_history.epochs[-1] == 9


@pytest.mark.parametrize("loop", ["full batch", "permutation", "loader", "updated by hand"])
def test_watching_changes_nothing(tmp_path: Path, loop: str):
    """The same seed gives the same weights to the last bit, watched or not."""
    if loop == "updated by hand":
        source = HEAD + UPDATED_BY_HAND["module"]
    else:
        source = HEAD + NET.replace("SGD", "Adam") + LOOPS[loop][0]
    (fit,) = fits(tmp_path, source)
    namespace: dict = {"__name__": "plain"}
    exec(source, namespace)
    plain = [p.detach().numpy() for p in namespace["model"].parameters()]
    row = np.concatenate([plain[0].T.ravel(), plain[1], plain[2].T.ravel(), plain[3]])
    assert np.array_equal(fit.weight_history.weights[-1].astype(np.float32), row)


def test_fast_says_once_that_a_loop_trains_itself(tmp_path: Path):
    said: list[str] = []
    (fit,) = fits(tmp_path, HEAD + NET + FULL, substitute=EngineSubstitute(), say=said.append)
    assert not fit.engine_trained
    assert said == ["--fast: a PyTorch loop trains itself; the engine cannot replace it"]


ASKED = {
    "no_grad": "with torch.no_grad():\n    print(model(far).sum())",
    "a decorator": "@torch.no_grad()\ndef test():\n    return model(far)\ntest()",
    "inference_mode": "model.eval()\nwith torch.inference_mode():\n    with torch.no_grad():\n"
    "        model(far)",
}


@pytest.mark.parametrize("name", ASKED)
def test_what_the_network_is_asked_afterwards(tmp_path: Path, name: str):
    """After the training, not between two steps, which is validation; and not of a part of it."""
    loop = FULL + "    with torch.no_grad():\n        model(x + 7.0); model[0](x + 8.0)\n"
    code = f"far = torch.linspace(2, 3, 30).reshape(-1, 1)\n{ASKED[name]}\n"
    trained_on = "loss = F.mse_loss(model(x), y); loss.backward(); opt.step()\n"
    (fit,) = fits(tmp_path, HEAD + NET + loop + trained_on + code)
    assert fit.asked is not None
    assert fit.asked.shape == (30, 1)
    assert fit.asked.min() == pytest.approx(2.0)
    assert "outside-training-range" in {each.rule for each in findings(gather(fit))}


def test_everything_is_put_back(tmp_path: Path):
    import torch
    from torch.optim import Optimizer

    def now() -> tuple[Callable, ...]:
        hooks = sys.modules[Optimizer.__module__]._global_optimizer_post_hooks
        return (
            torch.autograd.backward,
            torch.no_grad.__enter__,
            Optimizer.__init__,
            torch.nn.Linear.__init__,
            torch.nn.init.uniform_,
            torch.Tensor.normal_,
            torch.manual_seed,
            torch.utils.data.DataLoader.__iter__,
            len(hooks),
            len(torch.nn.modules.module._global_forward_hooks),
        )

    before = now()
    fits(tmp_path, HEAD + NET + FULL)
    assert now() == before


UPDATED_BY_HAND = {
    "module": """
model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
for epoch in range(30):
    loss = F.mse_loss(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.05 * p.grad
""",
    "tensors": """
w = torch.randn(1, 5) * 0.5
w.requires_grad_()
v = torch.nn.Parameter(torch.rand(5, 1) * 2 - 1)
b = torch.zeros(5, requires_grad=True)
rate = 0.05
for epoch in range(30):
    loss = ((torch.tanh(x.mm(w) + b).mm(v) - y) ** 2).mean()
    loss.backward()
    for p in (w, v, b):
        p.data -= rate * p.grad.data
        p.grad.data.zero_()
""",
    "slices": """
w = torch.randn(1, 5, requires_grad=True)
v = torch.randn(5, requires_grad=True)
for epoch in range(30):
    for i in range(0, N, 25):
        loss = ((torch.relu(x[i:i+25] @ w) @ v - y[i:i+25].flatten()) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, v):
                p -= 0.05 * p.grad
                p.grad = None
""",
    "one weight": """
w, b = torch.randn(1, requires_grad=True), torch.zeros((), requires_grad=True)
x, y = x.flatten(), y.flatten()
for epoch in range(30):
    loss = (w * x + b - y).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w -= w.grad * 0.05
        b -= b.grad * 0.05
        w.grad, b.grad = None, None
""",
}


@pytest.mark.parametrize("name", UPDATED_BY_HAND)
def test_updates_by_hand_are_gradient_descent(tmp_path: Path, name: str):
    (fit,) = fits(tmp_path, HEAD + UPDATED_BY_HAND[name])
    assert fit.unsupported is None
    assert batch(fit) == (25 if name == "slices" else 100, 30, False, False)
    assert (fit.recipe.optimizer.name, fit.recipe.optimizer.learning_rate) == ("sgd", 0.05)
    trained = train(fit.recipe, fit.x, fit.y, flatten(fit.start)[None], order=Order("given"))
    assert trained.weights[0] == pytest.approx(flatten(fit.end), abs=1e-4)
    assert np.abs(flatten(fit.end) - flatten(fit.start)).max() > 0.01
    if name == "tensors":
        drawn = [layer.kernel_initializer for layer in fit.recipe.layers]
        assert drawn[0] == Initializer("random_normal", stddev=0.5)
        assert drawn[1].name == "random_uniform"
        assert (drawn[1].minval, drawn[1].maxval) == pytest.approx((-1.0, 1.0), abs=1e-4)


OTHER_UPDATES = {
    "of its own": ("p -= 0.1 * p.grad + 0.01 * p", "by a rule of its own"),
    "another rate": ("p -= (0.1 if epoch < 15 else 0.01) * p.grad", "changes by hand"),
}


@pytest.mark.parametrize("name", OTHER_UPDATES)
def test_other_updates_by_hand_get_a_reason(tmp_path: Path, name: str):
    update, reason = OTHER_UPDATES[name]
    script = UPDATED_BY_HAND["module"].replace("p -= 0.05 * p.grad", update)
    (fit,) = fits(tmp_path, HEAD + script)
    assert reason in fit.unsupported
    assert fit.end is not None


def test_gradients_that_no_step_uses_are_no_training(tmp_path: Path):
    script = """
model = nn.Linear(1, 1)
for epoch in range(20):
    F.mse_loss(model(x), y).backward()
"""
    assert fits(tmp_path, HEAD + script) == ()


def test_samples_one_by_one_and_outputs_of_an_unknown_network(tmp_path: Path):
    script = """
model = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    for a, b in zip(x, y):
        opt.zero_grad(); ((model(a) - b) ** 2).backward(); opt.step()
class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(3 * x)
other = nn.Sequential(nn.Linear(1, 3), Sine(), nn.Linear(3, 1))
opt = torch.optim.SGD(other.parameters(), lr=0.1)
for epoch in range(4):
    opt.zero_grad(); ((other(x) - y) ** 2).mean().backward(); opt.step()
"""
    one, two = fits(tmp_path, HEAD + script)
    assert one.unsupported is None
    assert batch(one) == (1, 4, False, False)
    assert one.x.shape == (100, 1)
    assert two.unsupported == "a layer's result times a number is not supported"
    assert two.y == pytest.approx(one.y, abs=1e-5)
    assert two.predictions is not None


def test_an_optimizer_that_no_constructor_made_is_told(tmp_path: Path):
    """Its first step is over before it is seen, so that its start weights are unknown."""
    code = NET + FULL + "import copy\nmodel, opt = copy.deepcopy((model, opt))\n" + FULL
    first, second = fits(tmp_path, HEAD + code)
    assert first.unsupported is None
    assert second.unsupported == "a model that was trained before this fit is not supported"
    assert second.predictions is not None


def test_an_optimizer_that_is_made_anew_is_told(tmp_path: Path):
    """Each begins without the momentum of the one before; the first is not where the network ends."""
    made = "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"
    code = f"""
model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
for epoch in range(5):
    opt = {made}
    loss = F.mse_loss(model(x), y); {STEP}
"""
    found = fits(tmp_path, HEAD + code)
    assert len(found) == 5
    said = "made anew while the training goes on (made in line 14)"
    assert all(said in fit.unsupported for fit in found)


@pytest.mark.parametrize("frozen", ["", "model.a.requires_grad_(False)"])
def test_layers_that_get_no_gradient_are_told(tmp_path: Path, frozen: str):
    """What the layers behind them are given is not taken for the inputs."""
    code = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(1, 7), nn.Linear(7, 1)
    def forward(self, z):
        return self.b(torch.relu(self.a(z)).detach())
model = Net()
{frozen}
opt = torch.optim.SGD(model.parameters(), lr=0.1)
"""
    (fit,) = fits(tmp_path, HEAD + code + FULL)
    assert "2 of the 4 weights and biases of Net get no gradient" in fit.unsupported
    assert fit.x.shape == (100, 1)


def test_momentum_that_changes_is_told(tmp_path: Path):
    code = """
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(20):
    if epoch > 0: opt.param_groups[0]["momentum"] = 0.5
"""
    (fit,) = fits(tmp_path, HEAD + NET + code + f"    loss = F.mse_loss(model(x), y); {STEP}\n")
    assert "constants of the optimizer that change" in fit.unsupported


def test_targets_of_zero_are_constant(tmp_path: Path):
    """Computed back from differences they are rounded; that is nothing to explain."""
    code = FULL.replace("F.mse_loss(model(x), y)", "((model(x) - 0 * y) ** 2).mean()")
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert gather(fit).data.target_is_constant
    code = FULL.replace("F.mse_loss(model(x), y)", "((model(x) - (2 + 0 * y)) ** 2).mean()")
    (fit,) = fits(tmp_path, HEAD + NET + code)
    assert gather(fit).data.target_is_constant
