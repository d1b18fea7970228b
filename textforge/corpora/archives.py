"""The members of ZIP archives, read one by one."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from textforge.corpora.compression import CHUNK_BYTES, check_ratio
from textforge.corpora.paths import ARCHIVE, reading, title
from textforge.errors import CorpusError, nearest

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods whose decompression Python can bound."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, struct.error)
"""The errors of what is damaged: names that are no text, places before the beginning, kinds that nothing writes."""
_ENCRYPTED = 1
_BEGINNINGS = (b"PK\3\4", b"PK\5\6")


def is_archive(file: str, head: bytes) -> bool:
    """Return whether a file is read as its members: office documents are ZIP archives too, of another name."""
    return file.lower().endswith(ARCHIVE) and head.startswith(_BEGINNINGS)


@contextmanager
def open_archive(file: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive; raises `CorpusError` for one that is damaged, or that can't be sought in, such as a pipe."""
    with reading(file):
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise _describe_damage(file, error) from error
    with archive:
        yield archive


def list_members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of an archive's files, sorted, without folders and hidden ones."""
    names = {info.filename for info in archive.infolist() if not info.is_dir()}
    visible = [name for name in names if not any(_is_hidden(part) for part in PurePosixPath(name).parts)]
    return sorted(visible, key=lambda name: PurePosixPath(name).parts)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def find_obstacle(archive: zipfile.ZipFile, member: str) -> str | None:
    """Return the reason why a member can't be read, as a kind of file; None where it can."""
    info = archive.getinfo(member)
    if info.flag_bits & _ENCRYPTED:
        return "an encrypted file"
    if info.compress_type not in _METHODS:
        return f"a file compressed by method {info.compress_type} of ZIP"
    return None


def read_member(archive: zipfile.ZipFile, member: str, name: str, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield a member's bytes, in chunks of `size`; `name` is what messages call it."""
    try:
        info = archive.getinfo(member)
    except KeyError:
        hint = nearest(member, list_members(archive)) or "; check the path"
        raise CorpusError(f"there is no file {member!r} in {title(str(archive.filename))}{hint}") from None
    if obstacle := find_obstacle(archive, member):
        raise CorpusError(f"{title(name)} is {obstacle}; unpack it first")
    check_ratio(info.compress_size, info.file_size, name)  # no more than that is ever read
    try:
        with archive.open(info) as stream:
            while data := stream.read(size):
                yield data
    except _DAMAGE as error:
        raise _describe_damage(name, error) from error


def _describe_damage(name: str, error: Exception) -> CorpusError:
    reason = " ".join(str(error).split()) or "it is cut short"
    return CorpusError(f"{title(name)} can't be unpacked: {reason}; get it anew")
