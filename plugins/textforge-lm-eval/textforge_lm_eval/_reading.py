"""The judgement of many continuations, each after its context: log-probabilities, and what greedy writing would choose.

A context that several continuations follow is read once. No logits are looked at before its end, and no state is ever
made by reading anew: all rows advance together, and where one reaches its context's end it becomes as many rows as
there are continuations.

Shapes: B rows read at once, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Ids
from textforge.evaluation.likelihood import PIECE, ROWS, SHORTEST_PIECE
from textforge.evaluation.loss import LOGITS, compute_losses
from textforge.model import Array, Model, State
from textforge.plugins.blame import blame_model
from textforge_lm_eval._requests import Pair

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Judgement:
    """The figures of a continuation's tokens."""

    log_probabilities: Floats
    """In nats, (T,)."""
    greedy: Flags
    """The tokens that are likelier than any other that may be generated, (T,)."""


@attrs.frozen(eq=False)
class _Job:
    """A continuation, or a part of it, that is judged in one reading."""

    owner: int
    """The place of its pair."""
    begin: int
    """The place of its first token in the continuation."""
    context: Ids
    """The ids before it, (C,) with C at least 1."""
    targets: Ids
    """Its tokens, (T,) with T at least 1."""


@attrs.frozen(eq=False)
class _Row:
    """A row that is read: a context up to its last token, or that token and what follows."""

    ids: Ids
    begin: int
    """The number of tokens that were read before its first."""
    jobs: tuple[_Job, ...]
    """The jobs that follow a context; the one that it is, where it is one."""
    judged: bool

    @property
    def end(self) -> int:
        """The number of tokens after which it has been read."""
        return self.begin + len(self.ids)


def judge(model: Model, pairs: Sequence[Pair], never_generated: Sequence[int]) -> Iterator[tuple[int, Judgement]]:
    """Yield the judgement of each pair's continuation, with the pair's place, as soon as it is known, in any order.

    Each token is predicted from all before it, or from the last `window` where the model has a window. Ids that are
    `never_generated` are no greedy choice. Memory is bounded, whatever the pairs' number, but for their ids.
    """
    found = [
        Judgement(np.full(len(pair.continuation), np.nan), np.zeros(len(pair.continuation), dtype=bool))
        for pair in pairs
    ]
    missing = [len(pair.continuation) for pair in pairs]
    yield from ((place, found[place]) for place, left in enumerate(missing) if not left)
    jobs = [job for place, pair in enumerate(pairs) for job in _split(pair, place, model.window)]
    rows = max(1, min(ROWS, LOGITS // (model.vocabulary_size * SHORTEST_PIECE)))
    reader = _Reader(model, found, never_generated)
    for batch in _gather(jobs, rows):
        reader.read(batch)
        for job in batch:
            missing[job.owner] -= len(job.targets)
            if not missing[job.owner]:
                yield job.owner, found[job.owner]


def _split(pair: Pair, place: int, window: int | None) -> Iterator[_Job]:
    """Yield a pair's jobs: one, or, behind a whole window, one for each token."""
    ids = np.concatenate([pair.context, pair.continuation])
    context, end = len(pair.context), len(ids)
    together = end if window is None else min(end, max(context, window + 1))
    if together > context:
        yield _Job(place, 0, pair.context, ids[context:together])
    for token in range(together, end):
        yield _Job(place, token - context, ids[token - (window or 0) : token], ids[token : token + 1])


def _gather(jobs: Sequence[_Job], rows: int) -> Iterator[list[_Job]]:
    """Yield jobs to read together, up to `rows`: those of one context, then those of contexts about as long."""
    order = sorted(jobs, key=lambda job: (-len(job.context), job.context.tobytes(), -len(job.targets)))
    for begin in range(0, len(order), rows):
        yield order[begin : begin + rows]


class _Reader:
    """A reader of a batch of jobs, which notes what it finds."""

    def __init__(self, model: Model, found: Sequence[Judgement], never_generated: Sequence[int]) -> None:
        self._model = model
        self._found = found
        self._never = list(never_generated)

    def read(self, jobs: Sequence[_Job]) -> None:
        """Read all jobs to their end."""
        rows = _begin_rows(jobs)
        state = self._model.start(len(rows))
        read = 0
        while rows:
            if any(row.end <= read for row in rows):
                rows, kept = _advance(rows, read)
                if not rows:
                    return
                state = self._model.select(state, kept)
            read = self._read_piece(rows, state, read)

    def _read_piece(self, rows: Sequence[_Row], state: State, read: int) -> int:
        """Read the next tokens of each row, up to where one must fork; return the number that is read then."""
        length = _choose_length(rows, read)
        judged = any(row.judged for row in rows)
        if judged:
            length = max(1, min(length, LOGITS // (self._model.vocabulary_size * len(rows))))
        ids = np.stack([_take(row.ids, read - row.begin, length) for row in rows])  # (B, T)
        try:
            logits = self._model.forward(ids, state, last_only=not judged)  # (B, T, V), or (B, 1, V)
        except Exception as error:
            raise blame_model(self._model, error, "to read a text") from error
        if judged:
            self._note(rows, logits, read)
        return read + length

    def _note(self, rows: Sequence[_Row], logits: Array, read: int) -> None:
        """Note what the logits, (B, T, V), say of the tokens that follow those of judged rows."""
        judged = [(place, row.jobs[0], read - row.begin) for place, row in enumerate(rows) if row.judged]
        parts = [job.targets[begin : begin + logits.shape[1]] for _, job, begin in judged]
        values = np.concatenate([logits[place, : len(part)] for (place, *_), part in zip(judged, parts, strict=True)])
        targets = np.concatenate(parts)  # (N,), of as many logits, (N, V): a copy, which may be changed
        with np.errstate(invalid="ignore"):  # infinite logits are told of where they are added up
            log_probabilities = 0.0 - compute_losses(values, targets)  # never -0.0
        values[:, self._never] = -np.inf
        greedy = values.argmax(axis=-1) == targets
        done = 0
        for (_, job, begin), part in zip(judged, parts, strict=True):
            places = slice(job.begin + begin, job.begin + begin + len(part))
            self._found[job.owner].log_probabilities[places] = log_probabilities[done : done + len(part)]
            self._found[job.owner].greedy[places] = greedy[done : done + len(part)]
            done += len(part)


def _begin_rows(jobs: Sequence[_Job]) -> list[_Row]:
    """Return a row for each context, with the jobs that follow it, which stand behind one another."""
    rows: list[list[_Job]] = []
    for job in jobs:
        if rows and np.array_equal(rows[-1][0].context, job.context):
            rows[-1].append(job)
        else:
            rows.append([job])
    return [_Row(same[0].context[:-1], 0, tuple(same), judged=False) for same in rows]


def _advance(rows: Sequence[_Row], read: int) -> tuple[list[_Row], npt.NDArray[np.int64]]:
    """Return the rows that go on, and the place that each had: those judged to the end leave, those that fork do so."""
    following: list[_Row] = []
    kept: list[int] = []
    for place, row in enumerate(rows):
        if row.end > read:
            new = [row]
        elif row.judged:
            new = []
        else:
            new = [
                _Row(np.concatenate([job.context[-1:], job.targets[:-1]]), read, (job,), judged=True)
                for job in row.jobs
            ]
        following += new
        kept += [place] * len(new)
    return following, np.array(kept, dtype=np.int64)


def _choose_length(rows: Sequence[_Row], read: int) -> int:
    """Return the number of tokens to read at once: to the next fork, and not far behind the next end."""
    forks = [row.end - read for row in rows if not row.judged]
    ends = [row.end - read for row in rows if row.judged]
    lengths = [PIECE, *forks]
    if ends:
        lengths.append(min(max(ends), max(min(ends), SHORTEST_PIECE)))
    return min(lengths)


def _take(ids: Ids, begin: int, length: int) -> Ids:
    """Return so many ids from a place on, the last again and again behind the end: what follows is never looked at."""
    return ids[np.minimum(np.arange(begin, begin + length), len(ids) - 1)]
