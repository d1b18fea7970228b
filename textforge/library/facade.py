"""The library's two doors: learn a model from a text, and take one up again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.bundle import Ancestor, Bundle, BundleContents, BundleWriter, Results
from textforge.components.values import quote
from textforge.corpora.base import Corpus
from textforge.corpora.resolve import CorpusArgument
from textforge.corpora.text import TextCorpus
from textforge.encoders.base import Encoder
from textforge.errors import OptionError, TrainingError
from textforge.library.arguments import SettingsArguments
from textforge.library.generator import TextGenerator
from textforge.library.loading import load_contents
from textforge.library.logged import LoggingReport
from textforge.plugins.registry import Plugins
from textforge.training.report import Report
from textforge.training.reports import Reports, make_reports

if TYPE_CHECKING:
    from textforge.library.run import Run


def train(
    corpus: CorpusArgument | Sequence[CorpusArgument] = (),
    *,
    text: str | Iterable[str] | None = None,
    encoder: str | Encoder | None = None,
    architecture: str | Architecture | None = None,
    backend: str | Backend | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    from_model: str | Path | TextGenerator | None = None,
    progress: bool = False,
    report: str | Report | Sequence[str | Report] | None = None,
    plugins: Plugins | None = None,
    **settings: Unpack[SettingsArguments],
) -> TextGenerator:
    """Learn a model from a text and return a generator that writes with it.

    `corpus` is a path, a registered corpus's spec, an object, or several of them; `text` is the text itself, in the
    place of a corpus, or several, each of which is a document. `encoder` is ``char`` unless given. `architecture` says
    what the model is, ``"lstm:hidden_size=256"``, and `backend` what computes it, ``"torch"``: unless given, what is
    installed decides.
    `settings` are those of `TrainingSettings`: ``epochs=3``, ``learning_rate=0.005``, …. With `output`, checkpoints are
    saved there as training goes on, and ``resume=True`` goes on from the last one (then `corpus` and `settings` may be
    left out); without it, a run that is interrupted is lost. `from_model`, a saved model's folder or a generator, is
    where a new run begins, with its encoder and architecture: the encoder learns what is new in the corpus, and the
    tokens that it knew stay what they were. `progress` shows on standard error how training goes. Each
    `report`, an object or the spec of a registered one, is told, and may raise `textforge.StopTraining` to end the run
    well. Messages are logged as well, by the name ``textforge.training``.

    Raises `TextforgeError`.

    >>> generator = train("python-docs", architecture="ngram:order=3")
    >>> generator.encoder.token_name
    'characters'
    >>> made = train(text="It is so, and that is that. " * 20, architecture="ngram:order=3")
    >>> made.generate("It", seed=1, max_tokens=4)
    ' is '
    >>> train(text="So it is, and it is not.", from_model=made).encoder.encode("n").tolist()
    [8]
    """
    for name, value in {"overwrite": overwrite, "resume": resume, "progress": progress}.items():
        _check_flag(name, value)
    plugins = plugins or Plugins()
    contents = train_contents(
        corpus if text is None else _text_corpus(text, corpus),
        encoder=encoder,
        architecture=architecture,
        backend=backend,
        output=output,
        overwrite=overwrite,
        resume=resume,
        from_model=from_model,
        report=_reports(progress, make_reports(report, plugins)),
        plugins=plugins,
        **settings,
    )
    return load_contents(contents, None, plugins)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, got {value!r}")


def _text_corpus(text: str | Iterable[str], corpus: CorpusArgument | Sequence[CorpusArgument]) -> Corpus:
    if corpus != ():
        raise TrainingError("a corpus and a text were both given; give one of them")
    if isinstance(text, (str, Iterable)) and not isinstance(text, (bytes, os.PathLike)):
        with contextlib.suppress(TypeError):
            return TextCorpus.of(text)
    raise TrainingError(
        f"text must be the text to learn from, or several as documents, got {quote(text)}; a file is given as the "
        "corpus"
    )


def _reports(progress: bool, own: Sequence[Report]) -> Report:
    """Return what is told of the run: the log, standard error where it is wanted, and the caller's own reports."""
    reports: list[Report] = [LoggingReport()]
    if progress:
        from textforge.training.console import ConsoleReport  # imports rich

        reports.append(ConsoleReport())
    return Reports([*reports, *own])


def train_contents(
    corpus: CorpusArgument | Sequence[CorpusArgument],
    *,
    encoder: str | Encoder | None,
    architecture: str | Architecture | None,
    backend: str | Backend | None,
    output: str | Path | None,
    overwrite: bool,
    resume: bool,
    from_model: str | Path | TextGenerator | None,
    report: Report,
    plugins: Plugins,
    **settings: Unpack[SettingsArguments],
) -> BundleContents:
    """Train as `train` does, and return what a bundle holds of the run; nothing is loaded to run the model."""
    from textforge.library.beginning import begin_run  # what a run needs, generating does not
    from textforge.library.training import train as train_run

    corpora = [corpus] if isinstance(corpus, (str, os.PathLike, Corpus)) else corpus
    if not isinstance(corpora, Sequence):
        raise TrainingError(f"a corpus is expected, as a path, a spec or an object, or several of them, got {corpus!r}")
    if resume:
        new = {"encoder": encoder, "architecture": architecture, "overwrite": overwrite, "from_model": from_model}
        run = _resume(output, corpora, backend, new, plugins, dict(settings))
    elif from_model is not None:
        run = _begin_from(from_model, corpora, backend, (encoder, architecture), plugins, dict(settings))
    else:
        run = begin_run(plugins, corpora, encoder or "char", architecture, backend, dict(settings))
    if (architecture is None or backend is None) and not resume:
        _say_what_failed(plugins, report)
    if output is None:
        return train_run(run, None, report)
    writer = BundleWriter.prepare(output, overwrite=overwrite, resume=resume)
    try:
        return train_run(run, writer, report)
    finally:
        writer.close()


def _resume(
    output: str | Path | None,
    corpora: Sequence[CorpusArgument],
    backend: str | Backend | None,
    new: Mapping[str, object],
    plugins: Plugins,
    settings: dict[str, Any],
) -> Run:
    """Return the run that is in `output`; `new` are the arguments that only a new one takes."""
    from textforge.library.beginning import resume_run

    if output is None or any(new.values()):
        wrong = "needs output" if output is None else "takes neither encoder, architecture, from_model nor overwrite"
        raise TrainingError(f"resume goes on with the model that is in output, as it is: it {wrong}")
    return resume_run(plugins, Bundle.open(output), corpora, backend, settings)


def _begin_from(
    model: str | Path | TextGenerator,
    corpora: Sequence[CorpusArgument],
    backend: str | Backend | None,
    new: tuple[object, object],
    plugins: Plugins,
    settings: dict[str, Any],
) -> Run:
    from textforge.library.beginning import begin_run_from

    if any(new):
        raise TrainingError("from_model goes on with a model as it is: it takes neither encoder nor architecture")
    if isinstance(model, TextGenerator):
        contents, name, digest = model.contents, None, None
    else:
        bundle = Bundle.open(model)
        contents = bundle.contents(plugins, resumable=False)
        name, digest = str(model), bundle.files["model"].sha256
    results = Results.from_history(contents.history)
    ancestor = Ancestor(name, digest, contents.corpora, results.epochs, results.best_loss)
    return begin_run_from(plugins, contents, ancestor, corpora, backend, settings)


def _say_what_failed(plugins: Plugins, report: Report) -> None:
    """Tell which plugins failed to load: one of them may be the backend that its user expected."""
    for plugin in plugins.failures:
        report.message(f"the plugin {plugin.source.title} is left out, for it failed to load: {plugin.error}")


def load(path: str | Path, *, backend: str | Backend | None = None, plugins: Plugins | None = None) -> TextGenerator:
    """Return the generator of a saved model.

    `backend` says what runs it, with run-time options only: ``"numpy:precision=float64"``, ``"torch:device=cuda"``;
    NumPy unless given, where it can. Raises `BundleError` for a model that is missing or damaged.
    """
    plugins = plugins or Plugins()
    return load_contents(Bundle.open(path).contents(plugins, resumable=False), backend, plugins)
