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
_FITTING_SHARE = 0.8
"""The share of what is left that is advised to be used: frameworks hold more than is counted."""


def refuse_too_large(architecture: Architecture, encoder: Encoder, memory: int | None) -> None:
    """Raise `TrainingError` where the weights of a new model alone take more than `memory`, in bytes; None: unknown."""
    parameters = _count_parameters(architecture, encoder)
    if memory is not None and _FLOAT * parameters > memory:
        raise TrainingError(
            f"the model is too large for {_write_size(memory)} of memory: {parameters:,} parameters take "
            f"{_write_size(_FLOAT * parameters)}; ",
            *_advise_smaller_vocabulary(encoder),
            f"make it smaller by the options of {architecture.name}",
        )


def refuse_untrainable(
    architecture: Architecture,
    encoder: Encoder,
    settings: TrainingSettings,
    tokens: int,
    memory: int | None,
    *,
    encoder_may_change: bool = True,
) -> None:
    """Raise `TrainingError` where learning from so many tokens by gradients takes more than `memory`, in bytes.

    Only what every framework holds at once is counted: the weights, their gradients and the optimizer's moments, and
    for each token that a step predicts the logits of the whole vocabulary and their gradient.
    """
    parameters = _count_parameters(architecture, encoder)
    if memory is None or not parameters:
        return
    length = 1 if settings.sequences == "windows" else settings.sequence_length
    rows = min(settings.batch_size, max(1, tokens // length))
    of_parameters = _FLOAT * parameters * (2 + len(MOMENTS[settings.optimizer]))
    of_row = 2 * _FLOAT * length * encoder.vocabulary_size
    if of_parameters + rows * of_row <= memory:
        return
    fitting = int(_FITTING_SHARE * (memory - of_parameters) // of_row)
    fewer = ["take fewer sequences at once by ", advise("batch_size", fitting)] if fitting >= 1 else []
    raise TrainingError(
        f"the model is too large to be trained in {_write_size(memory)} of memory: {parameters:,} parameters need "
        f"{_write_size(of_parameters)} or more, and the logits of {rows * length:,} predictions of "
        f"{encoder.vocabulary_size:,} {encoder.token_name} {_write_size(rows * of_row)}; ",
        *(_advise_smaller_vocabulary(encoder) if encoder_may_change else []),
        *(fewer or [f"make it smaller by the options of {architecture.name}"]),
    )


def _count_parameters(architecture: Architecture, encoder: Encoder) -> int:
    return sum(weight.size for weight in architecture.weights(encoder.vocabulary_size).values())


def _advise_smaller_vocabulary(encoder: Encoder) -> list[str | Advice]:
    size = encoder.vocabulary_size
    if size < _MANY:
        return []
    if "max_vocabulary" not in encoder.options():
        return ["learn fewer tokens by ", advise("encoder", "byte"), ", or "]
    options = {**encoder.option_values(), "max_vocabulary": min(20_000, size // 2)}
    return ["learn fewer tokens by ", advise("encoder", type(encoder)(**options).spec), ", or "]


def _write_size(size: int) -> str:
    """Return a number of bytes in words.

    >>> _write_size(25_300_000_000), _write_size(4_000_000)
    ('25.3 GB', '4 MB')
    """
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
