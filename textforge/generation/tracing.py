"""A trace of tokens drawn: the model's distribution, each sampler's effect on it, and the draw."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from textforge.encoders.base import Encoder
from textforge.generation.distribution import Distribution
from textforge.generation.watching import DrawnToken, PartOpinion, Stage

TOP = 10
"""The greatest number of tokens in a list."""


def trace(drawn: DrawnToken, encoder: Encoder, top: int = TOP) -> dict[str, Any]:
    """Return the trace of a token that was drawn, ready for JSON.

    ``number`` is the text's; ``step`` counts the tokens before. ``model`` is the model's distribution. ``samplers``
    holds, in order, the tokens that each ruled out, with their probabilities just before that sampler, and the entropy
    before and after it. ``left`` is the distribution that the token was drawn from. ``drawn`` is the token, its
    probability before and after the chain, and the number in [0, 1) that chose it. Where the model is made of others,
    ``parts`` has, in order, each one's name, its weight, its distribution, and the probability that it gave the token
    that was drawn. Entropy is in bits. Lists hold the
    `top` likeliest tokens, so that a trace is of bounded size. Figures of a broken distribution are None.
    """
    before = drawn.before
    samplers = []
    for stage in drawn.stages:
        samplers.append(_describe_stage(stage, before, encoder, top))
        before = stage.left
    parts = [_describe_opinion(opinion, drawn.id, encoder, top) for opinion in drawn.opinions]
    return {
        "number": drawn.number,
        "step": drawn.step,
        "model": _describe_distribution(drawn.before, encoder, top),
        **({"parts": parts} if parts else {}),
        "samplers": samplers,
        "left": _describe_distribution(drawn.after, encoder, top),
        "drawn": {
            "id": drawn.id,
            "text": encoder.token_text(drawn.id),
            "before": _round(drawn.before.probabilities[drawn.id]),
            "after": _round(drawn.after.probabilities[drawn.id]),
            "random": drawn.uniform,
        },
    }


def _describe_distribution(distribution: Distribution, encoder: Encoder, top: int) -> dict[str, Any]:
    return {
        "entropy": _round(distribution.entropy),
        "tokens": int(distribution.possible.sum()),
        "top": _list_tokens(distribution, encoder, top),
    }


def _describe_opinion(opinion: PartOpinion, id: int, encoder: Encoder, top: int) -> dict[str, Any]:
    return {
        "part": opinion.part,
        "weight": _round(opinion.weight),
        **_describe_distribution(opinion.said, encoder, top),
        "drawn": _round(opinion.said.probabilities[id]),
    }


def _describe_stage(stage: Stage, before: Distribution, encoder: Encoder, top: int) -> dict[str, Any]:
    removed = before.possible & ~stage.left.possible
    return {
        "sampler": stage.sampler.spec,
        "removed": {
            "tokens": int(removed.sum()),
            "probability": _round(before.probabilities[removed].sum()),
            "top": _list_tokens(before, encoder, top, removed),
        },
        "entropy": {"before": _round(before.entropy), "after": _round(stage.left.entropy)},
    }


def _list_tokens(
    distribution: Distribution, encoder: Encoder, top: int, among: npt.NDArray[Any] | None = None
) -> list[dict[str, Any]]:
    return [
        {"id": id, "text": encoder.token_text(id), "probability": _round(distribution.probabilities[id])}
        for id in distribution.likeliest(top, among).tolist()
    ]


def _round(value: float) -> float | None:
    """Return the value to six digits, as many as a person compares; None where it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
