"""`whyfit rules` and `whyfit explain RULE`: the faults that are looked for."""

from __future__ import annotations

import argparse

from whyfit import rules
from whyfit.cli.values import Commands
from whyfit.errors import UsageError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    explain = commands.add_parser("explain", help="print the page of a rule")
    explain.add_argument("rule", metavar="RULE")
    explain.set_defaults(handler=explain_command)
    commands.add_parser("rules", help="list the rules").set_defaults(handler=rules_command)


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
