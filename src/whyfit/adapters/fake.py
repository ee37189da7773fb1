"""An adapter that hands over fits it was given: for tests of whatever comes after a capture."""

from __future__ import annotations

from whyfit.adapters._adapter import Session
from whyfit.records.fit import Fit


class FakeAdapter:
    """Watches nothing; when the script ends its fits are the session's.

    Pass it as `capture.run(program, session, adapters=[FakeAdapter(fit)])`.
    """

    name = "fake"

    def __init__(self, *fits: Fit) -> None:
        self._fits = fits
        self._session: Session | None = None

    def install(self, session: Session) -> None:
        """Remember the session."""
        self._session = session

    def remove(self) -> None:
        """Hand the fits over, once."""
        if self._session is not None:
            self._session.fits += self._fits
        self._session = None
