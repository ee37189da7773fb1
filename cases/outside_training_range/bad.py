import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.random.default_rng(0).uniform(-2 * np.pi, 2 * np.pi, (500, 1))
y = np.sin(x)
model = keras.Sequential([
    Input((1,)),
    Dense(16, activation='relu'),
    Dense(16, activation='relu'),
    Dense(16, activation='relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.005))
model.fit(x, y, epochs=100, batch_size=32, verbose=0)

print(model.predict(np.linspace(2 * np.pi, 4 * np.pi, 100).reshape(-1, 1), verbose=0)[-1])
