"""`whyfit run`: run a script and explain its fits."""

from __future__ import annotations

import argparse
import shlex
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.cli import streams
from whyfit.cli.files import check_writable, write
from whyfit.cli.streams import complain
from whyfit.cli.values import Commands, arm, factors, place_name, positive, some, whole
from whyfit.compat import in_modern_spelling, old_spellings
from whyfit.diagnosing import Options, diagnose
from whyfit.errors import UsageError, WhyfitError
from whyfit.fast import EngineSubstitute
from whyfit.ledger.connection import customary_place
from whyfit.ledger.ledger import Ledger
from whyfit.patching.patch import shown_path
from whyfit.progress import ProgressLine
from whyfit.records.diagnosis import Diagnosis
from whyfit.study.asked import DEFAULT_REPLICATES
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions
from whyfit.study.plan import DEFAULT_BUDGET
from whyfit.study.workers.crew import Place
from whyfit.study.workers.places import INLINE, place_named

OWN_FAILURE = 70


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    run = commands.add_parser(
        "run",
        help="run a script and explain its fits",
        usage="whyfit run [options] script.py [args...]   or   whyfit run [options] -m module",
    )
    run.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as python -m does")
    run.add_argument("--fast", action="store_true", help="let the engine train in place of fit()")
    run.add_argument(
        "--budget",
        type=positive,
        default=DEFAULT_BUDGET,
        metavar="SECONDS",
        help="for the study (default %(default)g)",
    )
    run.add_argument(
        "--tolerance",
        type=positive,
        metavar="T",
        help="unexplained variance that counts as a success (default 0.05)",
    )
    run.add_argument(
        "--seed",
        type=whole,
        metavar="N",
        help="seed of the study, and of what the script leaves unseeded",
    )
    run.add_argument(
        "--confirm",
        type=whole,
        default=3,
        metavar="N",
        help="runs of the patched script in the framework (default %(default)d)",
    )
    run.add_argument(
        "--keep",
        type=factors,
        default=(),
        metavar="FACTORS",
        help="factors a fix may not touch, such as activation,units",
    )
    run.add_argument(
        "--arm",
        type=arm,
        action="append",
        default=[],
        metavar="CHANGES",
        help="train these changes alone, such as 'units=16 and activation=tanh'; several are compared",
    )
    run.add_argument(
        "--replicates",
        type=some,
        default=DEFAULT_REPLICATES,
        metavar="N",
        help="trainings of each --arm (default %(default)d)",
    )
    run.add_argument(
        "--on",
        type=place_name,
        default=INLINE,
        metavar="PLACE",
        help="where to retrain: inline, processes[:N], dask://host:port (default %(default)s)",
    )
    run.add_argument(
        "--ledger", metavar="FILE", help="where what was trained is kept, for the next run"
    )
    run.add_argument("--no-ledger", action="store_true", help="keep nothing, look nothing up")
    run.add_argument("--json", metavar="FILE", help="where to write the JSON file")
    run.add_argument("--html", metavar="FILE", help="where to write the HTML file")
    run.add_argument("--no-study", action="store_true", help="measure only, retrain nothing")
    run.add_argument(
        "--compat", action="store_true", help="read spellings of Keras 1 and 2 as they were meant"
    )
    run.add_argument("--show", action="store_true", help="let the script open its plot windows")
    run.add_argument("--strict", action="store_true", help="exit with 70 where whyfit itself fails")
    run.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    run.add_argument("-q", dest="quiet", action="store_true", help="the verdict alone")
    run.add_argument("-v", dest="verbose", action="store_true", help="all arms and causes")
    run.add_argument("script", nargs="?", help=argparse.SUPPRESS)
    run.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    run.set_defaults(handler=run_command)


def run_command(options: argparse.Namespace) -> int:
    """Run a script, diagnose its fits, write the files, print the answer."""
    program, changes = in_modern_spelling(_program(options), rewrite=options.compat)
    _warn_of_misplaced(program, options.arguments)
    json_path, html_path = _output_paths(options, program)
    for path in (json_path, html_path):
        check_writable(path)
    if not options.no_study:
        place_named(options.on).close()  # that nobody answers is better known before a long script
    progress = ProgressLine(quiet=options.quiet)
    session = Session(
        substitute=EngineSubstitute() if options.fast else None,
        strict=options.strict,
        say=progress.say,
    )
    began = time.monotonic()
    captured = capture.run(program, session, seed=options.seed, show=options.show)
    script_seconds = time.monotonic() - began
    hint, notes = old_spellings(captured, changes, rewritten=options.compat)
    try:
        if not captured.fits:
            complain(hint or _no_fit(captured))
            return captured.status
        if hint:
            complain(hint)
        captured = replace(captured, problems=(*notes, *captured.problems))
        with _ledger(options, progress) as ledger, _place(options) as place:
            asked = replace(
                _options(options, script_seconds, progress), ledger=ledger, executor=place
            )
            diagnosis = diagnose(captured, asked)
        progress.close()
        diagnosis = replace(
            diagnosis,
            command=shlex.join(("whyfit", *options.given)),
            seconds={
                **diagnosis.seconds,
                "script": script_seconds,
                "whole": time.monotonic() - began,
            },
        )
        _tell(diagnosis, options, json_path, html_path)
    except KeyboardInterrupt:
        progress.close()
        complain("interrupted")
        return capture.INTERRUPTED
    except WhyfitError:
        progress.close()
        raise
    except Exception as error:  # a defect of ours must not become the script's failure
        progress.close()
        if options.strict or options.verbose:
            traceback.print_exc()
        complain(f"the diagnosis failed ({type(error).__name__}: {error}); the script is unharmed")
        return OWN_FAILURE if options.strict else captured.status
    return captured.status


def _program(options: argparse.Namespace) -> capture.Program:
    if options.module is not None:
        rest = [*([options.script] if options.script else []), *options.arguments]
        return capture.load_module(options.module, rest)
    if options.script is None:
        raise UsageError("whyfit run needs a script: whyfit run [options] script.py [args...]")
    return capture.load_script(options.script, options.arguments)


BEFORE_THE_SCRIPT = (
    "--arm",
    "--budget",
    "--compat",
    "--confirm",
    "--fast",
    "--html",
    "--json",
    "--keep",
    "--ledger",
    "--no-ledger",
    "--no-study",
    "--replicates",
    "--tolerance",
)
"""Options of ours that few scripts have of their own."""


def _warn_of_misplaced(program: capture.Program, arguments: Sequence[str]) -> None:
    """What stands behind the script goes to the script, as with python; one may have meant us."""
    for argument in arguments:
        name = argument.split("=")[0]
        if name in BEFORE_THE_SCRIPT and name.removeprefix("--") not in program.source:
            complain(
                f"{name} stands behind the script and is passed to it; options of whyfit stand before: "
                f"whyfit run {name} ... {program.path}"
            )


def _output_paths(options: argparse.Namespace, program: capture.Program) -> tuple[Path, Path]:
    stem = Path(program.path).stem
    return (
        Path(options.json or f"{stem}.whyfit.json"),
        Path(options.html or f"{stem}.whyfit.html"),
    )


def _no_fit(captured: capture.Captured) -> str:
    if captured.problems:
        return f"{captured.problems[-1].rstrip('.')}: there is nothing to diagnose"
    if captured.error:
        return f"the script stopped before any fit ({captured.error}): there is nothing to diagnose"
    return (
        "the script called no fit that whyfit can watch (Keras's Model.fit, a PyTorch loop with "
        "backward, scikit-learn's MLPRegressor): there is nothing to diagnose"
    )


def _options(options: argparse.Namespace, script_seconds: float, progress: ProgressLine) -> Options:
    confirm = 0 if options.fast else options.confirm
    return Options(
        study=StudyOptions(
            budget=options.budget,
            tolerance=options.tolerance,
            seed=options.seed or 0,
            kept=options.keep,
            arms=tuple(options.arm),
            replicates=options.replicates,
        ),
        # Side by side on few cores a run may take several times as long as the person's own.
        confirm=ConfirmOptions(confirm, time_limit=60.0 + 5.0 * script_seconds * max(1, confirm)),
        retrain=not options.no_study,
        report=progress,
    )


@contextmanager
def _ledger(options: argparse.Namespace, progress: ProgressLine) -> Generator[Ledger]:
    """The ledger, opened after the script: what forks should not inherit it."""
    path = Path(options.ledger) if options.ledger else customary_place()
    if path is None or options.no_ledger or options.no_study:
        ledger = Ledger.nowhere()
    else:
        ledger = Ledger.open(path, progress.say)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def _place(options: argparse.Namespace) -> Generator[Place]:
    place = place_named(INLINE if options.no_study else options.on)
    try:
        yield place
    finally:
        place.close()


def _tell(
    diagnosis: Diagnosis, options: argparse.Namespace, json_path: Path, html_path: Path
) -> None:
    from whyfit.report import html, panels, text

    report = panels.make_report(diagnosis, shown_path)
    content, page = panels.to_json(report), html.render(report).encode()
    write(json_path, content)
    write(html_path, page)
    console = streams.console(options)
    console.print(Text("─" * min(console.width, 80) if streams.utf8(console) else "-" * 60))
    text.render(report, console, verbosity=-1 if options.quiet else int(options.verbose))
    if not options.quiet:
        console.print(Text(f"Wrote {html_path} and {json_path}"), soft_wrap=True)
