"""The text generator: a model and its encoder, from which text is asked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from textforge.encoders.base import Encoder, Unknown
from textforge.errors import GenerationError
from textforge.generation.chain import Samplers, parse_samplers
from textforge.generation.healing import split_prompts
from textforge.generation.logprobs import Logprobs
from textforge.generation.loop import WritingWatcher, write, write_one
from textforge.generation.request import Request, RequestOptions, make_request
from textforge.generation.task import Task, make_task
from textforge.generation.watching import Watcher, broadcast
from textforge.library.generated_text import GeneratedText
from textforge.model import GradientModel, Model
from textforge.samplers.base import Sampler

if TYPE_CHECKING:
    from textforge.backends.base import Backend
    from textforge.bundle import BundleContents
    from textforge.corpora.base import Corpus
    from textforge.evaluation.evaluation import Evaluation
    from textforge.evaluation.loss import LossWatcher
    from textforge.evaluation.metric import Metric
    from textforge.evaluation.score import Score
    from textforge.library.exporting import Exported
    from textforge.library.novelty import Novelty
    from textforge.plugins.registry import Plugins


class TextGenerator:
    """A model and its encoder, which write text together.

    `encoder` is the fitted one that the model was trained with. `plugins` says where samplers are looked up;
    unless given, among all that is installed.

    >>> import numpy as np
    >>> from textforge.encoders.char import CharEncoder
    >>> class Counting(Model):
    ...     vocabulary_size = 10
    ...     def start(self, batch_size):
    ...         return None
    ...     def step(self, ids, state):
    ...         return np.eye(10, dtype=np.float32)[(ids + 1) % 10]
    ...     def select(self, state, rows):
    ...         return None
    ...     def save(self):
    ...         raise NotImplementedError
    >>> generator = TextGenerator(Counting(), CharEncoder().fit(["0123456789"]))
    >>> generator.generate("2", samplers="greedy", max_tokens=5)
    '34567'
    >>> list(generator.stream("2", samplers="greedy", stop="6"))
    ['3', '4', '5']

    Raises `GenerationError` where model and encoder don't fit each other.
    """

    def __init__(
        self,
        model: Model,
        encoder: Encoder,
        *,
        plugins: Plugins | None = None,
        contents: BundleContents | None = None,
    ) -> None:
        if encoder.vocabulary_size == 0:
            raise GenerationError(f"the encoder {encoder.spec} has no vocabulary yet: fit it to a text first")
        if model.vocabulary_size != encoder.vocabulary_size:
            raise GenerationError(
                f"the model knows {model.vocabulary_size} tokens, but the encoder {encoder.vocabulary_size}: "
                f"give the encoder the model was trained with"
            )
        self.model = model
        self.encoder = encoder
        self._given_plugins = plugins
        self._contents = contents

    @functools.cached_property
    def _plugins(self) -> Plugins:
        from textforge.plugins.registry import Plugins  # imports what only a spec needs

        return self._given_plugins or Plugins()

    @overload
    def generate(self, prompt: Request, /) -> str | list[str]: ...

    @overload
    def generate(self, prompt: str = "", *, count: None = None, **options: Unpack[RequestOptions]) -> str: ...

    @overload
    def generate(self, prompt: str = "", *, count: int, **options: Unpack[RequestOptions]) -> list[str]: ...

    def generate(
        self, prompt: str | Request = "", *, count: int | None = None, **options: Unpack[RequestOptions]
    ) -> str | list[str]:
        """Return the text that follows the prompt, or a list of `count` texts.

        `options` are those of `textforge.Request`, which may be given in the prompt's place: `samplers`, a chain;
        `max_tokens`; `stop`, one text or several; `seed`; `unknown`, ``"error"`` or ``"skip"``.

        At most `max_tokens` tokens, less where a `stop` text would begin or the end-of-text token comes; neither
        shows. The same seed gives the same texts; without one, it is drawn. An empty prompt starts after the
        end-of-text token, else a newline, else the most frequent token. What the vocabulary lacks of the prompt
        raises `EncodingError`, or is left out with ``unknown="skip"``.

        Raises `GenerationError` for what can't be done as asked. Warns of a stop text that can never come.
        """
        request = make_request(prompt, count, options)
        written = [text.text for text in self.complete(request)]
        return written[0] if request.count is None else written

    def complete(
        self,
        prompt: str | Request = "",
        *,
        count: int | None = None,
        logprobs: bool = False,
        watch: Watcher | None = None,
        progress: WritingWatcher | None = None,
        **options: Unpack[RequestOptions],
    ) -> Iterator[GeneratedText]:
        """Yield what `generate` returns, each text with how it came about, once it and those before it are finished.

        With `logprobs`, it has the log-probabilities of its tokens, before and after the chain. `watch` is told of each
        token as it is drawn: a `textforge.generation.watching.DrawnToken`; those of several texts come step by step.
        `progress` is told after each step how far the writing is: a `textforge.generation.loop.WritingProgress`. Where
        Ctrl-C interrupts it, the texts that are finished are given before `KeyboardInterrupt` is raised.
        """
        request = make_request(prompt, count, options)
        task = self._task(request)
        noted = Logprobs(self.encoder) if logprobs else None
        watchers = [watcher for watcher in (noted, watch) if watcher is not None]
        texts = write(task, request.count or 1, broadcast(watchers), progress)
        return (GeneratedText.of(text, request, task.seed, noted) for text in texts)

    def complete_each(
        self,
        prompts: Sequence[str],
        *,
        count: int | None = None,
        progress: WritingWatcher | None = None,
        **options: Unpack[RequestOptions],
    ) -> Iterator[GeneratedText]:
        """Yield what `complete` gives for each prompt, in order, written side by side, whatever the prompts' lengths.

        The seed, the same for each, is drawn once unless given. Errors name a prompt by its place.
        """
        from textforge.generation.side_by_side import write_each  # what one prompt doesn't need

        request = make_request("", count, options)
        split = split_prompts(self.encoder, prompts, request.unknown)
        task = self._task(request)
        texts = write_each(task, split, request.count or 1, progress)
        return (
            GeneratedText.of(text, request.replace(prompt=prompts[place]), task.seed, None) for place, text in texts
        )

    def stream(
        self, prompt: str | Request = "", *, watch: Watcher | None = None, **options: Unpack[RequestOptions]
    ) -> Iterator[str]:
        """Return the pieces of the text that `generate` gives, as they are made; joined, they are that text.

        `watch` is told of each token as it is drawn, as by `complete`, before what it shows is given. Raises
        `GenerationError` also for a request that counts several texts.
        """
        request = make_request(prompt, None, options)
        if request.count not in (None, 1):
            raise GenerationError(f"stream writes one text, but the request's count is {request.count}: use complete")
        return write_one(self._task(request), watch)

    def parse_chain(self, samplers: Samplers) -> list[Sampler]:
        """Return the samplers of a chain, looked up among this generator's plugins; presets stay as they are.

        A chain that is used often is then parsed once. Raises `SpecError`, `UnknownComponent` or `OptionError`.
        """
        return parse_samplers(samplers, self._plugins)

    def evaluate(
        self,
        corpus: str | Path | Corpus | Sequence[str | Path | Corpus],
        *,
        unknown: Unknown = "error",
        metrics: str | Metric | Sequence[str | Metric] = (),
        adapt: bool | str | Backend = False,
        progress: LossWatcher | None = None,
    ) -> Evaluation:
        """Return how well the model predicts a text: its loss, perplexity, bits a character and a byte, and metrics.

        `corpus` is what `textforge.train` takes; `metrics` are specs of registered ones, or objects. The result says
        where the model was trained on the text. `progress` is called with the number of tokens predicted so far, and of
        all. Raises `CorpusError` for a text that can't be read or is too short,
        `EncodingError` for one that the vocabulary doesn't cover, unless `unknown` is ``skip``, and `PluginError` where
        a metric fails.
        """
        from textforge.library.evaluating import evaluate_text

        learner = None if adapt is False else self._load_learner(adapt)
        return evaluate_text(
            self.model, self.encoder, corpus, metrics, unknown, self._plugins, self._contents, learner, progress
        )

    def adapt(self, text: str, *, backend: str | Backend | None = None, unknown: Unknown = "error") -> TextGenerator:
        """Return a generator whose model has gone on learning from a text, read once; this one stays as it is.

        `backend` says what learns, and then runs the model: what trains it, and NumPy where it can, unless given.
        Raises `BackendError` for a backend or a model that isn't trained step by step, and `EncodingError` for a text
        that the vocabulary doesn't cover, unless `unknown` is ``skip``.
        """
        from textforge.backends.choose import load_runner
        from textforge.library.adapting import learn_from

        learner = self._load_learner(True if backend is None else backend)
        contents = learn_from(self.contents, learner, text, unknown)
        model = load_runner(self._plugins, contents.model, backend, contents.architecture_plugin)
        return TextGenerator(model, self.encoder, plugins=self._given_plugins, contents=contents)

    def _load_learner(self, backend: bool | str | Backend) -> GradientModel:
        from textforge.library.adapting import load_learner

        return load_learner(self._plugins, self.contents, None if isinstance(backend, bool) else backend)

    @property
    def contents(self) -> BundleContents:
        """The model, its encoder, and what is known of its training, as a bundle has them."""
        from textforge.bundle import collect_contents

        return self._contents or collect_contents(self.model, self.encoder, self._plugins)

    @overload
    def score(self, texts: str, *, end: bool = False, unknown: Unknown = "error") -> Score: ...  # type: ignore[overload-overlap]

    @overload
    def score(self, texts: Iterable[str], *, end: bool = False, unknown: Unknown = "error") -> list[Score]: ...

    def score(
        self, texts: str | Iterable[str], *, end: bool = False, unknown: Unknown = "error"
    ) -> Score | list[Score]:
        """Return the `textforge.Score` of a text under the model, or a list of them, in order, of several.

        A score has the text's log-likelihood, its perplexity, bits a character, and each token's log-probability before
        any sampler. The first token is predicted from what an empty prompt begins with: the end-of-text token, else a
        newline, else the most frequent token. With `end`, the end-of-text token behind the text is scored as well.
        Tokens that the encoder never generates are read, but left out of every figure. Thousands of texts are read side
        by side; what a text is read with changes its figures by no more than rounding.

        Raises `EncodingError` for a text that the vocabulary doesn't cover, unless `unknown` is ``skip``, and for `end`
        where the vocabulary has no end of text; `GenerationError` where the model gives no probabilities.
        """
        from textforge.evaluation.scoring import score_texts

        if isinstance(texts, str):
            return next(score_texts(self.model, self.encoder, [texts], end=end, unknown=unknown, name=_name_only_text))
        return list(score_texts(self.model, self.encoder, texts, end=end, unknown=unknown))

    def measure_novelty(
        self,
        corpus: str | Path | Corpus | Sequence[str | Path | Corpus] = (),
        prompt: str | Request = "",
        *,
        count: int | None = None,
        announce: Callable[[int], None] | None = None,
        progress: WritingWatcher | None = None,
        **options: Unpack[RequestOptions],
    ) -> Novelty:
        """Return how much of what the model writes stands in a corpus word for word, beside text held out in training.

        `corpus` is what `textforge.train` takes; without one, it is what the model was trained on, read again. What is
        written is asked for as of `complete`: 20 texts of 1,000 tokens unless given. The corpus's index is kept in the
        cache; where it must be made, `announce` is told the text's number of bytes first. Raises `CorpusError` for a
        text that can't be read again.
        """
        from textforge.library.novelty import COUNT, MAX_TOKENS, measure_novelty

        if not isinstance(prompt, Request):
            count, options = count or COUNT, {"max_tokens": MAX_TOKENS, **options}
        return measure_novelty(
            self.model,
            self.encoder,
            self._contents,
            self._plugins,
            corpus,
            make_request(prompt, count, options),
            announce=announce,
            progress=progress,
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the model and its encoder as a bundle, with what is known of its training.

        Raises `BundleError` where a bundle is there already, unless `overwrite`, or where nothing can be written.
        """
        from textforge.bundle import BundleWriter

        contents = self.contents
        writer = BundleWriter.prepare(path, overwrite=overwrite)
        try:
            writer.commit(contents)
        finally:
            writer.close()

    def export(self, path: str | Path, *, format: str, overwrite: bool = False) -> Exported:
        """Write the model to a file that other programs read, in a format that is installed, such as ``onnx``.

        Return what was written, and how far its logits are from the model's own. Raises `ExportError` where the format
        doesn't exist, the file does, unless `overwrite`, or can't be written, or where it gives other logits;
        `BackendError` where what writes it isn't installed.
        """
        from textforge.library.exporting import export

        return export(self.model.save(), self.encoder, format, path, overwrite=overwrite, plugins=self._plugins)

    def _task(self, request: Request) -> Task:
        """Return what was asked for, checked and ready to be written."""
        return make_task(self.model, self.encoder, request, self._plugins)

    def __repr__(self) -> str:
        model, encoder = self.model, self.encoder
        saved = self._contents.model if self._contents else None
        options = "".join(f" {name}={value}" for name, value in (saved.options if saved else {}).items())
        architecture = f"{saved.architecture}{options}, " if saved else ""
        size = f"{encoder.vocabulary_size} {encoder.token_name} ({encoder.spec})"
        return f"<TextGenerator: {architecture}{size}, run by {type(model).__name__}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process makes the generator of: the plugins are looked up anew there."""
        return {name: value for name, value in vars(self).items() if name != "_plugins"}


def _name_only_text(number: int) -> str:
    return "the text"
