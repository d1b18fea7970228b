"""A chain of samplers, expanded, and applied to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from textforge.components.spec import write_chain
from textforge.encoders.base import Encoder
from textforge.errors import GenerationError, TextforgeError
from textforge.generation.context import RowContext
from textforge.generation.function import SamplerFunction, wrap_functions
from textforge.generation.history import History
from textforge.samplers.base import Logits, Sampler

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins

Samplers = str | Sampler | SamplerFunction | Sequence[str | Sampler | SamplerFunction]
"""A spec, a sampler, a function of (logits, context), or a sequence of these; a spec may be a whole chain."""

_DEEPEST = 20
_FLOAT64 = np.dtype(np.float64)


def parse_samplers(samplers: Samplers, plugins: Plugins | None = None) -> list[Sampler]:
    """Return the samplers that were asked for, specs looked up and functions wrapped; presets stay as they are.

    Raises `PluginError` for what is no sampler, and what a spec raises.
    """
    from textforge.plugins.registry import Plugins  # imports what only a spec needs

    return (plugins or Plugins()).chain(wrap_functions(samplers))


def make_chain(samplers: Samplers, encoder: Encoder | None, plugins: Plugins | None = None) -> list[Sampler]:
    """Return the chain that was asked for, looked up, expanded, and found to work with this encoder."""
    chain = expanded(parse_samplers(samplers, plugins))
    for sampler in chain:
        sampler.check(encoder)
    return chain


def expanded(samplers: Sequence[Sampler], depth: int = 0) -> list[Sampler]:
    """Return the samplers, each preset replaced by its chain, and that chain's presets by theirs.

    Raises `GenerationError` for presets that contain themselves.
    """
    found: list[Sampler] = []
    for sampler in samplers:
        parts = _parts(sampler)
        if len(parts) == 1 and parts[0] is sampler:
            found.append(sampler)
        elif depth == _DEEPEST:
            raise GenerationError(f"the preset {sampler.name} contains itself, or is nested more than {_DEEPEST} deep")
        else:
            found.extend(expanded(parts, depth + 1))
    return found


def _parts(sampler: Sampler) -> Sequence[Sampler]:
    parts = sampler.expand()
    if not isinstance(parts, Sequence) or not all(isinstance(part, Sampler) for part in parts):
        raise GenerationError(f"the preset {sampler.name} must expand to a sequence of samplers, got {parts!r}")
    return parts


class Chain:
    """Samplers in order, each with its context, for one batch of texts."""

    def __init__(
        self,
        samplers: Sequence[Sampler],
        history: History,
        *,
        seed: int,
        texts: Sequence[int],
        encoder: Encoder | None,
        position: int = 0,
    ) -> None:
        """`position` is that of the first sampler, where these are the rest of a longer chain."""
        self._links = [
            (sampler, RowContext(history, seed=seed, texts=texts, position=place, encoder=encoder))
            for place, sampler in enumerate(samplers, position)
        ]

    def __call__(self, logits: Logits, step: int) -> Logits:
        """Return what the last sampler leaves of the logits, (B, V), which are read-only.

        Raises `GenerationError`, naming the sampler, where one fails or gives anything but (B, V) float64.
        """
        shape = logits.shape
        for sampler, context in self._links:
            context.step = step
            if logits.flags.writeable:  # a sampler's own array: a view leaves it writable to that sampler
                logits = logits.view()
                logits.flags.writeable = False
            try:
                logits = sampler(logits, context)
                right = logits.shape == shape and logits.dtype == _FLOAT64
            except TextforgeError:
                raise
            except Exception as error:
                raise GenerationError(_failure(sampler, step, logits, error)) from error
            if not right:
                raise GenerationError(
                    f"the sampler {sampler.spec} must give logits of shape {shape}, float64, "
                    f"got shape {logits.shape}, {logits.dtype}, at step {step}"
                )
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but these.

        Raises `GenerationError`, naming the sampler, where what it keeps is not by row.
        """
        for sampler, context in self._links:
            try:
                context.keep(rows)
            except GenerationError as error:
                raise GenerationError(f"the sampler {sampler.spec}: ", *error.args) from None

    def __str__(self) -> str:
        return write_chain([sampler for sampler, _ in self._links]) or "no samplers"


def _failure(sampler: Sampler, step: int, logits: object, error: Exception) -> str:
    if not isinstance(logits, np.ndarray):
        return f"the sampler {sampler.spec} must give an array of logits, got {type(logits).__name__}, at step {step}"
    reason = " ".join(str(error).split())
    return f"the sampler {sampler.spec} failed at step {step}: {type(error).__name__}: {reason}"
