"""PyTorch as the common suite must know it; and one thread."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.register_assert_rewrite("gradient_backends")

from gradient_backends.framework import Framework  # noqa: E402
from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401

from textforge_torch._dropout import SeededDropout  # noqa: E402
from textforge_torch._optimizers import Updates  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    """Models as small as these gain nothing from more, and wait for each other where processors are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class GivenGradients:
    def __init__(self, settings, weights):
        self._parameters = {
            name: nn.Parameter(torch.tensor(weight, dtype=torch.float32)) for name, weight in weights.items()
        }
        self._updates = Updates(settings, self._parameters)
        self.arrays, self.restore = self._updates.arrays, self._updates.restore

    @property
    def weights(self):
        return {name: parameter.detach().numpy().copy() for name, parameter in self._parameters.items()}

    def step(self, gradients, rate):
        for name, parameter in self._parameters.items():
            parameter.grad = torch.tensor(gradients[name], dtype=torch.float32)
        self._updates.step(rate)


def dropped(share, seed, step, values):
    return SeededDropout(share, seed, torch.device("cpu")).at_step(step)(torch.tensor(values)).numpy()


def watch_dropout(monkeypatch):
    seen = []
    monkeypatch.setattr(SeededDropout, "__call__", lambda self, values: seen.append(tuple(values.shape)) or values)
    return seen


def random_numbers_after(called):
    torch.manual_seed(4)
    called()
    return torch.get_rng_state().numpy().tobytes()


@pytest.fixture(scope="session")
def framework():
    return Framework(
        name="torch",
        array=lambda value: value.numpy().copy(),
        given_gradients=GivenGradients,
        dropped=dropped,
        watch_dropout=watch_dropout,
        random_numbers_after=random_numbers_after,
        weights="canonical_parameters",
        read="forward",
    )
