"""The distribution of the next token, as a model or a sampler left it: probabilities and entropy."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Ids
from textforge.samplers.rows import log_softmax

Row = npt.NDArray[np.float64]
"""A number for each token, (V,)."""


class Distribution:
    """The probabilities of the next token of one text, from its logits, (V,).

    Where no token can be drawn from them (NaN, plus infinity, everything ruled out), every figure is NaN.

    >>> distribution = Distribution(np.log([0.5, 0.25, 0.25, 1e-300]))
    >>> round(distribution.entropy, 6), distribution.likeliest(2).tolist()
    (1.5, [0, 1])
    """

    def __init__(self, logits: Row) -> None:
        self._logits = logits
        self._best = float(logits.max())  # NaN where there is one
        self.is_defined = math.isfinite(self._best)

    @functools.cached_property
    def log_probabilities(self) -> Row:
        """Natural logarithms, (V,); minus infinity for what is ruled out."""
        if not self.is_defined:
            return np.full(self._logits.shape, np.nan)
        return log_softmax(self._logits)

    @functools.cached_property
    def probabilities(self) -> Row:
        """They sum to 1, (V,)."""
        probabilities: Row = np.exp(self.log_probabilities)
        return probabilities

    @functools.cached_property
    def entropy(self) -> float:
        """The entropy in bits: 0 for one token, 1 for two that are equally likely."""
        if not self.is_defined:
            return math.nan
        likely = self.probabilities > 0
        nats = -(self.probabilities[likely] * self.log_probabilities[likely]).sum()
        return max(0.0, float(nats) / math.log(2))

    @functools.cached_property
    def possible(self) -> npt.NDArray[np.bool_]:
        """A mask of the tokens that are not ruled out, (V,)."""
        possible: npt.NDArray[np.bool_] = self._logits > -np.inf
        return possible

    def likeliest(self, count: int, among: npt.NDArray[np.bool_] | None = None) -> Ids:
        """Return the ids of the likeliest possible tokens, `among` these, (V,); of equals, the lower id first."""
        if not self.is_defined:
            return np.empty(0, dtype=np.int64)
        ids: Ids = np.flatnonzero(self.possible if among is None else self.possible & among)
        logits = self._logits[ids]
        if len(ids) > count:
            at_least = logits >= np.partition(logits, -count)[-count]
            ids, logits = ids[at_least], logits[at_least]
        return ids[np.argsort(-logits, kind="stable")][:count]
