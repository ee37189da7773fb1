"""The command line: one file a command.

whyfit run [options] script.py [args...]     options end at the script
whyfit explain RULE | rules | report FILE.json | check FILE.json | compare A.json B.json
whyfit fix FILE.json [N] [--apply]
whyfit ledger list | show N | export FILE [N...] | clear N...
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from whyfit._version import __version__
from whyfit.cli.streams import complain
from whyfit.errors import ScriptSyntaxError, WhyfitError

COMMANDS = {
    "run": "run",
    "explain": "rules",
    "rules": "rules",
    "report": "report",
    "compare": "compare",
    "check": "check",
    "fix": "fix",
    "ledger": "ledger",
}
"""Commands in the order in which help lists them, and the module of each, which has `add`.

Only the module that is asked for is imported: a rule's page needs none of a study's libraries.
"""

USAGE = 2


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: parse, run, exit with the script's own status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(dispatch(arguments))


def dispatch(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit status."""
    if arguments and arguments[0].endswith(".py"):
        complain(f"did you mean: whyfit run {' '.join(arguments)}")
        return USAGE
    parser = _parser(arguments)
    options = parser.parse_args(arguments)
    options.given = arguments
    if options.command is None:
        parser.print_help()
        return USAGE
    try:
        return int(options.handler(options))
    except ScriptSyntaxError as error:
        complain(str(error))
        return 1
    except WhyfitError as error:
        complain(str(error))
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that comes first, of all where none does, or of none for the version."""
    parser = argparse.ArgumentParser(
        prog="whyfit", description="Why your neural network fits like that, proven."
    )
    parser.add_argument("--version", action="version", version=f"whyfit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    asked = [COMMANDS[each] for each in arguments[:1] if each in COMMANDS]
    known = [] if list(arguments) == ["--version"] else COMMANDS.values()
    for module in dict.fromkeys(asked or known):
        import_module(f"whyfit.cli.{module}").add(commands)
    return parser
