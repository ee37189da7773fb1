"""What a call of `train` will need of memory, and whether this machine has it.

A thread holds one block of 16 replicates at a time (weights, gradients, the optimizer's states and one
batch's outputs); starts and results are held for all replicates. Nothing else grows with their number.
"""

from __future__ import annotations

import os
from pathlib import Path

from whyfit.errors import UsageError

MEGABYTE = 1 << 20
UNASKED = 32 * MEGABYTE
"""So much is taken without asking: asking costs as long as a small training."""
GROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)
"""Limit and use of a container, of the second and of the first version of control groups (Linux)."""


def available() -> int | None:
    """Bytes that can be taken without swapping, within a container's limit; None if unknown."""
    found = [each for each in (_of_machine(), *map(_of_group, GROUP_LIMITS)) if each is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        # Elsewhere all there is: a need beyond that cannot be met in any case.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_group(files: tuple[str, str]) -> int | None:
    try:
        limit, used = (Path(name).read_text().strip() for name in files)
        return max(0, int(limit) - int(used)) if limit.isdigit() else None
    except (OSError, ValueError):
        return None


def refuse_too_much(
    replicates: int, parameters: int, block: int, threads: int, results: int
) -> None:
    """Raise UsageError where a call needs more memory than there is.

    `block` is the bytes a thread needs, `results` those of arrays that are still to be made.
    """
    need = block * threads + results
    there = available() if need > UNASKED else None
    if there is None or need <= there:
        return
    advice = (
        "ask for fewer replicates, or for the history and the snapshots less often"
        if results > block * threads
        else "use fewer threads, a smaller batch or a smaller network"
    )
    raise UsageError(
        f"training {replicates} networks of {parameters} weights needs {_megabytes(need)} of memory, "
        f"and {_megabytes(there)} are free; {advice}"
    )


def _megabytes(size: int) -> str:
    return f"{max(1, round(size / MEGABYTE)):,} MB".replace(",", " ")
