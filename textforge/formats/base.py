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
from textforge.errors import ExportError
from textforge.model import Array, Arrays, SavedModel

ReadBack = Callable[[Array, Arrays | None], tuple[Array, Arrays | None]]
"""Computes logits by a file that was written and read back.

From ids, (B, T), and a state to the logits after each token, (B, T, V), and the state after the last. States are arrays
by canonical name, of the shapes that the architecture declares; None stands for the state before the first token. A
file that takes no state up, and so always reads from the beginning, gives None after the logits.
"""


class Format(Component):
    """A kind of file that other programs read.

    `write` writes it and gives a way to compute logits by the file, read back: the core compares them with the model's
    own, on text that the model writes, and keeps the file only if they agree.
    """

    description: ClassVar[str]
    """The file, as a noun phrase."""
    suffix: ClassVar[str | None] = None
    """The ending of a file's name, such as ``.onnx``; None where its readers take any."""
    any_architecture: ClassVar[bool] = False
    """Whether it writes models of every architecture, without an implementation for each."""

    def check_path(self, path: Path) -> None:
        """Raise `textforge.errors.ExportError` for a file's name that readers of the format would misunderstand."""
        if self.suffix is not None and path.suffix != self.suffix:
            stem = path.stem if path.suffix[1:2].isalpha() else path.name  # "model.pt", but "model-1.2"
            raise ExportError(
                f"a file of the format {self.name} must end in {self.suffix}, got {path.name}: call it "
                f"{stem}{self.suffix}"
            )

    def require(self) -> None:
        """Raise `textforge.errors.BackendError` where a package that writes it is missing.

        Called before an implementation is imported; nothing is needed unless overridden. `textforge.Framework` says in
        one line which command installs a package.
        """

    @abstractmethod
    def write(
        self, saved: SavedModel, architecture: Architecture, implementation: Any, path: Path, about: Mapping[str, Any]
    ) -> ReadBack | SavedModel:
        """Write a model, and return a way to compute its logits by the file, or the model that was read back from it.

        The weights of `saved` have been checked by its architecture. `implementation` is what
        `register_implementations` names for the format and the architecture, imported; None where `any_architecture`.
        `about` says of the model what the file should say, as JSON has it. `path` is an empty file. Raises `OSError` as
        the system does, and `textforge.errors.ExportError` for a model that the format can't hold.
        """
