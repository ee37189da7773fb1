"""Training that ends itself by the loss of samples it does not learn from."""

import keras
import numpy as np
from keras.callbacks import EarlyStopping

keras.utils.set_random_seed(2)
x = np.random.default_rng(0).uniform(-2, 2, (300, 1))
y = np.sin(3 * x)

inputs = keras.Input((1,))
hidden = keras.layers.Dense(24, activation="tanh")(inputs)
model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
model.compile(keras.optimizers.Adam(0.01), "mse")
stop = EarlyStopping(patience=5, restore_best_weights=True)
model.fit(x, y, validation_split=0.2, epochs=120, callbacks=[stop], verbose=0)
