"""Samplers applied outside a run: for research, and for tests."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder
from textforge.errors import GenerationError
from textforge.generation.arguments import check_whole
from textforge.generation.chain import Chain, Samplers, make_chain
from textforge.generation.drawing import UndrawableRow, check_drawable
from textforge.generation.history import History
from textforge.samplers.base import Logits

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins


def apply_samplers(
    samplers: Samplers,
    logits: npt.ArrayLike,
    tokens: npt.ArrayLike | None = None,
    *,
    prompt_length: int | None = None,
    step: int | None = None,
    encoder: Encoder | None = None,
    seed: int | None = None,
    plugins: Plugins | None = None,
) -> Logits:
    """Return what a chain of samplers leaves of logits, (B, V), computed as in one step of a run.

    `samplers` is a chain as `TextGenerator.generate` takes it. `logits` is any array of numbers, (B, V), and is
    not changed; the result is an array of its own, (B, V) float64, with minus infinity for what is ruled out.
    `tokens`, (B, t), are the ids that each text has so far; without them the texts are empty. The first
    `prompt_length` of them, all unless given, are the prompt. `step`, the tokens generated so far, is what is left
    of them unless given. `encoder` is what samplers ask for the text of tokens; some refuse to work without.

    Samplers that draw random numbers get those that text 0, 1, … of a run gets at this step with this `seed`; without
    one, it is drawn. Samplers with a memory begin with none. `plugins` says where samplers are looked up; among all
    that is installed, unless given.

    Raises `GenerationError` for logits or tokens of another shape, NaN, infinity, or a row with every token ruled out,
    before the chain or behind it, and what a sampler raises.

    >>> apply_samplers("top-k:2 | temperature:0.5", [[0.0, 1.0, 2.0]])
    array([[-inf,   2.,   4.]])
    """
    chain = make_chain(samplers, encoder, plugins)
    before = _logits(logits, encoder)
    rows, size = before.shape
    history = _history(tokens, rows, size, prompt_length)
    generated = history.tokens.shape[1] - history.prompt_length
    seed = secrets.randbits(32) if seed is None else check_whole("seed", seed, least=0)
    applied = Chain(chain, history, seed=seed, texts=range(rows), encoder=encoder)
    left = applied(before, generated if step is None else check_whole("step", step, least=0))
    _check(left, f"the samplers ({applied}) left")
    return np.array(left)


def _logits(given: npt.ArrayLike, encoder: Encoder | None) -> Logits:
    """Return a copy of the logits, (B, V), read-only, checked."""
    array = _array("logits", given, "iuf", "numbers")
    if array.ndim != 2 or not array.size:
        hint = "; one row of them is logits[np.newaxis]" if array.ndim == 1 else ""
        raise GenerationError(f"logits must be (B, V), with a row and a token at least, got shape {array.shape}{hint}")
    if encoder is not None and encoder.vocabulary_size != array.shape[1]:
        raise GenerationError(
            f"the logits are of {array.shape[1]} tokens, but the encoder knows {encoder.vocabulary_size}: "
            "give the encoder the logits belong to, or none"
        )
    logits = array.astype(np.float64)
    _check(logits, "the samplers were given")
    logits.flags.writeable = False
    return logits


def _history(given: npt.ArrayLike | None, rows: int, size: int, prompt_length: int | None) -> History:
    tokens = np.zeros((rows, 0), dtype=np.int64) if given is None else _tokens(given, rows, size)
    length = tokens.shape[1]
    prompt_length = length if prompt_length is None else check_whole("prompt_length", prompt_length, least=0)
    if prompt_length > length:
        raise GenerationError(f"prompt_length must be at most the number of tokens, {length}, got {prompt_length}")
    return History.of(tokens, prompt_length)


def _tokens(given: npt.ArrayLike, rows: int, size: int) -> npt.NDArray[np.int64]:
    array = _array("tokens", given, "iu", "token ids, which are whole numbers")
    if not array.size and len(array) in (0, rows):
        return np.zeros((rows, 0), dtype=np.int64)
    if array.ndim != 2 or len(array) != rows:
        raise GenerationError(f"tokens must be (B, t), as many rows as the logits, {rows}, got shape {array.shape}")
    if array.min() < 0 or array.max() >= size:
        wrong = array.min() if array.min() < 0 else array.max()
        raise GenerationError(f"tokens must be ids from 0 to {size - 1}, as the logits are of {size}, got {wrong}")
    return array.astype(np.int64)


def _array(name: str, given: npt.ArrayLike, kinds: str, what: str) -> npt.NDArray[np.generic]:
    """Return an array of these kinds of NumPy's dtypes, or an empty one."""
    try:
        array: npt.NDArray[np.generic] = np.asarray(given)
    except Exception as error:  # ragged lists, and arrays of other libraries that live on a device
        reason = " ".join(str(error).split())
        raise GenerationError(f"{name} must be an array of {what}; NumPy can't read it: {reason}") from error
    if array.dtype.kind not in kinds and array.size:
        raise GenerationError(f"{name} must be an array of {what}, got {type(given).__name__} of {array.dtype}")
    return array


def _check(logits: Logits, source: str) -> None:
    try:
        check_drawable(logits)
    except UndrawableRow as error:
        raise GenerationError(
            f"{source} logits that {error.problem}, in row {error.row}; "
            "each row needs a finite one, and none may be NaN or +inf"
        ) from None
