"""A fix is called verified when runs of the patched script in its framework succeeded: end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = """
import torch
from torch import nn

torch.manual_seed(1)
x = torch.linspace(-1, 1, 64).reshape(-1, 1)
y = torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
for epoch in range(300):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.framework
def test_the_fix_is_run_and_counted(tmp_path: Path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [
        "run",
        "--strict",
        "--no-ledger",
        "--budget",
        "0.5",
        "--seed",
        "1",
        "--confirm",
        "2",
        "slow.py",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "whyfit", *command],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (fit,) = json.loads((tmp_path / "slow.whyfit.json").read_text())["fits"]
    assert fit["replay"]["status"] == "reproduced"
    first = fit["fixes"][0]
    assert first["status"] == "verified"
    assert first["framework_runs"]["runs"] == first["framework_runs"]["successes"] == 2
    assert max(first["framework_runs"]["unexplained_variance"]) <= 0.05
    assert "2 of 2 runs in torch" in " ".join(done.stdout.split())
    assert (tmp_path / "slow.py").read_text() == SLOW
