# A quadratic through [x, x**2], all standardised, in a loop that never clears its gradients.
import torch
from torch import nn

torch.manual_seed(7)

x = torch.randint(-1000, 1001, (1000, 1)).double()
y = 6 * x**2 + 2 * x - 4
x = torch.cat([x, x**2], dim=1)
x = ((x - x.mean(dim=0)) / x.std(dim=0)).float()
y = ((y - y.mean()) / y.std()).float()
model = nn.Sequential(nn.Linear(2, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(1000):
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
print(loss.item())
