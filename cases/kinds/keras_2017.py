"""A script of 2017, for Keras 1: run it with --compat."""

import numpy as np
from keras.layers.core import Dense
from keras.models import Sequential
from keras.optimizers import SGD

np.random.seed(3)
x = np.linspace(-1, 1, 200)
y = x**2

model = Sequential()
model.add(Dense(output_dim=10, input_dim=1, init="uniform", activation="tanh"))
model.add(Dense(output_dim=1))
model.compile(loss="mse", optimizer=SGD(lr=0.1, decay=1e-4))
model.fit(x, y, nb_epoch=30, batch_size=20, verbose=0)
