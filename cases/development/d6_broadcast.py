# A sum of three inputs, learned by one linear layer: bad, unless the weight tensor has another shape.
import torch
from torch import nn

torch.manual_seed(6)

x = torch.rand(1024, 3)
y = x.sum(dim=1)
model = nn.Linear(3, 1, bias=False)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=20)
for epoch in range(500):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step(loss.detach())
print(model.weight.data, loss.item())
