"""What can go wrong, as one tree.

    TextforgeError
    ├── SpecError           a component's spec can't be read              (ValueError)
    ├── OptionError         an option is unknown, of the wrong kind, or out of range (ValueError)
    ├── PluginError         a plugin can't be loaded, or breaks its contract
    │   ├── UnknownComponent    nothing of that name is installed         (LookupError)
    │   └── AmbiguousComponent  two plugins bring the same name
    ├── CorpusError         a text can't be found, read or decoded
    ├── EncodingError       a text has what the vocabulary lacks          (ValueError)
    ├── BundleError         a saved model is missing, damaged or in the way
    ├── BackendError        a framework, a device or an ability is missing
    ├── ExportError         a model can't be written in another form
    ├── TrainingError       training can't start or can't go on
    └── GenerationError     text can't be generated as asked

Every message is one line: what is wrong, what was given, what to do. On the command line each
is printed as ``Error: …`` and ends the command with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from textforge.names import same_name


class TextforgeError(Exception):
    """The base of every error textforge raises on purpose."""


class SpecError(TextforgeError, ValueError):
    """A spec such as ``top-k:40`` can't be read."""


class OptionError(TextforgeError, ValueError):
    """An option is unknown, of the wrong kind, or out of range."""


class PluginError(TextforgeError):
    """A plugin can't be loaded, or breaks the contract of what it registers."""


class UnknownComponent(PluginError, LookupError):
    """No installed plugin brings a component of that kind and name."""


class AmbiguousComponent(PluginError):
    """Two plugins bring a component of the same kind and name."""


class CorpusError(TextforgeError):
    """A text can't be found, read or decoded."""


class EncodingError(TextforgeError, ValueError):
    """A text has characters or words that the vocabulary lacks."""


class BundleError(TextforgeError):
    """A saved model is missing, damaged, too new, or in the way."""


class BackendError(TextforgeError):
    """A framework or a device is missing, or a backend can't do what was asked."""


class ExportError(TextforgeError):
    """A model can't be written in another program's form."""


class TrainingError(TextforgeError):
    """Training can't start, or can't go on."""


class GenerationError(TextforgeError):
    """Text can't be generated as asked."""


def listed(names: Iterable[str]) -> str:
    """The names in order, joined by commas; ``none`` where there are none."""
    return ", ".join(sorted(names)) or "none"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'top-k'?`` where a known name is the same but for its writing, or near; else nothing."""
    known = list(known)
    close = same_name(name, known) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
    return f"; did you mean {close!r}?" if close not in (None, name) else ""
