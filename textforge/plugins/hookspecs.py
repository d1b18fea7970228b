"""The contract: what a plugin may register.

A plugin is a module with functions of these names, each marked with `textforge.hookimpl`. Every
hook is given a function `register` and calls it once for each thing it brings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    from textforge.components.component import Component

PROJECT = "textforge"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class RegisterImplementation(Protocol):
    """The function that `register_implementations` is given."""

    def __call__(
        self,
        *,
        backend: str | None = None,
        format: str | None = None,
        architecture: str,
        by: str,
        trains: bool | None = None,
    ) -> None:
        """Register what is imported from the path `by` to compute an architecture on a backend, or write its files."""


class RegisterCommand(Protocol):
    """The function that `register_commands` is given."""

    def __call__(self, name: str, by: str, summary: str | None = None) -> None:
        """Register the click command that is imported from the path `by` when ``textforge NAME`` is run."""


@hookspec
def register_corpora(register: Callable[[type[Component]], None]) -> None:
    """Register corpora: where text comes from."""


@hookspec
def register_encoders(register: Callable[[type[Component]], None]) -> None:
    """Register encoders: how text becomes token ids, and back."""


@hookspec
def register_architectures(register: Callable[[type[Component]], None]) -> None:
    """Register architectures: what a model is, apart from what computes it."""


@hookspec
def register_backends(register: Callable[[type[Component]], None]) -> None:
    """Register backends: what makes, trains and runs models."""


@hookspec
def register_implementations(register: RegisterImplementation) -> None:
    """Register implementations, each an architecture on a backend, by import path.

    ``register(backend="torch", architecture="gru", by="textforge_gru.torch_network:GRUNetwork")``; the path is
    imported when a model is made. What a format needs of an architecture is registered with ``format="onnx"`` in the
    backend's place, and imported when a model is exported.
    """


@hookspec
def register_samplers(register: Callable[[type[Component]], None]) -> None:
    """Register samplers: how logits are reshaped before a token is drawn."""


@hookspec
def register_formats(register: Callable[[type[Component]], None]) -> None:
    """Register formats: kinds of file that a model is exported to."""


@hookspec
def register_reports(register: Callable[[type[Component]], None]) -> None:
    """Register reports: what watches a training run."""


@hookspec
def register_metrics(register: Callable[[type[Component]], None]) -> None:
    """Register metrics: rows of the table that evaluate prints."""


@hookspec
def register_commands(register: RegisterCommand) -> None:
    """Register commands of ``textforge``, each a click command, by import path.

    ``register("vocabulary", "textforge_vocabulary:command", "List a model's tokens.")``; the path is imported when the
    command is run. ``textforge --help`` lists commands that an entry point of the group ``textforge.commands`` names,
    since it imports no plugin, and those of plugins that ``--plugin`` names.
    """
