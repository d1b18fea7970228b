"""Dropout masks that depend on nothing but the seed and the step, the same in every framework."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 1 << 16
"""A share is dropped to within one part of so many: 16 random bits decide."""


class DropoutMasks:
    """The masks of one training step, made from NumPy's raw bits.

    At the sizes of a text model on a CPU that is faster than a framework's own: PyTorch's `bernoulli_` takes a tenth
    of a training step.

    >>> masks = DropoutMasks(0.25, seed=1, step=0)
    >>> kept = masks((200, 500))
    >>> round(float(kept.mean()), 2), round(masks.scale, 3)
    (0.75, 1.333)
    """

    def __init__(self, share: float, seed: int, step: int) -> None:
        self._kept = max(1, round((1.0 - share) * LEVELS))
        self._bits = np.random.SFC64(np.random.SeedSequence((seed, step)))
        self.scale = LEVELS / self._kept
        """What the values that are kept are multiplied with, so that the mean stays."""

    def __call__(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """The next mask of the step: which values are kept."""
        size = int(np.prod(shape))
        raw = self._bits.random_raw(-(-size // 4)).view(np.uint16)[:size]
        mask: npt.NDArray[np.bool_] = (raw < self._kept).reshape(shape)
        return mask


def dropout_seed(seed: int, step: int) -> int:
    """64 bits from which a device that can't take masks from NumPy draws those of a step."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0])
