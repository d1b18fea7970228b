"""The surprise of tokens in bits, and a bound of it that follows what was drawn, for samplers that steer by it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.samplers.base import Context, Logits
from textforge.samplers.rows import log_softmax


def surprise_in_bits(logits: Logits) -> Logits:
    """Return the surprise of each token, -log2 p, (B, V); infinite for what is ruled out.

    >>> surprise_in_bits(np.log([[0.5, 0.25, 0.25]])).round(6)
    array([[1., 2., 2.]])
    """
    with np.errstate(over="ignore"):
        surprises: Logits = log_softmax(logits) / -math.log(2)
    return surprises


def follow_surprise(context: Context, rows: int, tau: float, eta: float) -> npt.NDArray[np.float64]:
    """Return Mirostat's greatest surprise, mu, of each of `rows` texts after the token drawn last, (B,), in bits.

    It is 2 `tau` before the first; then it falls by `eta` times how much the token's surprise, which
    `remember_surprises` kept, exceeded `tau`.
    """
    state: dict[str, Any] = context.state
    if "mu" not in state:
        return np.full(rows, 2 * tau)
    drawn = state["surprises"][np.arange(rows), context.tokens[:, -1]]
    with np.errstate(over="ignore"):
        moved = state["mu"] - eta * (drawn - tau)
    found: npt.NDArray[np.float64] = np.where(np.isfinite(moved), moved, state["mu"])
    return found


def remember_surprises(context: Context, mu: npt.NDArray[np.float64], logits: Logits) -> None:
    """Keep mu, (B,), and what the surprise of each token would be by these logits, (B, V), for the next step."""
    context.state["mu"] = mu
    context.state["surprises"] = surprise_in_bits(logits)
