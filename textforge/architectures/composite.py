"""Architectures of models that are made of other models.

A saved model of one has the weights of its parts side by side, each under its canonical name behind the part's number:

    0/embedding.weight, 0/lstm.0.bias, …    those of the first part
    1/ngram.1.keys, …                       those of the second

What each part is, its architecture with all its options, stands as JSON in the option ``parts``. So a model made of
others is saved, checked and loaded as any other, and a part may be made of parts itself.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import attrs

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.checks import MOST_TOKENS_OF_A_WINDOW
from textforge.components.component import option
from textforge.components.values import quote
from textforge.errors import BundleError, OptionError, PluginError
from textforge.model import Arrays, SavedModel, StateShape

FEWEST = 2
SEEN = "seen"
"""The canonical name of what a part with a window has for its state: the last tokens that it has seen, (B, window)."""
UNSEEN = -1
"""The number that stands in `SEEN` where no token has been read yet."""


@attrs.frozen(eq=False)
class Part:
    """A model that another one is made of."""

    saved: SavedModel
    plugin: str | None = None
    """The distribution or file of the plugin that brought its architecture."""


@attrs.frozen
class _Entry:
    """A part as the option ``parts`` describes it."""

    architecture: str
    options: dict[str, Any]
    window: int | None
    plugin: str | None


class Composite(Architecture):
    """An architecture of models that are made of others, of any architectures, which share a vocabulary.

    A subclass declares options of its own, and what computes it is registered for a backend as for any architecture:
    it is called with the saved model, the architecture, and the parts, a list of `textforge.Model`. Each of those is
    computed by the backend that was asked for, where that can, or else by the one that runs its architecture by
    default: so it may join their logits, and knows nothing of how they come about.

    What follows from the parts, their weights and state among it, is known once their architectures are: see `resolve`.
    """

    parts: tuple[str, ...] = option(help="Each part's architecture, options, window and plugin, as JSON.")
    _architectures: ClassVar[tuple[Architecture, ...] | None] = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if len(self.parts) < FEWEST:
            raise OptionError(f"{self.title()}parts must be {FEWEST} models or more, got {len(self.parts)}")
        for entry in self._entries():
            if entry.window is not None and not 1 <= entry.window <= MOST_TOKENS_OF_A_WINDOW:
                raise OptionError(
                    f"{self.title()}parts: a window must be none or between 1 and {MOST_TOKENS_OF_A_WINDOW}, "
                    f"got {quote(entry.window)}"
                )

    def _entries(self) -> list[_Entry]:
        return [_read_entry(text, self.title()) for text in self.parts]

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts' architectures, in order."""
        return tuple(entry.architecture for entry in self._entries())

    def describe_parts(self) -> list[str]:
        """Return a line on each part: its architecture and options, in turn those of its own parts.

        >>> from textforge.architectures.mix import Mix
        >>> part = describe_part(SavedModel("lstm", {"hidden_size": 8}, 5, {}), None)
        >>> Mix(parts=(part, part), coefficients=(0.5, 0.5)).describe_parts()[0]
        'lstm, hidden_size=8'
        """
        return [_describe(entry) for entry in self._entries()]

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """The architectures of the parts, with their options; raises `PluginError` before `resolve`."""
        if self._architectures is None:
            raise PluginError(
                f"{self.title()}the architectures of its parts are not looked up yet; "
                "textforge.backends.choose.resolve_parts does that"
            )
        return self._architectures

    def resolve(self, find: Callable[[Part], Architecture]) -> Self:
        """Return the same architecture, which knows those of its parts.

        `find` gives the architecture of a part, of whose weights it is told nothing yet.
        """
        resolved = copy.copy(self)
        found = []
        for number, entry in enumerate(self._entries()):
            with telling_part(number, entry.architecture):
                found.append(find(_make_part(entry, 1, {})))
        object.__setattr__(resolved, "_architectures", tuple(found))  # it is frozen
        return resolved

    def replace(self, **changes: Any) -> Self:
        changed = super().replace(**changes)
        if changed.parts == self.parts and self._architectures is not None:
            object.__setattr__(changed, "_architectures", self._architectures)
        return changed

    def split(self, saved: SavedModel) -> list[Part]:
        """Return the parts of a saved model, their arrays those of the whole.

        Raises `BundleError` for weights of a part that there isn't.
        """
        entries = self._entries()
        arrays: list[Arrays] = [{} for _ in entries]
        for name, array in saved.arrays.items():
            number, slash, own = name.partition("/")
            if not (slash and number.isascii() and number.isdecimal() and int(number) < len(entries)):
                raise BundleError(f"the model has weights its options don't speak of: {quote(name)}")
            arrays[int(number)][own] = array
        pairs = zip(entries, arrays, strict=True)
        return [_make_part(entry, saved.vocabulary_size, own) for entry, own in pairs]

    def join(self, saved: Sequence[SavedModel]) -> SavedModel:
        """Return the saved model that has these parts, in their order; `split` takes it apart again."""
        return SavedModel(self.name, self.option_values(), saved[0].vocabulary_size, _prefix([m.arrays for m in saved]))

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        """Return the weights of all parts; none where those of a part follow from a text."""
        declared = [architecture.weights(vocabulary_size) for architecture in self.architectures]
        return _prefix(declared) if all(declared) else {}

    def state(self) -> Mapping[str, StateShape]:
        pairs = zip(self._entries(), self.architectures, strict=True)
        return _prefix([{SEEN: (None, entry.window)} if entry.window else own.state() for entry, own in pairs])

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        made = [own.create(vocabulary_size, seed + number) for number, own in enumerate(self.architectures)]
        return self.join(made)

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        pairs = enumerate(self._pair(saved))
        return self.join([own.grow(part.saved, vocabulary_size, seed + number) for number, (own, part) in pairs])

    def check(self, saved: SavedModel) -> Arrays:
        checked = []
        for number, (own, part) in enumerate(self._pair(saved)):
            with telling_part(number, own.name):
                checked.append(own.check(part.saved))
        return _prefix(checked)

    def count_parameters(self, saved: SavedModel) -> int:
        return sum(own.count_parameters(part.saved) for own, part in self._pair(saved))

    def _pair(self, saved: SavedModel) -> list[tuple[Architecture, Part]]:
        return list(zip(self.architectures, self.split(saved), strict=True))


def describe_part(saved: SavedModel, plugin: str | None) -> str:
    """Return the text by which the option ``parts`` describes a saved model.

    >>> describe_part(SavedModel("lstm", {"hidden_size": 8}, 5, {}), None)
    '{"architecture": "lstm", "options": {"hidden_size": 8}, "window": null, "plugin": null}'
    """
    entry = _Entry(saved.architecture, dict(saved.options), saved.window, plugin)
    return json.dumps(attrs.asdict(entry), ensure_ascii=False)


@contextmanager
def telling_part(number: int, name: str) -> Iterator[None]:
    """Let a `BundleError` say which part of a model it is about: one with this number, counted from 0."""
    try:
        yield
    except BundleError as error:
        raise BundleError(f"part {number + 1} of the model ({name}): ", *error.args) from error


def _describe(entry: _Entry) -> str:
    """Describe a part; what is in the file is shown as it is, its parts in brackets."""
    options = dict(entry.options)
    try:
        inner = [_describe(_read_entry(text, "")) for text in options.get("parts", ())]
    except (OptionError, TypeError):  # it may be anything in an edited file
        inner = []
    if inner:
        del options["parts"]
    window = [] if entry.window is None else [f"window of {entry.window} tokens"]
    written = [f"{name}={'none' if value is None else value}" for name, value in options.items()]
    line = ", ".join([entry.architecture, *written, *window])
    return f"{line} [{'; '.join(inner)}]" if inner else line


def _make_part(entry: _Entry, vocabulary_size: int, arrays: Arrays) -> Part:
    return Part(SavedModel(entry.architecture, entry.options, vocabulary_size, arrays, entry.window), entry.plugin)


def _prefix(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parts' tables as one, each name behind its part's number."""
    return {f"{number}/{name}": value for number, table in enumerate(tables) for name, value in table.items()}


def _read_entry(text: str, title: str) -> _Entry:
    """Read what describes a part, of a file that may have been edited."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    kinds = {"architecture": str, "options": dict, "window": int | None, "plugin": str | None}
    if not isinstance(value, dict) or any(not isinstance(value.get(name), kind) for name, kind in kinds.items()):
        raise OptionError(
            f"{title}parts must be models, each as JSON with an architecture, options, a window and a plugin, "
            f"got {quote(text)}"
        )
    return _Entry(value["architecture"], value["options"], value.get("window"), value.get("plugin"))
