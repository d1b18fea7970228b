"""Checks of a caller's arguments."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np

from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import GenerationError, TextforgeError
from textforge.plugins.blame import blame


def check_whole(name: str, value: Any, least: int) -> int:
    """Return a whole number of at least `least`; raise `GenerationError` for anything else, `True` among it."""
    try:
        number = least - 1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise GenerationError(f"{name} must be a whole number >= {least}, got {value!r}")
    return number


def check_stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    """Return the stop texts; raise `GenerationError` for an empty one, or what is no text."""
    if not isinstance(stop, Iterable):
        raise GenerationError(f"stop must be a text or a list of texts, got {stop!r}")
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for text in stops:
        if not isinstance(text, str) or not text:
            raise GenerationError(f"a stop text must be a text of one character or more, got {text!r}")
    return stops


def check_prompt(prompt: str) -> str:
    """Return the prompt; raise `GenerationError` where it is no text."""
    if not isinstance(prompt, str):
        raise GenerationError(f"the prompt must be a text, got {prompt!r}")
    return prompt


def check_unknown(unknown: Unknown) -> Unknown:
    """Return the word for the fate of text that the vocabulary lacks; raise `GenerationError` for another word."""
    if unknown not in get_args(Unknown):
        raise GenerationError(f"unknown must be one of {', '.join(get_args(Unknown))}, got {unknown!r}")
    return unknown


def encode_prompt(encoder: Encoder, prompt: str, unknown: Unknown) -> Ids:
    """Return the prompt's ids, (T,) with T at least 1; raise `EncodingError` for text that the vocabulary lacks."""
    with blame(encoder, "to encode the prompt"):
        return begin_with(encoder, encoder.encode(prompt, unknown=unknown))


def begin_with(encoder: Encoder, ids: Ids) -> Ids:
    """Return the ids of a prompt, (T,), or the one after which an empty prompt starts."""
    return ids if len(ids) else np.array([_choose_first_token(encoder)], dtype=np.int64)


def _choose_first_token(encoder: Encoder) -> int:
    """Return the token after which an empty prompt starts."""
    if encoder.end_of_text is not None:
        return encoder.end_of_text
    try:
        newline = encoder.encode("\n")
    except TextforgeError:
        return encoder.most_frequent
    known = len(newline) == 1 and newline[0] not in encoder.never_generated  # which no training has prepared it for
    return int(newline[0]) if known else encoder.most_frequent
