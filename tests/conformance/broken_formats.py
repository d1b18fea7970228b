"""For each check of a format, a format that fails it and passes the others."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

import textforge
from textforge.errors import BackendError
from textforge.model import SavedModel


class GoodFormat(textforge.Format):
    """The weights as NumPy writes them."""

    name = "good"
    description = "weights, as NumPy has them"
    suffix: ClassVar[str | None] = ".npz"
    any_architecture = True

    def write(
        self, saved: SavedModel, architecture: Any, implementation: Any, path: Path, about: Mapping[str, Any]
    ) -> SavedModel:
        with path.open("wb") as file:
            np.savez(file, **saved.arrays)
        with np.load(path) as arrays:
            return attrs.evolve(saved, arrays=dict(arrays))


class Trusting(GoodFormat):
    """Writes the file, and gives back the model it was given."""

    def write(self, saved: SavedModel, *arguments: Any) -> SavedModel:
        super().write(saved, *arguments)
        return saved


class Nothing(GoodFormat):
    """Writes no file, and gives back a copy of the model it was given."""

    def write(self, saved: SavedModel, *arguments: Any) -> SavedModel:
        return copy.deepcopy(saved)


class Random(GoodFormat):
    """Writes bytes that have nothing to do with the model."""

    def write(self, saved: SavedModel, architecture: Any, implementation: Any, path: Path, about: Any) -> SavedModel:
        path.write_bytes(bytes(sum(array.nbytes for array in saved.arrays.values())))
        return copy.deepcopy(saved)


class Littering(GoodFormat):
    """Keeps the names of the weights in a second file."""

    def write(
        self, saved: SavedModel, architecture: Any, implementation: Any, path: Path, about: Mapping[str, Any]
    ) -> SavedModel:
        path.with_suffix(".txt").write_text("\n".join(saved.arrays), encoding="utf-8")
        return super().write(saved, architecture, implementation, path, about)


class Scaling(GoodFormat):
    """Changes the weights as it writes them."""

    def write(
        self, saved: SavedModel, architecture: Any, implementation: Any, path: Path, about: Mapping[str, Any]
    ) -> SavedModel:
        for array in saved.arrays.values():
            array *= 2
        return super().write(saved, architecture, implementation, path, about)


class AnyEnding(GoodFormat):
    """Takes every name of a file."""

    def check_path(self, path: Path) -> None:
        pass


class Nameless(GoodFormat):
    """Doesn't say what its file is."""

    description = ""


class Missing(GoodFormat):
    """Needs a package that isn't there."""

    def require(self) -> None:
        raise BackendError("the format good needs a package, which is not installed: run `pip install it`")


BROKEN = [
    (Trusting(), "use"),
    (Nothing(), "weights written"),
    (Random(), "weights written"),
    (Littering(), "one file"),
    (Scaling(), "model untouched"),
    (AnyEnding(), "other endings refused"),
    (Nameless(), "description"),
    (Missing(), "use"),
]
