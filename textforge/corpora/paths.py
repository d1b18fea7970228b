"""From a path as it was given to the files it stands for."""

from __future__ import annotations

import glob
import itertools
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from textforge.components.values import quote
from textforge.errors import CorpusError, nearest

STANDARD_INPUT = "-"
ARCHIVE = ".zip"
"""The suffix of an archive whose members are read."""
_SUFFIX = re.compile(r"(\.[^./\\]+)(?:\.(?:gz|bz2|xz|zst))?$")
"""The suffix of a path; a compressed file has the one before."""
_NAMES_COMPARED = 10_000
_LONGEST_NAME = 255
"""The bytes of the longest name that file systems have."""
_LONGEST_SHOWN = 400
_SETTLED_SECONDS = 2
"""The seconds after which a change of a file shows in its time, on every file system."""


def files_of(path: str) -> list[str]:
    """Return the files that a path stands for, sorted: a file itself, a folder's files, or what a pattern matches.

    Hidden files and folders are passed over unless the path names them. Raises `CorpusError` where there are none.
    """
    if path == STANDARD_INPUT:
        return [path]
    status = status_of(path)
    if status is None:
        if split_member(path):
            return [path]
        if is_pattern(path):
            return _matches(path)
        raise make_missing_error(path)
    return _files_below(path) if stat.S_ISDIR(status.st_mode) else [path]


def split_member(path: str) -> tuple[str, str] | None:
    """Return the archive and the member that a path such as ``books.zip/one.txt`` names; None for another path."""
    if ARCHIVE not in path.lower():
        return None
    for archive in Path(path).parents:
        if archive.suffix.lower() == ARCHIVE and is_file(str(archive)):
            return str(archive), Path(path).relative_to(archive).as_posix()
    return None


def find_suffix(path: str) -> str:
    """Return the suffix that says what a file is, in small letters; nothing where it has none.

    >>> find_suffix("books/Songs.JSONL.gz"), find_suffix("books/README")
    ('.jsonl', '')
    """
    found = _SUFFIX.search(path.lower())
    return found[1] if found else ""


def is_file(path: str) -> bool:
    """Return whether a path is a regular file's."""
    status = status_of(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def is_pattern(path: str) -> bool:
    """Return whether a path has the special characters of a pattern: ``*``, ``?`` or ``[``."""
    return glob.has_magic(path)


def is_text(path: str) -> bool:
    """Return whether what stands for a path is rather a text: it has lines, or names longer than a file's can be."""
    return "\n" in path or any(len(name.encode("utf-8", "replace")) > _LONGEST_NAME for name in path.split("/"))


def is_folder(path: str) -> bool:
    """Return whether a path is a folder's, not one for standard input."""
    status = None if path == STANDARD_INPUT else status_of(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def status_of(path: str) -> os.stat_result | None:
    """Return the status of a file or folder; None where there is none of that path."""
    try:
        with reading(path):
            return Path(path).stat()
    except (CorpusError, ValueError) as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        return None


def is_stream(path: str) -> bool:
    """Return whether a path can be read only once: standard input, a pipe, a device."""
    if path == STANDARD_INPUT:
        return True
    status = status_of(path)
    return status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def fingerprint_files(paths: Iterable[str]) -> str | None:
    """Return a text that changes with the files that paths stand for, by their places, sizes and times of change.

    None where one can be read only once, or was changed in the last seconds, when another change might not show.
    """
    found = []
    for path in paths:
        for file in [path] if is_stream(path) else files_of(path):
            member = split_member(file)
            status = status_of(member[0] if member else file)
            if status is None or not stat.S_ISREG(status.st_mode) or time.time() - status.st_mtime < _SETTLED_SECONDS:
                return None
            times = (status.st_mtime_ns, status.st_ctime_ns)  # the former can be put back
            found.append((str(Path(file).absolute()), status.st_size, *times, status.st_ino))
    return repr(found)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what the system says of a path into a `CorpusError`."""
    try:
        yield
    except PermissionError as error:
        raise CorpusError(f"can't read {title(path)}: permission denied; allow it, or leave it out") from error
    except OSError as error:
        raise CorpusError(f"can't read {title(path)}: {error.strerror or error}; check the path") from error


def title(path: str) -> str:
    """Return the name of a path in messages, not longer than a path may be."""
    if path == STANDARD_INPUT:
        return "standard input"
    return repr(path) if len(path) <= _LONGEST_SHOWN else quote(path)


def make_missing_error(path: str) -> CorpusError:
    """Return the error for a path that isn't there, with the nearest name that is."""
    absent = Path(path)
    if _is_link(absent):
        return CorpusError(f"the link {title(path)} leads to no file or folder; mend it, or leave it out")
    while not _is_folder(absent.parent):
        absent = absent.parent
    folder = "" if absent == Path(path) else f": there is no folder {title(str(absent))}"
    hint = nearest(absent.name, _names_in(absent.parent)) or "; check the path"
    return CorpusError(f"there is no file or folder {title(path)}{folder}{hint}")


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    return path == path.parent or path.is_dir()


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in itertools.islice(folder.iterdir(), _NAMES_COMPARED)]
    except OSError:
        return []


def _files_below(folder: str) -> list[str]:
    with reading(folder):
        files = sorted(_walk(folder), key=lambda path: path.parts)
    if not files:
        raise CorpusError(f"the folder {folder!r} has no files, hidden ones aside; put texts there, or name another")
    return [str(path) for path in files]


def _walk(folder: str) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = (Path(root, name) for name in files if not name.startswith("."))
        yield from (path for path in visible if path.is_file())


def _raise(error: OSError) -> None:
    raise CorpusError(f"can't read the folder {str(error.filename)!r}: {error.strerror}; allow it, or name its files")


def _matches(pattern: str) -> list[str]:
    # pathlib's patterns would match hidden files too
    found = [Path(name) for name in glob.iglob(pattern, recursive=True)]  # noqa: PTH207
    files = sorted((path for path in found if path.is_file()), key=lambda path: path.parts)
    if not files:
        raise CorpusError(
            f"no file matches {title(pattern)}; check the pattern ('**' stands for folders within folders)"
        )
    return [str(path) for path in files]
