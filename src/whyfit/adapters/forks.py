"""Other processes that a script starts: what is trained in them is not seen from here."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

NOT_FOLLOWED = "The script started other processes; what was trained in them was not followed."


class Forks:
    """Whether this process is a script's child by now, and whether the script has forked."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.seen = False

    @property
    def in_child(self) -> bool:
        """Whether this is a process that the script forked off."""
        return os.getpid() != self._process


_watching: list[Forks] = []


@contextmanager
def noticed() -> Generator[Forks]:
    """Notice forks made inside."""
    forks = Forks()
    _watching.append(forks)
    try:
        yield forks
    finally:
        _watching.remove(forks)


def _forked() -> None:
    if _watching and not _by_a_loader():
        for each in _watching:
            each.seen = True


def _by_a_loader() -> bool:
    """Whether PyTorch's DataLoader starts its workers, in which nothing is trained."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("torch.utils.data"):
            return True
        frame = frame.f_back
    return False


if hasattr(os, "register_at_fork"):  # nowhere on Windows, where nothing forks
    os.register_at_fork(after_in_parent=_forked)
