"""The library's two doors: learn a model from a text, and take one up again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textforge.backends.base import Backend
from textforge.backends.choose import choose_runner, load_model
from textforge.bundle import Bundle, BundleContents, BundleWriter
from textforge.components.spec import parse_spec
from textforge.corpora.base import Corpus
from textforge.corpora.resolve import CorpusArgument
from textforge.encoders.base import Encoder
from textforge.errors import TrainingError
from textforge.library.generator import TextGenerator
from textforge.library.run import new_run, resumed_run
from textforge.library.run import train as train_run
from textforge.plugins.registry import Plugins
from textforge.training.report import Report
from textforge.training.reports import Reports, make_reports


def train(
    corpus: CorpusArgument | Sequence[CorpusArgument] = (),
    *,
    encoder: str | Encoder | None = None,
    backend: str | Backend | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
    report: str | Report | Sequence[str | Report] | None = None,
    plugins: Plugins | None = None,
    **settings: Any,
) -> TextGenerator:
    """Learn a model from a text and give a generator that writes with it.

    `corpus` is a path, a registered corpus's spec, an object, or several of them; `encoder` is ``char`` unless given.
    `settings` are those of `TrainingSettings`: ``epochs=3``, ``learning_rate=0.005``, …. With `output`, checkpoints are
    saved there as training goes on, and ``resume=True`` goes on from the last one (then `corpus` and `settings` may be
    left out); without it, a run that is interrupted is lost. `progress` shows how it goes on
    standard error; each `report`, an object or the spec of a registered one, is told, and may raise
    `textforge.StopTraining` to end the run well.

    Raises `TextforgeError`.

    >>> generator = train("python-docs", backend="ngram:order=3")
    >>> generator.encoder
    CharEncoder()
    """
    plugins = plugins or Plugins()
    contents = train_contents(
        corpus,
        encoder=encoder,
        backend=backend,
        output=output,
        overwrite=overwrite,
        resume=resume,
        report=Reports([_default_report(progress), *make_reports(report, plugins)]),
        plugins=plugins,
        **settings,
    )
    return _generator(contents, None, plugins)


def train_contents(
    corpus: CorpusArgument | Sequence[CorpusArgument],
    *,
    encoder: str | Encoder | None,
    backend: str | Backend | None,
    output: str | Path | None,
    overwrite: bool,
    resume: bool,
    report: Report,
    plugins: Plugins,
    **settings: Any,
) -> BundleContents:
    """As `train`, but gives what a bundle holds of the run; nothing is loaded to run the model."""
    corpora = [corpus] if isinstance(corpus, (str, os.PathLike, Corpus)) else corpus
    if not isinstance(corpora, Sequence):
        raise TrainingError(f"a corpus is expected, as a path, a spec or an object, or several of them, got {corpus!r}")
    if not resume:
        run = new_run(plugins, corpora, encoder or "char", backend, settings)
    elif output is None or encoder is not None or overwrite:
        wrong = "needs output" if output is None else "takes neither encoder nor overwrite"
        raise TrainingError(f"resume goes on with the model that is in output, as it is: it {wrong}")
    else:
        run = resumed_run(plugins, Bundle.open(output), corpora, backend, settings)
    if backend is None and not resume:
        _say_what_failed(plugins, report)
    if output is None:
        return train_run(run, None, report)
    writer = BundleWriter.prepare(output, overwrite=overwrite, resume=resume)
    try:
        return train_run(run, writer, report)
    finally:
        writer.close()


def _say_what_failed(plugins: Plugins, report: Report) -> None:
    """A backend that failed to load is not the one that was chosen, which its user should know."""
    for plugin in plugins.failures:
        report.message(f"the plugin {plugin.source.title} is left out, for it failed to load: {plugin.error}")


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
    return TextGenerator(load_model(runner, contents.model), contents.encoder, plugins=plugins, contents=contents)
