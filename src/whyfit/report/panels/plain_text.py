"""Plain text: texts from scripts and libraries made safe to store and show.

Nothing here escapes: that is each view's own task (HTML by the template, XML and JSON by their
writers). Here a text loses what no view can show, and is cut where it is too long for a reader.
"""

from __future__ import annotations

import unicodedata
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

MOST_TEXT, MOST_DIFF = 2_000, 40_000
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

Record = TypeVar("Record")


def visible(text: str) -> str:
    """The text with control characters, bidi marks and lone surrogates replaced, spaces made plain.

    Line feeds and tabs stay; whoever shows the text decides what they are.

    >>> visible("a" + chr(27) + "[31m" + chr(0x202E) + "b" + chr(0xA0) + "c")
    'a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b c'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _plain(character) else _instead(character) for character in text)


def _plain(character: str) -> bool:
    return character.isprintable() or character in "\n\t"


def _instead(character: str) -> str:
    return " " if unicodedata.category(character) == "Zs" else REPLACEMENT


def cut(text: str, most: int = MOST_TEXT) -> str:
    """The text made visible, or its beginning and how much was left out.

    >>> cut("abcdef", 4)
    'abcd… (2 more characters)'
    """
    if len(text) <= most:
        return visible(text)
    return f"{visible(text[:most])}… ({len(text) - most} more characters)"


def clipped(record: Record) -> Record:
    """A record of panels with every text in it made visible and cut."""
    return _clipped(record, MOST_TEXT)


def _clipped(value: Any, most: int) -> Any:
    if isinstance(value, str):
        return cut(value, most)
    if isinstance(value, tuple):
        return value if _numbers(value) else tuple(_clipped(each, most) for each in value)
    if isinstance(value, list):
        return [_clipped(each, most) for each in value]
    if isinstance(value, dict):
        return {_clipped(name, 200): _clipped(each, most) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: _clipped(
                getattr(value, each.name), MOST_DIFF if each.name == "diff" else MOST_TEXT
            )
            for each in fields(value)
        }
        return type(value)(**changed)
    return value


def _numbers(values: tuple[Any, ...]) -> bool:
    """Whether a tuple is a series of numbers, the bulk of a report, which has no text in it.

    Tuples of panels hold one kind of value, beside None for what is not a finite number.
    """
    first = next((each for each in values if each is not None), 0.0)
    return isinstance(first, (float, int))
