"""`whyfit report FILE.json`: the HTML file again."""

from __future__ import annotations

import argparse
from pathlib import Path

from whyfit.cli.files import check_writable, read_report, write
from whyfit.cli.values import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="make the HTML file from a JSON file")
    report.add_argument("file", metavar="FILE.json")
    report.add_argument("--html", metavar="FILE")
    report.set_defaults(handler=report_command)


def report_command(options: argparse.Namespace) -> int:
    """Make the HTML file again from a JSON file."""
    from whyfit.report import html

    report = read_report(options.file)
    target = Path(options.html or Path(options.file).with_suffix("").name + ".html")
    check_writable(target)
    write(target, html.render(report).encode())
    print(f"Wrote {target}")
    return 0
