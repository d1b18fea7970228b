"""Cases: a component with the texts, the encoder or the model that its checks need."""

from __future__ import annotations

import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, Self

import attrs

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.encoders.base import Encoder
from textforge.encoders.char import CharEncoder
from textforge.samplers.base import Sampler
from textforge.testing.sampler_runs import SamplerRun
from textforge.testing.texts import HARD_TEXTS, PLAIN_TEXT, UNKNOWN


@attrs.frozen(eq=False, slots=False)
class Case(ABC):
    """A component, and what it is checked with."""

    kind: ClassVar[str] = "component"
    component: Any

    @property
    def title(self) -> str:
        """The component, as messages call it."""
        return str(self.component.spec)

    @abstractmethod
    def use(self) -> None:
        """Let the component do its work once, as a run of the program would."""

    def renew(self) -> Self:
        """Return the same case with a new component, which no check has used."""
        return attrs.evolve(self, component=renew(self.component))


def renew(component: Any) -> Any:
    """Return a new component with the same options and the same that it has learnt; itself where it can't be made."""
    try:
        return component.replace()
    except Exception:  # the check of the spec tells it
        return component


def plain_encoder() -> Encoder:
    """Return an encoder of the characters of a plain text."""
    return CharEncoder().fit([PLAIN_TEXT, END_OF_TEXT])


@attrs.frozen(eq=False, slots=False)
class SamplerCase(Case):
    """A sampler, and the fitted encoder of the texts it works on."""

    kind = "sampler"
    component: Sampler
    encoder: Encoder = attrs.field(factory=plain_encoder)
    tolerance: float = 1e-9
    """How far logits may lie from each other that should agree, absolutely and relatively: more than rounding where the
    sampler has a model inside, whose own logits depend a little on how many rows it reads."""

    def use(self) -> None:
        """Apply the sampler to four texts of some length."""
        SamplerRun(self.component, self.encoder, range(4), guard=lambda step: nullcontext()).play()


@attrs.frozen(eq=False, slots=False)
class EncoderCase(Case):
    """An encoder, the texts it is fitted to, and a text that they don't prepare it for."""

    kind = "encoder"
    component: Encoder
    texts: Sequence[str] = HARD_TEXTS
    unknown: str = UNKNOWN

    @functools.cached_property
    def fitted(self) -> Encoder:
        """The encoder that knows the texts as several documents."""
        return self.component.fit([part for text in self.texts for part in (text, END_OF_TEXT)])

    def use(self) -> None:
        """Fit the encoder, encode a text, and decode it."""
        encoder = self.component.fit([*self.texts, END_OF_TEXT])
        ids = encoder.encode(self.texts[0])
        encoder.decode(ids)
        encoder.decoder().push(ids.tolist())


@attrs.frozen(eq=False, slots=False)
class CorpusCase(Case):
    """A corpus, ready to be read."""

    kind = "corpus"
    component: Corpus

    def use(self) -> None:
        """Read the beginning of the corpus."""
        for _ in itertools.islice(self.component.read(), 3):
            pass
