"""The evaluation of a model on a text: loss, perplexity, bits a character and a byte, and metrics of plugins."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import attrs

from textforge.corpora.base import Corpus
from textforge.corpora.tokens import token_file
from textforge.encoders.base import Encoder, Unknown
from textforge.errors import CorpusError
from textforge.evaluation.adapting import measure_adapted_loss
from textforge.evaluation.loss import LossWatcher, token_loss
from textforge.evaluation.metric import Measured, Metric, measure
from textforge.evaluation.text import JoinedCorpus, TextSize, count_among, measure_decoded
from textforge.model import Array, GradientModel, Model


@attrs.frozen
class Evaluation:
    """The figures of a model on a text."""

    loss: float
    """Mean negative log-likelihood, in nats a token."""
    perplexity: float
    """The exponential of the loss: as uncertain as a choice among so many tokens."""
    bits_per_character: float
    """Mean bits, comparable between models of any encoder, as is the next."""
    bits_per_byte: float
    tokens: int
    """Tokens predicted: all but the first, or but the first window's, and but those that are never written."""
    characters: int
    """Characters of the text as it was read."""
    bytes: int
    """Bytes of the text as it was read, in UTF-8."""
    adapted_loss: float | None = None
    """The loss where the model goes on learning from what it reads, in nats a token; None unless asked for."""
    skipped: int = 0
    """Characters left out because the vocabulary lacks them; no bits are counted for them."""
    unwritten: int = 0
    """Characters left out of every figure because the encoder has only a mark for them, which is never generated."""
    trained_on: tuple[str, ...] = ()
    """Specs of the corpora that the model was trained on: their figures say nothing of another text's."""
    trained_validation_loss: float | None = None
    """The model's best validation loss, in nats a token, where it was trained on one of the corpora."""
    metrics: tuple[Measured, ...] = ()
    """The figures of the metrics asked for, in their order."""
    notes: tuple[str, ...] = ()
    """The lines that a user should read of the text: a file that was left out or not read as UTF-8, say."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        metrics = [attrs.asdict(figure) for figure in self.metrics]
        lists = {"trained_on": list(self.trained_on), "metrics": metrics, "notes": list(self.notes)}
        return attrs.asdict(self) | lists


def evaluate(
    model: Model,
    encoder: Encoder,
    corpora: Sequence[Corpus],
    folder: Path | None = None,
    unknown: Unknown = "error",
    *,
    metrics: Sequence[Metric] = (),
    trained_on: Collection[str] = (),
    learner: GradientModel | None = None,
    progress: LossWatcher | None = None,
) -> Evaluation:
    """Evaluate a model on a text, encoded as the one it was trained on, and return the figures.

    `learner`, a copy of the model, is measured too, going on to learn as it reads.

    `trained_on` are the SHA-256 hashes of the corpora it was trained on, to be recognised. Tokens lie in a temporary
    file in `folder` meanwhile. `progress` is told how many are predicted.

    Raises `CorpusError` for a text that can't be read or is too short, `EncodingError` for one that the vocabulary
    doesn't cover, unless `unknown` is ``skip``, and `PluginError` where a metric fails.
    """
    if not corpora:
        raise CorpusError("there is no corpus to evaluate on; name a file, a folder or a corpus")
    text = JoinedCorpus(corpora=tuple(corpora), marked=encoder.end_of_text is not None)
    with token_file([text], encoder, folder, learning="nothing", unknown=unknown) as file:
        skipped = text.size.less(measure_decoded(file.tokens, encoder)) if unknown == "skip" else TextSize()
        result = evaluate_tokens(model, file.tokens, text.size, skipped, encoder, progress)
        adapted = None if learner is None else measure_adapted_loss(learner, file.tokens, progress).mean
        measured = tuple(measure(metric, model, encoder, file.tokens) for metric in metrics)
    seen = tuple(spec for spec, digest in text.hashes if digest in trained_on)
    return attrs.evolve(result, adapted_loss=adapted, trained_on=seen, metrics=measured, notes=file.notes)


def evaluate_tokens(
    model: Model,
    tokens: Array,
    size: TextSize,
    skipped: TextSize | None = None,
    encoder: Encoder | None = None,
    progress: LossWatcher | None = None,
) -> Evaluation:
    """Evaluate a model on a text of this size that these tokens, (n,), stand for, and return the figures.

    The first token, or the first window, is predicted from nothing: its bits are taken to be the mean. The ids that the
    encoder never generates are left out, and the characters that they stand for.
    """
    skipped = skipped or TextSize()
    never = encoder.never_generated if encoder else ()
    marks = count_among(tokens, never)
    counted, unwritten = size.less(skipped), TextSize()
    if encoder and marks:
        unwritten = counted.less(measure_decoded(tokens, encoder, without=never))
        counted = counted.less(unwritten)
    loss = token_loss(model, tokens, excluded=never if marks else (), progress=progress)
    bits = loss.mean * (len(tokens) - marks) / math.log(2)  # nats to bits; all tokens, those predicted from nothing too
    return Evaluation(
        loss=loss.mean,
        perplexity=math.exp(loss.mean) if loss.mean < 700 else math.inf,
        bits_per_character=bits / max(1, counted.characters),
        bits_per_byte=bits / max(1, counted.bytes),
        tokens=loss.tokens,
        characters=size.characters,
        bytes=size.bytes,
        skipped=skipped.characters,
        unwritten=unwritten.characters,
    )
