"""Reports on disk: where they may be written, writing them whole, reading them again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whyfit.errors import OutputError, UsageError

if TYPE_CHECKING:
    from whyfit.report.panels import Report


def check_writable(path: Path) -> None:
    """Say that a report cannot be written before a long run, not after it."""
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}")
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}): name another place with --json and --html"
        ) from None


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_report(name: str) -> Report:
    """A report from its JSON file."""
    from whyfit.report import panels

    path = Path(name)
    try:
        return panels.from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is not a report of whyfit: {error}") from None
