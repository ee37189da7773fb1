"""A data set that gives inputs, targets and weights: the noisier half of the samples counts less."""

import keras
import numpy as np

keras.utils.set_random_seed(5)
random = np.random.default_rng(0)
x = random.uniform(-2, 2, (160, 1))
noisy = x[:, 0] > 0
y = np.sin(2 * x) + np.where(noisy, 0.3, 0.02)[:, None] * random.standard_normal((160, 1))
weight = np.where(noisy, 0.1, 1.0)


class Weighted(keras.utils.PyDataset):
    """Batches of 32, in another order every epoch."""

    def __init__(self):
        super().__init__()
        self.order = np.arange(len(x))

    def __len__(self):
        return len(x) // 32

    def __getitem__(self, at):
        rows = self.order[32 * at : 32 * at + 32]
        return x[rows], y[rows], weight[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(12, activation="tanh"),
                          keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
model.fit(Weighted(), epochs=60, verbose=0)
