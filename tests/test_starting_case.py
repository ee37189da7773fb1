"""The starting case end to end, as a person would run it: the statements, the files, the patch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "sine_relu.py"

pytestmark = [pytest.mark.framework, pytest.mark.slow]

ENVIRONMENT = {**os.environ, "KERAS_BACKEND": "jax", "MPLBACKEND": "Agg"}


def run(
    folder: Path, *options: str, epochs: int = 500
) -> tuple[subprocess.CompletedProcess[str], dict]:
    source = SCRIPT.read_text()
    assert "epochs=500" in source
    (folder / SCRIPT.name).write_text(source.replace("epochs=500", f"epochs={epochs}"))
    answer = subprocess.run(
        [sys.executable, "-m", "whyfit", "run", "--strict", *options, SCRIPT.name],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer, json.loads((folder / "sine_relu.whyfit.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    """The whole study. The engine trains in place of Keras, which takes minutes where tests run; that it
    ends where Keras does, and that Keras confirms, is for tests of their own below.
    """
    folder = tmp_path_factory.mktemp("whole")
    answer, report = run(folder, "--fast", "--seed", "1", "--confirm", "0")
    return folder, answer, report["fits"][0]


def arm(fit: dict, **changes: str) -> dict:
    wanted = set(changes.items())
    for each in fit["arms"]:
        if {(change["factor"], change["to"]) for change in each["changes"]} == wanted:
            return each
    raise AssertionError(f"no arm {changes}")


def cause(fit: dict, slug: str) -> dict:
    (found,) = [each for each in fit["causes"] if each["cause"] == slug]
    return found


def test_the_fit_is_the_one_that_was_posted(whole):
    _folder, _answer, fit = whole
    assert fit["line"] == 28
    assert 0.27 < fit["unexplained_variance"] < 0.40
    assert fit["network"]["summary"] == "1-4-1 relu"


def test_keras_trains_it_and_the_engine_ends_there(tmp_path: Path):
    answer, report = run(tmp_path, "--budget", "1", "--confirm", "0", epochs=40)
    assert "Epoch 40/40" in answer.stdout
    (fit,) = report["fits"]
    assert fit["line"] == 28
    assert fit["replay"]["status"] == "reproduced"
    assert fit["network"]["summary"] == "1-4-1 relu"


def test_size_is_not_the_limit(whole):
    _folder, _answer, fit = whole
    assert fit["capacity"]["bends"] == 4
    assert fit["capacity"]["exact"]
    assert 0.00160 < fit["capacity"]["lower_bound"] <= fit["capacity"]["witness"] < 0.00167
    assert cause(fit, "too-few-units")["status"] == "refuted"


def test_causes(whole):
    _folder, _answer, fit = whole
    assert cause(fit, "target-not-scaled")["status"] == "refuted"
    assert cause(fit, "initial-weights-too-small")["status"] == "confirmed"
    found = {finding["rule"] for finding in fit["findings"]}
    assert "hinges-share-one-point" in found
    if "units-dead-at-start" in found:  # all four weights of one sign: one start in sixteen
        assert cause(fit, "units-dead-at-start")["status"] == "confirmed"
    assert "seed-does-not-seed-weights" in found
    assert cause(fit, "unlucky-start")["status"] == "refuted"


# Success rates of the table an independent calculation gave (n = 512 an arm; sigmoid and tanh 256).
TABLE = [
    ({}, 0.0),
    ({"target_range": "[-1, 1]"}, 0.0),
    ({"kernel_initializer": "he_uniform"}, 0.014),
    ({"input_range": "[-1, 1]"}, 0.0),
    ({"input_range": "[-1, 1]", "kernel_initializer": "he_uniform"}, 0.77),
    (
        {"input_range": "[-1, 1]", "kernel_initializer": "he_uniform", "units": "16"},
        1.0,
    ),
    ({"activation": "tanh"}, 1.0),
    ({"activation": "sigmoid"}, 1.0),
]


@pytest.mark.parametrize(("changes", "rate"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_arms_agree_with_an_independent_calculation(whole, changes: dict, rate: float):
    _folder, _answer, fit = whole
    found = arm(fit, **changes)
    low, high = found["interval"]
    # Its own scatter (binomial, n = 512) is beside ours.
    slack = 2.0 * (max(rate * (1 - rate), 0.005) / 512) ** 0.5
    assert low - slack <= rate <= high + slack


def test_no_initializer_alone_mends_it(whole):
    _folder, _answer, fit = whole
    for each in fit["arms"]:
        factors = [change["factor"] for change in each["changes"]]
        if factors == ["kernel_initializer"]:
            assert each["success_rate"] < 0.2


def test_the_smallest_fix_and_the_relu_fix_are_offered(whole):
    _folder, _answer, fit = whole
    first = fit["fixes"][0]
    assert [change["factor"] for change in first["changes"]] == ["activation"]
    relu = [
        fix
        for fix in fit["fixes"]
        if {change["factor"] for change in fix["changes"]} == {"input_range", "kernel_initializer"}
    ]
    assert relu
    assert relu[0]["diff"] is not None


def test_the_text_is_short_and_the_files_are_there(whole):
    folder, answer, _fit = whole
    ours = answer.stdout[answer.stdout.index("────") :].splitlines()
    assert len(ours) <= 25
    assert max(len(line) for line in ours) <= 80
    assert ours[-1] == "Wrote sine_relu.whyfit.html and sine_relu.whyfit.json"
    assert (folder / "sine_relu.whyfit.html").stat().st_size < 400_000


def test_the_diff_applies_and_the_patched_script_fits(whole):
    folder, _answer, fit = whole
    (folder / "fix.diff").write_text(fit["fixes"][0]["diff"])
    subprocess.run(["patch", "-p1", "--quiet", "--input", "fix.diff"], cwd=folder, check=True)
    patched = (folder / SCRIPT.name).read_text()
    patched += "\nprint('LEFT', float(np.mean((y - fit) ** 2) / np.var(y)))\n"
    (folder / "patched.py").write_text(patched)
    answer = subprocess.run(
        [sys.executable, "-m", "whyfit", "run", "--fast", "--confirm", "0", "patched.py"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(answer.stdout.split("LEFT")[1].split()[0]) <= 0.05


def test_the_same_seed_gives_the_same_report(tmp_path: Path):
    reports = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        _answer, report = run(folder, "--fast", "--budget", "1", "--confirm", "0", "--seed", "2")
        del report["seconds"]
        expected = "whyfit run --strict --fast --budget 1 --confirm 0 --seed 2 sine_relu.py"
        assert report["command"] == expected
        assert len(report["figures"]) == 1
        reports.append(report)
    assert reports[0] == reports[1]
