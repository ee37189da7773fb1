"""`whyfit.diagnose`: a trained model of each framework, what is known of it, what is not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import whyfit
from tests.library.models import X, Y, keras_model, sklearn_model, torch_model
from whyfit import rules
from whyfit.adapters.given import Given
from whyfit.adapters.trained import fit_of_trained
from whyfit.errors import UsageError
from whyfit.measure.evidence import ABOUT_THE_START

pytestmark = pytest.mark.framework


def fit_of(model, x=X, y=Y, **given):
    return fit_of_trained(model, Given(x, y, **given))


# ---- what is known of a trained model ----


def test_keras_keeps_its_recipe_and_the_history_its_length():
    model, history = keras_model(epochs=7)
    trained = fit_of(model, history=history)
    fit, recipe = trained.fit, trained.fit.recipe
    assert fit.unsupported is None
    assert (recipe.epochs, recipe.batch_size, recipe.loss) == (7, 32, "mse")
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 0.01)
    assert recipe.layers[0].kernel_initializer.name == "random_uniform"
    assert fit.start is None
    assert np.allclose(fit.predictions, model.predict(X, verbose=0), atol=1e-6)
    assert len(fit.history["loss"]) == 7
    assert "start weights are unknown" in trained.note


def test_keras_steps_give_batch_size_and_epochs_of_all_calls():
    model, _history = keras_model(epochs=3, batch_size=50)
    model.fit(X, Y, epochs=2, verbose=0, batch_size=50)
    trained = fit_of(model)  # the model's own history is that of the last call
    assert (trained.fit.recipe.batch_size, trained.fit.recipe.epochs) == (50, 5)
    assert "batch size 50, from 4 steps an epoch" in trained.note
    assert "5 epochs, from 20 optimizer steps" in trained.note


def test_keras_that_is_not_compiled_is_measured_only():
    import keras

    model, history = keras_model(epochs=2)
    bare = keras.Sequential.from_config(model.get_config())
    bare.set_weights(model.get_weights())
    fit = fit_of(bare).fit
    assert "the loss" in fit.unsupported
    assert "optimizer=" in fit.unsupported
    assert np.isfinite(fit.unexplained_variance)
    told = fit_of(bare, loss="mae", optimizer=keras.optimizers.SGD(0.1), history=history).fit
    assert told.unsupported is None
    assert (told.recipe.loss, told.recipe.optimizer.name) == ("mae", "sgd")


def test_a_learning_rate_that_changed_is_not_retrained():
    model, history = keras_model(epochs=4)
    logs = {**history.history, "learning_rate": [0.01, 0.01, 0.001, 0.001]}
    assert "learning rate that changed" in fit_of(model, history=logs).fit.unsupported


def test_torch_needs_its_optimizer_and_tells_the_rest():
    model, optimizer, losses = torch_model(epochs=40)
    unknown = fit_of(model).fit
    assert "the optimizer (pass optimizer=)" in unknown.unsupported
    assert "the number of epochs" in unknown.unsupported
    trained = fit_of(model, optimizer=optimizer)
    assert trained.fit.unsupported is None
    assert "40 epochs, from 40 optimizer steps" in trained.note
    assert "mean squared error" in trained.note
    recipe = trained.fit.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.shuffle) == (40, 200, False)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 0.01)
    assert recipe.layers[0].kernel_initializer.name == "torch_uniform"
    assert [layer.activation.name for layer in recipe.layers] == ["relu", "linear"]
    variance = float(np.var(Y))
    with_losses = fit_of(model, optimizer=optimizer, history=losses).fit
    # The last loss was taken before the last step.
    assert with_losses.unexplained_variance == pytest.approx(losses[-1] / variance, rel=0.02)


def test_weights_inside_a_torch_loss_are_told():
    import torch

    model, optimizer, _losses = torch_model(epochs=3)
    weight = torch.linspace(0.1, 1.0, len(X)).reshape(-1, 1)

    def loss(outputs, targets):
        return (weight * (outputs - targets) ** 2).mean()

    fit = fit_of(model, loss=loss, optimizer=optimizer, epochs=3).fit
    assert "sample weights" in fit.unsupported


def test_asking_a_torch_module_changes_nothing():
    import torch

    model, optimizer, _losses = torch_model(epochs=3)
    model.append(torch.nn.Dropout(0.5)).eval()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    torch.manual_seed(3)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    fit_of(model, optimizer=optimizer)
    assert torch.equal(torch.rand(1), drawn)
    assert not model.training
    for parameter, weight, gradient in zip(model.parameters(), before, gradients, strict=True):
        assert torch.equal(parameter, weight)
        assert torch.equal(parameter.grad, gradient)


def test_torch_dropout_is_seen_though_the_model_is_in_evaluation():
    import torch

    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(1, 8), torch.nn.Tanh(), torch.nn.Dropout(0.25), linear(8, 1))
    assert fit_of(model.eval()).fit.recipe.layers[0].dropout == pytest.approx(0.25)


def test_a_scheduler_that_lowered_the_rate_is_seen():
    import torch

    model, optimizer, _losses = torch_model(epochs=2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    optimizer.step()
    scheduler.step()
    assert "learning rate that changed" in fit_of(model, optimizer=optimizer).fit.unsupported


def test_sklearn_is_taken_out_of_pipeline_and_target_transformer():
    model = sklearn_model()
    trained = fit_of(model, 10 * X, 100 * Y)
    fit = trained.fit
    assert fit.unsupported is None
    assert (fit.input_scaler.kind, fit.target_scaler.kind) == ("MinMaxScaler", "StandardScaler")
    assert fit.x.min() == pytest.approx(0.0)
    assert fit.x.max() == pytest.approx(1.0)
    assert fit.y.std() == pytest.approx(1.0)
    own = model.predict(10 * X).ravel()
    assert np.allclose(fit.in_target_units(fit.predictions).ravel(), own)
    inside = model.regressor_[-1]
    assert fit.recipe.epochs == inside.max_iter
    assert fit.history["loss"] == tuple(inside.loss_curve_)


def test_a_search_gives_its_best_estimator():
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPRegressor

    regressor = MLPRegressor(solver="lbfgs", hidden_layer_sizes=(3,), random_state=0)
    search = GridSearchCV(regressor, {"alpha": [1e-4, 1e-3]}, cv=2).fit(X, Y.ravel())
    fit = fit_of(search).fit
    assert fit.recipe.layers[0].units == 3
    assert "lbfgs" in fit.unsupported


BAD = [
    (lambda: (object(), X, Y), "model must be a Keras model"),
    (lambda: (keras_model(2)[0], X, Y[:5]), "as many samples: got 200 and 5"),
    (lambda: (keras_model(2)[0], "far", Y), "x must be an array of numbers: got str"),
    (lambda: (keras_model(2)[0], np.hstack([X, X]), Y), "x must have 1 column"),
    (lambda: (keras_model(2)[0], X[:0], Y[:0]), "at least one sample"),
    (lambda: (torch_model(2)[0], np.hstack([X, X]), Y), "cannot be run on x of shape"),
    (lambda: (torch_model(2)[0][1], X, Y), "must have weights"),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=range(len(BAD)))
def test_what_does_not_belong_together_gets_one_clear_sentence(make, words: str):
    model, x, y = make()
    with pytest.raises(UsageError, match=words):
        whyfit.diagnose(model, x, y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": "colour"}, "unknown factor colour"),
        ({"budget": 0}, "budget must be a number above 0"),
        ({"epochs": 0}, "epochs must be a whole number from 1"),
        ({"optimizer": "adam"}, "optimizer must be the one that trained the model: got str"),
    ],
)
def test_bad_options(options, words: str):
    with pytest.raises(UsageError, match=words):
        whyfit.diagnose(torch_model(2)[0], X, Y, **options)


# ---- the diagnosis ----


@pytest.fixture(scope="module")
def starting_case():
    model, history = keras_model()
    with ThreadPoolExecutor(2) as executor:
        return whyfit.diagnose(model, X, Y, history, budget=1.0, executor=executor)


def test_nothing_is_said_of_a_start_that_nobody_knows(starting_case):
    (said,) = starting_case.record.fits
    assert said.replay.status == "reproduced"
    assert "new starts" in said.replay.reason
    about = ABOUT_THE_START.split(", ")
    assert not {finding.rule for finding in said.findings} & set(about)
    assert any("units-dead-at-start" in each for each in said.evidence.not_measured)
    known = {rule.slug for rule in rules.RULES}
    assert set(about) < known


def test_causes_are_still_proven(starting_case):
    assert not starting_case.healthy
    assert "input-off-centre" in starting_case.confirmed
    assert "By hand" in str(starting_case)
    assert "The start weights are unknown" in str(starting_case)


def test_a_training_that_was_not_this_one_is_refused():
    model, optimizer, _losses = torch_model(epochs=400, units=64)
    for group in optimizer.param_groups:
        group["lr"] = 1e-6  # with which nobody comes from a random start to this fit
    (said,) = whyfit.diagnose(model, X, Y, optimizer=optimizer).record.fits
    assert said.study is None
    assert "check optimizer, epochs" in said.not_studied


def test_a_healthy_model():
    model, optimizer, losses = torch_model(epochs=400, units=64)
    found = whyfit.diagnose(model, X, Y, losses, optimizer=optimizer, budget=0.5)
    assert found.healthy
    assert found.confirmed == ()
    assert found.record.fits[0].verdict == "sound"


# ---- how it shows itself ----


def test_it_prints_itself_in_plain_text(starting_case):
    lines = str(starting_case).splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in str(starting_case)
    assert repr(starting_case).startswith("<whyfit.Diagnosis: ")
    assert starting_case.verdict.count("\n") < len(lines)


def test_its_part_of_a_page_holds_no_script_and_asks_for_nothing(starting_case):
    bundle = starting_case._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == str(starting_case)
    page = bundle["text/html"]
    assert page.startswith('<div class="whyfit">')
    for word in ("<script", "http:", "https:", "@import", " onload", "javascript:"):
        assert word not in page
    assert page.count("url(") == page.count("url(#")  # parts of itself
    assert "<svg" in page
    assert "input-off-centre" in page
    assert page == starting_case._repr_mimebundle_()["text/html"]


def test_every_style_of_the_part_stays_inside_it(starting_case):
    page = starting_case._repr_mimebundle_()["text/html"]
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    for rule in style.split("}"):
        for selector in rule.split("{")[0].split(","):
            assert not selector.strip() or selector.strip().startswith(".whyfit")


def test_the_figures_of_two_cells_do_not_share_names(starting_case):
    other = whyfit.diagnose(torch_model(3)[0], X, Y)
    pages = [each._repr_mimebundle_()["text/html"] for each in (starting_case, other)]
    names = [{part.split('"')[0] for part in page.split(' id="')[1:]} for page in pages]
    assert names[0]
    assert not names[0] & names[1]


def test_hostile_text_is_escaped(starting_case):
    from dataclasses import replace

    record = replace(starting_case.record, script="<img src=x onerror=alert(1)>", notes=("<b>",))
    page = whyfit.Diagnosis(record)._repr_mimebundle_()["text/html"]
    assert "<img" not in page
    assert "&lt;b&gt;" in page


def test_save(starting_case, tmp_path):
    starting_case.save(tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text())["fits"]
    starting_case.save(str(tmp_path / "fit.html"))
    assert (tmp_path / "fit.html").read_text().startswith("<!doctype html>")
    with pytest.raises(UsageError, match="must end in"):
        starting_case.save(tmp_path / "fit.pdf")
