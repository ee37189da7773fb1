"""`whyfit check FILE.json`: the verdict for CI."""

from __future__ import annotations

import argparse

from whyfit.cli.files import read_report
from whyfit.cli.streams import print_plain
from whyfit.cli.values import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "check",
        help="for CI: exit with 1 if a fit of a JSON file is not healthy",
        description="Exit status: 0 if every fit is healthy, 1 if a cause is confirmed or a fit misses "
        "its tolerance, 2 if the file is no report.",
    )
    command.add_argument("file", metavar="FILE.json")
    command.add_argument(
        "--output-format",
        choices=("text", "json", "junit", "sarif", "github"),
        default="text",
        help="default %(default)s",
    )
    command.set_defaults(handler=check_command)


def check_command(options: argparse.Namespace) -> int:
    """Print the verdict of a report for machines, and end with 1 if a fit is not healthy."""
    from whyfit.report import check

    checks = check.check(read_report(options.file))
    if text := check.FORMATS[options.output_format](checks):
        print_plain(text)
    return check.status(checks)
