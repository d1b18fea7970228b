"""The kinds of value an option may have, read from text, checked and written.

An option's kind is its annotation: ``bool``, ``int``, ``float``, ``str``, ``tuple[X, ...]``,
``dict[str, X]``, and unions of these with ``None``. Every failure is a `ValueError` whose message
continues a sentence that begins with the option's name: ``must be a number, got 'high'``.
"""

from __future__ import annotations

import itertools
import json
import numbers
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any


class Bare(str):
    """A value written without quotes: read by the option's kind, not always as text."""

    __slots__ = ()


def members(kind: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union, or the one kind there is."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.get_args(kind)
    return (kind,)


def describe(kind: Any) -> str:
    """Return the kind in words, for messages and ``textforge options``.

    Raises `TypeError` for an annotation that no option can have.
    """
    return " or ".join(_describe_one(member) for member in members(kind))


_PLAIN_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "none",
}


def _describe_one(kind: Any) -> str:
    if isinstance(kind, type) and kind in _PLAIN_WORDS:
        return _PLAIN_WORDS[kind]
    if item_kind(kind) is not None:
        return f"a list, each {describe(item_kind(kind))}"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and len(arguments) == 2 and arguments[0] is str:
        return f"a table from text to {describe(arguments[1])}"
    raise TypeError(f"can't be of type {kind!r}: use bool, int, float, str, tuple[X, ...] or dict[str, X]")


def item_kind(kind: Any) -> Any:
    """Return the kind of each item of a list, or None for a kind that is no list."""
    arguments = typing.get_args(kind)
    is_list = typing.get_origin(kind) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis
    return arguments[0] if is_list else None


def read(text: Bare, kind: Any) -> Any:
    """Return the value that a bare text stands for: the first alternative of the kind that can read it."""
    for member in _in_order(kind):
        try:
            return _READERS[typing.get_origin(member) or member](str(text), member)
        except ValueError:
            continue
    joined = "; write | between the components of a chain" if _HAS_ANOTHER.search(text) else ""
    raise ValueError(f"must be {describe(kind)}, got {quote(str(text))}{joined}")


_HAS_ANOTHER = re.compile(r"[ ;+/][a-z][a-z0-9_-]+[:=]")
"""The look of another component within a value."""


def _refuse(*_: Any) -> Any:
    raise ValueError


def _read_none(text: str, kind: Any) -> Any:
    return None if text == "none" else _refuse()


def _read_bool(text: str, kind: Any) -> bool:
    return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse()


def _read_number(text: str, kind: Any) -> Any:
    if "_" in text or not text.isascii():  # Python takes both, to nobody's surprise but the user's
        raise ValueError
    return kind(text)


def _read_tuple(text: str, kind: Any) -> tuple[Any, ...]:
    return (read(Bare(text), item_kind(kind)),)


_READERS: dict[Any, Callable[[str, Any], Any]] = {
    types.NoneType: _read_none,
    bool: _read_bool,
    int: _read_number,
    float: _read_number,
    dict: _refuse,
    tuple: _read_tuple,
    str: lambda text, kind: text,
}


def _in_order(kind: Any) -> list[Any]:
    """Return the alternatives of a kind, the most particular first: 1 is a whole number before it is a number."""
    ranks = list(_READERS)
    return sorted(members(kind), key=lambda member: ranks.index(typing.get_origin(member) or member))


def check(value: Any, kind: Any) -> Any:
    """Return the value in the form the kind keeps it in: integers become floats, lists tuples."""
    if isinstance(value, Bare):
        return check(read(value, kind), kind)
    for member in _in_order(kind):
        try:
            return _CHECKERS[typing.get_origin(member) or member](value, member)
        except ValueError:
            continue
    raise ValueError(f"must be {describe(kind)}, got {quote(value)}")


def _check_float(value: Any, kind: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
        raise ValueError
    try:
        return float(value)
    except OverflowError:
        raise ValueError from None


def _check_int(value: Any, kind: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError
    return int(value)


def _check_str(value: Any, kind: Any) -> str:
    # Not `str(value)`, which of a member of an enumeration gives the name.
    return str.__str__(value) if isinstance(value, str) else _refuse()


def _check_tuple(value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError
    return tuple(check(item, item_kind(kind)) for item in value)


def _check_dict(value: Any, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError
    return {str.__str__(key): check(item, typing.get_args(kind)[1]) for key, item in value.items()}


_CHECKERS: dict[Any, Callable[[Any, Any], Any]] = {
    types.NoneType: lambda value, kind: None if value is None else _refuse(),
    bool: lambda value, kind: value if isinstance(value, bool) else _refuse(),
    int: _check_int,
    float: _check_float,
    str: _check_str,
    tuple: _check_tuple,
    dict: _check_dict,
}


def quote(value: Any) -> str:
    r"""Return the value as a user wrote it, on one line and not too long, for messages.

    >>> quote("two\nlines"), quote(True), quote(Bare("40"))
    ("'two\\nlines'", 'true', '40')
    """
    try:
        text = _as_written(value)
    except Exception:  # a stranger's `__repr__` may fail, and numbers of many digits have none
        text = f"a value of type {type(value).__name__}"
    text = escape_unprintable(text)
    return text if len(text) <= 60 else text[:57] + "..."


def _as_written(value: Any) -> str:
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, numbers.Real) and value != value:
        return "NaN"
    return " ".join(repr(value).split()) if not isinstance(value, str) else repr(value)


def escape_unprintable(text: str) -> str:
    r"""Return the text on one line, with escapes for characters that not every terminal can show.

    >>> escape_unprintable("two\nlines")
    'two\\nlines'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def write(value: Any, kind: Any) -> str:
    """Return the shortest text that reads back as the value: bare where that is safe, else JSON.

    It is printable, but for a high surrogate before a low one: with both escaped, JSON would read one character.
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    alone = value[0] if isinstance(value, tuple) and len(value) == 1 else value  # one alone reads as a list of one
    if isinstance(alone, str) and _bare_is_safe(alone) and read(Bare(alone), kind) == value:
        return alone
    text = json.dumps(value, ensure_ascii=False)
    return "".join(map(_json_character, text, itertools.chain(text[1:], [""])))


def _json_character(character: str, following: str) -> str:
    """Return a character of some JSON, escaped unless it is printable or would join with the one that follows."""
    joins = "\ud800" <= character <= "\udbff" and "\udc00" <= following <= "\udfff"
    return character if joins or character.isprintable() else json.dumps(character)[1:-1]


def _bare_is_safe(text: str) -> bool:
    """Return whether a text without quotes ends where it should, wherever in a spec it stands."""
    if not text or text != text.strip() or text[0] in '"[{' or set(text) & {",", "|", "="}:
        return False
    return text.isprintable()


def is_control(character: str) -> bool:
    """Return whether a character is one of Unicode's control characters (C0, DEL, C1)."""
    return character < " " or "\x7f" <= character <= "\x9f"
