"""The command line.

whyfit run [options] script.py [args...]     options end at the script
whyfit explain RULE | rules | report FILE.json | check FILE.json | compare A.json B.json
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.text import Text

from whyfit import rules
from whyfit._version import __version__
from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.adapters.patch import shown_path
from whyfit.diagnose import Options, diagnose
from whyfit.errors import OutputError, ScriptSyntaxError, UsageError, WhyfitError
from whyfit.fast import EngineSubstitute
from whyfit.progress import ProgressLine
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.study import Arm
from whyfit.study.asked import DEFAULT_REPLICATES, parse_arm
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions
from whyfit.study.factors import FACTOR_NAMES
from whyfit.study.plan import DEFAULT_BUDGET

if TYPE_CHECKING:
    from whyfit.report.panels import Report

USAGE = 2
OWN_FAILURE = 70


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: parse, run, exit with the script's own status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(dispatch(arguments))


def dispatch(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit status."""
    if arguments and arguments[0].endswith(".py"):
        _complain(f"did you mean: whyfit run {' '.join(arguments)}")
        return USAGE
    options = _parser().parse_args(arguments)
    options.given = arguments
    if options.command is None:
        _parser().print_help()
        return USAGE
    try:
        return int(options.handler(options))
    except ScriptSyntaxError as error:
        _complain(str(error))
        return 1
    except WhyfitError as error:
        _complain(str(error))
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _complain(message: str) -> None:
    print(f"whyfit: {message}", file=sys.stderr)


# ---- whyfit run ----


def run_command(options: argparse.Namespace) -> int:
    """Run a script, diagnose its fits, write the files, print the answer."""
    program = _program(options)
    json_path, html_path = _output_paths(options, program)
    for path in (json_path, html_path):
        _check_writable(path)
    progress = ProgressLine(quiet=options.quiet)
    session = Session(
        substitute=EngineSubstitute() if options.fast else None,
        strict=options.strict,
        say=progress.say,
    )
    began = time.monotonic()
    captured = capture.run(program, session, seed=options.seed, show=options.show)
    script_seconds = time.monotonic() - began
    try:
        if not captured.fits:
            _complain(_no_fit(captured))
            return captured.status
        diagnosis = diagnose(captured, _options(options, script_seconds, progress))
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
        _complain("interrupted")
        return capture.INTERRUPTED
    except WhyfitError:
        progress.close()
        raise
    except Exception as error:  # a defect of ours must not become the script's failure
        progress.close()
        if options.strict or options.verbose:
            traceback.print_exc()
        _complain(f"the diagnosis failed ({type(error).__name__}: {error}); the script is unharmed")
        return OWN_FAILURE if options.strict else captured.status
    return captured.status


def _program(options: argparse.Namespace) -> capture.Program:
    if options.module is not None:
        rest = [*([options.script] if options.script else []), *options.arguments]
        return capture.load_module(options.module, rest)
    if options.script is None:
        raise UsageError("whyfit run needs a script: whyfit run [options] script.py [args...]")
    return capture.load_script(options.script, options.arguments)


def _output_paths(options: argparse.Namespace, program: capture.Program) -> tuple[Path, Path]:
    stem = Path(program.path).stem
    return (
        Path(options.json or f"{stem}.whyfit.json"),
        Path(options.html or f"{stem}.whyfit.html"),
    )


def _check_writable(path: Path) -> None:
    """Say that a report cannot be written before a long run, not after it."""
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}")
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}): name another place with --json and --html"
        ) from None


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _no_fit(captured: capture.Captured) -> str:
    if captured.problems:
        return captured.problems[-1]
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


def _tell(
    diagnosis: Diagnosis, options: argparse.Namespace, json_path: Path, html_path: Path
) -> None:
    from whyfit.report import html, panels, text

    report = panels.make_report(diagnosis, shown_path(diagnosis.script))
    content, page = panels.to_json(report), html.render(report).encode()
    _write(json_path, content)
    _write(html_path, page)
    console = _console(options)
    console.print(Text("─" * min(console.width, 80) if _utf8(console) else "-" * 60))
    text.render(report, console, verbosity=-1 if options.quiet else int(options.verbose))
    if not options.quiet:
        console.print(Text(f"Wrote {html_path} and {json_path}"), soft_wrap=True)


def _console(options: argparse.Namespace) -> Console:
    force = {"always": True, "never": False}.get(options.color)
    width = None if sys.stdout.isatty() else 80
    return Console(
        highlight=False,
        force_terminal=force,
        no_color=True if options.color == "never" else None,
        width=width,
    )


def _utf8(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


# ---- the other commands ----


def explain_command(options: argparse.Namespace) -> int:
    """Print a rule's page."""
    rule = rules.rule_named(options.rule)
    if rule is None:
        known = ", ".join(each.slug for each in rules.RULES)
        raise UsageError(f"there is no rule {options.rule}; known rules: {known}")
    print(f"{rule.slug}\n\n{rule.page}")
    return 0


def rules_command(_options: argparse.Namespace) -> int:
    """List the rules."""
    width = max(len(rule.slug) for rule in rules.RULES)
    for rule in rules.RULES:
        print(f"{rule.slug:{width}}  {rule.title}")
    return 0


def report_command(options: argparse.Namespace) -> int:
    """Make the HTML file again from a JSON file."""
    from whyfit.report import html

    report = _read_report(options.file)
    target = Path(options.html or Path(options.file).with_suffix("").name + ".html")
    _check_writable(target)
    _write(target, html.render(report).encode())
    print(f"Wrote {target}")
    return 0


def compare_command(options: argparse.Namespace) -> int:
    """Print what changed between two reports."""
    from whyfit.report.compare import compare

    _print_plain(compare(_read_report(options.before), _read_report(options.after)))
    return 0


def check_command(options: argparse.Namespace) -> int:
    """Print the verdict of a report for machines, and end with 1 if a fit is not healthy."""
    from whyfit.report import check

    checks = check.check(_read_report(options.file))
    if text := check.FORMATS[options.output_format](checks):
        _print_plain(text)
    return check.status(checks)


def _read_report(name: str) -> Report:
    from whyfit.report import panels

    path = Path(name)
    try:
        return panels.from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is not a report of whyfit: {error}") from None


def _print_plain(text: str) -> None:
    """Print what the stream's encoding can show, and question marks for the rest."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, errors="replace").decode(encoding))


# ---- arguments ----


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="whyfit", description="Why your neural network fits like that, proven."
    )
    parser.add_argument("--version", action="version", version=f"whyfit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")

    run = commands.add_parser(
        "run",
        help="run a script and explain its fits",
        usage="whyfit run [options] script.py [args...]   or   whyfit run [options] -m module",
    )
    run.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as python -m does")
    run.add_argument("--fast", action="store_true", help="let the engine train in place of fit()")
    run.add_argument(
        "--budget",
        type=_positive,
        default=DEFAULT_BUDGET,
        metavar="SECONDS",
        help="for the study (default %(default)g)",
    )
    run.add_argument(
        "--tolerance",
        type=_positive,
        metavar="T",
        help="unexplained variance that counts as a success (default 0.05)",
    )
    run.add_argument(
        "--seed",
        type=_whole,
        metavar="N",
        help="seed of the study, and of what the script leaves unseeded",
    )
    run.add_argument(
        "--confirm",
        type=_whole,
        default=3,
        metavar="N",
        help="runs of the patched script in the framework (default %(default)d)",
    )
    run.add_argument(
        "--keep",
        type=_factors,
        default=(),
        metavar="FACTORS",
        help="factors a fix may not touch, such as activation,units",
    )
    run.add_argument(
        "--arm",
        type=_arm,
        action="append",
        default=[],
        metavar="CHANGES",
        help="train these changes alone, such as 'units=16 and activation=tanh'; several are compared",
    )
    run.add_argument(
        "--replicates",
        type=_some,
        default=DEFAULT_REPLICATES,
        metavar="N",
        help="trainings of each --arm (default %(default)d)",
    )
    run.add_argument("--json", metavar="FILE", help="where to write the JSON file")
    run.add_argument("--html", metavar="FILE", help="where to write the HTML file")
    run.add_argument("--no-study", action="store_true", help="measure only, retrain nothing")
    run.add_argument("--show", action="store_true", help="let the script open its plot windows")
    run.add_argument("--strict", action="store_true", help="exit with 70 where whyfit itself fails")
    run.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    run.add_argument("-q", dest="quiet", action="store_true", help="the verdict alone")
    run.add_argument("-v", dest="verbose", action="store_true", help="all arms and causes")
    run.add_argument("script", nargs="?", help=argparse.SUPPRESS)
    run.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    run.set_defaults(handler=run_command)

    explain = commands.add_parser("explain", help="print the page of a rule")
    explain.add_argument("rule", metavar="RULE")
    explain.set_defaults(handler=explain_command)
    commands.add_parser("rules", help="list the rules").set_defaults(handler=rules_command)
    report = commands.add_parser("report", help="make the HTML file from a JSON file")
    report.add_argument("file", metavar="FILE.json")
    report.add_argument("--html", metavar="FILE")
    report.set_defaults(handler=report_command)
    compare = commands.add_parser("compare", help="say what changed between two JSON files")
    compare.add_argument("before", metavar="A.json")
    compare.add_argument("after", metavar="B.json")
    compare.set_defaults(handler=compare_command)
    check = commands.add_parser(
        "check",
        help="for CI: exit with 1 if a fit of a JSON file is not healthy",
        description="Exit status: 0 if every fit is healthy, 1 if a cause is confirmed or a fit misses "
        "its tolerance, 2 if the file is no report.",
    )
    check.add_argument("file", metavar="FILE.json")
    check.add_argument(
        "--output-format",
        choices=("text", "json", "junit", "sarif", "github"),
        default="text",
        help="default %(default)s",
    )
    check.set_defaults(handler=check_command)
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def _arm(text: str) -> Arm:
    try:
        return parse_arm(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _some(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text}")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, got {text}")
    return int(text)


def _factors(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in FACTOR_NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown factor {unknown[0]}; known: {', '.join(FACTOR_NAMES)}"
        )
    return names


if __name__ == "__main__":
    main()
