"""Everything whyfit raises on purpose.

    WhyfitError
    ├── UsageError            what the person asked for cannot be done; the message says what to do
    │   ├── ScriptNotFound    no such script or module
    │   └── ScriptSyntaxError the script is not valid Python
    ├── CaptureError          the fit was seen but could not be recorded
    ├── Unsupported           the engine cannot train this; the message is the reason
    ├── OutputError           a report could not be written
    ├── LedgerError           the ledger cannot be read or written; what it held is unharmed
    └── Interrupted           Ctrl-C during the study; what was known is kept
        └── WorkersLost       nobody is left to train; the message says how to go on
            └── WorkerRefused a worker has another version; the message names both

A message has three parts: what was expected, what came, what to do.
"""

from __future__ import annotations

__all__ = [
    "CaptureError",
    "Interrupted",
    "LedgerError",
    "OutputError",
    "ScriptNotFound",
    "ScriptSyntaxError",
    "Unsupported",
    "UsageError",
    "WhyfitError",
    "WorkerRefused",
    "WorkersLost",
]


class WhyfitError(Exception):
    """Base of all errors raised by whyfit itself."""


class UsageError(WhyfitError):
    """The call cannot be carried out as given."""


class ScriptNotFound(UsageError):
    """The script or module to run does not exist."""


class ScriptSyntaxError(UsageError):
    """The script to run is not valid Python."""


class CaptureError(WhyfitError):
    """A fit was seen but could not be recorded."""


class Unsupported(WhyfitError):
    """The engine cannot train this network; evidence is still gathered."""


class OutputError(WhyfitError):
    """A result could not be written where it was asked for."""


class LedgerError(WhyfitError):
    """The ledger cannot be used; the message is what follows its name in a sentence."""


class Interrupted(WhyfitError):
    """The person pressed Ctrl-C; what was found so far is kept."""


class WorkersLost(Interrupted):
    """The workers, or what sends work to them, are gone."""


class WorkerRefused(WorkersLost):
    """A worker whose results would not be those of this machine; the message names both versions."""
