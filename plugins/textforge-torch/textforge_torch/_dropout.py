"""Dropout whose masks depend on nothing but the seed and the step."""

from __future__ import annotations

import torch
from torch import Tensor

from textforge.backends.dropout import DropoutMasks, make_dropout_seed


class SeededDropout:
    """Dropout that neither uses nor changes PyTorch's global random numbers.

    On a CPU the masks are the core's, and so the same in every backend; elsewhere a generator of its own draws them.
    """

    def __init__(self, share: float, seed: int, device: torch.device) -> None:
        self._share = share
        self._seed = seed
        self._device = device
        self._masks: DropoutMasks | None = None
        self._generator = torch.Generator(device)

    def at_step(self, step: int) -> SeededDropout:
        """Seed the masks of a step, and return itself."""
        if self._device.type == "cpu":
            self._masks = DropoutMasks(self._share, self._seed, step)
        else:
            self._generator.manual_seed(make_dropout_seed(self._seed, step))
        return self

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, some set to zero and the others scaled up so that the mean stays."""
        if self._masks is None:
            mask = torch.empty_like(values).bernoulli_(1.0 - self._share, generator=self._generator)
            return values * mask.div_(1.0 - self._share)
        mask = torch.from_numpy(self._masks(tuple(values.shape))).to(values.dtype)
        return values * mask.mul_(self._masks.scale)
