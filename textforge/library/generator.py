"""The text generator: a model and its encoder, asked for text."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import attrs

from textforge.encoders.base import Encoder, Unknown
from textforge.errors import GenerationError
from textforge.generation.arguments import prompt_ids, stop_texts, whole
from textforge.generation.chain import Samplers, checked_chain
from textforge.generation.logprobs import Logprobs, TokenLogprob
from textforge.generation.loop import Task, write, write_one
from textforge.generation.text import FinishReason
from textforge.generation.watching import Watcher, told_to_all
from textforge.model import Model

if TYPE_CHECKING:
    from textforge.bundle import BundleContents
    from textforge.corpora.base import Corpus
    from textforge.evaluation.evaluation import Evaluation
    from textforge.library.exporting import Exported
    from textforge.plugins.registry import Plugins

DEFAULT_CHAIN = "temperature:0.7"
DEFAULT_MAX_TOKENS = 400


@attrs.frozen
class GeneratedText:
    """A text that was generated, and how it came about."""

    prompt: str
    text: str
    """What follows the prompt."""
    finish_reason: FinishReason
    """``length``: as many tokens as asked for; ``stop``: a stop text; ``end``: the end-of-text token."""
    tokens: int
    """Tokens generated that show in the text."""
    seed: int
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Of each token that shows, where they were asked for."""


class TextGenerator:
    """Writes text with a model.

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
    def generate(
        self,
        prompt: str = "",
        *,
        samplers: Samplers = DEFAULT_CHAIN,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        count: None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        unknown: Unknown = "error",
    ) -> str: ...

    @overload
    def generate(
        self,
        prompt: str = "",
        *,
        samplers: Samplers = DEFAULT_CHAIN,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        count: int,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        unknown: Unknown = "error",
    ) -> list[str]: ...

    def generate(
        self,
        prompt: str = "",
        *,
        samplers: Samplers = DEFAULT_CHAIN,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        count: int | None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        unknown: Unknown = "error",
    ) -> str | list[str]:
        """The text that follows the prompt, or a list of `count` texts.

        At most `max_tokens` tokens, less where a `stop` text would begin or the end-of-text token comes; neither
        shows. The same seed gives the same texts; without one, it is drawn. An empty prompt starts after the
        end-of-text token, else a newline, else the most frequent token. What the vocabulary lacks of the prompt
        raises `EncodingError`, or is left out with ``unknown="skip"``.

        Raises `GenerationError` for what can't be done as asked.
        """
        texts = self.complete(
            prompt,
            samplers=samplers,
            max_tokens=max_tokens,
            count=1 if count is None else count,
            stop=stop,
            seed=seed,
            unknown=unknown,
        )
        written = [text.text for text in texts]
        return written[0] if count is None else written

    def complete(
        self,
        prompt: str = "",
        *,
        samplers: Samplers = DEFAULT_CHAIN,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        count: int = 1,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        unknown: Unknown = "error",
        logprobs: bool = False,
        watch: Watcher | None = None,
    ) -> Iterator[GeneratedText]:
        """As `generate`, each text with how it came about, as soon as it and those before it are finished.

        With `logprobs`, it has the log-probabilities of its tokens, before and after the chain. `watch` is told of each
        token as it is drawn: a `textforge.generation.watching.DrawnToken`; those of several texts come step by step.
        """
        count = whole("count", count, least=1)
        task = self._task(prompt, samplers, max_tokens, stop, seed, unknown)
        noted = Logprobs(self.encoder) if logprobs else None
        watchers = [watcher for watcher in (noted, watch) if watcher is not None]
        return (
            GeneratedText(
                prompt,
                text.text,
                text.finish_reason or "length",
                text.tokens,
                task.seed,
                None if noted is None else noted.take(text),
            )
            for text in write(task, count, told_to_all(watchers))
        )

    def stream(
        self,
        prompt: str = "",
        *,
        samplers: Samplers = DEFAULT_CHAIN,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        unknown: Unknown = "error",
        watch: Watcher | None = None,
    ) -> Iterator[str]:
        """The pieces of the text that `generate` gives, as they are made; joined, they are that text.

        `watch` is told of each token as it is drawn, as by `complete`, before what it shows is given.
        """
        return write_one(self._task(prompt, samplers, max_tokens, stop, seed, unknown), watch)

    def evaluate(
        self, corpus: str | Path | Corpus | Sequence[str | Path | Corpus], *, unknown: Unknown = "error"
    ) -> Evaluation:
        """How well the model predicts a text: its loss, perplexity, and bits a character and a byte.

        `corpus` is what `textforge.train` takes. Raises `CorpusError` for a text that can't be read or is too short,
        and `EncodingError` for one that the vocabulary doesn't cover, unless `unknown` is ``skip``.
        """
        from textforge.corpora.resolve import resolve_corpora
        from textforge.evaluation.evaluation import evaluate

        return evaluate(self.model, self.encoder, resolve_corpora(corpus, self._plugins), unknown=unknown)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the model and its encoder as a bundle, with what is known of its training.

        Raises `BundleError` where a bundle is there already, unless `overwrite`, or where nothing can be written.
        """
        from textforge.bundle import BundleWriter, contents_of

        contents = self._contents or contents_of(self.model, self.encoder, self._plugins)
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

    def _task(
        self,
        prompt: str,
        samplers: Samplers,
        max_tokens: int,
        stop: str | Sequence[str],
        seed: int | None,
        unknown: Unknown,
    ) -> Task:
        """What was asked for, checked."""
        return Task(
            model=self.model,
            encoder=self.encoder,
            max_tokens=whole("max_tokens", max_tokens, least=0),
            stops=stop_texts(stop),
            seed=secrets.randbits(32) if seed is None else whole("seed", seed, least=0),
            samplers=checked_chain(samplers, self.encoder, self._plugins),
            prompt=prompt_ids(self.encoder, prompt, unknown),
        )
