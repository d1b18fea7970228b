"""The lineage of a model: the models that it goes on from."""

from __future__ import annotations

import attrs

from textforge.corpora.record import CorpusRecord


@attrs.frozen
class Ancestor:
    """A model that another one went on from, on another text."""

    model: str | None
    """Its folder, as it was given; None where a program had it in hand."""
    sha256: str | None
    """The hash of its weights' file."""
    corpora: tuple[CorpusRecord, ...] = ()
    """The corpora that it had learnt by then, since its own ancestor."""
    epochs: float | None = None
    best_loss: float | None = None
    """The loss of its weights, in nats a token, on the text that it was validated on."""
