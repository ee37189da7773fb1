"""Many one-hidden-layer networks at once in JAX, as well as we can write them.

Replicates are the last axis, so that XLA's vectors run along them; all share one data order, so that a
batch is one small array; an epoch is one `lax.scan`, compiled once, and parameters are donated. Adam and
the mean squared error are Keras's. `engine_speed.py` times it beside the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def predict(parameters, x):
    """Outputs (samples, replicates) for one input of each sample."""
    import jax

    kernel, bias, out, out_bias = parameters  # (units, replicates) thrice, (replicates)
    hidden = jax.nn.relu(x[:, None, None] * kernel + bias)
    return (hidden * out).sum(axis=1) + out_bias


def step(state, batch):
    """One batch for all replicates: the loss is summed over them, so that each has its own gradient."""
    import jax
    import jax.numpy as jnp

    parameters, means, squares, count = state
    x, y = batch

    def loss(parameters):
        return ((predict(parameters, x) - y[:, None]) ** 2).mean(axis=0).sum()

    gradients = jax.grad(loss)(parameters)
    count += 1
    rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    means = jax.tree.map(lambda m, g: m + (g - m) * (1 - BETA_1), means, gradients)
    squares = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - BETA_2), squares, gradients)
    parameters = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), parameters, means, squares
    )
    return (parameters, means, squares, count), None


def epoch(state, key, x, y, batch_size):
    """A fresh order, all whole batches, then the short last one."""
    import jax

    order = jax.random.permutation(key, len(x))
    whole = len(x) // batch_size * batch_size
    shape = (whole // batch_size, batch_size)
    x, y = x[order], y[order]
    state, _ = jax.lax.scan(step, state, (x[:whole].reshape(shape), y[:whole].reshape(shape)))
    if whole < len(x):
        state, _ = step(state, (x[whole:], y[whole:]))
    return state


def seconds_per_fit(
    x: np.ndarray,
    y: np.ndarray,
    units: int,
    replicates: int,
    epochs: int,
    seconds_of: Callable[[Callable[[], object]], float],
) -> float:
    """Time of `epochs` epochs, compilation left out, a replicate."""
    import jax
    import jax.numpy as jnp

    draw = np.random.default_rng(0)
    limits = (np.sqrt(6.0), 0.0, np.sqrt(6.0 / (units + 1)))
    kernel, bias, out = (draw.uniform(-1, 1, (units, replicates)) * limit for limit in limits)
    parameters = tuple(
        jnp.asarray(each, dtype=jnp.float32) for each in (kernel, bias, out, np.zeros(replicates))
    )
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.float32(0))
    x, y = jnp.asarray(x, dtype=jnp.float32), jnp.asarray(y, dtype=jnp.float32)
    run = jax.jit(partial(epoch, batch_size=32), donate_argnums=0)
    keys = jax.random.split(jax.random.key(0), epochs + 1)
    state = jax.block_until_ready(run(state, keys[0], x, y))

    def work() -> None:
        nonlocal state
        for key in keys[1:]:
            state = run(state, key, x, y)
        jax.block_until_ready(state)

    taken = seconds_of(work)
    errors = np.asarray(((predict(state[0], x) - y[:, None]) ** 2).mean(axis=0))
    if not np.median(errors) < np.var(y):
        raise RuntimeError("the ensemble does not learn")
    return taken / replicates
