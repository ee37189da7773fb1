"""What the bits of a result depend on beside recipe, data and seed: one's own code and libraries.

Kept results are found again only under the same version, and a worker of another version is refused.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

import numpy as np
import scipy

from whyfit import _version
from whyfit.engine import _lanes

SOURCES = (
    "engine/initializers.py",
    "engine/lanes.py",
    "engine/translate.py",
    "measure/activity.py",
    "records/network.py",
    "records/recipe.py",
    "records/schedule.py",
    "records/variance.py",
    "study/workers/block.py",
)
"""Sources of ours through which a result goes; a test holds them against what `block` imports."""


@cache
def here() -> dict[str, str]:
    """The versions of this process, by name; `build` and `sources` are hashes."""
    folder = resources.files("whyfit")
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(folder.joinpath(name).read_bytes())
    return {
        "whyfit": _version.__version__,
        "build": _lanes.BUILD[:12],
        "sources": digest.hexdigest()[:12],
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def engine() -> str:
    """All that a kept result must share: everything but the release, which changes words too."""
    return " ".join(f"{name} {value}" for name, value in here().items() if name != "whyfit")


def difference(theirs: dict[str, str], ours: dict[str, str] | None = None) -> str:
    """How a worker's versions differ from ours, in words; empty if they do not.

    >>> difference(here())
    ''
    >>> difference({**here(), "whyfit": "0.0.9"}, ours={**here(), "whyfit": "0.1.0"})
    'has whyfit 0.0.9, this is whyfit 0.1.0'
    """
    ours = here() if ours is None else ours
    if theirs == ours:
        return ""
    others = [
        f"{name} {theirs.get(name, 'unknown')} (here {value})"
        for name, value in ours.items()
        if name != "whyfit" and theirs.get(name) != value
    ]
    theirs_is, ours_is = (each.get("whyfit", "unknown") for each in (theirs, ours))
    words = f"has whyfit {theirs_is}, this is whyfit {ours_is}"
    return f"{words}; {', '.join(others)}" if others else words
