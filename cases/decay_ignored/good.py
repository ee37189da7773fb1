import keras
import numpy as np
from keras.layers import Dense, Input
from keras.optimizers import RMSprop
from keras.optimizers.schedules import InverseTimeDecay

keras.utils.set_random_seed(2)

x = np.linspace(-1, 1, 200).reshape(-1, 1)
y = np.sin(3 * x)
model = keras.Sequential([
    Input((1,)),
    Dense(16, activation='tanh'),
    Dense(1),
])
model.compile(loss='mse', optimizer=RMSprop(learning_rate=InverseTimeDecay(0.1, 1, 0.01)))
model.fit(x, y, epochs=200, batch_size=8, verbose=0)
