"""Greedy: always the likeliest token."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.samplers.base import Context, Logits, Sampler


class Greedy(Sampler):
    """Keep only the likeliest token; among equals, the one with the lowest id.

    >>> Greedy()(np.array([[0.5, 2.0, 2.0]]), None)
    array([[-inf,   2., -inf]])
    """

    name: ClassVar[str] = "greedy"

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the logits, (B, V), with one finite a row."""
        only = np.empty(logits.shape)
        only.fill(-np.inf)
        for row, best in enumerate(logits.argmax(axis=-1).tolist()):
            only[row, best] = logits[row, best]
        return only
