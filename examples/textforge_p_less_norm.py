"""A sampler as a plugin: the relaxed p-less sampling (Tan, Wu and Howard, 2025), which has nothing to set.

textforge generate model/ --plugin examples/textforge_p_less_norm.py --sampler "temperature:1.5 | p-less-norm"
"""

import textforge
from textforge.samplers.rows import rule_out, softmax


class PLessNorm(textforge.Sampler):
    """A cut to the tokens at least as likely as two draws are to agree, less what chance alone makes them agree."""

    name = "p-less-norm"

    def __call__(self, logits, context):
        likely = softmax(logits)
        others = max(logits.shape[1] - 1, 1)
        agreement = (likely**2).sum(axis=-1, keepdims=True)  # never more than the largest share
        return rule_out(logits, likely < agreement - (1 - agreement) / others)


@textforge.hookimpl
def register_samplers(register):
    register(PLessNorm)
