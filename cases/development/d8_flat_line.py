# A parabola as a straight line "in spite of ReLU": plain SGD at 0.001 until the loss stands still.
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(8)

x = np.arange(0, 1, 0.01).reshape(-1, 1)
y = (x - 0.5) ** 2

model = keras.Sequential([
    Input((1,)),
    Dense(16, activation='relu'),
    Dense(16, activation='relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.001))
model.fit(x, y, epochs=20000, batch_size=100, verbose=0)
