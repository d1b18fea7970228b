"""The files of a bundle on their way to the disk: under new names, complete, and behind one replaced manifest.

Nothing here overwrites or deletes a file that isn't a bundle's own: see `is_ours`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

MANIFEST = "config.json"
HISTORY = "history.jsonl"
ENDINGS = {"encoder": "json", "model": "safetensors", "checkpoint": "safetensors", "history": "jsonl"}
"""The parts of a bundle, and how their files end."""

_NAMES = {part: re.compile(rf"{part}-[0-9a-f]{{16}}\.{ending}") for part, ending in ENDINGS.items()}
_NEW_MANIFEST = re.compile(r"config-[0-9a-f]{16}\.json")
_BINARY = getattr(os, "O_BINARY", 0)  # only Windows has it
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # only Windows lacks it


def sha256(data: bytes) -> str:
    """Return the SHA-256 digest of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def part_name(part: str, data: bytes) -> str:
    """Return a name for a part's file made from its content, so that another content never overwrites it."""
    return f"{part}-{sha256(data)[:16]}.{ENDINGS[part]}"


def is_part_name(part: str, name: str) -> bool:
    """Return whether a part's file may have this name. No such name leads out of the folder."""
    return bool(_NAMES[part].fullmatch(name)) or (part == "history" and name == HISTORY)


def is_ours(name: str) -> bool:
    """Return whether only a bundle's writer makes such a name; ``config.json`` and ``history.jsonl`` are anyone's."""
    return any(pattern.fullmatch(name) for pattern in (*_NAMES.values(), _NEW_MANIFEST))


def is_leftover(names: Iterable[str]) -> bool:
    """Return whether a folder with these files is what a run leaves that was killed before its first commit."""
    found = set(names) - {HISTORY}
    return bool(found) and all(is_ours(name) for name in found)


def read_file(path: Path, size: int | None = None, *, may_have_more: bool = False) -> bytes:
    """Return the content of a regular file of `size` bytes, or its first ones where it may have more.

    Raises `OSError`, and `ValueError` for a link, a device or a folder, or another size.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    if size is not None and (size < 0 or found.st_size < size or (found.st_size > size and not may_have_more)):
        raise ValueError(f"it has {found.st_size} bytes, and {size} were saved")
    descriptor = os.open(path, os.O_RDONLY | _BINARY | _NO_LINK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(-1 if size is None else size)


def read_if_there(path: Path) -> bytes | None:
    """Return the content of a file, or None where there is none; raises as `read_file` does."""
    try:
        return read_file(path)
    except FileNotFoundError:
        return None


def probe(folder: Path) -> None:
    """Raise `OSError` where no file can be made in a folder; leave none there."""
    path = folder / _new_manifest_name()
    _write(path, b"\n")
    path.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # which can't open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete_if_possible(paths: Iterable[Path]) -> None:
    """Delete files; what can't be deleted stays for the next time."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


class NewFiles:
    """The files of one commit: written beside the current ones, and taken back where the commit fails.

    Every method raises `OSError` as the system does.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[Path] = []
        self._extended: tuple[Path, int] | None = None

    def put(self, name: str, data: bytes) -> None:
        """Write a file, unless it is there with this very content."""
        path = self._folder / name
        if self._holds(path, data):
            return
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # what a killed run left half-written, or is damaged
        self._written.append(path)
        _write(path, data)

    @staticmethod
    def _holds(path: Path, data: bytes) -> bool:
        try:
            return read_if_there(path) == data
        except ValueError:
            return False

    def extend(self, name: str, kept: int, data: bytes) -> None:
        """Cut a file after `kept` bytes and append to it."""
        path = self._folder / name
        descriptor = os.open(path, os.O_RDWR | _BINARY | _NO_LINK)
        self._extended = path, kept
        try:
            os.ftruncate(descriptor, kept)
            os.lseek(descriptor, kept, os.SEEK_SET)
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def replace_manifest(self, data: bytes) -> None:
        """Commit: from here on the new files are current."""
        path = self._folder / _new_manifest_name()
        self._written.append(path)
        _write(path, data)
        try:
            path.replace(self._folder / MANIFEST)
        except OSError:
            # A network disk may report failure of what it has done, and then the new files are the current ones.
            if read_if_there(self._folder / MANIFEST) != data:
                raise

    def take_back(self) -> None:
        """Remove what was written, as far as possible."""
        delete_if_possible(self._written)
        if self._extended is not None:
            with contextlib.suppress(OSError):
                os.truncate(*self._extended)


def _new_manifest_name() -> str:
    return f"config-{secrets.token_hex(8)}.json"


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write everything, and wait until it is on the disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
