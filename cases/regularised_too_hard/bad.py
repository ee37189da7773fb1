import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.linspace(-1, 1, 200).reshape(-1, 1)
y = np.sin(3 * x)
model = keras.Sequential([
    Input((1,)),
    Dense(16, activation='tanh', kernel_regularizer='l2'),
    Dense(1, kernel_regularizer='l2'),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit(x, y, epochs=300, batch_size=50, verbose=0)
