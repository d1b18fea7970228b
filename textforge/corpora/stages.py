"""The changes that a text goes through after it is decoded, asked for by options that corpora share."""

from __future__ import annotations

from typing import Protocol

from textforge.corpora.lowercasing import Lowercaser
from textforge.corpora.normalizing import FORMS, NONE, Normalizer

NORMAL_FORMS = (NONE, *FORMS)
NORMALIZE_HELP = (
    "Unicode's normal form, in which the same letters are written alike: NFC joins a letter and its accent; NFKC also "
    "writes fi for ﬁ."
)
LOWERCASE_HELP = "Turn everything into lower case."


class Stage(Protocol):
    """A change of a text that is given in chunks, such as `Lowercaser`."""

    def push(self, text: str, final: bool = False) -> str:
        """Return the changed text up to what the next chunk may change, all of it where this one is `final`."""
        ...


def make_stages(normalize: str, lowercase: bool) -> list[Stage]:
    """Return the changes that the options of those names ask for.

    >>> [stage.push("E\u0301", final=True) for stage in make_stages("NFC", lowercase=False)]
    ['É']
    """
    stages: list[Stage] = [Normalizer(form) for form in FORMS if form == normalize]
    return [*stages, Lowercaser()] if lowercase else stages


def change_text(text: str, normalize: str, lowercase: bool) -> str:
    """Return a whole text as the options of those names ask for it.

    >>> change_text("E\u0301", "NFC", lowercase=True)
    'é'
    """
    if normalize == NONE and not lowercase:
        return text  # as most are: making no stages takes longer than reading a short record
    for stage in make_stages(normalize, lowercase):
        text = stage.push(text, final=True)
    return text
