"""Plain functions as samplers, for the library: a class and a plugin are needed only to be named on a command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from textforge.components.component import learned
from textforge.encoders.base import Encoder
from textforge.errors import GenerationError
from textforge.samplers.base import Context, Logits, Sampler

SamplerFunction = Callable[[Logits, Context], Logits]
"""Reshapes logits, (B, V) float64 and read-only, as a `Sampler` does."""


class FunctionSampler(Sampler):
    """A sampler that calls a function; a spec can't name it.

    >>> import numpy as np
    >>> sampler = FunctionSampler(function=lambda logits, context: logits / 2)
    >>> sampler(np.array([[1.0, 2.0]]), None)
    array([[0.5, 1. ]])
    """

    name = "function"
    function: Any = learned()

    def __call__(self, logits: Logits, context: Context) -> Logits:
        reshaped: Logits = self.function(logits, context)
        return reshaped

    def check(self, encoder: Encoder | None) -> None:
        """Raise `GenerationError` for a function that can't be called with logits and context."""
        try:
            inspect.signature(self.function).bind(None, None)
        except TypeError:
            raise GenerationError(f"the sampler {self.spec} must take two arguments, (logits, context)") from None
        except ValueError:  # written in C, without a signature: the first call will tell
            return

    @property
    def spec(self) -> str:
        """The function's name: what messages call it."""
        return f"{getattr(self.function, '__name__', type(self.function).__name__)}()"

    def __repr__(self) -> str:
        return f"FunctionSampler({self.function!r})"


def wrap_functions(samplers: Any) -> Any:
    """Return samplers, as they were asked for, with each function among them wrapped."""
    if isinstance(samplers, (str, Sampler, type)):
        return samplers
    if isinstance(samplers, Sequence):
        return [wrap_functions(part) for part in samplers]
    return FunctionSampler(function=samplers) if callable(samplers) else samplers
