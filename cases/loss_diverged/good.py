import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(1)

x = np.random.default_rng(0).uniform(0, 300, (40, 1))
y = 60 + 0.1 * x
x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
model = keras.Sequential([
    Input((1,)),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.01))
model.fit(x, y, epochs=30, batch_size=1, verbose=0)
