"""A sampler as a plugin: p-less sampling (Tan, Wu and Howard, 2025), which has nothing to set.

textforge generate model/ --plugin examples/textforge_p_less.py --sampler "temperature:1.5 | p-less"
"""

import numpy as np

import textforge


class PLess(textforge.Sampler):
    """Keep the tokens at least as likely as two draws are to agree: the sum of all squared probabilities."""

    name = "p-less"

    def __call__(self, logits, context):
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares = weights / weights.sum(axis=-1, keepdims=True)
        least = (shares**2).sum(axis=-1, keepdims=True)  # never more than the largest share
        return np.where(shares < least * (1 - 1e-12), -np.inf, logits)  # a flat row is all its own average


@textforge.hookimpl
def register_samplers(register):
    register(PLess)
