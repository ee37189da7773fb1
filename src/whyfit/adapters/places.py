"""Where in the person's code something happened."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from types import FrameType

from whyfit.records.fit import Place

_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep

_NOT_THE_PERSONS = tuple(
    os.path.join(os.path.realpath(folder), "")
    for folder in {
        _OURS,
        sysconfig.get_paths()["stdlib"],
    }
)

_INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed libraries, wherever they are: a person's own (`pip install --user`), another
environment's on PYTHONPATH, Debian's.
"""

_CELL = "<ipython-input-"
"""How IPython names a notebook's cell (IPython/core/compilerop.py); its text is in linecache."""

_WRAPPERS = ("wrapt", "jaxtyping", "beartype")
"""Libraries whose frames only pass a call on."""


@functools.lru_cache(maxsize=4096)
def is_the_persons(filename: str) -> bool:
    """Whether a source file is the person's own, not a library's, Python's or ours."""
    if filename.startswith("<"):
        return filename.startswith(_CELL)
    path = os.path.realpath(filename)
    installed = any(f"{os.sep}{each}{os.sep}" in path for each in _INSTALLED)
    return not installed and not path.startswith(_NOT_THE_PERSONS)


@functools.lru_cache(maxsize=4096)
def is_ours(filename: str) -> bool:
    """Whether a frame belongs to whyfit or to a library that only passes our calls on."""
    return os.path.realpath(filename).startswith(_OURS) or any(
        each in filename for each in _WRAPPERS
    )


def calling_place() -> Place | None:
    """The call in the person's code that led here, or None if there is none on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_the_persons(frame.f_code.co_filename):
            return _place(frame)
        frame = frame.f_back
    return None


def calling_line() -> int:
    """The line of that call alone, which is told a hundred times sooner; 0 if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_the_persons(frame.f_code.co_filename):
            return frame.f_lineno
        frame = frame.f_back
    return 0


def calling_places() -> tuple[Place, ...]:
    """All calls in the person's code that led here, innermost first."""
    found = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_the_persons(frame.f_code.co_filename):
            found.append(_place(frame))
        frame = frame.f_back
    return tuple(found)


def called_directly(through: str = "") -> bool:
    """Whether the function that asks was called by the person's own code, not by a library.

    Frames of files that end in `through`, if given, only pass the call on.
    """
    frame: FrameType | None = sys._getframe(1)
    seen_other = False
    while frame is not None:
        name = frame.f_code.co_filename
        if is_the_persons(name):
            return not seen_other
        passes = is_ours(name) or (through != "" and name.endswith(through))
        seen_other = seen_other or not passes
        frame = frame.f_back
    return False


def _place(frame: FrameType) -> Place:
    code = frame.f_code
    positions = list(code.co_positions())
    at = frame.f_lasti // 2
    line, end_line, column, end_column = positions[at] if at < len(positions) else (None,) * 4
    first = line or frame.f_lineno
    last = end_line or first
    return Place(
        code.co_filename,
        first,
        _characters(code.co_filename, first, column or 0),
        last,
        _characters(code.co_filename, last, end_column or 0),
    )


def _characters(filename: str, line: int, utf8_column: int) -> int:
    """Python counts columns in UTF-8 bytes, editors and libcst in characters."""
    text = linecache.getline(filename, line)
    return len(text.encode()[:utf8_column].decode(errors="ignore")) if text else utf8_column
