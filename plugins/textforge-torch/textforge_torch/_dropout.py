"""Dropout whose masks depend on nothing but the seed and the step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LEVELS = 1 << 16
"""On a CPU, a share is dropped to within one part of so many: 16 random bits decide."""


class SeededDropout:
    """Dropout with a generator of its own, so that PyTorch's global one is neither used nor changed.

    On a CPU the bits come from NumPy: at these sizes PyTorch's `bernoulli_` takes a tenth of a training step.
    """

    def __init__(self, share: float, seed: int, device: torch.device) -> None:
        self._keep = 1.0 - share
        self._seed = seed
        self._device = device
        self._bits: np.random.BitGenerator | None = None
        self._generator = torch.Generator(device)

    def at_step(self, step: int) -> SeededDropout:
        """Ready for the masks of a step."""
        seeds = np.random.SeedSequence((self._seed, step))
        if self._device.type == "cpu":
            self._bits = np.random.SFC64(seeds)
        else:
            self._generator.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))
        return self

    def __call__(self, values: Tensor) -> Tensor:
        """The values, some set to zero and the others scaled up so that the mean stays."""
        if self._bits is None:
            mask = torch.empty_like(values).bernoulli_(self._keep, generator=self._generator)
            return values * mask.div_(self._keep)
        kept = max(1, round(self._keep * LEVELS))
        raw = self._bits.random_raw(-(-values.numel() // 4)).view(np.uint16)[: values.numel()]
        mask = torch.from_numpy(raw < kept).view(values.shape).to(values.dtype)
        return values * mask.mul_(LEVELS / kept)
