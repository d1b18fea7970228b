"""The format ``keras``: a functional model of Keras's own layers, from token ids to logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import textforge
from textforge.formats.base import ReadBack

if TYPE_CHECKING:
    import keras


class KerasFormat(textforge.Format):
    """Writes a model that Keras loads where there is no textforge.

    Its implementations are functions from a saved model and its architecture to a `keras.Model` of Keras's own layers,
    from ids, (B, T), to logits, (B, T, V). Such a file reads every text from the beginning.

    >>> KerasFormat().suffix
    '.keras'
    """

    name = "keras"
    description = "a model of Keras's own layers, which keras.models.load_model loads"
    suffix = ".keras"

    def require(self) -> None:
        from textforge_keras._framework import require_keras

        require_keras(self.name)

    def write(
        self,
        saved: textforge.SavedModel,
        architecture: textforge.Architecture,
        implementation: Callable[[textforge.SavedModel, Any], keras.Model],
        path: Path,
        about: Mapping[str, Any],
    ) -> ReadBack:
        from textforge_keras._export import read_keras, write_keras

        write_keras(lambda: implementation(saved, architecture), path, about)
        return read_keras(path)
