"""Samplers: how logits are reshaped before a token is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.samplers.base import Sampler


@hookimpl
def register_samplers(register: Callable[[type[Sampler]], None]) -> None:
    """Register the samplers that come with textforge."""
    from textforge.samplers.greedy import Greedy
    from textforge.samplers.temperature import Temperature
    from textforge.samplers.top_k import TopK

    register(Greedy)
    register(Temperature)
    register(TopK)
