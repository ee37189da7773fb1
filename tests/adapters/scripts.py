"""Running scripts of tests under watch, in this process."""

from __future__ import annotations

import io
import textwrap
from contextlib import redirect_stderr
from pathlib import Path

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.records.fit import Fit


def run(folder: Path, source: str, **session) -> tuple[capture.Captured, capture.Program]:
    """A script's text, run as a file of a folder; whyfit's own failures are the test's,
    unless it says `strict=False`.
    """
    script = folder / "script.py"
    script.write_text(textwrap.dedent(source))
    program = capture.load_script(str(script), [])
    with redirect_stderr(io.StringIO()):
        captured = capture.run(program, Session(**{"strict": True, **session}))
    return captured, program


def fits(folder: Path, source: str, **session) -> tuple[Fit, ...]:
    """The fits of a script that ends without an exception."""
    captured, _program = run(folder, source, **session)
    assert captured.error is None, captured.error
    assert not captured.problems
    return captured.fits
