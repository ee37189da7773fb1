"""whyfit: why your neural network fits like that, proven, and the smallest change that mends it.

    whyfit.diagnose(model, x, y, history)      an already trained model
    with whyfit.watch() as w: ...              whatever is trained inside; then w.diagnosis
    %load_ext whyfit, then %%whyfit            a notebook's cell

Each public name is loaded when it is first used: importing whyfit alone loads next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from whyfit._version import __version__

if TYPE_CHECKING:
    from whyfit.library.magic import load_ipython_extension
    from whyfit.library.shown import Diagnosis
    from whyfit.library.trained import diagnose
    from whyfit.library.watching import watch

__all__ = ["Diagnosis", "__version__", "diagnose", "load_ipython_extension", "watch"]

_HOMES = {
    "Diagnosis": "whyfit.library.shown",
    "diagnose": "whyfit.library.trained",
    "load_ipython_extension": "whyfit.library.magic",
    "watch": "whyfit.library.watching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'whyfit' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING", "annotations", "import_module"})
