"""`whyfit fix FILE.json`: the change that mends a fit, printed or made in the script."""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from whyfit.cli.files import read_report, write
from whyfit.cli.streams import complain
from whyfit.cli.values import Commands, some
from whyfit.errors import OutputError, UsageError
from whyfit.report.applying import DoesNotApply, applied, read_text

if TYPE_CHECKING:
    from whyfit.report.panels import FitPanel, FixPanel, Report


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    fix = commands.add_parser(
        "fix",
        help="print the diff of a fix, or apply it to the script",
        description="Prints the diff of a report's fix, as `patch -p1` takes it. With --apply the "
        "change is made in the script, and what was there is kept beside it as SCRIPT.orig.",
    )
    fix.add_argument("file", metavar="FILE.json")
    fix.add_argument("number", nargs="?", type=some, default=1, metavar="N", help="which fix")
    fix.add_argument("--fit", type=some, metavar="N", help="which fit, where there are several")
    fix.add_argument("--apply", action="store_true", help="change the script, with a backup")
    fix.add_argument("--script", metavar="SCRIPT.py", help="where the script is now")
    fix.set_defaults(handler=fix_command)


def fix_command(options: argparse.Namespace) -> int:
    """Print or apply one fix."""
    report = read_report(options.file)
    fix = _fix(_fit(report, options.fit), options.number)
    if fix.diff is None:
        words = "; ".join(fix.words)
        raise UsageError(f"fix {options.number} ({fix.label}) has no diff; by hand: {words}")
    complain(_said(fix, options.number))
    if not options.apply:
        print(fix.diff, end="")
        return 0
    script = _script(report, options)
    content = script.read_bytes()
    try:
        text = read_text(content)
        digest = hashlib.sha256(text.content.encode()).hexdigest()
        if report.script_sha256 not in ("", digest):
            raise DoesNotApply
        changed = applied(text.content, fix.diff).encode(text.encoding)
    except DoesNotApply:
        raise UsageError(
            f"{script} is not the script that was diagnosed, or has changed since: nothing was "
            "written; run whyfit again"
        ) from None
    backup = _backed_up(script, content)
    write(script, changed)
    shutil.copymode(backup, script)
    print(f"Changed {script}; the script as it was is {backup}")
    return 0


def _fit(report: Report, number: int | None) -> FitPanel:
    """The fit that was asked for, or the only one that has a fix."""
    if number is not None:
        if number > len(report.fits):
            raise UsageError(f"there is no fit {number}: the report has {len(report.fits)}")
        return report.fits[number - 1]
    mended = [at for at, panel in enumerate(report.fits) if panel.fixes]
    if not mended:
        raise UsageError("the report has no fix")
    if len(mended) > 1:
        numbers = ", ".join(str(at + 1) for at in mended)
        raise UsageError(f"several fits have fixes; say which with --fit: {numbers}")
    return report.fits[mended[0]]


def _fix(panel: FitPanel, number: int) -> FixPanel:
    if not panel.fixes:
        raise UsageError("this fit has no fix")
    if number > len(panel.fixes):
        raise UsageError(f"there is no fix {number}: the fit has {len(panel.fixes)}")
    return panel.fixes[number - 1]


def _said(fix: FixPanel, number: int) -> str:
    runs = fix.framework_runs
    counts = f"{fix.successes} of {fix.replicates} starts"
    counts += f", {runs.successes} of {runs.runs} runs of the patched script" if runs else ""
    known = fix.status if fix.status == "verified" else f"{fix.status}, not verified"
    return f"fix {number}, {known}: {fix.label} ({counts})"


def _script(report: Report, options: argparse.Namespace) -> Path:
    """Where the script is: as said, or from here, or from where the report lies."""
    if options.script is not None:
        places = [Path(options.script)]
    else:
        places = [Path(report.script), Path(options.file).parent / report.script]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UsageError(f"there is no script {places[0]} here: name it with --script")
    return found.resolve() if found.is_symlink() else found


def _backed_up(script: Path, content: bytes) -> Path:
    """A copy of the script beside it; an older backup is never written over."""
    for number in range(1000):
        backup = script.with_name(f"{script.name}.orig" + (f".{number}" if number else ""))
        try:
            with open(backup, "xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{backup} could not be written: {error.strerror}") from None
        shutil.copymode(script, backup)
        return backup
    raise OutputError(f"{script} has too many backups: remove some")
