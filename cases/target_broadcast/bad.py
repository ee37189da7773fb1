import torch
from torch import nn

torch.manual_seed(1)

x = torch.rand(128, 3)
y = x.sum(dim=1)
model = nn.Linear(3, 1)
loss_function = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(300):
    loss = loss_function(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
