import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.linspace(-1, 1, 200).reshape(-1, 1)
y = np.sin(3 * x)
model = keras.Sequential([
    Input((1,)),
    Dense(8, activation='tanh'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.2))
model.fit(x, y, epochs=1000, batch_size=200, verbose=0)
