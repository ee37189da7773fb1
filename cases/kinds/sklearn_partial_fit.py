"""scikit-learn's regressor, fed batch by batch."""

import numpy as np
from sklearn.neural_network import MLPRegressor

np.random.seed(0)
x = np.linspace(-1, 1, 120).reshape(-1, 1)
y = np.abs(x.ravel())

net = MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.01, shuffle=False)
for _epoch in range(60):
    for first in range(0, 120, 30):
        net.partial_fit(x[first : first + 30], y[first : first + 30])
