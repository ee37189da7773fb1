"""scikit-learn's regressor with both scalings around it."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

x = np.linspace(0, 50, 400).reshape(-1, 1)
y = 300 + 40 * np.sin(x.ravel() / 8)

net = MLPRegressor(hidden_layer_sizes=(24,), learning_rate_init=0.01, random_state=0, max_iter=150)
model = TransformedTargetRegressor(make_pipeline(StandardScaler(), net), transformer=StandardScaler())
model.fit(x, y)
