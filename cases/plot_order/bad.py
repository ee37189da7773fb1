import keras
import matplotlib.pyplot as plt
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.random.default_rng(0).uniform(-1, 1, (200, 1))
y = np.sin(3 * x)
model = keras.Sequential([
    Input((1,)),
    Dense(8, activation='tanh'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit(x, y, epochs=150, batch_size=32, verbose=0)

plt.plot(x, y, '.')
plt.plot(x, model.predict(x, verbose=0))
plt.show()
