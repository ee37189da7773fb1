# The compiled module's face; what each part means stands in kernels/program.hpp and lanes.py.
from collections.abc import Callable
from enum import Enum

from whyfit.records.network import Array

GROUP: int

class Activation(Enum):
    linear = ...
    relu = ...
    leaky_relu = ...
    elu = ...
    tanh = ...
    sigmoid = ...

class Loss(Enum):
    mean_squared_error = ...
    mean_absolute_error = ...

class Optimizer(Enum):
    sgd = ...
    rmsprop = ...
    adam = ...

class Order(Enum):
    given = ...
    group = ...
    each_replicate = ...

class Layer:
    inputs: int
    units: int
    activation: Activation
    constant: float
    has_bias: bool
    kernel_at: int
    bias_at: int

class Program:
    parameters: int
    loss: Loss
    optimizer: Optimizer
    learning_rate: float
    momentum: float
    nesterov: bool
    rho: float
    centered: bool
    beta_1: float
    beta_2: float
    epsilon: float
    batch_size: int
    epochs: int

def targets() -> list[str]: ...
def train_float32(
    *,
    target: str,
    program: Program,
    layers: list[Layer],
    x: Array,
    y: Array,
    start: Array,
    order_kind: Order,
    order: Array | None,
    order_seed: int,
    first_replicate: int,
    end: Array,
    squared_error: Array,
    diverged_at: Array,
    history: Array | None,
    snapshots: Array | None,
    snapshot_every: int,
    threads: int,
    progress: Callable[[int], None] | None,
) -> bool: ...

train_float64 = train_float32
