"""A loop of one's own: batches are cut by hand and given to train_on_batch."""

import keras
import numpy as np

keras.utils.set_random_seed(4)
x = np.random.default_rng(0).uniform(-2, 2, (200, 1)).astype("float32")
y = np.sin(2 * x)

model = keras.Sequential([keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
batch_size = 40
for _epoch in range(40):
    order = np.random.permutation(len(x))
    for first in range(0, len(x), batch_size):
        rows = order[first : first + batch_size]
        model.train_on_batch(x[rows], y[rows])
print(f"error: {np.mean((model.predict(x, verbose=0) - y) ** 2):.4f}")
