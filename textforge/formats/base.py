"""The format interface: a kind of file that a model is exported to.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textforge.architectures.base import Architecture
from textforge.components.component import Component
from textforge.model import Array, Arrays, SavedModel

ReadBack = Callable[[Array, Arrays], tuple[Array, Arrays]]
"""Computes logits by a file that was written and read back: from ids, (B, T), and a state under canonical names to the
logits after each token, (B, T, V), and the state after the last."""


class Format(Component):
    """A kind of file that other programs read.

    `write` writes it and gives a way to compute logits by the file, read back: the core compares them with the model's
    own, and keeps the file only if they agree.
    """

    description: ClassVar[str]
    """What the file is, as a noun phrase."""
    any_architecture: ClassVar[bool] = False
    """Whether it writes models of every architecture; else `write` is given the implementation that
    `register_implementations` names for the format and the architecture."""

    def check_path(self, path: Path) -> None:
        """Raise `textforge.errors.ExportError` for a file's name that readers of the format would refuse."""

    @abstractmethod
    def write(
        self, saved: SavedModel, architecture: Architecture, implementation: Any, path: Path, about: Mapping[str, Any]
    ) -> ReadBack | SavedModel:
        """Write a model, and return a way to compute its logits by the file, or the model that was read back from it.

        `about` says of the model what the file should say, as JSON has it. `path` is an empty file. Raises `OSError` as
        the system does, and `textforge.errors.BackendError` where a package that writes it is missing.
        """
