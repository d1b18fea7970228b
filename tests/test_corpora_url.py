"""Texts at addresses, downloaded once."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server, forget_proxies, serve

from textforge.components.spec import parse_spec
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.url import UrlCorpus
from textforge.errors import CorpusError, OptionError

TEXT = "It’s naïve.\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(TEXT.encode(), "book.txt") as made:
        yield made


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, which isn't there yet."""
    forget_proxies(monkeypatch)
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read(corpus: UrlCorpus) -> str:
    return "".join(corpus.read())


def error_of(url: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(UrlCorpus(url))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_it_is_downloaded_once_and_then_kept(server: Server, folder: Path) -> None:
    corpus = UrlCorpus(server.url)
    assert corpus.rereadable
    assert list(corpus.notes()) == []
    for _ in range(2):
        assert read(corpus) == "It’s naïve.\n"
        (kept,) = folder.iterdir()
        assert kept.name.endswith("-book.txt")
        assert list(corpus.notes()) == [
            f"{server.url} is kept as '{kept}'; remove that file to have it downloaded anew"
        ]
    assert server.asked == 1
    server.body = b"another"
    assert read(corpus) == "It’s naïve.\n"
    kept.unlink()
    assert read(corpus) == "another"


def test_other_addresses_are_other_files(server: Server) -> None:
    assert read(UrlCorpus(f"{server.url}?page=1")) == "It’s naïve.\n"
    server.body = b"page 2"
    assert read(UrlCorpus(f"{server.url}?page=2")) == "page 2"
    assert read(UrlCorpus(server.url.removesuffix("texts/book.txt"))) == "page 2"
    assert read(UrlCorpus(server.url.replace("book.txt", "..%2F..%2Fx"))) == "page 2"


def test_it_is_read_as_files_are(server: Server) -> None:
    server.body = gzip.compress(TEXT.encode("cp1252"))
    corpus = UrlCorpus(server.url, lowercase=True)
    assert read(corpus) == "it’s naïve.\n"
    assert len(corpus.notes()) == 2
    assert corpus.notes()[1].endswith("-book.txt' is not in utf-8: it was read as cp1252")
    assert END_OF_TEXT not in read(corpus)


def test_the_spec_reads_back(server: Server) -> None:
    for url in (server.url, f"{server.url}?a=b,c|d#e"):
        corpus = UrlCorpus(url, gutenberg=True)
        assert parse_spec(corpus.spec).build(UrlCorpus) == corpus


def test_what_the_server_refuses(server: Server, folder: Path) -> None:
    server.status = 404
    message = error_of(server.url)
    assert message.startswith(f"can't download {server.url}: the server answered 404 Not Found; get the file in anoth")
    server.status = 200
    server.length = 1000
    assert error_of(server.url).startswith(f"can't download {server.url}: ")
    assert list(folder.iterdir()) == []
    path = Path(message.partition(" put it at '")[2].partition("'")[0])
    path.write_text("by hand")
    assert read(UrlCorpus(server.url)) == "by hand"


def test_no_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert ": no connection (" in error_of(f"http://127.0.0.1:{port}/a.txt")


def test_no_room(folder: Path, server: Server) -> None:
    folder.write_text("a file in the folder's place")
    assert error_of(server.url).startswith("can't keep ")


@pytest.mark.parametrize("url", ["", "book.txt", "file:///etc/passwd", "ftp://example.com/a", "https://", "http://[a"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(OptionError, match=r"^url: url must begin with https:// or http://, got "):
        UrlCorpus(url)
