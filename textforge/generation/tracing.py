"""A trace: what a model thought of a token, what each sampler made of it, and what was drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from textforge.encoders.base import Encoder
from textforge.generation.distribution import Distribution
from textforge.generation.watching import DrawnToken, Stage

TOP = 10
"""Tokens a list shows at most."""


def trace(drawn: DrawnToken, encoder: Encoder, top: int = TOP) -> dict[str, Any]:
    """Return what there is to see of a token that was drawn, ready for JSON.

    ``number`` is the text's, ``step`` how many tokens came before. ``model``: what the model thought. ``samplers``, in
    order: what each ruled out, as likely as it was just before that sampler, and the entropy before and after it.
    ``left``: what the token was drawn from. ``drawn``: the token, its probability before and after the chain, and the
    number in [0, 1) that chose it. Entropy is in bits; lists hold the `top` likeliest tokens, so that a trace of any
    vocabulary is of bounded size; what can't be said of a broken distribution is None.
    """
    before = drawn.before
    samplers = []
    for stage in drawn.stages:
        samplers.append(_sampler(stage, before, encoder, top))
        before = stage.left
    return {
        "number": drawn.number,
        "step": drawn.step,
        "model": _distribution(drawn.before, encoder, top),
        "samplers": samplers,
        "left": _distribution(drawn.after, encoder, top),
        "drawn": {
            "id": drawn.id,
            "text": encoder.token_text(drawn.id),
            "before": _round(drawn.before.probabilities[drawn.id]),
            "after": _round(drawn.after.probabilities[drawn.id]),
            "random": drawn.uniform,
        },
    }


def _distribution(distribution: Distribution, encoder: Encoder, top: int) -> dict[str, Any]:
    return {
        "entropy": _round(distribution.entropy),
        "tokens": int(distribution.possible.sum()),
        "top": _tokens(distribution, encoder, top),
    }


def _sampler(stage: Stage, before: Distribution, encoder: Encoder, top: int) -> dict[str, Any]:
    removed = before.possible & ~stage.left.possible
    return {
        "sampler": stage.sampler.spec,
        "removed": {
            "tokens": int(removed.sum()),
            "probability": _round(before.probabilities[removed].sum()),
            "top": _tokens(before, encoder, top, removed),
        },
        "entropy": {"before": _round(before.entropy), "after": _round(stage.left.entropy)},
    }


def _tokens(
    distribution: Distribution, encoder: Encoder, top: int, among: npt.NDArray[Any] | None = None
) -> list[dict[str, Any]]:
    return [
        {"id": id, "text": encoder.token_text(id), "probability": _round(distribution.probabilities[id])}
        for id in distribution.likeliest(top, among).tolist()
    ]


def _round(value: float) -> float | None:
    """Six digits: what a person compares."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
