import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

wide = keras.initializers.RandomNormal(stddev=8.0)
x = np.linspace(-1, 1, 9).reshape(-1, 1)
y = np.random.default_rng(3).normal(size=x.shape)
model = keras.Sequential([
    Input((1,)),
    Dense(64, activation='tanh', kernel_initializer=wide, bias_initializer=wide),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit(x, y, epochs=2000, batch_size=9, verbose=0)
