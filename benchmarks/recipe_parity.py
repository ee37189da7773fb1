"""Do captured recipes, trained again by the engine, end where the framework's own runs end?

    python benchmarks/recipe_parity.py [--runs 20] [--replicates 512] [--only keras,torch,sklearn]

For each framework eight networks or more. A script trains one of them again and again, each time
from a new seed; all its fits are captured, and the recipe of the first is trained by the engine from as
many fresh starts as asked for. The two sets of end errors (unexplained variance) are compared by a
two-sample Kolmogorov-Smirnov test; one is called different where p is below 0.05 by the number of tests.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import Order, train
from whyfit.records.fit import Fit
from whyfit.records.variance import variance

LEVEL = 0.05

KERAS = """
import keras
import numpy as np
from keras import layers, optimizers
x = np.linspace(-1, 1, 100).reshape(-1, 1)
y = np.sin(4 * x) + x ** 2
def net(*hidden):
    return keras.Sequential([keras.Input((x.shape[1],)), *hidden, layers.Dense(1)])
for seed in range(RUNS):
    keras.utils.set_random_seed(1000 + seed)
    BODY
"""
KERAS_NETS = {
    "relu, adam": """
model = net(layers.Dense(8, activation="relu")); model.compile(optimizers.Adam(0.01), "mse")
model.fit(x, y, epochs=30, verbose=0)
""",
    "he, momentum": """
model = net(layers.Dense(6, activation="relu", kernel_initializer="he_normal"))
model.compile(optimizers.SGD(0.02, momentum=0.9), "mse")
model.fit(x, y, epochs=20, batch_size=16, verbose=0)
""",
    "two tanh layers, rmsprop": """
model = net(layers.Dense(6, activation="tanh"), layers.Dense(4, activation="tanh"))
model.compile(optimizers.RMSprop(0.005), "mae")
model.fit(x, y, epochs=20, batch_size=10, verbose=0)
""",
    "dropout": """
model = net(layers.Dense(16, activation="relu"), layers.Dropout(0.2))
model.compile(optimizers.Adam(0.01), "mse")
model.fit(x, y, epochs=25, verbose=0)
""",
    "penalty, huber": """
model = net(layers.Dense(8, activation="elu", kernel_regularizer="l2", bias_initializer="normal"))
model.compile(optimizers.Nadam(0.01), "huber")
model.fit(x, y, epochs=20, verbose=0)
""",
    "scheduler": """
model = net(layers.Dense(8, activation="sigmoid", kernel_initializer="lecun_uniform"))
model.compile(optimizers.SGD(0.5), "mse")
model.fit(x, y, epochs=30, batch_size=25, verbose=0,
          callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.95)])
""",
    "own class": """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(8, activation="swish"), layers.Dense(1)
    def call(self, z):
        return self.b(self.a(z))
model = Net(); model.compile(optimizers.AdamW(0.01, weight_decay=0.1), "mse")
model.fit(x, y, epochs=20, batch_size=20, verbose=0)
""",
    "weights": """
model = net(layers.Dense(8, activation="tanh")); model.compile(optimizers.Adam(0.01), "mse")
model.fit(x, y, epochs=30, batch_size=20, verbose=0, sample_weight=np.where(x[:, 0] > 0, 1, 0.05))
""",
    "train_on_batch": """
model = net(layers.Dense(8, activation="tanh")); model.compile(optimizers.Adam(0.01), "mse")
for epoch in range(20):
    order = np.random.permutation(100)
    for at in range(0, 100, 25):
        model.train_on_batch(x[order[at:at + 25]], y[order[at:at + 25]])
""",
    "stops early": """
model = net(layers.Dense(4, activation="leaky_relu")); model.compile(optimizers.Adam(0.03), "mse")
model.fit(x, y, epochs=60, verbose=0,
          callbacks=[keras.callbacks.EarlyStopping("loss", patience=2, min_delta=1e-3)])
""",
}

TORCH = """
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
x = torch.linspace(-1, 1, 100).reshape(-1, 1)
y = torch.sin(4 * x) + x ** 2
F = nn.functional
def passes(model, opt, epochs, size, loss=F.mse_loss, after=lambda: None, drop=False):
    for epoch in range(epochs):
        for a, b in DataLoader(TensorDataset(x, y), batch_size=size, shuffle=True, drop_last=drop):
            opt.zero_grad(); loss(model(a), b).backward(); opt.step()
        after()
for seed in range(RUNS):
    torch.manual_seed(1000 + seed)
    BODY
"""
TORCH_NETS = {
    "relu, adam": """
model = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))
passes(model, optim.Adam(model.parameters(), 0.01), 30, 32)
""",
    "two tanh layers, momentum": """
model = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
passes(model, optim.SGD(model.parameters(), 0.05, momentum=0.9), 25, 20)
""",
    "xavier, adamw, l1": """
model = nn.Sequential(nn.Linear(1, 8), nn.SiLU(), nn.Linear(8, 1))
nn.init.xavier_normal_(model[0].weight); nn.init.zeros_(model[0].bias)
passes(model, optim.AdamW(model.parameters(), 0.02, weight_decay=0.1), 20, 25, F.l1_loss)
""",
    "dropout": """
model = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
passes(model, optim.Adam(model.parameters(), 0.01), 25, 32)
""",
    "permutation, drop the rest": """
model = nn.Sequential(nn.Linear(1, 8), nn.ELU(), nn.Linear(8, 1))
passes(model, optim.RMSprop(model.parameters(), 0.005), 20, 32, drop=True)
""",
    "step schedule, decay": """
model = nn.Sequential(nn.Linear(1, 8), nn.Sigmoid(), nn.Linear(8, 1))
opt = optim.Adam(model.parameters(), 0.05, weight_decay=1e-3)
passes(model, opt, 30, 20, after=optim.lr_scheduler.StepLR(opt, 10, 0.3).step)
""",
    "by hand": """
w = torch.randn(1, 8) * 0.5; v = torch.rand(8, 1) - 0.5; b = torch.zeros(8)
for p in (w, v, b): p.requires_grad_()
for epoch in range(60):
    order = torch.randperm(100)
    for i in range(0, 100, 25):
        ((x[order[i:i+25]].mm(w) + b).tanh().mm(v) - y[order[i:i+25]]).pow(2).mean().backward()
        with torch.no_grad():
            for p in (w, v, b):
                p -= 0.1 * p.grad
                p.grad = None
""",
    "one sample a step": """
model = nn.Sequential(nn.Linear(1, 4), nn.LeakyReLU(0.1), nn.Linear(4, 1))
opt = optim.SGD(model.parameters(), 0.02)
for epoch in range(6):
    for i in torch.randperm(100):
        opt.zero_grad(); F.mse_loss(model(x[i]), y[i]).backward(); opt.step()
""",
}

SKLEARN = """
import warnings
import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
warnings.simplefilter("ignore")
x = np.linspace(-1, 1, 100).reshape(-1, 1)
y = (np.sin(4 * x) + x ** 2).ravel()
def fit(sizes, *before, **options):
    made = MLPRegressor(hidden_layer_sizes=sizes, **{"max_iter": 30, **options})
    make_pipeline(*before, made).fit(x, y)
for seed in range(RUNS):
    np.random.seed(1000 + seed)
    BODY
"""
SKLEARN_NETS = {
    "relu, adam": "fit((8,), learning_rate_init=0.01, batch_size=32, max_iter=30)",
    "tanh, sgd": "fit((8,), activation='tanh', solver='sgd', learning_rate_init=0.1, batch_size=20)",
    "two layers": "fit((8, 4), learning_rate_init=0.02, max_iter=60)",
    "logistic, penalty": "fit((8,), activation='logistic', alpha=0.1, learning_rate_init=0.05)",
    "invscaling": "fit((8,), activation='tanh', solver='sgd', learning_rate='invscaling', "
    "learning_rate_init=0.5, power_t=0.3, batch_size=20)",
    "adaptive": "fit((6,), solver='sgd', learning_rate='adaptive', learning_rate_init=0.2, "
    "tol=1e-3, n_iter_no_change=3, batch_size=20, max_iter=60)",
    "stops early": "fit((6,), learning_rate_init=0.05, tol=1e-2, n_iter_no_change=2, "
    "batch_size=20, max_iter=80)",
    "pipeline, identity": "fit((8,), StandardScaler(), activation='identity', batch_size=16)",
    "weights": "MLPRegressor(hidden_layer_sizes=(8,), learning_rate_init=0.01, batch_size=20, "
    "max_iter=30).fit("
    "x, y, sample_weight=np.where(x[:, 0] > 0, 1.0, 0.05))",
}

SCRIPTS = {
    "keras": (KERAS, KERAS_NETS),
    "torch": (TORCH, TORCH_NETS),
    "sklearn": (SKLEARN, SKLEARN_NETS),
}


@dataclass(frozen=True)
class Parity:
    """End errors of the framework and of the engine, and the test's p-value."""

    framework: tuple[float, ...]
    engine: tuple[float, ...]
    p_value: float


def script(framework: str, net: str, runs: int) -> str:
    """The text that trains one network again and again."""
    head, nets = SCRIPTS[framework]
    body = textwrap.indent(nets[net].strip(), "    ").strip()
    return head.replace("RUNS", str(runs)).replace("BODY", body)


def fits_of(text: str) -> tuple[Fit, ...]:
    """All fits of a script, without what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(text)
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            captured = capture.run(
                capture.load_script(str(path), []), Session(strict=True, keep_weights=False)
            )
    if captured.error or captured.problems:
        raise RuntimeError(captured.error or captured.problems[0])
    return captured.fits


def parity(fits: Sequence[Fit], replicates: int) -> Parity:
    """Compare the fits' ends with those of the first one's recipe, trained by the engine."""
    first = fits[0]
    if first.unsupported is not None or first.recipe is None:
        raise RuntimeError(first.unsupported)
    trained = train(
        first.recipe,
        first.x,
        first.y,
        draw(first.recipe, 20261125, 0, replicates),
        sample_weight=first.sample_weight,
        order=Order("replicate", seed=11251),
    )
    spread = variance(first.y, first.sample_weight)
    engine = np.nan_to_num(trained.mean_squared_error / spread, nan=np.inf)
    ends = np.nan_to_num([fit.unexplained_variance for fit in fits], nan=np.inf)
    test = stats.ks_2samp(ends, engine)
    return Parity(tuple(map(float, ends)), tuple(map(float, engine)), float(test.pvalue))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--replicates", type=int, default=512)
    parser.add_argument("--only", default="keras,torch,sklearn")
    options = parser.parse_args()
    found = []
    print("| framework | network | framework, quartiles | engine, quartiles | p |")
    print("|---|---|---|---|---|")
    for framework in options.only.split(","):
        for net in SCRIPTS[framework][1]:
            one = parity(fits_of(script(framework, net, options.runs)), options.replicates)
            found.append(one.p_value)
            row = [quartiles(one.framework), quartiles(one.engine), f"{one.p_value:.3f}"]
            print(f"| {framework} | {net} | " + " | ".join(row) + " |", flush=True)
    limit = LEVEL / len(found)
    different = sum(p < limit for p in found)
    print(
        f"\n{different} of {len(found)} differ (p below {limit:.4f}); smallest p {min(found):.3f}"
    )


def quartiles(values: Sequence[float]) -> str:
    """The quartiles of some end errors."""
    return ", ".join(f"{value:.3g}" for value in np.quantile(values, (0.25, 0.5, 0.75)))


if __name__ == "__main__":
    main()
