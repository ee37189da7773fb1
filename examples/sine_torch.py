# A small network for sin(x) in PyTorch: with relu the curve comes out bent in a few places only.
# Do I have to normalise the output differently?
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)

x = np.linspace(0, 2 * np.pi, 10000).reshape(-1, 1)
y = np.sin(x)

x_scaler = MinMaxScaler(feature_range=(0, 1))
y_scaler = MinMaxScaler(feature_range=(0, 1))
x_scaled = torch.tensor(x_scaler.fit_transform(x), dtype=torch.float32)
y_scaled = torch.tensor(y_scaler.fit_transform(y), dtype=torch.float32)

model = nn.Sequential(
    nn.Linear(1, 4),
    nn.ReLU(),
    nn.Linear(4, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
loss_fn = nn.MSELoss()
loader = DataLoader(TensorDataset(x_scaled, y_scaled), batch_size=32, shuffle=True)

epochs = 100
for epoch in range(epochs):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    fit = y_scaler.inverse_transform(model(x_scaled).numpy())

plt.plot(x, y, label='sin(x)')
plt.plot(x, fit, label='network')
plt.legend()
plt.show()
