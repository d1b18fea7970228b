"""The corpus of the book: downloaded once from a server of the tests' own, checked, or put there by hand."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pooch
import pytest
from click.testing import CliRunner
from servers import Server, forget_proxies, serve
from support import corpus_path

import textforge
from textforge.cli import main
from textforge.corpora import cache, nietzsche, sources
from textforge.corpora.cache import cache_folder, fetch_cached
from textforge.corpora.nietzsche import NietzscheCorpus
from textforge.errors import CorpusError, OptionError
from textforge.plugins.registry import Plugins

TEXT = "SUPPOSING that Truth is a woman--what then? Ænesidemus\n".encode()
DIGEST = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(TEXT, "nietzsche.txt") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, which isn't there yet."""
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "deep" / "cache"))
    return tmp_path / "deep" / "cache"


@pytest.fixture
def published(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server in the place of the real one, with a text of its own."""
    monkeypatch.setattr(nietzsche, "URL", server.url)
    monkeypatch.setattr(nietzsche, "SHA256", DIGEST)
    return server


def text_of(*options: str, **more: bool) -> str:
    return "".join(NietzscheCorpus(*options, **more).read())  # type: ignore[arg-type]


def refused(url: str) -> str:
    with pytest.raises(CorpusError) as caught:
        fetch_cached(url, DIGEST)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_hand(folder: Path) -> str:
    return (
        f"get the file in another way and put it at '{folder / 'nietzsche.txt'}', "
        "or name the folder that has it in TEXTFORGE_CACHE"
    )


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


class TestTheFolder:
    def test_the_variable_names_it(self, folder: Path) -> None:
        assert cache_folder() == folder

    def test_a_relative_one_is_shown_in_full(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TEXTFORGE_CACHE", "here")
        assert cache_folder() == tmp_path / "here"

    @pytest.mark.parametrize("value", [None, ""])
    def test_otherwise_it_is_where_the_system_keeps_caches(
        self, value: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TEXTFORGE_CACHE", raising=False)
        if value is not None:
            monkeypatch.setenv("TEXTFORGE_CACHE", value)
        assert cache_folder() == pooch.os_cache("textforge")
        assert cache_folder().is_absolute()


class TestDownloading:
    def test_once(self, server: Server, folder: Path) -> None:
        assert fetch_cached(server.url, DIGEST) == folder / "nietzsche.txt"
        assert fetch_cached(server.url, DIGEST).read_bytes() == TEXT
        assert server.asked == 1
        assert [path.name for path in folder.iterdir()] == ["nietzsche.txt"]

    def test_a_single_line_says_so(self, folder: Path, server: Server) -> None:
        script = f"from textforge.corpora.cache import *; [fetch_cached({server.url!r}, {DIGEST!r}) for _ in range(2)]"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert server.url in done.stderr
        assert str(folder / "nietzsche.txt") in done.stderr

    def test_by_several_at_once(self, server: Server, folder: Path) -> None:
        server.waits_for = threading.Barrier(4)  # every one of them finds no file, and asks for it
        with ThreadPoolExecutor(4) as pool:
            paths = list(pool.map(lambda _: fetch_cached(server.url, DIGEST), range(4)))
        assert server.asked == 4
        assert {path.read_bytes() for path in paths} == {TEXT}
        assert [path.name for path in folder.iterdir()] == ["nietzsche.txt"]

    def test_another_text_is_not_kept(self, server: Server, folder: Path) -> None:
        server.body = b"<html>Please log in to this network</html>"
        assert refused(server.url) == (
            f"what {server.url} gave is another file than was published there (its sha256 is not {DIGEST}), "
            f"and was not kept; {by_hand(folder)}"
        )
        assert not list(folder.iterdir())

    def test_half_a_text_is_not_kept(self, server: Server, folder: Path) -> None:
        server.length = len(TEXT) + 10
        assert by_hand(folder) in refused(server.url)
        assert not list(folder.iterdir())

    def test_a_server_that_refuses(self, server: Server, folder: Path) -> None:
        server.status = 403
        assert refused(server.url) == (
            f"can't download {server.url}: the server answered 403 Forbidden; {by_hand(folder)}"
        )

    def test_no_connection(self, folder: Path) -> None:
        url = f"http://127.0.0.1:{closed_port()}/nietzsche.txt"
        assert refused(url) == f"can't download {url}: no connection (ConnectionError); {by_hand(folder)}"

    def test_no_answer(self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache, "SECONDS_TO_ANSWER", 0.05)
        server.waits_for = threading.Barrier(2)
        assert f"{server.url}: no answer within 0.05 seconds; {by_hand(folder)}" in refused(server.url)
        server.waits_for.wait(10)

    def test_a_folder_that_is_a_file(self, server: Server, folder: Path) -> None:
        folder.parent.mkdir()
        folder.write_text("")
        assert refused(server.url) == (
            f"can't keep nietzsche.txt in the folder '{folder}': Not a directory; "
            "name another folder in TEXTFORGE_CACHE"
        )

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written_to(self, server: Server, folder: Path) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o500)
        assert f"'{folder}': permission denied; name another" in refused(server.url)


class TestPutThereByHand:
    def test_the_right_one_is_taken(self, server: Server, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "nietzsche.txt").write_bytes(TEXT)
        assert fetch_cached(server.url, DIGEST).read_bytes() == TEXT
        assert server.asked == 0

    def test_a_wrong_one_is_named_and_kept(self, server: Server, folder: Path) -> None:
        folder.mkdir(parents=True)
        changed = TEXT.replace(b"\n", b"\r\n")
        (folder / "nietzsche.txt").write_bytes(changed)
        assert refused(server.url) == (
            f"'{folder / 'nietzsche.txt'}' is not the file published at {server.url}: its sha256 is "
            f"{hashlib.sha256(changed).hexdigest()}, not {DIGEST}; move it away to have the right one downloaded, "
            "or put that one there"
        )
        assert (folder / "nietzsche.txt").read_bytes() == changed
        assert server.asked == 0

    def test_a_folder_in_its_place(self, server: Server, folder: Path) -> None:
        (folder / "nietzsche.txt").mkdir(parents=True)
        assert "Is a directory; check the path" in refused(server.url)


class TestCorpus:
    def test_it_is_read_in_lower_case_unless_told_otherwise(self, published: Server) -> None:
        assert text_of() == TEXT.decode().lower()
        assert text_of(lowercase=False) == TEXT.decode()
        assert text_of("latin-1", lowercase=False) == TEXT.decode("latin-1")
        assert published.asked == 1

    def test_it_is_read_in_chunks_as_often_as_wanted(self, published: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sources, "CHUNK_BYTES", 7)
        corpus = NietzscheCorpus()
        assert corpus.rereadable
        assert max(map(len, corpus.read())) <= 7
        assert list(corpus.read()) == list(corpus.read())

    def test_a_file_that_changes_is_noticed_when_it_is_read_again(self, published: Server, folder: Path) -> None:
        text_of()
        (folder / "nietzsche.txt").write_bytes(TEXT[:-1])
        with pytest.raises(CorpusError, match="is not the file published at"):
            text_of()

    def test_its_spec(self) -> None:
        corpus = NietzscheCorpus("latin-1", lowercase=False)
        assert Plugins().corpus("nietzsche:latin-1,lowercase=false") == corpus
        assert Plugins().corpus(corpus.spec) == corpus

    def test_another_encoding(self) -> None:
        with pytest.raises(OptionError, match="nietzsche: encoding must be one of utf-8, latin-1, got 'cp1252'"):
            NietzscheCorpus("cp1252")

    def test_making_one_reads_nothing(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nietzsche, "URL", "http://127.0.0.1:0/nietzsche.txt")
        NietzscheCorpus()
        assert not folder.exists()

    def test_on_the_command_line(self, published: Server, tmp_path: Path) -> None:
        run = partial(CliRunner().invoke, main)
        options = run(["options", "corpus", "nietzsche"])
        assert options.exit_code == 0
        assert "lowercase" in options.stdout
        trained = run(
            ["train", "nietzsche", "-o", str(tmp_path / "m"), "--architecture", "ngram:order=2", "--seed", "1"]
        )
        assert trained.exit_code == 0, trained.stderr
        assert published.asked == 1
        assert run(["evaluate", str(tmp_path / "m"), "nietzsche:"]).exit_code == 0

    def test_offline_on_the_command_line(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nietzsche, "URL", f"http://127.0.0.1:{closed_port()}/nietzsche.txt")
        result = CliRunner().invoke(main, ["train", "nietzsche", "-o", str(tmp_path / "m"), "--architecture", "ngram"])
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("Error: can't download http://127.0.0.1")
        assert result.stderr.endswith(f"{by_hand(folder)}\n")
        assert not (tmp_path / "m").exists()


class TestTheRealText:
    @pytest.fixture(autouse=True)
    def put_there(self, folder: Path) -> None:
        path = corpus_path("nietzsche.txt")
        folder.mkdir(parents=True)
        shutil.copy(path, folder)

    @pytest.mark.parametrize(
        ("encoding", "characters", "different"), [("utf-8", 600_893, 57), ("latin-1", 600_901, 59)]
    )
    def test_the_figures_of_the_book(self, encoding: str, characters: int, different: int) -> None:
        text = text_of(encoding)
        assert (len(text), len(set(text))) == (characters, different)

    def test_a_model_remembers_it(self) -> None:
        generator = textforge.train("nietzsche", architecture="ngram:order=2", seed=1)
        assert generator.encoder.vocabulary_size == 57
