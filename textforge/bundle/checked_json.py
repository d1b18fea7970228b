"""JSON that reads back equal, and values read from a stranger's JSON, checked against a kind.

Reading trusts nothing: whatever is wrong raises `ValueError`, its message continuing a sentence that named the file.
"""

from __future__ import annotations

import contextlib
import json
import math
import types
import typing
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from textforge.components import values


def write_json(value: Any, *, indent: int | None = 2) -> bytes:
    """Return a value as JSON that reads back equal, tuples and lists being one.

    Code points outside ASCII stand as themselves; lone surrogates too, since two escaped ones would read back as one
    character. Raises `ValueError` for what JSON can't hold.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_to_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it can't be written as JSON: {error}") from None
    data = f"{text}\n".encode("utf-8", "surrogatepass")
    if as_tuples(read_json(data)) != as_tuples(value):
        raise ValueError("it can't be written as JSON: the keys of a table must be text")
    return data


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is none of text, number, true, false, none, list and table")


def read_json(data: bytes) -> Any:
    """Return the value that some JSON stands for; raises `ValueError` where it is no JSON."""
    try:
        text = data.decode("utf-8", "surrogatepass")
        return json.loads(text, parse_constant=_read_finite, parse_float=_read_finite)
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"its JSON ends or breaks at line {error.lineno}") from None


def _read_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number that JSON may have")
    return value


def as_tuples(value: Any) -> Any:
    """Return the value with tuples for lists, through and through: components are frozen."""
    if isinstance(value, (list, tuple)):
        return tuple(as_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: as_tuples(item) for key, item in value.items()}
    return value


def read_as(kind: Any, value: Any, where: str) -> Any:
    """Return a value of JSON as a kind: an attrs class, or what annotates its fields; of several, the first it is.

    Unknown fields are passed over. Raises `ValueError`, which begins with `where`, for anything else.
    """
    members = [member for member in values.members(kind) if member is not types.NoneType]
    if value is None and len(members) < len(values.members(kind)):
        return None
    for kind in members[:-1]:
        with contextlib.suppress(ValueError):
            return read_as(kind, value, where)
    kind = members[-1]
    if kind is Any:
        return as_tuples(value)
    if attrs.has(kind):
        return _read_record(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _read_tuple(arguments, _expect((list, tuple), value, where), where)
    if origin is dict:
        table = _expect((dict,), value, where)
        return {key: read_as(arguments[1], item, f"{where}[{values.quote(key)}]") for key, item in table.items()}
    return _read_plain(kind, value, where)


def _expect(kinds: tuple[type, ...], value: Any, where: str) -> Any:
    if not isinstance(value, kinds):
        wanted = "a table" if dict in kinds else "a list"
        raise ValueError(f"{where or 'it'} must be {wanted}, got {values.quote(value)}")
    return value


def _read_tuple(kinds: tuple[Any, ...], items: Sequence[Any], where: str) -> tuple[Any, ...]:
    """Return items as a tuple of one kind, ``tuple[X, ...]``, or of one kind a place, ``tuple[X, Y]``."""
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    if len(items) != len(kinds):
        raise ValueError(f"{where} must have {len(kinds)} values, got {len(items)}")
    pairs = enumerate(zip(kinds, items, strict=True))
    return tuple(read_as(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    try:
        return values.check(value, kind)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where} {error}") from None


def _read_record(cls: type[Any], value: Any, where: str) -> Any:
    table = _expect((dict,), value, where)
    hints = typing.get_type_hints(cls)
    read = {}
    for field in attrs.fields(cls):
        name = f"{where}.{field.name}" if where else field.name
        if field.name in table:
            read[field.name] = read_as(hints[field.name], table[field.name], name)
        elif field.default is attrs.NOTHING:
            raise ValueError(f"{name} is missing")
    return cls(**read)
