# The same with a slope below zero: no unit is ever without a gradient.
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.linspace(0, 1, 400).reshape(-1, 1)
y = 3 * x + 1

model = keras.Sequential([
    Input((1,)),
    Dense(1, activation='leaky_relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit(x, y, epochs=60, batch_size=32, verbose=0)
