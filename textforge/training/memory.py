"""The memory that a run needs, found before it begins: a run that fills the memory ends without a word."""

from __future__ import annotations

from textforge.architectures.base import Architecture
from textforge.backends.training_arrays import MOMENTS
from textforge.encoders.base import Encoder
from textforge.errors import Advice, TrainingError, advise
from textforge.training.settings import TrainingSettings

_FLOAT = 4
"""Bytes of a value in float32, which models are kept in."""
_MANY = 1000
"""Tokens from which on the vocabulary is said to be a reason."""


def refuse_too_large(
    architecture: Architecture, encoder: Encoder, settings: TrainingSettings, tokens: int, memory: int | None
) -> None:
    """Raise `TrainingError` where training on so many tokens needs more than `memory`, in bytes; None: not known.

    Only what every framework holds is counted: the weights, their gradients and the optimizer's moments, a checkpoint
    of them, and for each token that a step predicts the logits of the whole vocabulary and their gradient.
    """
    weights = architecture.weights(encoder.vocabulary_size).values()
    if memory is None or not weights:
        return
    parameters = sum(weight.size for weight in weights)
    windows = settings.sequences == "windows"
    predicted = min(settings.batch_size * (1 if windows else settings.sequence_length), tokens)
    copies = 2 + len(MOMENTS[settings.optimizer])
    of_parameters = _FLOAT * parameters * (copies + copies - 1)
    of_logits = 2 * _FLOAT * predicted * encoder.vocabulary_size
    if of_parameters + of_logits <= memory:
        return
    rows = int((memory / 2 - of_parameters) // (of_logits / settings.batch_size))
    raise TrainingError(
        f"the model is too large to be trained in {_write_size(memory)} of memory: {parameters:,} parameters need "
        f"{_write_size(of_parameters)} or more, and the logits of {predicted:,} predictions of "
        f"{encoder.vocabulary_size:,} {encoder.token_name} {_write_size(of_logits)}; ",
        *_advise_smaller_vocabulary(encoder),
        *(["take fewer sequences at once by ", advise("batch_size", rows)] if rows >= 1 else []),
        *([] if rows >= 1 else [f"make it smaller by the options of {architecture.name}"]),
    )


def _advise_smaller_vocabulary(encoder: Encoder) -> list[str | Advice]:
    if encoder.vocabulary_size < _MANY:
        return []
    smaller = f"{encoder.name}:max_vocabulary=20000" if "max_vocabulary" in encoder.options() else "byte"
    return ["learn fewer tokens by ", advise("encoder", smaller), ", or "]


def _write_size(size: int) -> str:
    """Return a number of bytes in words.

    >>> _write_size(25_300_000_000), _write_size(4_000_000)
    ('25.3 GB', '4 MB')
    """
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
