"""`whyfit ledger list | show | export | clear`: what earlier runs trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table
from rich.text import Text

from whyfit.cli import streams
from whyfit.cli.files import check_writable
from whyfit.cli.values import Commands
from whyfit.errors import OutputError, UsageError
from whyfit.ledger import studies
from whyfit.ledger.connection import customary_place
from whyfit.ledger.export import export
from whyfit.report.panels.plain_text import visible
from whyfit.study.effects import rate_interval


def add(commands: Commands) -> None:
    """Add the command and its own commands to the parser."""
    ledger = commands.add_parser("ledger", help="list, show, export or clear what was trained")
    actions = ledger.add_subparsers(dest="action", metavar="action", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--ledger", metavar="FILE", help="default: where whyfit run keeps it")
    shared.add_argument("--color", choices=("auto", "always", "never"), default="auto")

    listing = actions.add_parser("list", parents=[shared], help="list the studies")
    listing.set_defaults(handler=list_command)
    show = actions.add_parser("show", parents=[shared], help="show the arms of a study")
    show.add_argument("number", type=int, metavar="N")
    show.set_defaults(handler=show_command)
    exporting = actions.add_parser(
        "export", parents=[shared], help="write every replicate to a .csv or .parquet file"
    )
    exporting.add_argument("file", metavar="FILE")
    exporting.add_argument("numbers", type=int, metavar="N", nargs="*", help="default: all")
    exporting.set_defaults(handler=export_command)
    clearing = actions.add_parser("clear", parents=[shared], help="take studies out")
    clearing.add_argument("numbers", type=int, metavar="N", nargs="*")
    clearing.add_argument("--all", action="store_true", help="everything")
    clearing.set_defaults(handler=clear_command)


def list_command(options: argparse.Namespace) -> int:
    """Print a line for each study."""
    path = _path(options)
    with studies.opened(path) as database:
        known = studies.studies(database)
    table = Table("", "last run (UTC)", "script", "network", "fits", "runs", "verdict", box=None)
    for each in known:
        _row(
            table,
            each.number,
            each.started[:16].replace("T", " "),
            f"{Path(each.script).name}:{each.line}",
            each.network,
            each.fits,
            each.runs,
            each.verdict or "not finished",
        )
    console = streams.console(options)
    if known:
        console.print(table)
    console.print(f"{len(known)} studies in {path}", soft_wrap=True, markup=False)
    return 0


def show_command(options: argparse.Namespace) -> int:
    """Print what a study was about and how its arms came out."""
    with studies.opened(_path(options)) as database:
        (study,) = studies.chosen(database, (options.number,))
        counts: dict[tuple[str, str], list[int]] = {}
        for each in studies.replicates(database, study):
            found = counts.setdefault((each.phase, each.arm), [0, 0])
            found[0] += each.unexplained_variance <= study.tolerance
            found[1] += 1
    console = streams.console(options)
    facts = (
        f"{study.script}:{study.line}  {study.network}",
        f"seed {study.seed}, budget {study.budget:g} s, tolerance {study.tolerance:.3g}, "
        f"whyfit {study.whyfit}",
        f"last run {study.started} to {study.ended or 'an end it did not reach'}, "
        f"{study.runs} in all; verdict: {study.verdict or 'none'}",
    )
    for fact in facts:
        console.print(fact, soft_wrap=True, markup=False)
    table = Table("phase", "arm", "succeeded", "95 % interval", box=None)
    for (phase, arm), (successes, count) in counts.items():
        interval = rate_interval(successes, count)
        share = f"{interval.low:.2f} to {interval.high:.2f}"
        _row(table, phase, arm, f"{successes} of {count}", share)
    console.print(table)
    return 0


def export_command(options: argparse.Namespace) -> int:
    """Write replicates to a file."""
    target = Path(options.file)
    check_writable(target)
    with studies.opened(_path(options)) as database:
        wanted = studies.chosen(database, options.numbers) or studies.studies(database)
        every = (row for study in wanted for row in studies.replicates(database, study))
        try:
            count = export(every, target)
        except OSError as error:
            raise OutputError(f"{target} could not be written: {error.strerror}") from None
    print(f"Wrote {count} replicates of {len(wanted)} studies to {target}")
    return 0


def clear_command(options: argparse.Namespace) -> int:
    """Take studies out of the ledger, with what only they need."""
    if bool(options.numbers) == options.all:
        raise UsageError("whyfit ledger clear needs the numbers of studies, or --all")
    with studies.opened(_path(options), write=True) as database:
        wanted = studies.chosen(database, options.numbers)
        gone = studies.clear(database, None if options.all else options.numbers)
    which = "everything" if options.all else f"{len(wanted)} studies"
    print(f"Cleared {which}: {gone} blocks of results")
    return 0


def _row(table: Table, *cells: object) -> None:
    # As texts, in which nothing is read as markup.
    table.add_row(*(Text(visible(str(cell))) for cell in cells))


def _path(options: argparse.Namespace) -> Path:
    path = Path(options.ledger) if options.ledger else customary_place()
    if path is None:
        raise UsageError("there is no ledger: WHYFIT_LEDGER is empty; name one with --ledger FILE")
    return path
