"""`whyfit run` behaves as `python` does: arguments, paths, exit status, output, exceptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from whyfit.cli import main

FIT = """
import keras
import numpy as np
from keras.layers import Dense, Input

x = np.linspace(-1, 1, 64).reshape(-1, 1)
y = np.sin(3 * x)
model = keras.Sequential([Input((1,)), Dense(4, activation='relu'), Dense(1)])
model.compile(loss='mse', optimizer='adam')
"""


def whyfit(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "whyfit", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        **options,
    )


Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command line called in this process: a process of its own would import for seconds."""
    monkeypatch.chdir(tmp_path)

    def answer(*arguments: str) -> subprocess.CompletedProcess[str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(str(ended.value)), *written)

    return answer


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def own_words(answer: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in answer.stderr.splitlines() if line.startswith("whyfit:")]


SHOW = """
import sys, os
print(sys.argv, __name__, os.path.basename(__file__), sys.path[0], os.getcwd())
import helper
print(helper.word)
import __main__
print(__main__.__dict__ is globals())
"""


def test_argv_path_and_main_are_those_of_python(tmp_path: Path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "show.py").write_text(SHOW)
    (tmp_path / "part" / "helper.py").write_text("word = 'beside the script'")
    arguments = ("part/show.py", "--epochs", "5", "-v")
    ours, plain = whyfit(tmp_path, "run", *arguments), python(tmp_path, *arguments)
    assert ours.stdout == plain.stdout
    assert ours.returncode == plain.returncode == 0


def test_an_option_behind_the_script_is_passed_on_and_told(tmp_path: Path):
    (tmp_path / "show.py").write_text("import sys; print(sys.argv[1:])\n")
    answer = whyfit(tmp_path, "run", "show.py", "--fast", "--seed", "3")
    assert answer.stdout == "['--fast', '--seed', '3']\n"
    assert "--fast stands behind the script" in answer.stderr
    assert "--seed" not in "".join(own_words(answer))  # many scripts have a seed of their own
    (tmp_path / "own.py").write_text("import sys; sys.argv.remove('--fast'); print('fast')\n")
    answer = whyfit(tmp_path, "run", "own.py", "--fast")
    assert answer.stdout == "fast\n"
    assert "--fast" not in answer.stderr


def test_a_module_runs_as_with_m(tmp_path: Path):
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("word = 1")
    (package / "tool.py").write_text(
        "import sys\nfrom . import helper\nprint(sys.argv, __package__)"
    )
    ours = whyfit(tmp_path, "run", "-m", "pack.tool", "a", "b")
    assert ours.stdout == python(tmp_path, "-m", "pack.tool", "a", "b").stdout


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("raise SystemExit", 0),
        ("import sys; sys.exit('no data')", 1),
        ("raise ValueError('broken')", 1),
        ("1 / 0", 1),
    ],
)
def test_exit_status_and_traceback(tmp_path: Path, call: Call, source: str, status: int):
    (tmp_path / "script.py").write_text(source + "\n")
    ours, plain = call("run", "script.py"), python(tmp_path, "script.py")
    assert ours.returncode == plain.returncode == status
    theirs = [line for line in ours.stderr.splitlines() if not line.startswith("whyfit:")]
    # Python names the file as it was given, we by its whole path.
    shown = "\n".join(theirs).replace(str(tmp_path) + "/", "")
    assert shown == plain.stderr.strip().replace(str(tmp_path) + "/", "")


def test_a_script_without_a_fit_gets_one_sentence(tmp_path: Path, call: Call):
    (tmp_path / "script.py").write_text("print('hello')")
    answer = call("run", "script.py")
    assert answer.stdout == "hello\n"
    assert len(own_words(answer)) == 1
    assert "no fit" in own_words(answer)[0]


BAD_CALLS = [
    (("run", "nothere.py"), 2, "there is no script nothere.py"),
    (("run", "."), 2, "is a folder"),
    (("run",), 2, "needs a script"),
    (("run", "-m", "no.such.module"), 2, "there is no module no.such.module"),
    (("run", "broken.py"), 1, "not valid Python, line 2"),
    (("run", "--html", "nowhere/x.html", "fine.py"), 2, "there is no folder nowhere"),
    (("run", "--json", ".", "fine.py"), 2, "it is a folder"),
    (("explain", "nonsense"), 2, "there is no rule nonsense"),
    (("report", "nothere.json"), 2, "cannot be read"),
    (("report", "fine.py"), 2, "is not a report of whyfit"),
    (("fine.py",), 2, "did you mean: whyfit run fine.py"),
]


@pytest.mark.parametrize(
    ("arguments", "status", "words"), BAD_CALLS, ids=lambda each: str(each)[:40]
)
def test_bad_calls_get_one_clear_sentence(
    tmp_path: Path, call: Call, arguments, status: int, words: str
):
    (tmp_path / "broken.py").write_text("x = 1\ny = (\n")
    (tmp_path / "fine.py").write_text("print(1)")
    before = sorted(tmp_path.iterdir())
    answer = call(*arguments)
    assert answer.returncode == status
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(own_words(answer)) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--budget", "-1", "must be a number above 0, got -1"),
        ("--budget", "soon", "must be a number above 0, got soon"),
        ("--tolerance", "0", "must be a number above 0, got 0"),
        ("--confirm", "-2", "must be a whole number from 0, got -2"),
        ("--seed", "x", "must be a whole number from 0, got x"),
        ("--keep", "colour", "unknown factor colour"),
    ],
)
def test_bad_options(tmp_path: Path, call: Call, option: str, value: str, words: str):
    (tmp_path / "fine.py").write_text("print(1)")
    answer = call("run", f"{option}={value}", "fine.py")
    assert answer.returncode == 2
    assert words in answer.stderr
    assert answer.stdout == ""


def test_an_unwritable_folder_is_said_before_the_script_runs(tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "fine.py").write_text("print('ran')")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    answer = whyfit(tmp_path, "run", "--html", "locked/x.html", "fine.py")
    assert "cannot be written" in answer.stderr
    assert answer.stdout == ""


BAD_DATA = [
    (
        "x[3] = np.nan\nmodel.fit(x, y, epochs=2, verbose=0)",
        0,
        "x holds 1 value that is not a finite",
    ),
    ("model.fit(x[:0], y[:0], epochs=2, verbose=0)", None, "x has 0 samples"),
    ("model.fit(x, y[:5], epochs=2, verbose=0)", 1, "x has 64 samples and y has 5"),
    ("model.predict(x, verbose=0)", 0, "no fit"),
    ("raise RuntimeError('before the fit')", 1, "before any fit"),
    ("model.fit(x, y, epochs='many')", 1, None),
]


@pytest.mark.framework
@pytest.mark.parametrize(("lines", "status", "words"), BAD_DATA, ids=range(len(BAD_DATA)))
def test_bad_data(tmp_path: Path, call: Call, lines: str, status: int | None, words: str | None):
    (tmp_path / "script.py").write_text(FIT + lines + "\n")
    answer = call("run", "--no-study", "script.py")
    if status is not None:
        assert answer.returncode == status
    if words is not None:
        assert words in answer.stderr + answer.stdout
    assert "whyfit/src" not in answer.stderr
    assert "src/whyfit" not in answer.stderr


@pytest.mark.framework
def test_an_exception_after_the_fit_is_shown_and_the_fit_diagnosed(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        FIT + "model.fit(x, y, epochs=3, verbose=0)\nraise KeyError('plot')\n"
    )
    answer = whyfit(tmp_path, "run", "--no-study", "script.py")
    assert answer.returncode == 1
    assert "KeyError: 'plot'" in answer.stderr
    report = json.loads((tmp_path / "script.whyfit.json").read_text())
    assert report["error"] == "KeyError: 'plot'"
    assert len(report["fits"]) == 1


@pytest.mark.framework
def test_a_fit_in_another_file_is_named_by_that_file(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    trained = FIT + "\n\ndef train():\n    model.fit(x, y, epochs=2, verbose=0)\n"
    (tmp_path / "parts" / "trainer.py").write_text(trained)
    (tmp_path / "main.py").write_text("from parts.trainer import train\n\ntrain()\n")
    answer = whyfit(tmp_path, "run", "--no-study", "main.py")
    line = len(trained.splitlines())
    assert f"parts/trainer.py:{line}  1-4-1 relu" in answer.stdout
    (fit,) = json.loads((tmp_path / "main.whyfit.json").read_text())["fits"]
    assert (fit["file"], fit["line"]) == ("parts/trainer.py", line)
    checked = whyfit(tmp_path, "check", "--output-format", "github", "main.whyfit.json")
    assert f"::error file=parts/trainer.py,line={line}," in checked.stdout


@pytest.mark.framework
def test_an_exception_inside_the_fit_keeps_the_epochs_done(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        FIT
        + """
class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 4:
            raise ValueError('enough')
model.fit(x, y, epochs=50, verbose=0, callbacks=[Stop()])
"""
    )
    answer = whyfit(tmp_path, "run", "--no-study", "script.py")
    assert answer.returncode == 1
    assert "ValueError: enough" in answer.stderr
    (fit,) = json.loads((tmp_path / "script.whyfit.json").read_text())["fits"]
    assert fit["training"]["epochs"][-1] == 4


# A shell's background jobs ignore Ctrl-C, and so do their children unless they say otherwise.
HEEDS_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from whyfit.cli import main; main()"
)


@pytest.mark.framework
def test_ctrl_c_keeps_what_was_captured(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        FIT + "print('ready', flush=True)\nmodel.fit(x, y, epochs=100000, verbose=0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, "run", "--no-study", "script.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "KeyboardInterrupt" in error
    (fit,) = json.loads((tmp_path / "script.whyfit.json").read_text())["fits"]
    assert len(fit["training"]["epochs"]) > 3
    assert "Wrote" in out


@pytest.mark.framework
def test_output_passes_through_untouched(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        FIT + "model.fit(x, y, epochs=3, verbose=2)\nprint('héllo', end='')\n"
    )
    ours = whyfit(tmp_path, "run", "--no-study", "--color", "always", "script.py").stdout
    assert ours.startswith("Epoch 1/3\n")
    assert "héllo─" in ours


@pytest.mark.framework
def test_plots_do_not_block_and_are_kept(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        FIT
        + "model.fit(x, y, epochs=2, verbose=0)\nimport matplotlib.pyplot as plt\n"
        + "plt.plot(x, y)\nplt.show()\nprint('after')\n"
    )
    answer = whyfit(tmp_path, "run", "--no-study", "script.py")
    assert "after" in answer.stdout
    assert "non-interactive" not in answer.stderr
