"""Names of a notebook's cells: IPython gives each a file name that nobody has ever seen."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any | None:
    """The running IPython shell, or None outside of it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def cell_name(file: str) -> str | None:
    """`Cell In[3]` for the file name that IPython gave to a cell, None for other files.

    `format_code_name` is that of IPython's CachingCompiler (IPython/core/compilerop.py).
    """
    running = shell()
    if running is None:
        return None
    known = running.compile.format_code_name(file)
    return " ".join(known) if known else None


def display(diagnosis: Any) -> None:
    """Show a diagnosis: as IPython shows things where it runs, else printed."""
    if shell() is None:
        print(diagnosis)
        return
    from IPython.display import display as show

    show(diagnosis)
