"""What all tests share: shape checks at run time, and fits made by the engine."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests see what they train, and leave nothing in the home of whoever runs them.
os.environ["WHYFIT_LEDGER"] = ""
