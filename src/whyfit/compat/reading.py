"""Scripts for Keras 1 and 2, read as they were meant: old spellings with their modern ones.

A script is never changed on disk. `modernised` gives the text that `--compat` runs instead, line for
line the same; `hint` the one sentence that follows an exception of the script's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper

from whyfit.compat.calls import Modernizer
from whyfit.compat.modern import Modern

MOST_CLAUSES = 3


@dataclass(frozen=True)
class Modernised:
    """A script's text with modern spellings, and each change that was made."""

    source: str
    changes: tuple[Modern, ...]


def modernised(source: str, *, tensorflow: bool | None = None) -> Modernised:
    """The text in the spellings of Keras 3; unchanged where it does not import Keras.

    `tensorflow` says whether TensorFlow can be imported (default: look); without it
    `tensorflow.keras` is read as `keras`.
    """
    if "keras" not in source:
        return Modernised(source, ())
    if tensorflow is None:
        tensorflow = importlib.util.find_spec("tensorflow") is not None
    try:
        wrapper = MetadataWrapper(cst.parse_module(source))
    except cst.ParserSyntaxError:
        return Modernised(source, ())
    modernizer = Modernizer(keep_tensorflow=tensorflow)
    changed = wrapper.visit(modernizer)
    if not modernizer.changes:
        return Modernised(source, ())
    return Modernised(changed.code, tuple(sorted(set(modernizer.changes))))


def hint(changes: Sequence[Modern], line: int | None) -> str | None:
    """The modern spelling of what stands in a line that raised, or None if nothing old stands there."""
    if line is None:
        return None
    there = [each for each in changes if each.line <= line <= each.end_line and not each.ignored]
    there = there or [each for each in changes if each.late and each.line < line]
    if not there:
        return None
    first = there[0].line
    clauses = dict.fromkeys(each.clause for each in there if each.line == first)
    return f"line {first}: {'; '.join(list(clauses)[:MOST_CLAUSES])}"
