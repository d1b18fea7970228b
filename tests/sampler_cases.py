"""Samples for the tests of samplers: contexts with any history, adversarial rows, one of each registered sampler."""

from __future__ import annotations

import atexit
import functools
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from support import PieceEncoder

from textforge.generation.chain import expand_presets
from textforge.generation.context import RowContext
from textforge.generation.history import History
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Logits, Sampler

BOOK = Path(tempfile.mkdtemp(prefix="textforge-tests-")) / "book.txt"
"""A small corpus, for samplers that need one."""
BOOK.write_text("To be, or not to be, that is the question: whether it is nobler in the mind to suffer. " * 2)
atexit.register(shutil.rmtree, BOOK.parent, ignore_errors=True)

OPTIONS = {
    "dry": "multiplier=0.8,base=1.75",
    "dynamic-temperature": "temperature=1,range=0.8,exponent=2",
    "epsilon": "0.05",
    "eta": "0.05",
    "logit-bias": '{"a": -2, "bc": 3}',
    "min-p": "0.2",
    "no-repeat-ngram": "2",
    "novel": f"40,corpus={BOOK}",
    "preset": "llama.cpp,repeat_penalty=1.3,dry_multiplier=0.8,xtc_probability=0.4",
    "temperature": "0.7",
    "top-k": "3",
    "top-k-ties": "3",
    "top-p": "0.7",
    "typical": "0.6",
    "xtc": "probability=0.5,threshold=0.1",
}
"""Options that make each sampler do something on a few tokens; the others do by default."""


def names() -> list[str]:
    """The name of every sampler that comes with textforge."""
    return list(Plugins(disabled="all").names("sampler"))


def spec(name: str) -> str:
    return f"{name}:{OPTIONS[name]}" if name in OPTIONS else name


@functools.cache
def sampler(spec: str) -> Sampler:
    return Plugins(disabled="all").sampler(spec)


def encoder(size: int) -> PieceEncoder:
    """An encoder of `size` tokens, the first of which are letters, so that "a" and "bc" can be encoded."""
    return PieceEncoder.of(*(chr(ord("a") + id) if id < 26 else f"<{id}>" for id in range(size)))


def context(
    tokens: Sequence[int] = (0,), rows: int = 1, *, size: int = 8, seed: int = 1, written: Sequence[int] = ()
) -> RowContext:
    """The context of rows that all have the prompt `tokens`, and wrote `written` behind it."""
    history = History(np.array(tokens, dtype=np.int64), rows=rows)
    for id in written:
        history.append(np.full(rows, id))
    found = RowContext(history, seed=seed, texts=range(rows), position=0, encoder=encoder(size))
    found.prompt_length, found.step = len(tokens), len(written)
    return found


def adversarial(size: int, random: np.random.Generator, count: int) -> Logits:
    """Rows of `size` logits, random ones and all that is nasty among them, (count, size)."""
    rows = random.normal(size=(count, size)) * random.choice([0.01, 1, 3, 10, 50], size=(count, 1))
    rounded = random.random(count) < 0.3
    rows[rounded] = np.round(rows[rounded])  # ties
    gaps = random.random((count, size)) < random.choice([0, 0, 0.3, 0.9], size=(count, 1))
    gaps[np.arange(count), random.integers(0, size, count)] = False
    rows[gaps] = -math.inf
    rows[0] = 0.0
    rows[1] = -math.inf
    rows[1, random.integers(0, size)] = 2.5
    rows[2] *= 1e6
    rows[3] *= 1e-12
    rows[4] = -1e5
    rows[5] = np.arange(size) * 1e-3
    return rows


def softmax(logits: Logits) -> Logits:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def after(spec, probabilities, history=(0,), encoder=None):
    """The probabilities that a chain makes of others."""
    with np.errstate(divide="ignore"):
        logits = np.log(np.array([probabilities]))
    where = context(history, size=len(probabilities))
    where.encoder = encoder or where.encoder
    chain = Plugins(disabled="all").chain(spec)
    for part in expand_presets(chain):
        logits = part(logits, where)
    return softmax(logits)[0]
