"""Tests; the import makes the checker known to the instrumented modules."""

from tests import typecheck as typecheck
