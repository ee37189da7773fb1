"""Progress on standard error: what is being tested, and how fast."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from whyfit.study.run import Progress

LINE_EVERY = 10.0
"""Seconds between lines about the same thing where the output is no terminal."""


class ProgressLine:
    """Shows one changing line in a terminal, otherwise a line for each new thing."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._live: Live | None = None
        self._doing = ""
        self._said_at = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show what is being done now."""
        if self._quiet:
            return
        if progress.stays:
            self.say(progress.doing)
            return
        rate = f", {progress.fits / progress.seconds:.0f} fits/s" if progress.seconds > 0.5 else ""
        counts = f": {progress.fits} fits{rate}" if progress.fits else ""
        line = Text(f"whyfit: {progress.doing}{counts}")
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(line, console=self._console, transient=True, auto_refresh=False)
                self._live.start()
            self._live.update(line, refresh=True)
            return
        now = time.monotonic()
        if progress.doing != self._doing or now - self._said_at > LINE_EVERY:
            self._doing, self._said_at = progress.doing, now
            self._console.print(line)

    def say(self, message: str) -> None:
        """Print a message of its own line."""
        self.close()
        self._console.print(Text(f"whyfit: {message}"))

    def close(self) -> None:
        """Take the changing line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
