# The second look at d4_relu_output.py: the output is linear now, and it still does not follow the sine.
import keras
import numpy as np
from keras.layers import Dense, Input

keras.utils.set_random_seed(4)

x = np.arange(0, 31.4, 0.1).reshape(-1, 1)
y = np.sin(x)

model = keras.Sequential([
    Input((1,)),
    Dense(1, activation='relu'),
    Dense(100, activation='relu'),
    Dense(1),
])
model.compile(loss='mse', optimizer=keras.optimizers.SGD(0.01))
model.fit(x, y, epochs=300, batch_size=32, verbose=0)
test = np.arange(-10, 10, 0.1).reshape(-1, 1)
print('error on the test range', np.mean((model.predict(test, verbose=0) - np.sin(test)) ** 2))
