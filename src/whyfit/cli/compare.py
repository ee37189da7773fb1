"""`whyfit compare A.json B.json`: what changed between two reports."""

from __future__ import annotations

import argparse

from whyfit.cli.files import read_report
from whyfit.cli.streams import print_plain
from whyfit.cli.values import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = commands.add_parser("compare", help="say what changed between two JSON files")
    command.add_argument("before", metavar="A.json")
    command.add_argument("after", metavar="B.json")
    command.set_defaults(handler=compare_command)


def compare_command(options: argparse.Namespace) -> int:
    """Print what changed between two reports."""
    from whyfit.report.compare import compare

    print_plain(compare(read_report(options.before), read_report(options.after)))
    return 0
