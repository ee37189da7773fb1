"""The places that `--on` names."""

from __future__ import annotations

import re
from concurrent.futures import Executor

from whyfit.errors import UsageError
from whyfit.study.workers.crew import Anywhere, Here, Place
from whyfit.study.workers.dask import Dask
from whyfit.study.workers.processes import Processes

INLINE = "inline"
_PROCESSES = re.compile(r"processes(?::([1-9]\d*))?")
_DASK = re.compile(r"dask://([^/\s:]+:\d+)/?")


def check_name(name: str) -> str:
    """The name, if there is such a place; raises UsageError otherwise, without going there."""
    if name == INLINE or _PROCESSES.fullmatch(name) or _DASK.fullmatch(name):
        return name
    raise UsageError(
        f"there is no place {name}; known: inline, processes, processes:N, dask://host:port"
    )


def place_named(name: str) -> Place:
    """The place of a checked name; a cluster must answer."""
    if found := _PROCESSES.fullmatch(name):
        return Processes(int(found[1]) if found[1] else None)
    if found := _DASK.fullmatch(name):
        return Dask(found[1])
    return Here()


def place_of(executor: Executor | Place | None) -> Place:
    """A place for whatever a program hands over."""
    if executor is None:
        return Here()
    return executor if isinstance(executor, Place) else Anywhere(executor)
