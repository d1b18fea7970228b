"""Chains of samplers: their expansion, and their application to logits."""

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
from textforge.plugins.blame import blame
from textforge.samplers.base import Logits, Sampler

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins

Samplers = str | Sampler | SamplerFunction | Sequence[str | Sampler | SamplerFunction]
"""A spec, a sampler, a function of (logits, context), or a sequence of these; a spec may be a whole chain."""

_DEEPEST = 20
_FLOAT64 = np.dtype(np.float64)


def parse_samplers(samplers: Samplers, plugins: Plugins | None = None) -> list[Sampler]:
    """Return a chain's samplers, specs looked up and functions wrapped; presets stay as they are.

    Raises `PluginError` for a value that is no sampler, and the errors of a spec.
    """
    from textforge.plugins.registry import Plugins  # imports what only a spec needs

    return (plugins or Plugins()).chain(wrap_functions(samplers))


def make_chain(samplers: Samplers, encoder: Encoder | None, plugins: Plugins | None = None) -> list[Sampler]:
    """Return a chain's samplers, looked up and expanded; raise a `TextforgeError` where one refuses the encoder."""
    chain = expand_presets(parse_samplers(samplers, plugins))
    check_chain(chain, encoder)
    return chain


def check_chain(chain: Sequence[Sampler], encoder: Encoder | None) -> None:
    """Raise a `TextforgeError` where a sampler refuses the encoder."""
    for sampler in chain:
        with blame(sampler, "to check the encoder"):
            sampler.check(encoder)


def expand_presets(samplers: Sequence[Sampler], depth: int = 0) -> list[Sampler]:
    """Return the samplers with each preset replaced by its chain, and that chain's presets by theirs.

    Raises `GenerationError` for presets that contain themselves.
    """
    found: list[Sampler] = []
    for sampler in samplers:
        parts = _expand_once(sampler)
        if len(parts) == 1 and parts[0] is sampler:
            found.append(sampler)
        elif depth == _DEEPEST:
            raise GenerationError(f"the preset {sampler.name} contains itself, or is nested more than {_DEEPEST} deep")
        else:
            found.extend(expand_presets(parts, depth + 1))
    return found


def _expand_once(sampler: Sampler) -> Sequence[Sampler]:
    with blame(sampler, "to expand"):
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
        """Make a context for each sampler; `position` is the first one's, where they are the rest of a longer chain."""
        self._links = [
            (sampler, sampler.__call__, RowContext(history, seed=seed, texts=texts, position=place, encoder=encoder))
            for place, sampler in enumerate(samplers, position)
        ]

    def __call__(self, logits: Logits, step: int) -> Logits:
        """Return the logits as the last sampler leaves them, (B, V); those given must be read-only.

        Raises `GenerationError`, naming the sampler, where one fails or returns anything but (B, V) float64.
        """
        shape = logits.shape
        for sampler, apply, context in self._links:
            context.step = step
            if logits.flags.writeable:  # a sampler's own array: a view leaves it writable to that sampler
                logits = logits.view()
                logits.flags.writeable = False
            try:
                logits = apply(logits, context)
                right = logits.shape == shape and logits.dtype == _FLOAT64
            except TextforgeError:
                raise
            except Exception as error:
                raise GenerationError(_describe_failure(sampler, step, logits, error)) from error
            if not right:
                raise GenerationError(
                    f"the sampler {sampler.spec} must give logits of shape {shape}, float64, "
                    f"got shape {logits.shape}, {logits.dtype}, at step {step}"
                )
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but those of these rows.

        Raises `GenerationError`, naming the sampler, where a value in its `state` is not by row.
        """
        for sampler, _, context in self._links:
            try:
                context.keep(rows)
            except GenerationError as error:
                raise GenerationError(f"the sampler {sampler.spec}: ", *error.args) from None

    def __str__(self) -> str:
        return write_chain([sampler for sampler, *_ in self._links]) or "no samplers"


def _describe_failure(sampler: Sampler, step: int, logits: object, error: Exception) -> str:
    if not isinstance(logits, np.ndarray):
        return f"the sampler {sampler.spec} must give an array of logits, got {type(logits).__name__}, at step {step}"
    reason = " ".join(str(error).split())
    return f"the sampler {sampler.spec} failed at step {step}: {type(error).__name__}: {reason}"
