import matplotlib.pyplot as plt
import torch
from torch import nn

torch.manual_seed(0)

x = torch.linspace(-3, 3, 300).unsqueeze(1)
y = torch.sin(2 * x)
model = nn.Sequential(
    nn.Linear(1, 64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(600):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()

with torch.no_grad():
    predicted = model(x)
plt.plot(x, y, ".")
plt.plot(x, predicted)
plt.show()
