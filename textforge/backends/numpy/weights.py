"""How NumPy's models lay out weights: what is common to their architectures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.model import Array

Numbers = npt.NDArray[np.floating[Any]]

TABLE_BYTES = 1 << 26
"""The largest table of what each token is to the lowest layer; beyond it the projection is computed each time."""


def with_biases(weights: Numbers, biases: Numbers) -> Numbers:
    """Weights, (N, ·), as a matrix to multiply with from the right, (· + 1, N), its last row the biases."""
    # Where it lay transposed in memory, one row's product would take half as long again.
    return np.ascontiguousarray(np.vstack([weights.T, biases]))


def token_table(embedding: Array | None, projection: Numbers) -> tuple[Numbers, Numbers | None]:
    """What each token is to the lowest layer, (V, N), by a projection with its biases, (E + 1, N), or (V + 1, N).

    Where that is too large: the embedding and a one, (V, E + 1), and the projection to multiply it with.
    """
    if embedding is None:
        return projection[:-1] + projection[-1], None
    embedding = np.hstack([embedding, np.ones_like(embedding[:, :1])])
    if len(embedding) * projection[0].nbytes > TABLE_BYTES:
        return embedding, projection
    return embedding @ projection, None
