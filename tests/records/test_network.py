"""Networks as functions."""

from __future__ import annotations

import numpy as np

from whyfit.records.network import Activation, Layer, Network


def test_a_network_that_diverged_is_run_without_a_word():
    """Warnings are errors here, and would be noise between the lines of a script."""
    relu, linear = Activation("relu"), Activation("linear")
    hidden = Layer(np.full((1, 2), np.inf), np.full(2, -np.inf), relu)
    network = Network((hidden, Layer(np.full((2, 1), 1e308), np.zeros(1), linear)))
    x = np.linspace(0.5, 1.0, 3)[:, None]
    assert np.isnan(network(x)).all()
    assert [z.shape for z, _output in network.traced(x)] == [(3, 2), (3, 1)]
