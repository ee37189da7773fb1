# One ReLU unit for a straight line. Inputs from 0 to 1 and a zero bias: it starts dead half of the time.
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.linspace(0, 1, 400).reshape(-1, 1)
y = 3 * x + 1

model = keras.Sequential([
    Input((1,)),
    Dense(1, activation='relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit(x, y, epochs=60, batch_size=32, verbose=0)
