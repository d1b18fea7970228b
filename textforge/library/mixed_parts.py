"""The models that are to be mixed, and the refusal of those that don't fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from textforge.architectures.composite import Part
from textforge.backends.base import Backend
from textforge.backends.choose import choose_part_runner, load_model, restore_architecture
from textforge.bundle import Ancestor, Bundle, BundleContents, Results
from textforge.encoders.base import Encoder
from textforge.errors import BundleError, TrainingError
from textforge.model import Model
from textforge.plugins.registry import Plugins

if TYPE_CHECKING:
    from textforge.library.generator import TextGenerator

SHOWN = 5
"""The most tokens that an error lists."""


@attrs.frozen(eq=False)
class MixedPart:
    """A model that is to be mixed."""

    name: str
    """Its folder, or its place where a program had it in hand."""
    contents: BundleContents
    sha256: str | None = None
    """The hash of its weights' file."""

    def load(self, backend: Backend, plugins: Plugins) -> Model:
        """Return the model, run by the backend where it can; raises `BundleError` where the model is damaged."""
        part = Part(self.contents.model, self.contents.architecture_plugin)
        try:
            architecture = restore_architecture(plugins, part.saved, part.plugin)
            runner = choose_part_runner(plugins, backend, architecture, part)
            return load_model(plugins, runner, part.saved, architecture)
        except BundleError as error:
            raise BundleError(f"{self.name}: ", *error.args) from error

    def make_ancestor(self) -> Ancestor:
        """Return what the mixture's bundle says of the model."""
        contents = self.contents
        results = Results.from_history(contents.history)
        loss = results.best_loss if contents.mixing is None else contents.mixing.loss
        return Ancestor(self.name, self.sha256, contents.corpora, results.epochs, loss)


def open_part(model: str | Path | TextGenerator, number: int, plugins: Plugins) -> MixedPart:
    """Return what is to be mixed of a saved model's folder, or of a generator; `number` counts them from 0."""
    if isinstance(model, (str, Path)):
        bundle = Bundle.open(model)
        return MixedPart(str(model), bundle.contents(plugins, resumable=False), bundle.files["model"].sha256)
    return MixedPart(f"model {number + 1}", model.contents)


def refuse_other_encoder(encoder: Encoder, other: Encoder, names: tuple[str, str]) -> None:
    """Raise `TrainingError`, which names what differs, unless the encoders of two models of these names are equal."""
    if encoder == other:
        return
    raise TrainingError(
        f"{names[0]} and {names[1]} can't be mixed, for their encoders differ: {_tell_apart(encoder, other, names)}; "
        "train both with one encoder on the same text"
    )


def _tell_apart(encoder: Encoder, other: Encoder, names: tuple[str, str]) -> str:
    if type(encoder) is not type(other):
        return f"{encoder.spec} and {other.spec}"
    if encoder.option_values() != other.option_values():
        return f"{encoder.spec} and {other.spec}"
    known, also = set(encoder.token_texts), set(other.token_texts)
    only = [
        f"{name} alone knows {_list_some(own)}"
        for name, own in zip(names, (known - also, also - known), strict=True)
        if own
    ]
    return " and ".join(only) or f"the same {encoder.token_name} have other ids"


def _list_some(texts: set[str]) -> str:
    shown = ", ".join(repr(text) for text in sorted(texts)[:SHOWN])
    return shown if len(texts) <= SHOWN else f"{shown} and {len(texts) - SHOWN} more"
