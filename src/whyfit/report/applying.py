"""A stored diff applied to the script that it was made for, to the letter or not at all.

`patch` would look for a place nearby where a script has changed; a fix that was verified on one text is
not verified on another, so here nothing is searched for.
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

from whyfit.report.panels.plain_text import REPLACEMENT, visible

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


class DoesNotApply(Exception):
    """The text is not the one that the diff was made for."""


@dataclass(frozen=True)
class Text:
    """A script's text as it stands in its file, with its encoding."""

    content: str
    encoding: str

    @property
    def bytes(self) -> bytes:
        """The file's content."""
        return self.content.encode(self.encoding)


def read_text(content: bytes) -> Text:
    """A file's text, line ends as they are. Raises DoesNotApply where it is no Python text."""
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        return Text(content.decode(encoding), encoding)
    except (SyntaxError, UnicodeDecodeError):
        raise DoesNotApply from None


def applied(text: str, diff: str) -> str:
    """The text with the diff applied. Raises DoesNotApply where any line is not as the diff has it.

    A report holds texts made visible (`plain_text.visible`), so lines are compared in that form; lines
    that the diff adds end as the text's first line does.
    """
    old = text.splitlines(keepends=True)
    ending = "\r\n" if old and old[0].endswith("\r\n") else "\n"
    new: list[str] = []
    at = 0
    for start, lines in _hunks(diff):
        if start < at or start > len(old):
            raise DoesNotApply
        new += old[at:start]
        at = start
        for kind, line in lines:
            if kind == "+":
                new.append(_plain(line) + ending)
                continue
            if at >= len(old) or _seen(old[at]) != line.rstrip(REPLACEMENT):
                raise DoesNotApply
            if kind == " ":
                new.append(old[at])
            at += 1
    if at == 0:
        raise DoesNotApply
    changed = "".join((*new, *old[at:]))
    return changed if text.endswith(("\n", "\r")) else changed.removesuffix(ending)


def _hunks(diff: str) -> list[tuple[int, list[tuple[str, str]]]]:
    """Each hunk: the index of its first old line, and its lines with their kinds."""
    hunks: list[tuple[int, list[tuple[str, str]]]] = []
    for line in diff.split("\n"):
        if found := HUNK.match(line):
            count = int(found[2]) if found[2] is not None else 1
            hunks.append((int(found[1]) - (count > 0), []))
        elif hunks and line[:1] in (" ", "+", "-"):
            hunks[-1][1].append((line[0], line[1:]))
    return hunks


def _seen(line: str) -> str:
    return visible(line.rstrip("\r\n")).rstrip(REPLACEMENT)


def _plain(line: str) -> str:
    """A line to add; what a report cannot hold is not guessed."""
    line = line.rstrip(REPLACEMENT)  # the carriage return of a line's end
    if REPLACEMENT in line:
        raise DoesNotApply
    return line
