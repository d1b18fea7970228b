"""The contract: what a plugin may register.

A plugin is a module with functions of these names, each marked with `textforge.hookimpl`. Every
hook is given a function `register` and calls it once for each class it brings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from textforge.backends.base import Backend
    from textforge.corpora.base import Corpus
    from textforge.encoders.base import Encoder
    from textforge.samplers.base import Sampler

PROJECT = "textforge"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_corpora(register: Callable[[type[Corpus]], None]) -> None:
    """Register corpora: where text comes from."""


@hookspec
def register_encoders(register: Callable[[type[Encoder]], None]) -> None:
    """Register encoders: how text becomes token ids, and back."""


@hookspec
def register_backends(register: Callable[[type[Backend]], None]) -> None:
    """Register backends: what makes, trains and runs models."""


@hookspec
def register_samplers(register: Callable[[type[Sampler]], None]) -> None:
    """Register samplers: how logits are reshaped before a token is drawn."""
