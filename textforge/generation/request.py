"""A request for text: the options of a generation, declared once.

The library, the command line and the training's samples all make a `Request`. `RequestOptions` tells type checkers the
same of the keyword arguments that the library takes in its place; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypedDict, Unpack

import attrs

from textforge.encoders.base import Unknown
from textforge.errors import GenerationError, nearest
from textforge.generation.arguments import check_prompt, check_stops, check_unknown, check_whole
from textforge.generation.chain import Samplers
from textforge.generation.defaults import DEFAULT_CHAIN, DEFAULT_MAX_TOKENS


class RequestOptions(TypedDict, total=False):
    """The options of a `Request`, as keyword arguments beside the prompt and the count."""

    samplers: Samplers
    max_tokens: int
    stop: str | Sequence[str]
    seed: int | None
    unknown: Unknown


class RequestChanges(RequestOptions, total=False):
    """The fields of a `Request`, as keyword arguments."""

    prompt: str
    count: int | None


def _freeze(samplers: Samplers) -> Samplers:
    """Return the chain with each list in it as a tuple, which can't be changed later."""
    if isinstance(samplers, list):
        return tuple(_freeze(part) for part in samplers)  # type: ignore[misc]
    return samplers


def _check_max_tokens(value: int) -> int:
    return check_whole("max_tokens", value, least=0)


def _check_seed(value: int | None) -> int | None:
    return None if value is None else check_whole("seed", value, least=0)


def _check_count(value: int | None) -> int | None:
    return None if value is None else check_whole("count", value, least=1)


@attrs.frozen
class Request:
    """A request for one text, or for `count` of them, checked as it is made.

    Raises `GenerationError` for a value that makes no sense.

    >>> request = Request("It is ", samplers="top-k:40 | temperature:0.8", stop=".")
    >>> request.max_tokens, request.stop
    (400, ('.',))
    >>> request.replace(seed=1).seed
    1
    """

    prompt: str = attrs.field(default="", converter=check_prompt)
    """The text to go on from; an empty one starts after the end-of-text token, a newline, or the commonest token."""
    samplers: Samplers = attrs.field(default=DEFAULT_CHAIN, kw_only=True, converter=_freeze)
    """The chain: a spec, a sampler, a function of (logits, context), or a sequence of these."""
    max_tokens: int = attrs.field(default=DEFAULT_MAX_TOKENS, kw_only=True, converter=_check_max_tokens)
    """Tokens written at most."""
    count: int | None = attrs.field(default=None, kw_only=True, converter=_check_count)
    """The number of texts; None asks for one by itself, not for a list of one."""
    stop: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=check_stops)
    """Texts that end the text before its time, and don't show."""
    seed: int | None = attrs.field(default=None, kw_only=True, converter=_check_seed)
    """The same seed gives the same texts; without one, it is drawn."""
    unknown: Unknown = attrs.field(default="error", kw_only=True, converter=check_unknown)
    """The fate of characters of the prompt that the vocabulary lacks: ``error`` or ``skip``."""

    def replace(self, **changes: Unpack[RequestChanges]) -> Self:
        """Return a copy with other values, checked as in the constructor."""
        _refuse_unknown(changes)
        return attrs.evolve(self, **changes)


def make_request(prompt: str | Request, count: int | None, options: Mapping[str, Any]) -> Request:
    """Return the request that a function's arguments describe.

    Raises `TypeError` for an option that doesn't exist, as Python does, and `GenerationError` for one beside a request.
    """
    if not isinstance(prompt, Request):
        _refuse_unknown(options)
        return Request(prompt, count=count, **options)
    beside = [*options, *(["count"] if count is not None else [])]
    if beside:
        raise GenerationError(
            f"{beside[0]} was given beside a request, which has its own: write request.replace({beside[0]}=…)"
        )
    return prompt


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    known = [field.name for field in attrs.fields(Request)]
    for name in options:
        if name not in known:
            raise TypeError(f"there is no option {name!r}; there are {', '.join(known)}{nearest(name, known)}")
