"""What was asked for, checked."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np

from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import GenerationError, TextforgeError


def whole(name: str, value: Any, least: int) -> int:
    """A whole number that is not too small. Raises `GenerationError`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise GenerationError(f"{name} must be a whole number >= {least}, got {value!r}")
    return number


def stop_texts(stop: str | Sequence[str]) -> tuple[str, ...]:
    """The stop texts, none of them empty. Raises `GenerationError`."""
    if not isinstance(stop, Iterable):
        raise GenerationError(f"stop must be a text or a list of texts, got {stop!r}")
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for text in stops:
        if not isinstance(text, str) or not text:
            raise GenerationError(f"a stop text must be a text of one character or more, got {text!r}")
    return stops


def prompt_ids(encoder: Encoder, prompt: str, unknown: Unknown) -> Ids:
    """The prompt's tokens, at least one.

    Raises `GenerationError` for what is no text, and `EncodingError` for what the vocabulary lacks.
    """
    if not isinstance(prompt, str):
        raise GenerationError(f"the prompt must be a text, got {prompt!r}")
    if unknown not in get_args(Unknown):
        raise GenerationError(f"unknown must be one of {', '.join(get_args(Unknown))}, got {unknown!r}")
    ids = encoder.encode(prompt, unknown=unknown)
    return ids if len(ids) else np.array([_first_token(encoder)], dtype=np.int64)


def _first_token(encoder: Encoder) -> int:
    """What an empty prompt starts after."""
    if encoder.end_of_text is not None:
        return encoder.end_of_text
    try:
        newline = encoder.encode("\n")
    except TextforgeError:
        return encoder.most_frequent
    return int(newline[0]) if len(newline) == 1 else encoder.most_frequent
