"""Where each change of a fit goes in a script of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

from whyfit.patching import scaling_torch, torch_network, torch_training, trained
from whyfit.patching.placing import Placing, place_scaling

PLACES: Mapping[str, Placing] = {
    "input_range": place_scaling("input_scaler", "x", scaling_torch.by_hand),
    "target_range": place_scaling("target_scaler", "y"),
    "activation": torch_network.activation,
    "output_activation": torch_network.activation,
    "units": torch_network.units,
    "depth": torch_network.depth,
    "kernel_initializer": torch_network.kernel_initializer,
    "bias_initializer": torch_network.biases,
    "use_bias": torch_network.use_of_biases,
    "trained": trained.torch,
    "shuffle": torch_training.shuffle,
    "loss": torch_training.loss,
    "optimizer": torch_training.optimizer,
    "learning_rate": torch_training.learning_rate,
    "schedule": torch_training.schedule,
    "epochs": torch_training.epochs,
    "batch_size": torch_training.batch_size,
    "weight_penalty": torch_training.weight_penalty,
    "dropout": torch_network.dropout,
    "gradients": torch_training.gradients,
}
