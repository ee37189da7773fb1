"""What all tests share: shape checks at run time, and fits made by the engine."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Networks of a few units, trained for a few steps: compiling them well takes longer than training them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Tests see what they train, and leave nothing in the home of whoever runs them.
os.environ["WHYFIT_LEDGER"] = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: started last, it would keep one process busy while the other waits."""
    items.sort(key=lambda item: item.path.name != "test_starting_case.py")
