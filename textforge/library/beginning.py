"""The beginning of a run: anew, on from a model on another text, or on from a checkpoint."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Any

import attrs

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.backends.choose import choose_trained, restore_architecture
from textforge.bundle import Ancestor, Bundle, BundleContents
from textforge.components.spec import parse_spec, write_chain
from textforge.corpora.base import Corpus
from textforge.corpora.resolve import CorpusArgument, resolve_corpora
from textforge.encoders.base import Encoder
from textforge.errors import TrainingError, advise
from textforge.library.mixable import check_mixed
from textforge.library.reading import PARTS, parse_replay
from textforge.library.run import Run
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.training.data import CorpusRecord
from textforge.training.resuming import change_limit, change_schedule
from textforge.training.settings import TrainingSettings, complete_settings

CHANGEABLE = (
    *("epochs", "minutes", "learning_rate", "schedule", "warm_up", "clip_norm", "patience"),
    *("sample", "sample_every", "mix"),
)
"""The settings that may differ when a run is resumed; the others say what its batches are."""


def begin_run(
    plugins: Plugins,
    corpora: Sequence[CorpusArgument],
    encoder: str | Encoder,
    architecture: str | Architecture | None,
    backend: str | Backend | None,
    settings: dict[str, Any],
) -> Run:
    """Return a run from the beginning; whatever is wrong with what it was given is said here."""
    chosen, computing = choose_trained(plugins, architecture, backend)
    return _make_run(plugins, corpora, plugins.encoder(encoder), chosen, computing, settings)


def begin_run_from(
    plugins: Plugins,
    contents: BundleContents,
    ancestor: Ancestor,
    corpora: Sequence[CorpusArgument],
    backend: str | Backend | None,
    settings: dict[str, Any],
) -> Run:
    """Return a run that goes on from a model on another text, with an optimizer and a schedule of its own."""
    source = contents.trained
    architecture = restore_architecture(plugins, source.saved, source.plugin)
    architecture, computing = choose_trained(plugins, architecture, backend)
    before = contents.settings
    if before.get("sequences") == "windows":
        kept: dict[str, Any] = {name: before[name] for name in ("sequences", "window", "stride") if name in before}
        settings = {**kept, **settings}
    older = contents.ever_learnt
    run = _make_run(plugins, corpora, contents.encoder, architecture, computing, settings, older)
    lineage = (*contents.lineage, ancestor)
    return attrs.evolve(run, learning="grow", source=source.saved, lineage=lineage)


def _make_run(
    plugins: Plugins,
    corpora: Sequence[CorpusArgument],
    encoder: Encoder,
    architecture: Architecture,
    backend: Backend,
    settings: dict[str, Any],
    older: Sequence[CorpusRecord] = (),
) -> Run:
    chains = _parse_chains(settings, plugins)
    given = _complete(_list_texts(settings), chains)
    defaults = architecture.training_defaults
    made = make_settings(complete_settings(given, defaults, f"the architecture {architecture.name}"))
    if not corpora:
        raise TrainingError("no corpus was given; name a file, a folder, or a corpus such as python-docs")
    check_mixed(made, plugins)
    validation = resolve_corpora(made.validation_corpus, plugins)
    replay = [] if made.replay is None else _resolve_replay(made.replay, older, plugins)
    _refuse_streams(validation, "validation_corpus")
    _refuse_streams(replay, "replay")
    return Run(
        plugins=plugins,
        encoder=encoder,
        architecture=architecture,
        backend=backend,
        settings=made,
        given=given,
        chains=chains or [],
        corpora=resolve_corpora(corpora, plugins),
        validation_corpora=validation,
        replay_corpora=replay,
    )


def _list_texts(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings in which validation corpora, and what is to be mixed in, are tuples, however they were given."""
    alone = {name: settings.get(name) for name in ("validation_corpus", "mix")}
    return settings | {
        name: (os.fspath(value),) for name, value in alone.items() if isinstance(value, (str, os.PathLike))
    }


def _refuse_streams(corpora: Sequence[Corpus], name: str) -> None:
    for corpus in corpora:
        if not corpus.rereadable:
            raise TrainingError(
                advise(name),
                f" must be a text that can be read again when the run is resumed, got {corpus.spec}: save it in a "
                "file, and name that",
            )


def _resolve_replay(text: str, older: Sequence[CorpusRecord], plugins: Plugins) -> list[Corpus]:
    corpus, _ = parse_replay(text)
    if corpus is not None:
        return resolve_corpora(corpus, plugins)
    if not older:
        raise TrainingError("there is no older text to replay: name it, such as old.txt:0.2, got ", repr(text))
    return find_recorded(plugins, older, "the older text is", "name a file that has it, such as old.txt:0.2")


def _parse_chains(settings: dict[str, Any], plugins: Plugins) -> list[list[Sampler]] | None:
    """Return the chains of the samples, looked up, however they were given; None where none were."""
    if "sample" not in settings:
        return None
    given = settings["sample"]
    return [plugins.chain(chain) for chain in ([given] if isinstance(given, (str, Sampler)) else given)]


def _complete(settings: dict[str, Any], chains: list[list[Sampler]] | None) -> dict[str, Any]:
    """Return the settings with a seed, and with the chains as text, as a bundle keeps them."""
    completed = _write_chains(settings, chains)
    if completed.get("seed") is None:
        completed["seed"] = secrets.randbits(32)
    return completed


def _write_chains(settings: dict[str, Any], chains: list[list[Sampler]] | None) -> dict[str, Any]:
    return dict(settings) if chains is None else {**settings, "sample": tuple(map(write_chain, chains))}


def resume_run(
    plugins: Plugins,
    bundle: Bundle,
    corpora: Sequence[CorpusArgument],
    backend: str | Backend | None,
    settings: dict[str, Any],
) -> Run:
    """Return a run that goes on from a bundle's checkpoint, with the settings that were given anew.

    Raises `TrainingError` where there is no checkpoint, or a setting can't be changed any more.
    """
    contents = bundle.contents(plugins)
    checkpoint = contents.checkpoint
    if checkpoint is None:
        overwrite = advise("overwrite", True)
        raise TrainingError(f"{bundle.path} has no checkpoint to go on from; train it anew with ", overwrite)
    settings = _list_texts(settings)
    chains = _parse_chains(settings, plugins)
    made = _change_settings(contents.settings, _write_chains(settings, chains))
    check_mixed(made, plugins)
    before = make_settings(contents.settings)
    if (made.epoch_limit, made.minutes) != (before.epoch_limit, before.minutes):
        checkpoint = change_limit(checkpoint, before, made)
    if made.schedule != before.schedule:
        checkpoint = change_schedule(checkpoint, made)
    backend = _keep_options(plugins, contents.backend, backend)
    architecture = restore_architecture(plugins, checkpoint.model, contents.trained.plugin)
    architecture, trainer = choose_trained(plugins, architecture, backend)
    training, validation, replay = ([each for each in contents.corpora if each.part == part] for part in PARTS)
    moved = parse_replay(made.replay)[0] if "replay" in settings and made.replay else None
    named = {
        "validation_corpus": made.validation_corpus if "validation_corpus" in settings else (),
        "replay": [] if moved is None else [moved],
    }
    again = {name: resolve_corpora(given, plugins) for name, given in named.items()}
    for name, found in again.items():
        _refuse_streams(found, name)
    return Run(
        plugins=plugins,
        corpora=resolve_corpora(corpora, plugins) if corpora else find_recorded(plugins, training),
        validation_corpora=again["validation_corpus"] or find_recorded(plugins, validation),
        replay_corpora=again["replay"] or find_recorded(plugins, replay),
        recorded=not corpora
        or bool((validation and not again["validation_corpus"]) or (replay and not again["replay"])),
        encoder=contents.encoder,
        architecture=architecture,
        backend=trainer,
        settings=made,
        chains=[plugins.chain(chain) for chain in made.sample] if chains is None else chains,
        learning="nothing",
        lineage=contents.lineage,
        checkpoint=checkpoint,
        mixed=contents.mixing is not None and contents.settings.get("mix", ()) == made.mix,
        records=contents.corpora,
    )


def _keep_options(plugins: Plugins, recorded: str, given: str | Backend | None) -> str | Backend | None:
    """Return the backend of a run that is resumed, with the run-time options it had where they aren't given anew."""
    if parse_spec(recorded).name not in plugins.names("backend"):
        return given
    before: Backend = plugins.backend(recorded)
    if given is None:
        return before
    made: Backend = plugins.backend(given) if isinstance(given, str) else given
    if type(made) is not type(before):
        return made
    kept: Backend = before.replace(**{name: getattr(made, name) for name in made.given})
    return kept


def find_recorded(
    plugins: Plugins,
    records: Sequence[CorpusRecord],
    which: str = "the run was given",
    remedy: str = "give the same text again",
) -> list[Corpus]:
    """Return the corpora that records name; raise `TrainingError` for one that can't be read a second time."""
    corpora: list[Corpus] = [plugins.corpus(record.spec) for record in records]
    for corpus in corpora:
        if not corpus.rereadable:
            raise TrainingError(f"{which} {corpus.spec}, which can't be read a second time: {remedy}")
    return corpora


def _may_become(name: str, before: Any, now: Any) -> bool:
    """Return whether a resumed run may have another value of a setting; a text that moved is known by what it has."""
    if name == "validation_corpus":
        return bool(before) == bool(now)
    if name == "replay" and before and now:
        return parse_replay(before)[1] == parse_replay(now)[1]
    return name in CHANGEABLE or before == now


def make_settings(values: dict[str, Any]) -> TrainingSettings:
    """Return the settings of these names and values.

    Raises `OptionError` for an unknown name or a bad value.
    """
    for name in values:
        TrainingSettings.known_option(name)
    return TrainingSettings(**values)


def _change_settings(saved: dict[str, Any], given: dict[str, Any]) -> TrainingSettings:
    before = make_settings(saved)
    changed = dict(saved)
    for name, value in given.items():
        checked = TrainingSettings.known_option(name).check(value)
        if not _may_become(name, getattr(before, name), checked):
            raise TrainingError(
                advise(name),
                f" was {getattr(before, name)} when the run began and can't become {checked}; "
                f"resume without it, or train anew",
            )
        changed[name] = value
    if given.get("minutes") not in (None, before.minutes):
        changed["epochs"] = given.get("epochs")
    elif given.get("epochs") is not None:
        changed["minutes"] = given.get("minutes")
    return make_settings(changed)
