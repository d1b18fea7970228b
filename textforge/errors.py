"""The errors of textforge, as one tree.

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

What to do is written differently in a program and on the command line: ``overwrite=True``, ``--overwrite``. A message
with such a remedy is given in parts, its `Advice` among them, and each side writes it in its own words.

Beside the tree stand `TextforgeWarning`, for what is done but hardly meant, its `PluginWarning`, and `StopTraining`, by
which a report ends a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from textforge.names import same_name

_ABSENT: Any = object()


class Advice(NamedTuple):
    """A remedy, in the words of the library and of the command line.

    >>> error = BundleError("the folder is taken; use ", advise("overwrite", True))
    >>> str(error), error.command_line
    ('the folder is taken; use overwrite=True', 'the folder is taken; use --overwrite')
    >>> [advice.code for advice in error.advice]
    ['overwrite']
    """

    code: str
    """The name of the library's argument, for a program to decide by."""
    library: str
    command_line: str


def advise(name: str, value: Any = _ABSENT) -> Advice:
    """Return the advice to give an argument, with this value where one is meant.

    >>> advise("unknown", "skip").library, advise("unknown", "skip").command_line
    ("unknown='skip'", '--unknown skip')
    >>> advise("clip_norm").library, advise("clip_norm").command_line
    ('clip_norm', '--clip-norm')
    """
    option = "--" + name.replace("_", "-")
    if value is _ABSENT:
        return Advice(name, name, option)
    return Advice(name, f"{name}={value!r}", option if value is True else f"{option} {value}")


NAME_PLUGIN = Advice(
    "plugins", "name its file in plugins=textforge.Plugins('its_file.py')", "name its file with --plugin"
)
"""The remedy where something comes from a plugin that isn't installed."""


class Message(Exception):
    """A message of one line, or its parts: texts, and remedies as `Advice`."""

    def __str__(self) -> str:
        return "".join(part.library if isinstance(part, Advice) else str(part) for part in self.args)

    @property
    def command_line(self) -> str:
        """The message as the command line words it."""
        if not self.advice:
            return str(self)
        return "".join(part.command_line if isinstance(part, Advice) else str(part) for part in self.args)

    @property
    def advice(self) -> tuple[Advice, ...]:
        """The remedies in the message, for a program to decide by."""
        return tuple(part for part in self.args if isinstance(part, Advice))


class TextforgeError(Message):
    """The base of every error textforge raises on purpose."""


class SpecError(TextforgeError, ValueError):
    """The error that a spec such as ``top-k:40`` can't be read."""


class OptionError(TextforgeError, ValueError):
    """The error that an option is unknown, of the wrong kind, or out of range."""


class PluginError(TextforgeError):
    """The error that a plugin can't be loaded, or breaks the contract of what it registers."""


class UnknownComponent(PluginError, LookupError):
    """The error that no installed plugin brings a component of that kind and name."""


class AmbiguousComponent(PluginError):
    """The error that two plugins bring a component of the same kind and name."""


class CorpusError(TextforgeError):
    """The error that a text can't be found, read or decoded."""


class EncodingError(TextforgeError, ValueError):
    """The error that a text has characters or words which the vocabulary lacks."""


class BundleError(TextforgeError):
    """The error that a saved model is missing, damaged, too new, or in the way."""


class BackendError(TextforgeError):
    """The error that a framework or a device is missing, or a backend can't do what was asked."""


class ExportError(TextforgeError):
    """The error that a model can't be written in another program's form."""


class TrainingError(TextforgeError):
    """The error that training can't start, or can't go on."""


class GenerationError(TextforgeError):
    """The error that text can't be generated as asked."""


class TextforgeWarning(Message, UserWarning):
    """The warning that a request is carried out, but is hardly what was meant."""


class PluginWarning(TextforgeWarning):
    """The warning that a plugin's component is hidden by one of textforge's own that has its name."""


class StopTraining(Exception):
    """The exception by which a `Report` ends a training run well: what was learnt is kept."""


MEMORY_RAN_OUT = ("can't allocate memory", "out of memory", "OOM when allocating")
"""The words of frameworks for it, in errors that aren't a MemoryError."""


def is_memory_error(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, whatever framework raised it."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in MEMORY_RAN_OUT)


def state_error(error: BaseException) -> str:
    """Return an error's type and text on one line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a stranger's `__str__` may fail as well
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def list_names(names: Iterable[str]) -> str:
    """Return the names in order, joined by commas; ``none`` where there are none."""
    return ", ".join(sorted(names)) or "none"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'top-k'?`` where a known name is the same but for its writing, or near; else nothing."""
    import difflib  # 2 ms, which a command that goes well does without

    known = list(known)
    close = same_name(name, known) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
    return f"; did you mean {close!r}?" if close not in (None, name) else ""
