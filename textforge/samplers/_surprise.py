"""What both versions of Mirostat share: a greatest surprise that follows what was drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.samplers._rows import log_probabilities
from textforge.samplers.base import Context, Logits


def followed(context: Context, rows: int, tau: float, eta: float) -> npt.NDArray[np.float64]:
    """Mu after the token drawn last, (B,); 2 tau before the first."""
    state: dict[str, Any] = context.state
    if "mu" not in state:
        return np.full(rows, 2 * tau)
    drawn = state["surprises"][np.arange(rows), context.tokens[:, -1]]
    with np.errstate(over="ignore"):
        moved = state["mu"] - eta * (drawn - tau)
    found: npt.NDArray[np.float64] = np.where(np.isfinite(moved), moved, state["mu"])
    return found


def remember(context: Context, mu: npt.NDArray[np.float64], logits: Logits) -> None:
    """Keep mu, and what each token's surprise would be, in bits, for the next step."""
    context.state["mu"] = mu
    context.state["surprises"] = bits(logits)


def bits(logits: Logits) -> Logits:
    """The surprise of each token, -log2 p, (B, V); infinite for what is ruled out."""
    with np.errstate(over="ignore"):
        surprises: Logits = log_probabilities(logits) / -math.log(2)
    return surprises
