# I want a small network to learn sin(x). With sigmoid or tanh it works, with relu the
# result takes the form of the relu. Why? Does it have to do with normalizing the output?
import numpy as np

np.random.seed(7)

import matplotlib.pyplot as plt
from keras.layers import Dense
from keras.models import Sequential
from sklearn.preprocessing import MinMaxScaler

x = np.linspace(0, 2 * np.pi, 10000).reshape(-1, 1)
y = np.sin(x)

x_scaler = MinMaxScaler(feature_range=(0, 1))
y_scaler = MinMaxScaler(feature_range=(0, 1))
# y_scaler = MinMaxScaler(feature_range=(-1, 1))
x_scaled = x_scaler.fit_transform(x)
y_scaled = y_scaler.fit_transform(y)

model = Sequential()
model.add(Dense(4, input_dim=1, kernel_initializer='uniform', activation='relu'))
# model.add(Dense(4, input_dim=1, kernel_initializer='uniform', activation='sigmoid'))
# model.add(Dense(4, input_dim=1, kernel_initializer='uniform', activation='tanh'))
model.add(Dense(1, kernel_initializer='uniform', activation='linear'))

model.compile(loss='mse', optimizer='adam', metrics=['mae'])
model.fit(x_scaled, y_scaled, epochs=500, batch_size=32, verbose=2)

fit = y_scaler.inverse_transform(model.predict(x_scaled, verbose=0))

fig, (top, bottom) = plt.subplots(2, 1)
top.plot(x, y, label='sin(x)')
top.plot(x, fit, label='network')
top.legend()
bottom.plot(x, y - fit, label='difference')
bottom.legend()
plt.show()
