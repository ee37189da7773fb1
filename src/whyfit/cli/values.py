"""Values of options: numbers and names, checked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from whyfit.errors import UsageError

if TYPE_CHECKING:
    from whyfit.records.study import Arm

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object
"""What `add_subparsers` gives; argparse has no public name for it."""


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def arm(text: str) -> Arm:
    """An arm, as `study.asked` reads it."""
    from whyfit.study.asked import parse_arm

    try:
        return parse_arm(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def some(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text}")
    return int(text)


def whole(text: str) -> int:
    """A whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, got {text}")
    return int(text)


def factors(text: str) -> tuple[str, ...]:
    """Names of factors, separated by commas."""
    from whyfit.study.factors import FACTOR_NAMES

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in FACTOR_NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown factor {unknown[0]}; known: {', '.join(FACTOR_NAMES)}"
        )
    return names


def place_name(text: str) -> str:
    """A place where replicates run."""
    from whyfit.study.workers.places import check_name

    try:
        return check_name(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
