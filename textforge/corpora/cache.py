"""Published files: downloaded once into the user's cache, and checked by what they contain."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from textforge.corpora.paths import reading, status_of, title
from textforge.errors import CorpusError, nearest

if TYPE_CHECKING:
    from requests.exceptions import RequestException

CACHE_VARIABLE = "TEXTFORGE_CACHE"
"""The environment variable that names another folder for the cache."""
_OWN = re.compile(r"indexes/|tokens/|[0-9a-f]{16}-")
"""The names that only textforge gives: of indexes, of tokens, and of texts by their addresses."""
SECONDS_TO_ANSWER = 30
_CHUNK_BYTES = 1 << 16
_LONGEST_NAME = 80
_NAME_DIGITS = 16


def cache_folder() -> Path:
    """Return the folder of downloads: the one that `TEXTFORGE_CACHE` names, else the one the system has for caches."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("textforge"))


def fetch_cached(url: str, sha256: str) -> Path:
    """Return the file published at an address, in the cache, into which it is downloaded unless it is there already.

    It appears there whole or not at all, also where several processes ask for it at once. It may also be put there by
    hand, under its own name: what is there is never replaced. Raises `CorpusError` where that has another sha256, and
    where there is no connection or no room.
    """
    path = cache_folder() / url.rpartition("/")[2]
    if status_of(str(path)) is None:
        _download(url, sha256, path)
    elif (found := _sha256(path)) != sha256:
        raise CorpusError(
            f"{title(str(path))} is not the file published at {url}: its sha256 is {found}, not {sha256}; move it "
            "away to have the right one downloaded, or put that one there"
        )
    return path


def list_cached(names: Sequence[str] = ()) -> dict[Path, int]:
    """Return the files in the cache and their sizes in bytes, sorted: textforge's own, or those of these names.

    A name may be a folder's. In a folder that `TEXTFORGE_CACHE` names there may be others' files, and texts put there
    by hand: they are listed where they are named. Raises `CorpusError` for a name that isn't there.
    """
    folder = cache_folder()
    with reading(str(folder)):
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
        sizes = {path: path.stat().st_size for path in files}
    shown = [path.relative_to(folder).as_posix() for path in files]
    for name in names:
        if not any(each == name or each.startswith(f"{name}/") for each in shown):
            hint = nearest(name, shown) or "; `textforge cache` lists what it has"
            raise CorpusError(f"the cache {title(str(folder))} has no {name!r}{hint}")
    shared = CACHE_VARIABLE in os.environ
    return {
        path: sizes[path]
        for path, each in zip(files, shown, strict=True)
        if (not names and (_OWN.match(each) or not shared))
        or any(each == name or each.startswith(f"{name}/") for name in names)
    }


def clear_cached(files: Iterable[Path]) -> None:
    """Delete files of the cache, and the folders in it that this leaves empty; raise `CorpusError` where one stays."""
    folder = cache_folder()
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CorpusError(
                f"can't delete {title(str(path))}: {error.strerror or error}; delete it by hand"
            ) from error
        for parent in path.parents:
            if parent == folder or not parent.is_relative_to(folder):
                break
            with contextlib.suppress(OSError):  # it has other files
                parent.rmdir()


def _sha256(path: Path) -> str:
    with reading(str(path)), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_address(url: str) -> Path:
    """Return the file at any address, in the cache, into which it is downloaded unless it was before.

    It appears there whole or not at all. Nothing is known of what it should be, so what is there is never looked up
    again. Raises `CorpusError` where there is no connection or no room.
    """
    named = re.sub(r"[^\w.-]+", "-", urlsplit(url).path.rpartition("/")[2])[-_LONGEST_NAME:].lstrip(".") or "text"
    path = cache_folder() / f"{hashlib.sha256(url.encode()).hexdigest()[:_NAME_DIGITS]}-{named}"
    if status_of(str(path)) is None:
        with _telling(url, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".textforge-") as folder:
                part = Path(folder) / "part"
                _make_downloader()(url, str(part), None)
                part.replace(path)
    return path


def _download(url: str, sha256: str, path: Path) -> None:
    import pooch

    try:
        with _telling(url, path):
            pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=_make_downloader())
    except ValueError as error:
        raise CorpusError(
            f"what {url} gave is another file than was published there (its sha256 is not {sha256}), and was not kept; "
            f"{_by_hand(path)}"
        ) from error


def _make_downloader() -> Callable[[str, str, None], object]:
    import pooch

    downloader: Callable[[str, str, None], object] = pooch.HTTPDownloader(
        timeout=SECONDS_TO_ANSWER, chunk_size=_CHUNK_BYTES
    )
    return downloader


@contextmanager
def _telling(url: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong in a download into a `CorpusError`."""
    from requests.exceptions import RequestException  # what pooch downloads with

    try:
        yield
    except RequestException as error:
        if error.response is not None:
            error.response.close()  # pooch leaves it open where the server refuses
        raise CorpusError(f"can't download {url}: {_reason(error)}; {_by_hand(path)}") from error
    except OSError as error:
        reason = "permission denied" if isinstance(error, PermissionError) else error.strerror or error
        raise CorpusError(
            f"can't keep {path.name} in the folder {title(str(path.parent))}: {reason}; "
            f"name another folder in {CACHE_VARIABLE}"
        ) from error


def _reason(error: RequestException) -> str:
    from requests import exceptions

    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.Timeout):
        return f"no answer within {SECONDS_TO_ANSWER} seconds"
    what = "no connection" if isinstance(error, exceptions.ConnectionError) else "it broke off"
    return f"{what} ({type(error).__name__})"


def _by_hand(path: Path) -> str:
    return (
        f"get the file in another way and put it at {title(str(path))}, or name the folder that has it in "
        f"{CACHE_VARIABLE}"
    )
