"""The library's two doors: learn a model from a text, and take one up again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textforge.backends.base import Backend
from textforge.backends.choose import choose_runner
from textforge.bundle import Bundle, BundleContents, BundleWriter
from textforge.corpora.base import Corpus
from textforge.encoders.base import Encoder
from textforge.errors import TrainingError
from textforge.generation.generator import TextGenerator
from textforge.plugins import Plugins
from textforge.spec import parse_spec
from textforge.training.report import Report
from textforge.training.run import new_run, resumed_run
from textforge.training.run import train as train_run


def train(
    corpus: str | Path | Corpus | Sequence[str | Path | Corpus] = (),
    *,
    encoder: str | Encoder = "char",
    backend: str | Backend | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
    report: Report | None = None,
    plugins: Plugins | None = None,
    **settings: Any,
) -> TextGenerator:
    """Learn a model from a text and give a generator that writes with it.

    `corpus` is a path, a registered corpus's spec, an object, or several of them. `settings` are those of
    `TrainingSettings`: ``epochs=3``, ``learning_rate=0.005``, …. With `output`, checkpoints are saved there as
    training goes on, and ``resume=True`` goes on from the last one (then `corpus` and `settings` may be left out).
    `progress` shows how it goes on standard error; a `report` is told.

    Raises `TextforgeError`.

    >>> generator = train("python-docs", backend="ngram:order=3")
    >>> generator.encoder
    CharEncoder()
    """
    plugins = plugins or Plugins()
    corpora = [corpus] if isinstance(corpus, (str, Path, Corpus)) else list(corpus)
    if resume:
        if output is None:
            raise TrainingError("resume needs output, the folder of the model to go on with")
        run = resumed_run(plugins, Bundle.open(output), corpora, backend, settings)
    else:
        run = new_run(plugins, corpora, encoder, backend, settings)
    writer = None if output is None else BundleWriter.prepare(output, overwrite=overwrite, resume=resume)
    try:
        contents = train_run(run, writer, report or _default_report(progress))
    finally:
        if writer:
            writer.close()
    return _generator(contents, None, plugins)


def _default_report(progress: bool) -> Report:
    if not progress:
        return Report()
    from textforge.training.console import ConsoleReport

    return ConsoleReport()


def load(path: str | Path, *, backend: str | Backend | None = None, plugins: Plugins | None = None) -> TextGenerator:
    """The generator of a saved model.

    `backend` says what runs it, with run-time options only: ``"numpy:precision=float64"``, ``"torch:device=cuda"``;
    NumPy unless given, where it can. Raises `BundleError` for a model that is missing or damaged.
    """
    plugins = plugins or Plugins()
    return _generator(Bundle.open(path).contents(plugins, resumable=False), backend, plugins)


def _generator(contents: BundleContents, backend: str | Backend | None, plugins: Plugins) -> TextGenerator:
    trained_by = parse_spec(contents.backend).name
    runner = choose_runner(plugins, contents.model, backend, trained_by, contents.backend_plugin)
    return TextGenerator(runner.load(contents.model), contents.encoder, plugins=plugins, contents=contents)
