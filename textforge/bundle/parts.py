"""A bundle's parts as bytes: the encoder, arrays, the checkpoint and the history.

Reading trusts nothing: whatever is wrong with the bytes raises `ValueError`, its message continuing a sentence that
named the file.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import safetensors.numpy

from textforge.bundle.checked_json import read_as, read_json, write_json
from textforge.bundle.checks import check_position, check_turn
from textforge.components import values
from textforge.encoders.base import Encoder
from textforge.errors import OptionError
from textforge.model import Array, Arrays, SavedModel
from textforge.training.checkpoint import Checkpoint, Position, Turn
from textforge.training.events import EpochResult

_DTYPES = {"bool", "float16", "float32", "float64", "complex64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_HEADER_KEY = "textforge"
_TRAINING = "training/"
_WEIGHTS = "weights/"
_TURN = "turn/"


def write_encoder(encoder: Encoder) -> bytes:
    """Return a fitted encoder as bytes; raises `ValueError` where it wouldn't read back equal."""
    data = write_json({"name": encoder.name, "options": encoder.option_values(), "learned": encoder.learned_values()})
    restored = read_encoder(type(encoder), data)
    for name, value in {**encoder.option_values(), **encoder.learned_values()}.items():
        if getattr(restored, name) != value:
            raise ValueError(f"{name} doesn't read back equal from JSON: its lists must be tuples")
    return data


@attrs.frozen
class _EncoderFile:
    options: dict[str, Any]
    learned: dict[str, Any]


def read_encoder(cls: type[Encoder], data: bytes) -> Encoder:
    """Return the encoder that `write_encoder` wrote."""
    found = read_as(_EncoderFile, read_json(data), "")
    unknown = sorted(set(found.options) - set(cls.options()))
    if unknown or set(found.learned) != set(cls.learned_fields()):
        raise ValueError(f"it is of another version of the encoder {cls.name!r}: its fields differ")
    learned = {name: _read_learned(cls, name, value) for name, value in found.learned.items()}
    try:
        return cls(**found.options, **learned)
    except OptionError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # a plugin's own check of its fields may raise anything
        raise ValueError(f"the encoder {cls.name!r} refuses it: {type(error).__name__}: {error}") from None


def read_encoder_options(data: bytes) -> dict[str, Any]:
    """Return the options of the encoder that `write_encoder` wrote, whose class may not be installed."""
    return dict(read_as(_EncoderFile, read_json(data), "").options)


def read_fitted_encoder(cls: type[Encoder], data: bytes, *, vocabulary_size: int) -> Encoder:
    """Return the encoder that `write_encoder` wrote, for a model with so many token ids."""
    encoder = read_encoder(cls, data)
    try:
        size = encoder.vocabulary_size
    except Exception as error:  # whatever a plugin does with values it never wrote
        raise ValueError(f"the encoder {cls.name!r} can't use it: {type(error).__name__}: {error}") from None
    if size != vocabulary_size:
        raise ValueError(f"its vocabulary has {size} tokens, and the model's has {vocabulary_size}")
    return encoder


def _read_learned(cls: type[Encoder], name: str, value: Any) -> Any:
    kind = _annotation(cls, name)
    return read_as(kind, value, name) if _is_readable(kind) else value


def _annotation(cls: type[Encoder], name: str) -> Any:
    try:
        return typing.get_type_hints(cls)[name]
    except Exception:  # a plugin may import the names of its annotations for type checkers alone
        return Any


def _is_readable(kind: Any) -> bool:
    """Return whether `read_as` knows an annotation: a plugin may have chosen any."""
    members = [member for member in values.members(kind) if member is not types.NoneType]
    if len(members) != 1:
        return bool(members) and all(_is_readable(member) for member in members)
    origin, arguments = typing.get_origin(members[0]), typing.get_args(members[0])
    if origin is tuple:
        return bool(arguments) and all(_is_readable(argument) for argument in arguments if argument is not Ellipsis)
    if origin is dict:
        return arguments[0] is str and _is_readable(arguments[1])
    return members[0] in (Any, bool, int, float, str)


def write_history(history: Sequence[EpochResult]) -> bytes:
    """Return a history as bytes, a line of JSON an epoch."""
    return b"".join(write_json(result.to_json(), indent=None) for result in history)


def read_history(data: bytes, lines: int | None) -> tuple[EpochResult, ...]:
    """Return the epochs that `write_history` wrote; raises `ValueError` unless there are so many lines."""
    found = data.split(b"\n")[:-1]
    if lines != len(found):
        raise ValueError(f"it has {len(found)} whole lines of {lines}")
    return tuple(read_as(EpochResult, read_json(line), f"line {at}") for at, line in enumerate(found, start=1))


def write_arrays(arrays: Mapping[str, Array], header: Any = None) -> bytes:
    """Return arrays as a safetensors file; `header` is a JSON value to stand in it beside them."""
    for name, array in arrays.items():
        if array.dtype.name not in _DTYPES or name == "__metadata__":
            raise ValueError(f"the array {values.quote(name)} of {array.dtype} can't be saved as safetensors")
    # One key only: several stand in any order, and equal contents would get different names.
    metadata = None if header is None else {_HEADER_KEY: write_json(header, indent=None).decode()}
    # safetensors writes wrong data in silence for other orders.
    ready = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return safetensors.numpy.save(ready, metadata)


def read_arrays(data: bytes) -> Arrays:
    """Return the arrays of a safetensors file, free to be written to."""
    try:
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"it is no safetensors file of plain arrays: {error}") from None
    return {name: array if array.flags.writeable else array.copy() for name, array in arrays.items()}


def read_header(data: bytes) -> Any:
    """Return the JSON value in the header of a safetensors file that `read_arrays` has read."""
    # the file begins with the header's length, 8 bytes, and the header
    header = read_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = read_as(dict[str, str] | None, header.get("__metadata__"), "its header") or {}
    if _HEADER_KEY not in metadata:
        raise ValueError("its header lacks the position")
    return read_json(metadata[_HEADER_KEY].encode("utf-8", "surrogatepass"))


@attrs.frozen
class _CheckpointHeader:
    position: Position
    own_weights: bool
    """True where the weights differ from the best, and so stand here."""
    turn: Position | None = None
    """The position at which the learning rate began to fall, if it has: its weights and training arrays stand here."""


def write_checkpoint(checkpoint: Checkpoint, best: SavedModel) -> bytes:
    """Return as bytes what resuming needs beside the best weights and the history."""
    arrays = {_TRAINING + name: array for name, array in checkpoint.arrays.items()}
    own_weights = not _are_same(checkpoint.model.arrays, best.arrays)
    if own_weights:
        arrays |= {_WEIGHTS + name: array for name, array in checkpoint.model.arrays.items()}
    turn = checkpoint.turn
    if turn is not None:
        arrays |= {_TURN + _WEIGHTS + name: array for name, array in turn.model.arrays.items()}
        arrays |= {_TURN + _TRAINING + name: array for name, array in turn.arrays.items()}
    header = _CheckpointHeader(checkpoint.position, own_weights, turn.position if turn else None)
    return write_arrays(arrays, attrs.asdict(header))


def _are_same(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and all(_is_same(first[name], second[name]) for name in first)


def _is_same(first: Array, second: Array) -> bool:
    """Return whether arrays are the same bit for bit, so that minus zero is not zero."""
    alike = first.dtype == second.dtype and first.shape == second.shape
    return first is second or (alike and first.tobytes() == second.tobytes())


def read_checkpoint(data: bytes, best: SavedModel, history: tuple[EpochResult, ...]) -> Checkpoint:
    """Return the checkpoint that `write_checkpoint` wrote."""
    arrays = read_arrays(data)
    header = read_as(_CheckpointHeader, read_header(data), "")
    check_position(header.position)
    weights = _select_prefixed(_WEIGHTS, arrays)
    model = attrs.evolve(best, arrays=weights) if header.own_weights else best
    turn = None
    if header.turn is not None:
        check_turn(header.turn, header.position)
        turn = _read_turn(header.turn, best, arrays)
    return Checkpoint(header.position, model, best, _select_prefixed(_TRAINING, arrays), history, turn)


def _read_turn(position: Position, best: SavedModel, arrays: Arrays) -> Turn:
    model = attrs.evolve(best, arrays=_select_prefixed(_TURN + _WEIGHTS, arrays))
    return Turn(position, model, _select_prefixed(_TURN + _TRAINING, arrays))


def _select_prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
