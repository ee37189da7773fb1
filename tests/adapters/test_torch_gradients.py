"""Loops that clear their gradients never, always, or now and then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from whyfit.engine.lanes import Order, train
from whyfit.patching.patch import patch, unified_diff
from whyfit.records.finding import Change
from whyfit.records.recipe import flatten
from whyfit.records.study import arm

pytestmark = pytest.mark.framework

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
torch.manual_seed(0)
x = torch.linspace(-1, 1, 100, dtype=torch.float64).reshape(-1, 1)
y = torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()
opt = torch.optim.SGD(model.parameters(), lr=0.01)
"""

NEVER = {
    "full batch": """
for epoch in range(300):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    opt.step()
""",
    "batches": """
for epoch in range(60):
    for i in range(0, 100, 20):
        loss = F.mse_loss(model(x[i:i+20]), y[i:i+20])
        loss.backward()
        opt.step()
""",
    "adam": """
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(300):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    opt.step()
""",
    "clipped": """
for epoch in range(300):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    opt.step()
""",
    "by hand": """
for epoch in range(300):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    with torch.no_grad():
        for w in model.parameters():
            w -= 0.01 * w.grad
""",
}


@pytest.mark.parametrize("name", NEVER)
def test_never_cleared_is_trained_again_as_it_was(tmp_path: Path, name: str):
    head = HEAD if name != "by hand" else HEAD.rsplit("opt =", 1)[0]
    (fit,) = fits(tmp_path, head + NEVER[name])
    assert fit.unsupported is None
    assert fit.gradients_cleared is False
    assert not fit.recipe.clears_gradients
    trained = train(
        fit.recipe,
        fit.x,
        fit.y,
        flatten(fit.start)[None],
        order=Order("given"),
        precision="float64",
    )
    assert trained.weights[0] == pytest.approx(flatten(fit.end), rel=1e-9, abs=1e-9)


NOW_AND_THEN = {
    "once an epoch": """
for epoch in range(60):
    opt.zero_grad()
    for i in range(0, 100, 20):
        loss = F.mse_loss(model(x[i:i+20]), y[i:i+20]); loss.backward(); opt.step()
""",
    "every second step": """
for step in range(300):
    if step % 2 == 0:
        opt.zero_grad()
    loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
    "every 97th step, in place": """
for step in range(300):
    if step % 97 == 96:
        for w in model.parameters():
            w.grad.data.zero_()
    loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
    "made smaller": """
for step in range(300):
    if step:
        for w in model.parameters():
            w.grad *= 0.9
    loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
    "not from the third on": """
for step in range(300):
    if step < 2:
        opt.zero_grad()
    loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
    "from the third on": """
for step in range(300):
    if step > 2:
        opt.zero_grad()
    loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
}


@pytest.mark.parametrize("name", NOW_AND_THEN)
def test_accumulating_on_purpose_is_not_taken_for_it(tmp_path: Path, name: str):
    (fit,) = fits(tmp_path, HEAD + NOW_AND_THEN[name])
    assert fit.unsupported == "gradients that are cleared before some steps only are not supported"
    assert fit.gradients_cleared is None


def test_gradients_from_before_the_training(tmp_path: Path):
    head = HEAD.replace("opt =", "F.mse_loss(model(x), y).backward()\nopt =")
    (fit,) = fits(tmp_path, head + NEVER["full batch"])
    assert fit.unsupported == "gradients left from before the training are not supported"


@pytest.mark.parametrize("zeroing", ["model.zero_grad()", "opt.zero_grad(set_to_none=False)"])
def test_cleared_by_other_means(tmp_path: Path, zeroing: str):
    code = NEVER["full batch"].replace("loss.backward()", f"{zeroing}; loss.backward()")
    (fit,) = fits(tmp_path, HEAD + code)
    assert fit.gradients_cleared
    assert fit.recipe.clears_gradients


@pytest.mark.parametrize("name", ["full batch", "batches", "clipped"])
def test_the_patch_clears_above_backward(tmp_path: Path, name: str):
    captured, program = run(tmp_path, HEAD + NEVER[name])
    source = Path(program.path).read_text()
    patched = patch(source, program.path, captured.fits[0], arm(Change("gradients", "cleared")))
    assert patched.source is not None, patched.words
    (line,) = [each for each in patched.source.splitlines() if each not in source.splitlines()]
    assert line.strip() == "opt.zero_grad()"
    assert patched.source.replace(f"{line}\n", "") == source
    (again,) = fits(tmp_path, patched.source)
    assert again.gradients_cleared
    assert again.unsupported is None
    assert not np.array_equal(flatten(again.end), flatten(captured.fits[0].end))


TENSORS = """
import torch
import torch.nn.functional as F
torch.manual_seed(0)
x = torch.linspace(-1, 1, 100).reshape(-1, 1)
y = torch.sin(3 * x)
w = torch.randn(1, 4, requires_grad=True)
b = torch.zeros(4, requires_grad=True)
v = torch.randn(4, 1, requires_grad=True)
rate = 0.01
for epoch in range(300):
    loss = ((torch.tanh(x @ w + b) @ v - y) ** 2).mean()
    loss.backward()  # and on
"""

MODULE = HEAD.rsplit("opt =", 1)[0] + NEVER["by hand"].rsplit("    with", 1)[0]

UPDATES = {
    "module": (MODULE, NEVER["by hand"].split("loss.backward()\n")[1], 1),
    "data": (
        MODULE,
        """
    for layer in model:
        if hasattr(layer, "weight"):
            layer.weight.data.sub_(0.01 * layer.weight.grad)
            layer.bias.data = layer.bias.data - layer.bias.grad * 0.01  # new
""",
        2,
    ),
    "tensor by tensor": (
        TENSORS,
        """
    with torch.no_grad():
        w -= rate * w.grad
        b -= rate * b.grad
        if epoch % 100 == 0:
            print(w.grad.norm(), v.grad.norm())
        v -= rate * v.grad
""",
        None,
    ),
    "in one line": (
        TENSORS,
        """
    with torch.no_grad():
        w -= rate * w.grad; b -= rate * b.grad; v -= rate * v.grad
""",
        3,
    ),
    "in the line of a loop": (
        TENSORS,
        """
    for each in (w, b, v): each.data.add_(each.grad, alpha=-rate)
""",
        1,
    ),
}


@pytest.mark.parametrize("name", UPDATES)
def test_the_patch_clears_below_updates_by_hand(tmp_path: Path, name: str):
    head, update, lines = UPDATES[name]
    captured, program = run(tmp_path, head + update)
    (fit,) = captured.fits
    assert fit.unsupported is None
    assert fit.gradients_cleared is False
    source = Path(program.path).read_text()
    patched = patch(source, program.path, fit, arm(Change("gradients", "cleared")))
    if lines is None:  # w.grad is looked at after w was moved
        assert patched.source is None
        assert "by hand" in patched.words[0]
        return
    assert patched.source is not None, patched.words
    assert patched.source.count(".grad = None") == lines
    (tmp_path / "apply").mkdir()
    (tmp_path / "apply" / "script.py").write_text(source)
    subprocess.run(
        ["patch", "-p1", "--quiet"],
        input=unified_diff(source, patched.source, "script.py"),
        cwd=tmp_path / "apply",
        text=True,
        check=True,
    )
    applied = (tmp_path / "apply" / "script.py").read_text()
    assert applied == patched.source
    (again,) = fits(tmp_path, applied)
    assert again.gradients_cleared
    assert again.unsupported is None
    assert not np.array_equal(flatten(again.end), flatten(fit.end))


def test_no_patch_where_an_update_was_not_found(tmp_path: Path):
    update = """
    step = rate * b.grad
    with torch.no_grad():
        w -= rate * w.grad
        b -= step
        v -= rate * v.grad
"""
    captured, program = run(tmp_path, TENSORS + update)
    source = Path(program.path).read_text()
    patched = patch(source, program.path, captured.fits[0], arm(Change("gradients", "cleared")))
    assert patched.source is None
    assert "not all found" in patched.words[0]


LEFT_TO_THE_PERSON = {
    "updates in another function": """
def update():
    with torch.no_grad():
        for w in model.parameters():
            w -= 0.01 * w.grad
for epoch in range(30):
    F.mse_loss(model(x), y).backward()
    update()
""",
    "two functions": """
def backward():
    F.mse_loss(model(x), y).backward()
for epoch in range(30):
    backward()
    opt.step()
""",
    "a made name": """
for epoch in range(30):
    F.mse_loss(model(x), y).backward()
    [opt][0].step()
""",
    "one line": """
for epoch in range(30): loss = F.mse_loss(model(x), y); loss.backward(); opt.step()
""",
}


@pytest.mark.parametrize("name", LEFT_TO_THE_PERSON)
def test_where_no_line_can_be_put_in(tmp_path: Path, name: str):
    head = HEAD if not name.startswith("updates") else HEAD.rsplit("opt =", 1)[0]
    captured, program = run(tmp_path, head + LEFT_TO_THE_PERSON[name])
    source = Path(program.path).read_text()
    patched = patch(source, program.path, captured.fits[0], arm(Change("gradients", "cleared")))
    assert patched.source is None
    assert "backward()" in patched.words[0] or "opt.zero_grad()" in patched.words[0]
