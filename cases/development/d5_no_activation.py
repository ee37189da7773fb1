# Products of two numbers with a deep network without activations: "the sum works, why not the product?"
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(5)

pairs = np.random.default_rng(0).integers(1, 1001, (1000, 2))
x = pairs / 1000
y = (pairs[:, :1] * pairs[:, 1:]) / 1e6

model = keras.Sequential([
    Input((2,)),
    Dense(20),
    Dense(100),
    Dense(1000),
    Dense(100),
    Dense(20),
    Dense(1),
])
model.compile(loss='mse', optimizer='adam')
model.fit(x, y, epochs=50, batch_size=100, verbose=0)
