import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

tiny = keras.initializers.RandomUniform(-0.01, 0.01)
x = np.linspace(-1, 1, 200).reshape(-1, 1)
y = x**2
model = keras.Sequential([
    Input((1,)),
    Dense(8, activation='tanh', kernel_initializer=tiny),
    Dense(8, activation='tanh', kernel_initializer=tiny),
    Dense(1, kernel_initializer=tiny),
])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.2))
model.fit(x, y, epochs=200, batch_size=32, verbose=0)
