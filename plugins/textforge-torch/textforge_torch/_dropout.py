"""Dropout whose masks depend on nothing but the seed and the step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class SeededDropout:
    """Dropout with a generator of its own, so that PyTorch's global one is neither used nor changed."""

    def __init__(self, share: float, seed: int, device: torch.device) -> None:
        self._keep = 1.0 - share
        self._seed = seed
        self._generator = torch.Generator(device)

    def at_step(self, step: int) -> SeededDropout:
        """Ready for the masks of a step."""
        mixed = np.random.SeedSequence((self._seed, step)).generate_state(1, np.uint64)[0]
        self._generator.manual_seed(int(mixed))
        return self

    def __call__(self, values: Tensor) -> Tensor:
        """The values, some set to zero and the others scaled up so that the mean stays."""
        mask = torch.empty_like(values).bernoulli_(self._keep, generator=self._generator)
        return values * mask.div_(self._keep)
