"""Scripts for Keras 1 and 2: what is said where one fails, and how `--compat` reads it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit import cli
from whyfit.compat import backend
from whyfit.compat.reading import hint, modernised

# old spelling, modern spelling; the first is refused by the installed Keras, the second taken
SPELLINGS = [
    ("from keras.layers.core import Dense", "from keras.layers import Dense"),
    (
        "from keras.layers.advanced_activations import LeakyReLU",
        "from keras.layers import LeakyReLU",
    ),
    ("from keras.optimizers import adam", "from keras.optimizers import Adam as adam"),
    ("from keras.optimizers import adam_v2", "from keras import optimizers as adam_v2"),
    ("from keras.utils import np_utils", "from keras import utils as np_utils"),
    (
        "from keras.utils.np_utils import to_categorical",
        "from keras.utils import to_categorical",
    ),
    (
        "from keras.wrappers.scikit_learn import KerasRegressor",
        "from keras.wrappers import SKLearnRegressor as KerasRegressor",
    ),
    (
        "import keras\nkeras.optimizers.sgd(lr=0.1)",
        "import keras\nkeras.optimizers.SGD(learning_rate=0.1)",
    ),
    (
        "import keras\nkeras.losses.mse([[1.0]], [[0.0]])",
        "import keras\nkeras.losses.mean_squared_error([[1.0]], [[0.0]])",
    ),
    (
        "from keras.layers import Dense\nDense(output_dim=4, init='uniform', bias=False)",
        "from keras.layers import Dense\nDense(units=4, kernel_initializer='uniform', use_bias=False)",
    ),
    (
        "from keras.layers import Dense\nDense(4, W_regularizer='l2', b_constraint='unit_norm')",
        "from keras.layers import Dense\n"
        "Dense(4, kernel_regularizer='l2', bias_constraint='unit_norm')",
    ),
    (
        "from keras.layers import Dropout\nDropout(p=0.5)",
        "from keras.layers import Dropout\nDropout(rate=0.5)",
    ),
    (
        "from keras import optimizers as o\no.RMSprop(lr=0.001, rho=0.9, epsilon=None, decay=0.0)",
        "from keras import optimizers as o\no.RMSprop(learning_rate=0.001, rho=0.9)",
    ),
    ("import tensorflow.keras as k\nk.layers.Dense(1)", "import keras as k\nk.layers.Dense(1)"),
    ("from tensorflow import keras\nkeras.layers.Dense(1)", "import keras\nkeras.layers.Dense(1)"),
    (
        "from tensorflow.keras.layers import Dense\nDense(1)",
        "from keras.layers import Dense\nDense(1)",
    ),
    (
        "import tensorflow as tf\ntf.keras.layers.Dense(1, init='normal')",
        "import keras\nkeras.layers.Dense(1, kernel_initializer='normal')",
    ),
    ("model.compile('sgd', 'mse', class_mode='binary')", "model.compile('sgd', 'mse')"),
    ("model.fit(x, y, nb_epoch=1, show_accuracy=True)", "model.fit(x, y, epochs=1)"),
    (
        "model.fit_generator(batches(), steps_per_epoch=2)",
        "model.fit(batches(), steps_per_epoch=2)",
    ),
    ("model.predict_proba(x)", "model.predict(x)"),
    (
        "from keras import backend as K\nK.mean(K.square(K.constant([1.0, 2.0])), axis=-1)",
        "from keras import backend as K, ops\n"
        "ops.mean(ops.square(ops.convert_to_tensor([1.0, 2.0])), axis=-1)",
    ),
    (
        "import keras.backend as K\nops = 3\nK.argmax([[1.0, 2.0]])",
        "import keras.backend as K, keras.ops as keras_ops\nops = 3\n"
        "keras_ops.argmax([[1.0, 2.0]], axis=-1)",
    ),
    (
        "import keras\nkeras.backend.clip([3.0], min_value=0.0, max_value=1.0)",
        "import keras\nkeras.ops.clip([3.0], x_min=0.0, x_max=1.0)",
    ),
    (
        "from keras.backend import mean, square\nmean(square([1.0]))",
        "from keras.ops import mean, square\nmean(square([1.0]))",
    ),
    (
        "from keras import backend\nbackend.set_value(model.optimizer.lr, 0.1)",
        "from keras import backend, ops\nmodel.optimizer.learning_rate.assign(0.1)",
    ),
    (
        "model.compile('sgd', 'mse', metrics=['mae'])\n"
        "model.fit(x, y, verbose=0).history['mean_absolute_error']",
        "model.compile('sgd', 'mse', metrics=['mae'])\nmodel.fit(x, y, verbose=0).history['mae']",
    ),
]

MODEL = """
import keras
import numpy as np
x, y = np.ones((4, 1)), np.ones((4, 1))
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile('sgd', 'mse')
def batches():
    while True:
        yield x, y
"""


@pytest.mark.parametrize(("old", "new"), SPELLINGS, ids=[old[-40:] for old, _new in SPELLINGS])
def test_the_modern_spelling(old: str, new: str):
    head = MODEL if "model." in old else ""
    found = modernised(head + old, tensorflow=False)
    assert found.source == head + new
    assert found.changes
    assert modernised(found.source, tensorflow=False).changes == ()


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("old", "new"), SPELLINGS, ids=[old[-40:] for old, _new in SPELLINGS])
def test_keras_refuses_the_old_and_takes_the_modern_one(old: str, new: str):
    head = MODEL if "model." in old else ""
    with pytest.raises((ImportError, TypeError, ValueError, AttributeError, KeyError)):
        exec(head + old, {})
    exec(head + new, {})


UNTOUCHED = [
    "import torch\ntorch.optim.SGD(model.parameters(), lr=0.1)",
    "import keras, torch\ntorch.optim.Adam(p, lr=0.1)",
    "import keras\nfrom mine import Dense\nDense(output_dim=4)",
    "import keras\nkeras.layers.Embedding(input_dim=3, output_dim=4)",
    "import keras\nkeras.layers.Dense(4, input_dim=1)",
    "model.fit(x, y, nb_epoch=3)",
    "from keras import backend as K\nK.clear_session()\nK.epsilon()",
    "import keras\nmodel.compile(metrics=['acc'])\nmodel.fit(x, y).history['acc']",
    "import keras\nx = (",
]


@pytest.mark.parametrize("source", UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_what_is_not_old_keras_is_left_alone(source: str):
    assert modernised(source, tensorflow=False).source == source


X = "np.array([[0.3, -0.2], [0.6, 0.9]])"
TARGETS = "np.array([[0.3, 0.2], [0.6, 0.9]])"
ARGUMENTS = {
    **dict.fromkeys(
        ("dot", "equal", "greater", "greater_equal", "less", "less_equal", "maximum"),
        (X, "x, 0.5 * x"),
    ),
    **dict.fromkeys(("minimum", "not_equal"), (X, "x, 0.5 * x")),
    **dict.fromkeys(("sqrt", "log"), (TARGETS, "x")),
    "arange": ("0", "5"),
    "cast": (X, "x, 'int32'"),
    "clip": (X, "x, 0.0, 0.5"),
    "one_hot": ("np.array([0, 2])", "x, 3"),
    "ones": ("0", "(2, 3)"),
    "zeros": ("0", "(2, 3)"),
    "reshape": (X, "x, (4, 1)"),
    "squeeze": (f"{X}[:, :, None]", "x, 2"),
    "tile": (X, "x, (2, 1)"),
    "pow": (X, "x, 2"),
    "permute_dimensions": (X, "x, (1, 0)"),
    "repeat_elements": (X, "x, 2, 1"),
    "gather": (X, "x, np.array([1, 0])"),
    "concatenate": (X, "[x, x]"),
    "stack": (X, "[x, x]"),
    "binary_crossentropy": (TARGETS, "np.round(x), x"),
    "categorical_crossentropy": (TARGETS, "np.eye(2), x"),
    "relu": (X, "x, alpha=0.1"),
}
EXPECTED = {
    "cast": "x.astype(int)",
    "dot": "x @ (0.5 * x)",
    "elu": "np.where(x > 0, x, np.expm1(x))",
    "ndim": "2",
    "one_hot": "np.eye(3)[x]",
    "sigmoid": "1 / (1 + np.exp(-x))",
    "softmax": "np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)",
    "softplus": "np.log1p(np.exp(x))",
    "softsign": "x / (1 + np.abs(x))",
    "stop_gradient": "x",
    "shape": "(2, 2)",
    "int_shape": "(2, 2)",
    "get_value": "x",
    "eval": "x",
    "constant": "x",
    "pow": "x ** 2",
    "permute_dimensions": "x.T",
    "repeat_elements": "np.repeat(x, 2, 1)",
    "flatten": "x.ravel()",
    "gather": "x[::-1]",
    "relu": "np.where(x > 0, x, 0.1 * x)",
    "argmax": "np.argmax(x, axis=-1)",
    "argmin": "np.argmin(x, axis=-1)",
    "expand_dims": "x[..., None]",
    "concatenate": "np.concatenate([x, x], axis=-1)",
    "cumsum": "np.cumsum(x, axis=0)",
    "cumprod": "np.cumprod(x, axis=0)",
    "categorical_crossentropy": "-np.log(np.diag(x) / x.sum(axis=-1))",
    "binary_crossentropy": "-np.log(np.where(np.round(x) > 0, x, 1 - x))",
}


@pytest.mark.framework
@pytest.mark.parametrize("name", sorted(backend.MOVED - {"set_value"}))
def test_functions_of_the_backend_mean_what_they_meant(name: str):
    """Against Keras 2's own formulas, which Keras 3 keeps for TensorFlow only: here in numpy."""
    values, calls = ARGUMENTS.get(name, (X, "x"))
    source = (
        f"import keras\nimport numpy as np\nx = {values}\nfound = keras.backend.{name}({calls})"
    )
    space: dict = {}
    exec(modernised(source, tensorflow=False).source, space)
    expected = EXPECTED.get(name, f"np.{name}({calls})")
    expected = eval(expected, {"np": np, "x": space["x"]})
    assert np.asarray(space["found"]) == pytest.approx(np.asarray(expected), rel=1e-4)


OLD = dedent(
    """
    import numpy as np
    from keras.models import Sequential
    from keras.layers.core import Dense, Activation
    from keras.optimizers import SGD

    x = np.linspace(0, 1, 40)
    y = x ** 2
    model = Sequential()
    model.add(Dense(output_dim=4, init='uniform',
                    input_dim=1))
    model.add(Activation('relu'))
    model.add(Dense(output_dim=1))
    sgd = SGD(lr=0.1,
              decay=1e-3,
              momentum=0.9)
    model.compile(loss='mse', optimizer=sgd, class_mode='binary',
                  metrics=['acc'])
    model.fit(x, y, nb_epoch=3, batch_size=20, verbose=0)
    classes = model.predict_classes(x)
    assert classes.shape == (40, 1), classes.shape
    """
)


def test_every_line_stays_where_it_is():
    found = modernised(OLD, tensorflow=False)
    old, new = OLD.splitlines(), found.source.splitlines()
    assert len(old) == len(new)
    changed = {each.line for each in found.changes}
    assert changed == {4, 10, 13, 14, 17, 19, 20}
    same = [at for at, (a, b) in enumerate(zip(old, new, strict=True), 1) if a == b]
    assert set(range(1, 22)) - set(same) <= {4, 5, 10, 13, 14, 15, 17, 18, 19, 20}


def test_the_hint_is_of_the_line_that_raised():
    changes = modernised(OLD, tensorflow=False).changes
    assert hint(changes, 19) == "line 19: `nb_epoch=` is today `epochs=`"
    both = hint(changes, 11)
    assert "`init=` is today `kernel_initializer=`" in both
    assert "`output_dim=` is today `units=`" in both
    assert hint(changes, 7) is None
    assert hint(changes, None) is None


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_an_old_script_runs_as_it_was_meant(tmp_path: Path):
    (fit,) = fits(tmp_path, modernised(OLD, tensorflow=False).source)
    assert fit.recipe.epochs == 3
    assert fit.recipe.optimizer.learning_rate == pytest.approx(0.1)
    assert fit.recipe.optimizer.momentum == pytest.approx(0.9)
    # keras 2.2, SGD.get_updates: lr / (1 + decay * iterations)
    steps = np.arange(6.0)
    assert np.allclose(fit.recipe.schedule.at(0.1, steps), 0.1 / (1.0 + 1e-3 * steps))
    assert fit.recipe.layers[0].kernel_initializer.name == "random_uniform"


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_keras_regressor_becomes_its_successor(tmp_path: Path):
    source = """
        import numpy as np
        from keras.models import Sequential
        from keras.layers import Dense
        from keras.wrappers.scikit_learn import KerasRegressor

        def build(units=2):
            model = Sequential([Dense(units, input_dim=1, init='normal'), Dense(1)])
            model.compile(loss='mse', optimizer='adam')
            return model

        x = np.linspace(0, 1, 40).reshape(-1, 1)
        estimator = KerasRegressor(build_fn=build, units=3, nb_epoch=2,
                                   batch_size=20, verbose=0)
        estimator.fit(x, x ** 2)
        """
    (fit,) = fits(tmp_path, modernised(dedent(source), tensorflow=False).source)
    assert (fit.recipe.layers[0].units, fit.recipe.epochs, fit.recipe.batch_size) == (3, 2, 20)


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_a_decay_that_keras_ignores_is_said(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = (
        OLD.replace("layers.core", "layers")
        .replace("output_dim=", "")
        .replace("init=", "kernel_initializer=")
    )
    source = source.replace("lr=", "learning_rate=").replace(", class_mode='binary'", "")
    source = source.replace("nb_epoch", "epochs").split("classes")[0]
    Path("old.py").write_text(source)
    assert cli.dispatch(["run", "--no-study", "old.py"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Line 14: Keras 3 ignores decay=0.001" in out
    assert "InverseTimeDecay( rate, 1, 0.001)" in out or "InverseTimeDecay(rate, 1, 0.001)" in out


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_the_scripts_own_exception_then_one_line(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old.py").write_text(OLD)
    assert cli.dispatch(["run", "old.py"]) == 1
    error = capsys.readouterr().err
    assert "ModuleNotFoundError: No module named 'keras.layers.core'" in error
    (said,) = [line for line in error.splitlines() if line.startswith("whyfit:")]
    assert said.startswith("whyfit: line 4: `keras.layers.core` is today `keras.layers`")
    assert "--compat" in said
    assert not list(tmp_path.glob("*.json"))
    assert cli.dispatch(["run", "--compat", "--no-study", "old.py"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "`init=` is today `kernel_initializer=` (line 10)" in out
    assert "`output_dim=` is today `units=` (lines 10, 13)" in out
    assert Path("old.py").read_text() == OLD
