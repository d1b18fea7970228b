"""The layout of weights in NumPy's models, common to their architectures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.model import Array

Numbers = npt.NDArray[np.floating[Any]]

TABLE_BYTES = 1 << 26
"""The size, in bytes, of the largest token table; beyond it the projection is computed each time."""

CACHE_LINE = 64
"""The bytes that a processor reads at once."""


def append_biases(weights: Numbers, biases: Numbers) -> Numbers:
    """Return weights, (N, ·), as a matrix to multiply with from the right, (· + 1, N), its last row the biases."""
    # Where it lay transposed in memory, one row's product would take half as long again.
    matrix = make_aligned((weights.shape[1] + 1, len(weights)), weights.dtype)
    matrix[:-1], matrix[-1] = weights.T, biases
    return matrix


def make_aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Numbers:
    """Return an array, of no numbers in particular, that begins with a cache line, so that it is read faster."""
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + size].view(dtype).reshape(shape)


def make_token_table(embedding: Array | None, projection: Numbers) -> tuple[Numbers, Numbers | None]:
    """Return a table of the lowest layer's inputs by token, (V, N), and None.

    They follow from the embedding, (V, E), and a projection with its biases, (E + 1, N), or from a one-hot projection,
    (V + 1, N). Where the table would be larger than `TABLE_BYTES`, returns the embedding and a one, (V, E + 1), and the
    projection to multiply it with.
    """
    if embedding is None:
        return projection[:-1] + projection[-1], None
    embedding = np.hstack([embedding, np.ones_like(embedding[:, :1])])
    if len(embedding) * projection[0].nbytes > TABLE_BYTES:
        return embedding, projection
    return embedding @ projection, None
