# The same in scikit-learn: four relu units for one period of the sine.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import MinMaxScaler

x = np.linspace(0, 2 * np.pi, 10000).reshape(-1, 1)
y = np.sin(x)

x_scaler = MinMaxScaler(feature_range=(0, 1))
y_scaler = MinMaxScaler(feature_range=(0, 1))
x_scaled = x_scaler.fit_transform(x)
y_scaled = y_scaler.fit_transform(y)

model = MLPRegressor(hidden_layer_sizes=(4,), activation='relu', solver='adam',
                     batch_size=32, max_iter=500, random_state=7)
model.fit(x_scaled, y_scaled.ravel())
print(model.n_iter_, 'epochs, loss', model.loss_)

fit = y_scaler.inverse_transform(model.predict(x_scaled).reshape(-1, 1))

plt.plot(x, y, label='sin(x)')
plt.plot(x, fit, label='network')
plt.legend()
plt.show()
