"""The mixing of a model that is made of others: how well these and it predict the text that it was fitted to."""

from __future__ import annotations

from typing import Any

import attrs

from textforge.architectures.composite import Part
from textforge.architectures.mix import Mix
from textforge.model import SavedModel


@attrs.frozen
class Mixing:
    """The figures of a mixture, on a text that none of its parts has learnt; None where nothing was measured."""

    names: tuple[str, ...]
    """The parts: their folders, or specs of what was trained."""
    loss: float | None = None
    """Mean negative log-likelihood, in nats a token."""
    losses: tuple[float, ...] | None = None
    """The loss of each part by itself."""
    tokens: int | None = None
    """The number of tokens predicted."""
    trained: bool = False
    """True where the first part is what the run trained, and goes on training when it is resumed."""


def split_mix(saved: SavedModel) -> list[Part]:
    """Return the parts of a mixture; raises `BundleError` where it is none, or damaged."""
    return Mix.of(saved).split(saved)


def read_mix(options: dict[str, Any]) -> Mix:
    """Return the mixture that a model's options describe; raises `BundleError` where they are none of one."""
    return Mix.of(SavedModel(Mix.name, options, 1, {}))
