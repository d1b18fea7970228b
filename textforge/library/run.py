"""A training run from its corpus to its bundle."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import platform
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import textforge
from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.backends.choose import choose_trained, load_model, restore_architecture
from textforge.bundle import Bundle, BundleContents, BundleWriter, find_plugin
from textforge.components.spec import parse_spec, write_chain
from textforge.corpora.base import Corpus
from textforge.corpora.resolve import CorpusArgument, resolve_corpora
from textforge.corpora.tokens import TokenFile, token_file
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError, EncodingError, TrainingError, advise
from textforge.generation.chain import check_chain, expand_presets
from textforge.model import Model, SavedModel
from textforge.plugins.blame import blame
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import CorpusRecord, TrainingData
from textforge.training.report import Report
from textforge.training.reports import Reports
from textforge.training.samples import SampleWriter
from textforge.training.settings import TrainingSettings, complete_settings

CHANGEABLE = ("epochs", "minutes", "learning_rate", "schedule", "clip_norm", "patience", "sample", "sample_every")
"""The settings that may differ when a run is resumed; the others say what its batches are."""


@attrs.frozen(eq=False)
class Run:
    """All that a run begins with."""

    plugins: Plugins
    corpora: Sequence[Corpus]
    encoder: Encoder
    architecture: Architecture
    backend: Backend
    settings: TrainingSettings
    chains: Sequence[Sequence[Sampler]]
    fitted: bool = False
    """True where the encoder knows its vocabulary already."""
    checkpoint: Checkpoint | None = None
    records: tuple[CorpusRecord, ...] = ()
    """The corpora that the checkpoint was trained on."""
    recorded: bool = False
    """True where the corpora are those of the records, not given anew."""


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
    chains = _parse_chains(settings, plugins)
    given = _complete(settings, chains)
    made = make_settings(complete_settings(given, chosen.training_defaults, f"the architecture {chosen.name}"))
    if not corpora:
        raise TrainingError("no corpus was given; name a file, a folder, or a corpus such as python-docs")
    return Run(
        plugins=plugins,
        encoder=plugins.encoder(encoder),
        architecture=chosen,
        backend=computing,
        settings=made,
        chains=chains or [],
        corpora=resolve_corpora(corpora, plugins),
    )


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
    chains = _parse_chains(settings, plugins)
    made = _change_settings(contents.settings, _write_chains(settings, chains))
    if made.minutes != contents.settings.get("minutes"):
        checkpoint = attrs.evolve(checkpoint, position=attrs.evolve(checkpoint.position, total_steps=None))
    if backend is None and parse_spec(contents.backend).name in plugins.names("backend"):
        backend = plugins.backend(contents.backend)  # with the run-time options it had
    architecture = restore_architecture(plugins, checkpoint.model, contents.architecture_plugin)
    architecture, trainer = choose_trained(plugins, architecture, backend)
    return Run(
        plugins=plugins,
        corpora=resolve_corpora(corpora, plugins) if corpora else _find_recorded_corpora(plugins, contents),
        recorded=not corpora,
        encoder=contents.encoder,
        architecture=architecture,
        backend=trainer,
        settings=made,
        chains=[plugins.chain(chain) for chain in made.sample] if chains is None else chains,
        fitted=True,
        checkpoint=checkpoint,
        records=contents.corpora,
    )


def _find_recorded_corpora(plugins: Plugins, contents: BundleContents) -> list[Corpus]:
    corpora = [plugins.corpus(record.spec) for record in contents.corpora]
    for corpus in corpora:
        if not corpus.rereadable:
            raise TrainingError(
                f"the run was given {corpus.spec}, which can't be read a second time: give the same text again"
            )
    return corpora


def make_settings(values: dict[str, Any]) -> TrainingSettings:
    """Return the settings of these names and values.

    Raises `OptionError` for an unknown name or a bad value, `TrainingError` for two that exclude each other.
    """
    for name in values:
        TrainingSettings.known_option(name)
    if values.get("epochs") is not None and values.get("minutes") is not None:
        raise TrainingError("epochs and minutes were both given; a run is limited by one of them")
    return TrainingSettings(**values)


def _change_settings(saved: dict[str, Any], given: dict[str, Any]) -> TrainingSettings:
    before = make_settings(saved)
    changed = dict(saved)
    for name, value in given.items():
        checked = TrainingSettings.known_option(name).check(value)
        if name not in CHANGEABLE and checked != getattr(before, name):
            raise TrainingError(
                advise(name),
                f" was {getattr(before, name)} when the run began and can't become {checked}; "
                f"resume without it, or train anew",
            )
        changed[name] = value
    if given.get("minutes") is not None:
        changed["epochs"] = given.get("epochs")
    elif given.get("epochs") is not None:
        changed["minutes"] = None
    return make_settings(changed)


def train(run: Run, writer: BundleWriter | None, report: Report) -> BundleContents:
    """Do the run and give what a bundle has of it; with a writer, every checkpoint is committed."""
    from textforge.training.fit import fit  # the loop, which nothing else needs

    folder = writer.path if writer else None
    with _tokens(run, folder) as tokens:
        for note in tokens.notes:
            report.message(note)
        check_chain(expand_presets(list(itertools.chain(*run.chains))), tokens.encoder)
        report.message(f"{run.architecture.spec} by {run.backend.spec}, seed {run.settings.seed}")
        data = TrainingData.split(tokens.tokens, tokens.encoder, run.settings.validation)
        keeper = Keeper(run, tokens, writer)
        reports = Reports([SampleWriter(run.chains, data, run.settings, report), keeper, report])
        model = fit(_first_model(run, tokens.encoder), data, run.settings, reports, run.checkpoint)
        return keeper.conclude(model)


def _first_model(run: Run, encoder: Encoder) -> Model:
    if run.checkpoint is None:
        with blame(run.architecture, "to make a new model"):
            saved = run.architecture.create(encoder.vocabulary_size, run.settings.seed)
    else:
        saved = run.checkpoint.model
    return load_model(run.plugins, run.backend, saved, run.architecture)


@contextmanager
def _tokens(run: Run, folder: Path | None) -> Iterator[TokenFile]:
    """Return the corpus as tokens; raises `TrainingError` where a resumed run is given another than it began with."""
    with ExitStack() as stack:
        try:
            tokens = stack.enter_context(token_file(run.corpora, run.encoder, folder, fitted=run.fitted))
        except EncodingError as error:
            raise (_other_corpus(run) if run.checkpoint else error) from None
        except CorpusError as error:
            if not run.recorded:
                raise
            raise TrainingError(f"the corpus that the run began with: {error}; if it moved, name it anew") from None
        if run.checkpoint and [record.sha256 for record in tokens.corpora] != [record.sha256 for record in run.records]:
            raise _other_corpus(run)
        yield tokens


def _other_corpus(run: Run) -> TrainingError:
    names = ", ".join(record.spec for record in run.records)
    return TrainingError(
        f"the corpus is not the one that the run began with ({names}); give that one, or train anew with ",
        advise("overwrite", True),
    )


class Keeper(Report):
    """A report that turns checkpoints into a bundle's contents, and commits them where there is a writer."""

    def __init__(self, run: Run, tokens: TokenFile, writer: BundleWriter | None) -> None:
        self._run = run
        self._tokens = tokens
        self._writer = writer
        self._checkpoint = run.checkpoint
        self._committed = False

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._commit(self.contents(checkpoint.best))

    def conclude(self, model: SavedModel) -> BundleContents:
        """Return the run's outcome; it is committed now where the backend gave no checkpoint along the way."""
        contents = self.contents(model)
        if not self._committed:
            self._commit(contents)
        return contents

    def _commit(self, contents: BundleContents) -> None:
        if self._writer:
            self._writer.commit(contents)
        self._committed = True

    def contents(self, model: SavedModel) -> BundleContents:
        """Return the contents of a bundle with this model, and the run so far."""
        return BundleContents(
            encoder=self._tokens.encoder,
            model=attrs.evolve(model, window=model.window or self._run.architecture.window),
            backend=self._run.backend.spec,
            corpora=self._tokens.corpora,
            settings=self._run.settings.option_values(),
            versions=versions(self._run.backend),
            checkpoint=self._checkpoint,
            encoder_plugin=find_plugin(self._run.plugins, "encoder", self._tokens.encoder),
            backend_plugin=find_plugin(self._run.plugins, "backend", self._run.backend),
            architecture_plugin=find_plugin(self._run.plugins, "architecture", self._run.architecture),
        )


def versions(backend: Backend) -> dict[str, str]:
    """Return the versions that the run was made with."""
    found = {"textforge": textforge.__version__, "python": platform.python_version(), "numpy": np.__version__}
    for framework in backend.frameworks:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it may be installed by another name
            found[framework] = importlib.metadata.version(framework)
    return found
