"""What Keras 3 calls by another name than Keras 1 and 2 did, and what it no longer knows.

Compared with the installed Keras 3 (3.15): each old spelling here is refused or ignored by it. The old
meanings are those of keras 1.2 and 2.2 (keras/legacy/interfaces.py of 2.2 maps 1 to 2).
"""

from __future__ import annotations

OPTIMIZERS = {
    "SGD": "0.01",
    "RMSprop": "0.001",
    "Adagrad": "0.01",
    "Adadelta": "1.0",
    "Adam": "0.001",
    "Adamax": "0.002",
    "Nadam": "0.002",
}
"""Optimizers with the learning rate that Keras 2 gave them (keras/optimizers.py of 2.2)."""

LOWER_OPTIMIZERS = {name.lower(): name for name in OPTIMIZERS}

OPTIMIZER_ARGUMENTS = {"lr": "learning_rate"}

LAYER_ARGUMENTS = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "nb_filter": "filters",
}

LAYER_ARGUMENTS_OF = {
    "Dense": {**LAYER_ARGUMENTS, "output_dim": "units"},
    "Dropout": {"p": "rate"},
}

FIT_ARGUMENTS = {"nb_epoch": "epochs", "nb_val_samples": "validation_steps"}

DROPPED_ARGUMENTS = {"compile": ("class_mode",), "fit": ("show_accuracy",)}
"""Arguments without a successor; leaving them out changes no training."""

LAYER_MODULES = (
    "core",
    "advanced_activations",
    "normalization",
    "convolutional",
    "pooling",
    "recurrent",
    "embeddings",
    "noise",
    "merge",
    "wrappers",
)
MODULES = {
    **{f"keras.layers.{name}": "keras.layers" for name in LAYER_MODULES},
    "keras.utils.np_utils": "keras.utils",
    "keras.utils.vis_utils": "keras.utils",
    "keras.utils.generic_utils": "keras.utils",
}
"""Modules that are gone, and where their names are now."""

IMPORTED = {
    **{f"keras.optimizers.{old}": new for old, new in LOWER_OPTIMIZERS.items()},
    "keras.losses.mse": "mean_squared_error",
    "keras.losses.mae": "mean_absolute_error",
    "keras.losses.MSE": "mean_squared_error",
    "keras.losses.MAE": "mean_absolute_error",
    "keras.losses.logcosh": "log_cosh",
}
"""Names of a module that are others there now."""

MODULES_AS_NAMES = {
    "keras.utils.np_utils": "keras.utils",
    **{f"keras.optimizers.{name}_v2": "keras.optimizers" for name in LOWER_OPTIMIZERS},
}
"""Modules that were imported as names (`from keras.utils import np_utils`)."""

TENSORFLOW = ("tensorflow.keras", "tensorflow.python.keras")
"""Where Keras stood in TensorFlow; the names below it are those of Keras 3."""
