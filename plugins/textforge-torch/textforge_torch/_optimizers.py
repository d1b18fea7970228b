"""PyTorch's own optimizers, and their moments under canonical names: see `textforge.backends.training_arrays`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from textforge.backends.training_arrays import STEP, check_moments, list_moments
from textforge.model import Arrays, Optimizer
from textforge_torch.network import to_array

ATTRIBUTES = {
    "adam": {"moment1": "exp_avg", "moment2": "exp_avg_sq"},
    "rmsprop": {"moment2": "square_avg"},
    "sgd": {"momentum": "momentum_buffer"},
}
"""PyTorch's names for the moments of each optimizer."""


class Updates:
    """An optimizer of PyTorch's that changes parameters by their gradients.

    Raises `BackendError` for an optimizer there isn't.
    """

    def __init__(self, settings: Optimizer, parameters: dict[str, nn.Parameter]) -> None:
        self._settings = settings
        self._moments = {moment: ATTRIBUTES[settings.name][moment] for moment in list_moments(settings.name, "torch")}
        self._names = list(parameters)
        self._parameters = list(parameters.values())
        self._decaying: list[torch.Tensor] = [parameter for parameter in self._parameters if parameter.ndim > 1]
        self._optimizer = make_optimizer(settings, self._parameters)
        self._optimizer.zero_grad()
        self._steps = 0

    def step(self, learning_rate: float) -> None:
        """Clip the gradients, change the parameters, forget the gradients."""
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        if self._settings.weight_decay and self._decaying:  # before the step, apart from the gradients, as AdamW has it
            with torch.no_grad():
                torch._foreach_mul_(self._decaying, 1.0 - learning_rate * self._settings.weight_decay)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._steps += 1

    def arrays(self) -> Arrays:
        """Return a float32 copy of the moments and the count of steps, (1,); zeros before the first step."""
        arrays = {STEP: np.array([self._steps], dtype=np.float32)}
        for name, parameter in zip(self._names, self._parameters, strict=True):
            state = self._optimizer.state.get(parameter, {})
            for moment, key in self._moments.items():
                tensor = state.get(key)
                arrays[f"{moment}/{name}"] = to_array(torch.zeros_like(parameter) if tensor is None else tensor)
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take up what `arrays` gave.

        Raises `BundleError` where moments are missing or misshapen.
        """
        weights = {name: tuple(p.shape) for name, p in zip(self._names, self._parameters, strict=True)}
        self._steps = check_moments(arrays, self._settings.name, weights)
        states = {index: self._state(name, arrays) for index, name in enumerate(self._names)}
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})

    def _state(self, name: str, arrays: Arrays) -> dict[str, Any]:
        state = {key: torch.tensor(arrays[f"{moment}/{name}"]) for moment, key in self._moments.items()}
        return state | {"step": torch.tensor(float(self._steps), dtype=torch.float32)}


def make_optimizer(settings: Optimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return PyTorch's optimizer as the settings describe it; the learning rate is set at each step."""
    fused = {"fused": True} if parameters[0].device.type in ("cpu", "cuda") else {}
    if settings.name == "adam":
        return torch.optim.Adam(parameters, betas=settings.betas, eps=settings.epsilon, **fused)
    if settings.name == "rmsprop":
        return torch.optim.RMSprop(parameters, alpha=settings.alpha, eps=settings.epsilon)
    return torch.optim.SGD(parameters, momentum=settings.momentum, **fused)
