"""scikit-learn's regressor that holds samples out and stops by their score."""

import numpy as np
from sklearn.neural_network import MLPRegressor

x = np.random.default_rng(5).uniform(-3, 3, (500, 1))
net = MLPRegressor(hidden_layer_sizes=(30,), early_stopping=True, random_state=2, max_iter=500)
net.fit(x, np.cos(x.ravel()))
