"""A task: a request made ready for the token loop."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from textforge.encoders.base import Encoder, Ids
from textforge.generation.chain import make_chain
from textforge.generation.healing import split_prompt
from textforge.generation.request import Request
from textforge.generation.unreachable import warn_of_unreachable
from textforge.model import Model
from textforge.samplers.base import Sampler

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins


@attrs.frozen(eq=False)
class Task:
    """A request, ready for the token loop."""

    model: Model
    encoder: Encoder
    prompt: Ids
    """Token ids, at least one."""
    samplers: Sequence[Sampler]
    """The chain, expanded."""
    max_tokens: int
    stops: Sequence[str]
    seed: int
    prompt_end: str = ""
    """The end of the prompt, which was taken back, and which each text has to begin with; it doesn't show."""


def make_task(model: Model, encoder: Encoder, request: Request, plugins: Plugins | None = None) -> Task:
    """Return the task of a request, its prompt encoded, its chain expanded, and a seed drawn where none was given.

    Raises `EncodingError` for characters of the prompt that the vocabulary lacks, and the errors of the chain. Warns
    with a `TextforgeWarning` of a stop text that can never come.
    """
    prompt, end = split_prompt(encoder, request.prompt, request.unknown)
    task = Task(
        model=model,
        encoder=encoder,
        max_tokens=request.max_tokens,
        stops=request.stop,
        seed=secrets.randbits(32) if request.seed is None else request.seed,
        samplers=make_chain(request.samplers, encoder, plugins),
        prompt=prompt,
        prompt_end=end,
    )
    warn_of_unreachable(task.stops, encoder)
    return task
