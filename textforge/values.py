"""The kinds of value an option may have, read from text, checked and written.

An option's kind is its annotation: ``bool``, ``int``, ``float``, ``str``, ``tuple[X, ...]``,
``dict[str, X]``, and unions of these with ``None``. Every failure is a `ValueError` whose message
continues a sentence that begins with the option's name: ``must be a number, got 'high'``.
"""

from __future__ import annotations

import json
import math
import numbers
import types
import typing
from collections.abc import Mapping
from typing import Any


class Bare(str):
    """A value written without quotes: read by the option's kind, not always as text."""

    __slots__ = ()


def members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the one kind there is."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.get_args(kind)
    return (kind,)


def describe(kind: Any) -> str:
    """The kind in words, for messages and ``textforge options``."""
    return " or ".join(_describe_one(member) for member in members(kind))


_PLAIN_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "none",
}


def _describe_one(kind: Any) -> str:
    if kind in _PLAIN_WORDS:
        return _PLAIN_WORDS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return f"a list, each {describe(arguments[0])}"
    if origin is dict:
        return f"a table from text to {describe(arguments[1])}"
    raise TypeError(f"an option can't be of type {kind!r}: use bool, int, float, str, tuple[X, ...] or dict[str, X]")


def supported(kind: Any) -> None:
    """Raise `TypeError` for an annotation that no option can have."""
    describe(kind)


def read(text: Bare, kind: Any) -> Any:
    """The value a bare text stands for: the first alternative of the kind that can read it."""
    for member in sorted(members(kind), key=_reading_order):
        try:
            return _READERS[typing.get_origin(member) or member](str(text), member)
        except ValueError:
            continue
    raise ValueError(f"must be {describe(kind)}, got {str(text)!r}")


def _read_none(text: str, kind: Any) -> None:
    if text != "none":
        raise ValueError
    return


def _read_bool(text: str, kind: Any) -> bool:
    return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse()


def _read_number(text: str, kind: Any) -> Any:
    if "_" in text:
        raise ValueError
    return kind(text)


def _read_tuple(text: str, kind: Any) -> tuple[Any, ...]:
    return (read(Bare(text), typing.get_args(kind)[0]),)


def _refuse(*_: Any) -> Any:
    raise ValueError


_READERS: dict[Any, Any] = {
    types.NoneType: _read_none,
    bool: _read_bool,
    int: _read_number,
    float: _read_number,
    dict: _refuse,
    tuple: _read_tuple,
    str: lambda text, kind: text,
}


def _reading_order(kind: Any) -> int:
    return list(_READERS).index(typing.get_origin(kind) or kind)


def check(value: Any, kind: Any) -> Any:
    """The value in the form the kind keeps it in: integers become floats, lists tuples."""
    if isinstance(value, Bare):
        return check(read(value, kind), kind)
    for member in members(kind):
        checked = _CHECKERS[typing.get_origin(member) or member](value, member)
        if checked is not _NO:
            return checked
    raise ValueError(f"must be {describe(kind)}, got {shown(value)}")


_NO: Any = object()


def _check_float(value: Any, kind: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return _NO
    if math.isnan(value):
        raise ValueError("must be a number, got NaN")
    return float(value)


def _check_int(value: Any, kind: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return _NO
    return int(value)


def _check_tuple(value: Any, kind: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return _NO
    return tuple(check(item, typing.get_args(kind)[0]) for item in value)


def _check_dict(value: Any, kind: Any) -> Any:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return _NO
    return {str(key): check(item, typing.get_args(kind)[1]) for key, item in value.items()}


_CHECKERS: dict[Any, Any] = {
    types.NoneType: lambda value, kind: None if value is None else _NO,
    bool: lambda value, kind: value if isinstance(value, bool) else _NO,
    int: _check_int,
    float: _check_float,
    str: lambda value, kind: str(value) if isinstance(value, str) else _NO,
    tuple: _check_tuple,
    dict: _check_dict,
}


def shown(value: Any) -> str:
    """The value as a user wrote it, on one line and not too long."""
    if isinstance(value, Bare):
        text = str(value)
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else repr(value)
    text = text.replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."


def write(value: Any, kind: Any) -> str:
    """The shortest text that reads back as the value: bare where that is safe, else JSON."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str) and _bare_is_safe(value, kind):
        return value
    return json.dumps(value, ensure_ascii=False)


def _bare_is_safe(text: str, kind: Any) -> bool:
    if not text or text != text.strip() or text[0] in '"[{' or set(text) & {",", "|", "="}:
        return False
    return not any(is_control(character) for character in text) and read(Bare(text), kind) == text


def is_control(character: str) -> bool:
    """Whether a character is one of Unicode's control characters (C0, DEL, C1)."""
    return character < " " or "\x7f" <= character <= "\x9f"
