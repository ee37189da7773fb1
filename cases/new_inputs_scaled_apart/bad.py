import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(0)
x_train = rng.uniform(0, 10, (300, 1))
y_train = np.sin(x_train[:, 0])
x_test = rng.uniform(3, 6, (80, 1))
y_test = np.sin(x_test[:, 0])

scaler = StandardScaler()
x_train_scaled = scaler.fit_transform(x_train)
x_test_scaled = scaler.fit_transform(x_test)

model = MLPRegressor(
    hidden_layer_sizes=(32, 32), activation="tanh", max_iter=2000, tol=1e-6, random_state=0
)
model.fit(x_train_scaled, y_train)
print(model.score(x_train_scaled, y_train))
print(np.mean((model.predict(x_test_scaled) - y_test) ** 2))
