"""The names under which tokens are kept: of all that decides them, found without reading the text."""

from __future__ import annotations

import functools
import hashlib
import sys
import sysconfig
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import textforge
from textforge.bundle.checked_json import write_json
from textforge.components.component import Component, find_time_defined
from textforge.corpora.base import Corpus
from textforge.corpora.tokens import Learning
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError
from textforge.plugins.blame import blame


def make_key(groups: Sequence[Sequence[Corpus]], encoder: Encoder, learning: Learning) -> str | None:
    """Return the name of what is made of groups of corpora by an encoder; None where it may not be the same again.

    It changes with the corpora's fingerprints, the encoder, the code of both, and what is installed.
    """
    _stat_code.cache_clear()  # it is there so that each folder is looked at once
    prints = [[_fingerprint(corpus) for corpus in group] for group in groups]
    code = _find_code(encoder)
    if code is None or any(found is None for group in prints for found in group):
        return None
    python = [textforge.__version__, *sys.version_info[:3], unicodedata.unidata_version, sys.byteorder]
    known = [*python, _find_installed(), learning, code, prints]
    try:
        data = write_json([*known, encoder.name, encoder.option_values(), encoder.learned_values()])
    except ValueError:
        return None
    return hashlib.sha256(data).hexdigest()


def _fingerprint(corpus: Corpus) -> list[Any] | None:
    """Return what tells whether a corpus gives the same text again; None where nothing does."""
    definer = next(cls for cls in type(corpus).__mro__ if "fingerprint" in vars(cls))
    if _find_top(definer) != _find_top(type(corpus)):
        return None  # who made it knows nothing of what the corpus reads besides
    with blame(corpus, "to give its fingerprint"):
        try:
            found = corpus.fingerprint()
        except (CorpusError, OSError):  # reading it will tell
            return None
    code = None if found is None else _find_code(corpus)
    return None if code is None else [corpus.spec, found, code]


def _find_top(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _find_code(component: Component) -> list[Any] | None:
    """Return the sizes and times of the files that a component's code is in; None where it may be other code.

    It may where one was changed since the component was defined: that is what this process has in memory.
    """
    classes = type(component).__mro__[: type(component).__mro__.index(Component)]
    try:
        found = sorted({each for cls in classes for each in _stat_code(*_locate(sys.modules[cls.__module__]))})
    except (KeyError, OSError, TypeError):  # it was typed in, say
        return None
    if any(time > 1e9 * find_time_defined(type(component)) for _, _, time in found):
        return None
    return found


def _locate(module: Any) -> tuple[str, bool]:
    """Return the folder of a module's package, from its top, and that it is one; of another module, that it lies in."""
    top, _, rest = module.__name__.partition(".")
    package = sys.modules.get(top) if rest else module
    file = getattr(package, "__file__", None) or module.__file__
    return str(Path(file).parent), bool(rest) or hasattr(module, "__path__")


@functools.lru_cache(maxsize=16)
def _stat_code(folder: str, is_package: bool) -> frozenset[tuple[str, int, int]]:
    """Return the paths, sizes and times of a package's files, or of those in a folder alone."""
    files = Path(folder).rglob("*.py") if is_package else Path(folder).glob("*.py")
    return frozenset((str(file), (status := file.stat()).st_size, status.st_mtime_ns) for file in files)


def _find_installed() -> list[int]:
    """Return times that change whenever something is installed, such as a library that encoders use."""
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return [Path(folder).stat().st_mtime_ns for folder in sorted(folders) if Path(folder).exists()]
