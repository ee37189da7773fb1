# Good inside the data, a straight line outside: "what is the point if it is only linear there?"
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(9)

x = np.random.default_rng(0).uniform(-2 * np.pi, 2 * np.pi, (2000, 1))
y = np.sin(x)

model = keras.Sequential([
    Input((1,)),
    Dense(16, activation='relu'),
    Dense(16, activation='relu'),
    Dense(16, activation='relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.001))
model.fit(x, y, epochs=300, batch_size=32, verbose=0)
beyond = np.linspace(2 * np.pi, 4 * np.pi, 200).reshape(-1, 1)
print('error beyond the data', np.mean((model.predict(beyond, verbose=0) - np.sin(beyond)) ** 2))
