"""The check of an exported file: its logits against the model's own, on text that the model writes.

Random tokens would lead a model to states that it never has in use, and float32's rounding grows from token to token.
So a file is compared in three ways:

- The whole text: the file reads it by itself, from the beginning, its own state carried on.
- Pieces of a few tokens, each from a state that the model had in that text: rounding has no time to grow, so little is
  allowed, late in a text as well as early. A file that takes no state up reads each piece from the beginning.
- Pieces of all tokens of the vocabulary, from such states, since a text may lack some.

States after each are compared too. What is allowed follows from float32's own distance from float64, but is never more
than a small fraction of the logits' spread. Where a model magnifies rounding so much that its own float32 may be
further off, each logit of the whole text says nothing from there on: pieces decide, and the spread of what is left.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs
import numpy as np

from textforge.encoders.base import Ids
from textforge.errors import BackendError, ExportError, TextforgeError, list_names
from textforge.formats.base import ReadBack
from textforge.generation.drawing import Draw, UndrawableRow
from textforge.generation.history import History
from textforge.generation.randomness import DrawNumbers
from textforge.generation.reader import read_prompt
from textforge.library.distances import Allowed, allow, distances, measure_spread
from textforge.model import Array, Arrays, Model, StateShape

TOKENS = 1024
"""Tokens of the text that is written, in all rows."""
LENGTH = 512
"""Tokens a row, at most: enough for a state that goes wrong to show."""
PIECE = 8
"""Tokens read from a state of the model's: few, so that rounding can't grow."""
LOGITS = 1 << 24
"""Logits compared at once, at most, which bounds the memory that a large vocabulary takes."""
STATE = 1 << 24
"""Numbers in the states of all pieces, at most, which bounds the memory that a large state takes."""
SEED = 0
"""The seed of the text."""
STRETCH, TIMES = 16, 3
"""Tokens a row whose spread is compared, and how many times as large or as small it may be by chance."""


@attrs.frozen(eq=False)
class Reference:
    """A model as textforge runs it, to compare a file with."""

    exact: Model
    """In float64, where something runs it so."""
    rounded: Model | None
    """In float32; None where there is only one precision."""
    state: Mapping[str, StateShape]
    """The shapes of its architecture's state."""


@attrs.frozen
class Agreement:
    """The agreement of a file with its model."""

    distance: float
    """The largest difference of logits."""
    tokens: int
    """The tokens after which they were compared."""


@attrs.frozen(eq=False)
class Case:
    """Tokens to read from a state."""

    ids: Array
    """(B, T)"""
    start: Arrays | None
    """The state before, by canonical name; None: that before the first token."""
    places: Array
    """(B,): tokens of the text that each row's state has read."""


@attrs.frozen(eq=False)
class Reading:
    """Logits after each token of a case, (B, T, V), and the state after the last, where it can be had."""

    logits: Array
    state: Arrays | None


def check_file(read_back: ReadBack, reference: Reference, first: Ids, writer: str) -> Agreement:
    """Compare a file's logits and states with the model's own, and return how well they agree.

    `first` are the tokens that the text begins with, `writer` is what wrote the file. Raises `ExportError` where it
    differs by more than is allowed.
    """
    text = write_text(reference.exact, first)
    whole = Case(text, None, np.zeros(len(text), np.int64))
    found = _read(read_back, whole, writer)
    found_all = [_compare(reference, whole, found, writer)]
    takes_states = found.state is not None and _carries(reference)
    for case in _cut_pieces(reference, text, takes_states):
        found_all.append(_compare(reference, case, _read(read_back, case, writer), writer))
    return Agreement(max(each.distance for each in found_all), sum(each.tokens for each in found_all))


def write_text(model: Model, first: Ids) -> Array:
    """Return text that a model writes, (B, T), its draws unaltered: rows of one text each, all with the same beginning.

    A row is no longer than the model's window, where it has one.
    """
    room = max(1, LOGITS // model.vocabulary_size)
    length = max(1, min(LENGTH, room // 2, model.window or LENGTH))
    rows = max(1, min(TOKENS, room) // length)
    reader = read_prompt(model, first[-length:]).repeat(rows)
    history, numbers = History(first[-length:], rows), DrawNumbers(SEED, range(rows))
    draw, logits = Draw(rows, model.vocabulary_size).draw, reader.logits
    for step in range(length - history.tokens.shape[1]):
        try:
            ids = draw(logits.astype(np.float64), numbers.at(step))
        except UndrawableRow as error:
            raise ExportError(
                f"the file can't be checked, for after {step + 1} tokens the model's own logits {error.problem}: train "
                "it again"
            ) from None
        history.append(ids)
        logits = reader.read(history)
    return history.tokens


def _carries(reference: Reference) -> bool:
    """Return whether the model's states can be had as arrays."""
    try:
        return bool(reference.exact.state_arrays(reference.exact.start(1)))
    except BackendError:
        return False


def _cut_pieces(reference: Reference, text: Array, takes_states: bool) -> Iterator[Case]:
    """Cut a text into pieces, (B, P), and make others of all tokens, or as many as there is room for."""
    vocabulary_size = reference.exact.vocabulary_size
    size = min(PIECE, text.shape[1])
    begins = np.arange(0, text.shape[1] - size + 1, size)
    if takes_states:
        carried = sum(int(np.prod([each or 1 for each in shape])) for shape in reference.state.values())
        kept = max(1, STATE // (carried * len(text)))
        begins = begins[:: -(-len(begins) // kept)]
    ids = np.concatenate([text[:, begin : begin + size] for begin in begins])
    places = np.repeat(begins, len(text))
    starts = _states_at(reference, text, begins) if takes_states else None
    yield Case(ids, starts, places if takes_states else np.zeros_like(places))
    count = -(-min(vocabulary_size, max(1, LOGITS // vocabulary_size)) // size)
    chosen = np.arange(count) % len(places)
    different = np.random.Generator(np.random.PCG64(SEED)).permutation(vocabulary_size)
    all_ids = np.resize(different, (count, size))
    if starts is not None:
        axes = {name: shape.index(None) for name, shape in reference.state.items()}
        starts = {name: array.take(chosen, axis=axes[name]) for name, array in starts.items()}
    yield Case(all_ids, starts, places[chosen] if takes_states else np.zeros(count, np.int64))


def _states_at(reference: Reference, text: Array, begins: Array) -> Arrays:
    """Return the model's states before each place of a text, the rows of the first place first, rounded to float32."""
    model = reference.exact
    state = model.start(len(text))
    found: list[Arrays] = []
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        found.append(model.state_arrays(state))
        if end is not None:
            model.forward(text[:, begin:end], state, last_only=True)
    axes = {name: shape.index(None) for name, shape in reference.state.items()}
    joined = {name: np.concatenate([arrays[name] for arrays in found], axis=axis) for name, axis in axes.items()}
    return {name: _round(array) for name, array in joined.items()}


def _round(array: Array) -> Array:
    """Return numbers as a file carries them: those with a fraction in float32."""
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


def _read(read_back: ReadBack, case: Case, writer: str) -> Reading:
    """Read a case with the file, from copies: what a file does to them is its own affair."""
    start = None if case.start is None else {name: array.copy() for name, array in case.start.items()}
    with blame(writer):
        logits, state = read_back(case.ids.copy(), start)
        return Reading(np.asarray(logits), state)


@contextmanager
def blame(writer: str) -> Iterator[None]:
    """Turn whatever fails within into an error that says what wrote the file."""
    try:
        yield
    except (TextforgeError, OSError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ExportError(f"{writer} failed: {reason}; nothing was kept: report it to who made the format") from error


def _run(model: Model, case: Case, with_state: bool) -> Reading:
    """Read a case with the model itself."""
    state = model.start(len(case.ids)) if case.start is None else model.make_state(case.start)
    logits = model.forward(case.ids, state)
    return Reading(logits, model.state_arrays(state) if with_state else None)


def _compare(reference: Reference, case: Case, found: Reading, writer: str) -> Agreement:
    """Compare what a file and the model make of a case; raises `ExportError` where they differ by too much."""
    with_state = found.state is not None and _carries(reference)
    exact = _run(reference.exact, case, with_state)
    rounded = None if reference.rounded is None else _run(reference.rounded, case, with_state)
    _check_shape(found.logits, exact.logits, "logits", writer)
    spread, long = measure_spread(exact.logits), case.ids.shape[1] > PIECE
    allowed = allow(exact.logits, None if rounded is None else rounded.logits, spread, long)
    measured = distances(found.logits, exact.logits)
    _refuse_first(measured, allowed, case.places, "logits", writer)
    _check_spread(found.logits, exact.logits, ~allowed.comparable, writer)
    if with_state:
        _compare_states(reference, case, (found, exact, rounded), writer)
    counted = measured[allowed.comparable]
    return Agreement(float(counted.max()), counted.size)


def _compare_states(
    reference: Reference, case: Case, readings: tuple[Reading, Reading, Reading | None], writer: str
) -> None:
    """Compare the states after a case, each array's row as if it were logits after the last token, (B, 1, ·)."""
    found, exact, rounded = (None if each is None else each.state or {} for each in readings)
    if found is None or exact is None or found.keys() != reference.state.keys():
        names = f"{list_names(found or {})}, where the model's has {list_names(reference.state)}"
        raise _fault(writer, f"whose state has the arrays {names}")
    places = case.places + case.ids.shape[1] - 1
    for name, shape in reference.state.items():
        _check_shape(np.asarray(found[name]), exact[name], f"a state {name}", writer)
        axis = shape.index(None)
        one, other = (_by_row(arrays[name], axis) for arrays in (found, exact))
        float32 = None if rounded is None else _by_row(rounded[name], axis)
        allowed = allow(other, float32, float(np.std(other)), case.ids.shape[1] > PIECE)
        _refuse_first(distances(one, other), allowed, places, f"state {name}", writer)


def _by_row(array: Array, axis: int) -> Array:
    """Return what each row carries, (B, 1, ·), of an array whose rows lie along an axis."""
    return np.moveaxis(np.asarray(array), axis, 0).reshape(array.shape[axis], 1, -1)


def _check_spread(found: Array, exact: Array, after: Array, writer: str) -> None:
    """Raise `ExportError` where the logits that can't be compared one by one aren't of the model's kind.

    `after`, (B, T), says which they are. Their spread is the same, on average, however they were rounded.
    """
    for begin in range(0, after.shape[1], STRETCH):
        some = after[:, begin : begin + STRETCH]
        if some.sum() < STRETCH:
            continue
        one, other = (measure_spread(logits[:, begin : begin + STRETCH][some][np.newaxis]) for logits in (found, exact))
        if not other / TIMES <= one <= other * TIMES:
            raise _fault(
                writer,
                f"whose logits spread by {one:.1e} after {begin + 1} tokens and more, where the model's by {other:.1e}",
            )


def _check_shape(found: Array, exact: Array, what: str, writer: str) -> None:
    if found.shape != exact.shape:
        raise _fault(writer, f"that gives {what} of shape {found.shape}, where the model's is {exact.shape}")


def _refuse_first(measured: Array, allowed: Allowed, places: Array, what: str, writer: str) -> None:
    """Raise `ExportError` for the earliest place of the text where a distance, (B, T), is more than allowed."""
    wrong = allowed.comparable & ~(measured <= allowed.most)  # not-a-number is wrong, too
    if not wrong.any():
        return
    read = places[:, np.newaxis] + np.arange(1, measured.shape[1] + 1)  # tokens, (B, T)
    row, place = np.unravel_index(np.where(wrong, read, read.max() + 1).argmin(), wrong.shape)
    raise _fault(
        writer,
        f"whose {what} differ by {measured[row, place]:.1e} from the model's after {read[row, place]} tokens, where "
        f"{allowed.most[row, place]:.1e} is allowed",
    )


def _fault(writer: str, fault: str) -> ExportError:
    return ExportError(f"{writer} wrote a file {fault}; nothing was kept: report it to who made the format")
