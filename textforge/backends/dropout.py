"""Dropout masks that depend on the seed and the step alone, and are the same in every framework."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 1 << 16
"""The parts to which a share is rounded, as 16 random bits decide."""


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
        """The factor of the values that are kept, so that the mean stays."""

    def __call__(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return the next mask of the step, of this shape: true for values that are kept."""
        size = int(np.prod(shape))
        raw = self._bits.random_raw(-(-size // 4)).view(np.uint16)[:size]
        mask: npt.NDArray[np.bool_] = (raw < self._kept).reshape(shape)
        return mask


def make_dropout_seed(seed: int, step: int) -> int:
    """Return a seed of 64 bits for the masks of a step, for a device that can't take them from NumPy."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0])
