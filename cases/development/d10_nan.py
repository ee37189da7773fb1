# A straight line through raw data, one sample a step, not shuffled: the loss is NaN in every epoch.
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(10)

random = np.random.default_rng(0)
x = random.uniform(0, 300, (40, 1))
y = 60 + 0.1 * x + random.normal(0, 5, (40, 1))

model = keras.Sequential([Input((1,)), Dense(1)])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.01))
model.fit(x, y, epochs=30, batch_size=1, shuffle=False, verbose=0)
