"""The architecture ``mix``: the mixture of other models.

With p the probabilities of a token by each part, and w the coefficients:

    linear      log(w[0] p[0] + w[1] p[1] + …)
    geometric   w[0] log p[0] + w[1] log p[1] + …, up to what is the same for all tokens

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data", 1980; Hinton,
"Products of experts", 1999; with a negative coefficient, Li et al., "Contrastive decoding", 2023.
"""

from __future__ import annotations

import math

from textforge.architectures.composite import Composite
from textforge.components.component import option
from textforge.errors import OptionError

KINDS = ("linear", "geometric")
SLACK = 1e-6
"""The distance from 1 at which the sum of a linear mixture's coefficients is still taken for 1."""


class Mix(Composite):
    """Models mixed by their probabilities, or by the logarithms of these.

    >>> import textforge
    >>> from textforge.architectures.composite import describe_part
    >>> lstm, ngram = textforge.Plugins().architecture("lstm:8"), textforge.Plugins().architecture("ngram")
    >>> parts = [describe_part(each.create(vocabulary_size=5, seed=1), None) for each in (lstm, ngram)]
    >>> Mix(parts=parts, coefficients=(0.75, 0.25)).part_names
    ('lstm', 'ngram')
    """

    name = "mix"

    coefficients: tuple[float, ...] = option(
        help="Weight of each part: shares of 1 where it is linear, any numbers where it is geometric.",
        gt=-math.inf,
        lt=math.inf,
    )
    kind: str = option(
        default="linear", choices=KINDS, help="Mixture of probabilities, or of their logarithms, which is geometric."
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if wrong := find_fault(self.coefficients, self.kind, len(self.parts)):
            raise OptionError(f"{self.title()}coefficients {wrong}")


def find_fault(coefficients: tuple[float, ...], kind: str, parts: int) -> str:
    """Return what is wrong with the coefficients of so many parts, and what to do; nothing where they are sound.

    >>> find_fault((0.5, 0.4), "linear", 2)
    'must sum to 1 in a linear mixture, got 0.9; as shares they are 0.555556,0.444444'
    """
    if len(coefficients) != parts:
        return f"must be one for each of {parts} models, got {len(coefficients)}"
    if not any(coefficients):
        return "must not all be 0"
    if kind != "linear":
        return ""
    if min(coefficients) < 0:
        return f"must be >= 0 in a linear mixture, got {min(coefficients):g}; a geometric one takes negative ones"
    total = math.fsum(coefficients)
    if abs(total - 1) > SLACK:
        shares = ",".join(f"{each / total:.6g}" for each in coefficients)
        return f"must sum to 1 in a linear mixture, got {total:g}; as shares they are {shares}"
    return ""
