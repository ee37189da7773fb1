# The compiled module's face; what each part means stands in kernels/program.hpp and lanes.py.
from collections.abc import Callable
from enum import Enum

from whyfit.records.network import Array

GROUP: int
BUILD: str  # hash of the kernels' sources and of what compiled them (CMakeLists.txt)

class Activation(Enum):
    linear = ...
    relu = ...
    leaky_relu = ...
    elu = ...
    tanh = ...
    sigmoid = ...
    bounded_relu = ...
    prelu = ...
    selu = ...
    gelu = ...
    gelu_tanh = ...
    silu = ...
    mish = ...
    softplus = ...
    softsign = ...
    hard_sigmoid = ...
    hard_tanh = ...
    exponential = ...
    sine = ...
    softmax = ...

class Loss(Enum):
    mean_squared_error = ...
    mean_absolute_error = ...
    huber = ...
    log_cosh = ...
    mean_absolute_percentage_error = ...
    mean_squared_logarithmic_error = ...
    binary_crossentropy = ...
    categorical_crossentropy = ...
    half_squared_error = ...

class Optimizer(Enum):
    sgd = ...
    rmsprop = ...
    adam = ...
    adamax = ...
    nadam = ...
    adagrad = ...
    adadelta = ...

class Form(Enum):
    keras = ...
    torch = ...
    sklearn = ...

class Decay(Enum):
    none = ...
    of_weights = ...
    in_gradient = ...

class Watch(Enum):
    none = ...
    plateau_of_keras = ...
    plateau_of_torch = ...
    adaptive = ...

class Stop(Enum):
    none = ...
    keras = ...
    sklearn = ...

class Function(Enum):
    exponential = ...
    hyperbolic_tangent = ...
    logistic = ...
    error_function = ...
    logarithm = ...
    sine = ...
    cosine = ...
    soft_plus = ...

class Order(Enum):
    given = ...
    group = ...
    each_replicate = ...

class Layer:
    inputs: int
    units: int
    activation: Activation
    constant: float
    most: float
    threshold: float
    slope_at_zero: float
    own_slope_at_zero: bool
    has_bias: bool
    kernel_at: int
    bias_at: int
    slopes: int
    slopes_at: int
    dropout: float
    activity_l1: float
    activity_l2: float

class Tensor:
    at: int
    count: int
    l1: float
    l2: float
    trainable: bool

class Program:
    parameters: int
    form: Form
    loss: Loss
    root_of_loss: bool
    loss_constant: float
    from_logits: bool
    label_smoothing: float
    loss_factor: float
    sum_reduction: bool
    divide_by_weights: bool
    penalty_per_sample: bool
    clears_gradients: bool
    optimizer: Optimizer
    learning_rate: float
    momentum: float
    dampening: float
    nesterov: bool
    rho: float
    centered: bool
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool
    initial_accumulator: float
    rate_decay: float
    momentum_decay: float
    weight_decay: float
    decay: Decay
    clip_norm: float
    global_clip_norm: float
    clip_value: float
    rates_per_step: bool
    watch: Watch
    watch_factor: float
    watch_least: float
    watch_threshold: float
    watch_smallest: float
    watch_relative: bool
    watch_patience: int
    watch_cooldown: int
    stop: Stop
    stop_patience: int
    stop_from_epoch: int
    stop_threshold: float
    stop_restores: bool
    stop_has_baseline: bool
    stop_baseline: float
    watch_held_out: bool
    stop_held_out: bool
    held_out_score: bool
    input_dropout: float
    dropout_seed: int
    batch_size: int
    drop_last: bool
    epochs: int

def targets() -> list[str]: ...
def train_float32(
    *,
    target: str,
    program: Program,
    layers: list[Layer],
    tensors: list[Tensor],
    rates: Array | None,
    x: Array,
    y: Array,
    sample_weight: Array | None,
    held_out_x: Array | None,
    held_out_y: Array | None,
    held_out_share: Array | None,
    start: Array,
    order_kind: Order,
    order: Array | None,
    order_seed: int,
    first_replicate: int,
    end: Array,
    squared_error: Array,
    diverged_at: Array,
    epochs_done: Array,
    history: Array | None,
    snapshots: Array | None,
    snapshot_every: int,
    threads: int,
    progress: Callable[[int], None] | None,
) -> bool: ...

train_float64 = train_float32

def evaluate_float32(target: str, function: Function, x: Array, out: Array) -> None: ...

evaluate_float64 = evaluate_float32

def block_memory_float32(
    *,
    target: str,
    program: Program,
    layers: list[Layer],
    tensors: list[Tensor],
    samples: int,
    order_kind: Order,
    weighted: bool,
) -> int: ...

block_memory_float64 = block_memory_float32

def multiply_add(target: str, rounds: int) -> int: ...
