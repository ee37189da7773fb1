"""`whyfit ledger`: what earlier runs trained can be seen, taken along and taken out."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.study.small import diagnosed, opened, small_fit
from whyfit.cli import dispatch
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.fit import Place


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Path, Diagnosis]:
    """A ledger of two studies, the second of a script with an odd name, and what the first said."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    ledger = opened(path)
    first = diagnosed(small_fit(), ledger)
    odd = replace(small_fit(65), place=Place("/somewhere/[bold]x.py", 7))
    diagnosed(odd, ledger)
    ledger.close()
    return path, first


def said(capsys, *arguments: object) -> tuple[int, str, str]:
    status = dispatch(["ledger", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_list_and_show(kept: tuple[Path, Diagnosis], capsys):
    path, first = kept
    status, out, _err = said(capsys, "list", "--ledger", path)
    assert status == 0
    assert "script.py:1" in out
    assert "[bold]x.py:7" in out
    assert f"2 studies in {path}" in out
    assert first.fits[0].verdict in out

    status, out, _err = said(capsys, "show", 1, "--ledger", path)
    study = first.fits[0].study
    for outcomes in study.outcomes:
        assert f"{outcomes.successes} of {outcomes.replicates}" in out
    assert "kernel_initializer he_uniform" in out


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_export(kept: tuple[Path, Diagnosis], capsys, tmp_path: Path, ending: str):
    path, first = kept
    target = tmp_path / f"out.{ending}"
    status, out, _err = said(capsys, "export", target, 1, "--ledger", path)
    assert status == 0
    if ending == "csv":
        with target.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(target).to_pylist()
    study = first.fits[0].study
    assert len(rows) == sum(each.replicates for each in study.outcomes)
    assert f"Wrote {len(rows)} replicates of 1 studies" in out
    for phase in ("selection", "confirmation"):
        counts = Counter(row["arm"] for row in rows if row["phase"] == phase)
        expected = [each.replicates for each in study.outcomes if each.phase == phase]
        assert sorted(counts.values()) == sorted(expected)
    baseline = study.of(())
    found = [
        float(row["unexplained_variance"])
        for row in sorted(rows, key=lambda row: int(row["replicate"]))
        if row["arm"] == "as it is" and row["phase"] == "confirmation"
    ]
    assert found == list(baseline.unexplained)


def test_clear_takes_out_what_no_other_study_needs(tmp_path: Path, capsys):
    path = tmp_path / "ledger.sqlite"
    ledger = opened(path)
    elsewhere = replace(small_fit(), place=Place("copy.py", 3))
    for fit in (small_fit(), elsewhere, small_fit(65)):
        diagnosed(fit, ledger)
    ledger.close()
    size = path.stat().st_size
    assert said(capsys, "clear", 1, 3, "--ledger", path)[0] == 0
    assert path.stat().st_size < size
    ledger = opened(path)
    assert diagnosed(elsewhere, ledger).work["trained"] == 0  # the copy of a cleared script
    assert diagnosed(small_fit(65), ledger).work["from_ledger"] == 0
    ledger.close()
    assert said(capsys, "clear", "--all", "--ledger", path)[0] == 0
    assert "0 studies" in said(capsys, "list", "--ledger", path)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "--ledger", "nowhere.sqlite"), "nowhere.sqlite is not there"),
        (("list",), "there is no ledger: WHYFIT_LEDGER is empty"),
        (("show", "9"), "there is no study 9"),
        (("export", "out.txt"), "must end in .csv or .parquet"),
        (("export", "no/out.csv"), "there is no folder no"),
        (("clear",), "needs the numbers of studies, or --all"),
        (("clear", "1", "--all"), "needs the numbers of studies, or --all"),
    ],
)
def test_one_sentence_for_what_cannot_be(
    kept: tuple[Path, Diagnosis], capsys, monkeypatch, arguments: tuple[str, ...], words: str
):
    path, _first = kept
    if arguments != ("list",):
        monkeypatch.setenv("WHYFIT_LEDGER", str(path))
    status, _out, err = said(capsys, *arguments)
    assert status == 2
    assert err.startswith("whyfit: ")
    assert err.count("\n") == 1
    assert words in err


def test_parquet_without_pyarrow(kept: tuple[Path, Diagnosis], capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    target = tmp_path / "out.parquet"
    status, _out, err = said(capsys, "export", target, "--ledger", kept[0])
    assert status == 2
    assert "pip install 'whyfit[parquet]', or export to .csv" in err
    assert not target.exists()


SCRIPT = """
import numpy as np
from sklearn.neural_network import MLPRegressor

x = np.linspace(0, 1, 100).reshape(-1, 1)
y = np.sin(6 * x[:, 0])
MLPRegressor(hidden_layer_sizes=(3,), max_iter=10, random_state=3).fit(x, y)
"""


@pytest.mark.framework
def test_a_run_from_processes_and_then_from_the_ledger(tmp_path: Path):
    """The same report from workers, from the ledger, and without it."""
    pytest.importorskip("sklearn")
    (tmp_path / "fit.py").write_text(SCRIPT)
    keep = "activation,target_range,depth,optimizer,learning_rate,epochs,batch_size,shuffle,loss"
    reports, texts = [], []
    for options in (["--on", "processes:2"], [], ["--no-ledger"]):
        asked = ["--confirm", "0", "--keep", keep, "--budget", "0.5", "--ledger", "kept.sqlite"]
        answer = subprocess.run(
            [sys.executable, "-m", "whyfit", "run", *asked, *options, "fit.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        reports.append(json.loads((tmp_path / "fit.whyfit.json").read_text()))
        texts.append(answer.stdout)
    work = [report.pop("work") for report in reports]
    for report in reports:
        del report["seconds"], report["command"]
    assert reports[0] == reports[1] == reports[2]
    fits = work[0]["trained"]
    assert work[0] == work[2] == {"trained": fits, "from_ledger": 0}
    assert work[1] == {"trained": 0, "from_ledger": fits}
    said = f"Nothing was trained: all {fits} fits came from the ledger."
    assert [said in text for text in texts] == [False, True, False]
