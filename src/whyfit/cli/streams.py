"""What is printed: complaints, plain text, and the console of a report."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console


def complain(message: str) -> None:
    """Print a message of ours on standard error."""
    print(f"whyfit: {message}", file=sys.stderr)


def print_plain(text: str) -> None:
    """Print what the stream's encoding can show, and question marks for the rest."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, errors="replace").decode(encoding))


def console(options: argparse.Namespace) -> Console:
    """The terminal as `--color` wants it; 80 columns where there is none."""
    force = {"always": True, "never": False}.get(options.color)
    width = None if sys.stdout.isatty() else 80
    return Console(
        highlight=False,
        force_terminal=force,
        no_color=True if options.color == "never" else None,
        width=width,
    )


def utf8(console: Console) -> bool:
    """Whether the console can show more than ASCII."""
    return console.encoding.lower().startswith("utf")
