"""A sampler as a plugin: min-p (Nguyen et al., "Turning up the heat", 2024)."""

import numpy as np

import textforge


class MinP(textforge.Sampler):
    """Keep the tokens at least `p` times as likely as the likeliest one."""

    name = "min-p"
    p: float = textforge.option(default=0.05, gt=0, le=1, help="Floor, relative to the likeliest token.")

    def __call__(self, logits, context):
        floor = logits.max(axis=-1, keepdims=True) + np.log(self.p)
        return np.where(logits < floor, -np.inf, logits)


@textforge.hookimpl
def register_samplers(register):
    register(MinP)
