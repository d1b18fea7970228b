"""The text that several models have kept for validation, read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from textforge.backends.choose import choose_runner, restore_architecture
from textforge.bundle import BundleContents
from textforge.corpora.record import CorpusRecord, Tokens
from textforge.corpora.resolve import CorpusArgument, resolve_corpora
from textforge.corpora.tokens import token_file
from textforge.encoders.base import Unknown
from textforge.errors import CorpusError, EncodingError, TrainingError, advise
from textforge.library.beginning import find_recorded, make_settings
from textforge.library.reading import read_corpora
from textforge.library.run import Run
from textforge.plugins.registry import Plugins

SPLIT = ("seed", "validation", "validation_part", "validation_corpus")
"""The settings that say which part of its corpora a run keeps for validation."""
GIVE_CORPUS = ("; give a text that no model has learnt by ", advise("corpus"), ", or the ", advise("weights"))
"""The remedy where it isn't known which text that is."""

_UNREADABLE = ("the models have learnt", "give the weights, or a text that no model has learnt")


@attrs.frozen(eq=False)
class HeldOut:
    """A text to measure models on, as tokens, valid as long as the context that gave it."""

    tokens: Tokens
    notes: tuple[str, ...]
    """The lines that a user should read of it."""


@contextmanager
def read_given(
    contents: Sequence[BundleContents],
    corpus: CorpusArgument | Sequence[CorpusArgument],
    unknown: Unknown,
    plugins: Plugins,
) -> Iterator[HeldOut]:
    """Encode a corpus that was given, and note where a model was trained on it.

    Raises `CorpusError` for a text that can't be read, and `EncodingError` for one that the vocabulary doesn't cover,
    unless `unknown` is ``skip``.
    """
    corpora = resolve_corpora(corpus, plugins)
    with token_file(corpora, contents[0].encoder, learning="nothing", unknown=unknown) as file:
        learnt = {record.sha256 for each in contents for record in each.ever_learnt}
        known = [record.spec for record in file.corpora if record.sha256 in learnt]
        warning = (
            f"a model was trained on this text ({', '.join(known)}): the weights favour what has learnt it by heart"
        )
        yield HeldOut(file.tokens, (*file.notes, *([warning] if known else [])))


@contextmanager
def read_common(contents: Sequence[BundleContents], names: Sequence[str], plugins: Plugins) -> Iterator[HeldOut]:
    """Encode the part of their corpora that all models have kept for validation.

    Raises `TrainingError`, which says what to give, where they kept different parts or none, or where their corpora
    can't be read again as they were.
    """
    splits = [find_split(each, name) for each, name in zip(contents, names, strict=True)]
    for name, split in zip(names, splits, strict=True):
        if split != splits[0]:
            raise TrainingError(f"{names[0]} and {name} were validated on different texts", *GIVE_CORPUS)
    try:
        run = _make_run(contents[0], plugins)
        with read_corpora(run, None) as read:
            if [each.sha256 for each in read.records] != [each.sha256 for each in _list_records(contents[0])]:
                raise CorpusError(f"the text of {', '.join(each.spec for each in read.records)} has changed")
            yield HeldOut(read.data.validation, read.notes)
    except (CorpusError, EncodingError) as error:
        raise TrainingError(f"what {names[0]} was validated on can't be read again ({error})", *GIVE_CORPUS) from error


def find_split(contents: BundleContents, name: str) -> tuple[Any, ...]:
    """Return what tells the text that a model was validated on; raise `TrainingError` where there is none."""
    settings = contents.settings
    if not contents.learnt or any(setting not in settings for setting in SPLIT[:3]):
        raise TrainingError(f"nothing is known of what {name} was validated on", *GIVE_CORPUS)
    records = [(record.sha256, record.part) for record in _list_records(contents)]
    if settings.get("validation_corpus"):
        return (*records,)
    if not settings["validation"]:
        raise TrainingError(f"{name} has kept nothing of its corpus for validation", *GIVE_CORPUS)
    drawn = None if settings["validation_part"] == "tail" else settings["seed"]
    return (*records, settings["validation"], settings["validation_part"], drawn)


def _list_records(contents: BundleContents) -> list[CorpusRecord]:
    """Return the records of what was learnt and validated on, without older text that was mixed in."""
    return [record for record in contents.corpora if record.part != "replay"]


def _make_run(contents: BundleContents, plugins: Plugins) -> Run:
    """Return a run that reads a model's corpora as its training did, and trains nothing."""
    validation = [record for record in contents.corpora if record.part == "validation"]
    names = tuple(record.spec for record in validation)
    settings = {name: contents.settings[name] for name in SPLIT[:3]}
    return Run(
        plugins=plugins,
        corpora=find_recorded(plugins, contents.learnt, *_UNREADABLE),
        validation_corpora=find_recorded(plugins, validation, *_UNREADABLE),
        encoder=contents.encoder,
        architecture=restore_architecture(plugins, contents.model, contents.architecture_plugin),
        backend=choose_runner(plugins, contents.model, None, contents.architecture_plugin),
        settings=make_settings({**settings, "validation_corpus": names}),
        chains=[],
        learning="nothing",
    )
