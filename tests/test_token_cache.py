"""The cache of tokens: what is kept, when it is used again, and what never is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import textforge
from textforge.cli import main
from textforge.corpora.files import FilesCorpus
from textforge.corpora.text import TextCorpus
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.library import token_cache
from textforge.library.token_cache import kept_token_files

TEXT = "to be or not to be\n" * 50


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(token_cache, "LEAST_SECONDS", 0.0)
    return tmp_path / "cache" / "tokens"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that encoders are given, as they are."""
    texts: list[str] = []
    encode = CharEncoder.encode

    def noting(self: CharEncoder, text: str, **keywords: Any) -> Any:
        texts.append(text)
        return encode(self, text, **keywords)

    monkeypatch.setattr(CharEncoder, "encode", noting)
    return texts


def write(path: Path, text: str, age: float = 60) -> FilesCorpus:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() - age,) * 2)
    return FilesCorpus([str(path)])


def read(*groups: list[textforge.Corpus], encoder: Any = None, learning: Any = "fit") -> tuple[list[Any], ...]:
    """The tokens of each group, the encoder's vocabulary, and the notes."""
    with kept_token_files(groups, encoder or CharEncoder(), learning=learning) as files:
        tokens = [np.array(file.tokens) for file in files]
        return (
            tokens,
            [file.encoder for file in files],
            [file.corpora for file in files],
            [file.notes for file in files],
        )


def test_what_is_kept_is_what_was_encoded(tmp_path: Path, encoded: list[str]) -> None:
    book, other = write(tmp_path / "book.txt", TEXT), write(tmp_path / "other.txt", "or two, or twö\n")
    first = read([book, other], [other], [])
    encoded.clear()
    again = read([book, other], [other], [])
    assert not encoded
    for before, after in zip(first[0], again[0], strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
    assert first[1:3] == again[1:3]
    assert [[record.documents for record in group] for group in again[2]] == [[None, None], [None], []]
    assert first[3][0][-1].startswith(
        "the corpus's tokens are kept for the next run; `textforge cache` lists them, in "
    )
    assert again[3] == [("the tokens that an earlier run has made of the corpus are used",), (), ()]


def test_a_fitted_encoder_finds_them_too(tmp_path: Path, encoded: list[str]) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    (tokens,), (encoder,), *_ = read([book])
    encoded.clear()
    (found,), *_ = read([book], encoder=encoder, learning="nothing")
    np.testing.assert_array_equal(tokens, found)
    assert not encoded


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, TEXT.replace("be", "bo")),
        lambda path: write(path, TEXT + "more"),
        lambda path: os.utime(path, (time.time() - 50,) * 2),
    ],
    ids=["another text as long", "a longer text", "another time"],
)
def test_a_changed_file_is_read_again(tmp_path: Path, encoded: list[str], change: Any) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    encoded.clear()
    change(tmp_path / "book.txt")
    read([book])
    assert "".join(encoded) == (tmp_path / "book.txt").read_text(encoding="utf-8")


def test_a_new_file_in_a_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    write(folder / "one.txt", "one")
    corpus = FilesCorpus([str(folder)])
    assert [len(tokens) for tokens in read([corpus])[0]] == [3]
    write(folder / "two.txt", "two")
    assert [len(tokens) for tokens in read([corpus])[0]] == [8]  # each with the end of a document


def test_another_encoder_finds_nothing(tmp_path: Path, encoded: list[str]) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    encoded.clear()
    read([book], encoder=CharEncoder(max_vocabulary=5))
    assert encoded
    assert read([book], encoder=ByteEncoder())[1] == [ByteEncoder().fit([TEXT])]


@pytest.mark.parametrize("age", [0, -3600])
def test_a_file_that_was_just_changed_is_not_kept(tmp_path: Path, cache: Path, age: float) -> None:
    read([write(tmp_path / "book.txt", TEXT, age)])
    assert not cache.exists()


def test_a_text_without_a_fingerprint_is_not_kept(tmp_path: Path, cache: Path) -> None:
    assert TextCorpus.of(TEXT).fingerprint() is None
    read([TextCorpus.of(TEXT)], [write(tmp_path / "book.txt", TEXT)])
    assert not cache.exists()


def test_what_took_no_time_is_not_kept(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache, "LEAST_SECONDS", 1000.0)
    read([write(tmp_path / "book.txt", TEXT)])
    assert not cache.exists()


def test_a_file_that_changes_while_it_is_encoded_is_not_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    files = token_cache.token_files

    def changing(*arguments: Any, **keywords: Any) -> Any:
        os.utime(tmp_path / "book.txt", (time.time() - 30,) * 2)
        return files(*arguments, **keywords)

    monkeypatch.setattr(token_cache, "token_files", changing)
    read([book])
    assert not cache.exists()


@pytest.mark.parametrize("spoil", ["cut", "zeros", "emptied", "edited", "removed", "fewer groups"])
def test_what_is_damaged_is_made_anew(tmp_path: Path, cache: Path, encoded: list[str], spoil: str) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    expected = read([book])[0][0]
    [entry] = [path for path in cache.iterdir() if path.is_dir()]
    if spoil == "cut":
        (entry / "0.bin").write_bytes((entry / "0.bin").read_bytes()[:-1])
    elif spoil == "zeros":
        (entry / "0.bin").write_bytes(bytes(len(expected)))
    elif spoil == "fewer groups":
        about = json.loads((entry / "entry.json").read_text(encoding="utf-8"))
        (entry / "entry.json").write_text(json.dumps({**about, "groups": []}), encoding="utf-8")
    elif spoil == "emptied":
        (entry / "entry.json").write_bytes(b"")
    elif spoil == "edited":
        (entry / "entry.json").write_text('{"groups": 3}', encoding="utf-8")
    else:
        shutil.rmtree(entry)
    encoded.clear()
    np.testing.assert_array_equal(read([book])[0][0], expected)
    assert encoded
    encoded.clear()
    np.testing.assert_array_equal(read([book])[0][0], expected)
    assert not encoded


def test_a_kill_while_it_is_written_leaves_nothing_that_looks_finished(
    tmp_path: Path, cache: Path, encoded: list[str]
) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    cache.mkdir(parents=True)
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    done = subprocess.run([sys.executable, script, *book.paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (9, "")
    [left] = cache.iterdir()
    assert (left.name.endswith(".partial"), len(list(left.iterdir()))) == (True, 1)
    read([book])
    assert encoded
    os.utime(left, (0, 0))
    read([write(tmp_path / "another.txt", TEXT)])
    assert not left.exists()


KILLED = """
import os, sys
from textforge.corpora.files import FilesCorpus
from textforge.encoders.char import CharEncoder
from textforge.library import token_cache
token_cache.LEAST_SECONDS = 0.0
token_cache.write_encoder = lambda encoder: os._exit(9)
with token_cache.kept_token_files([[FilesCorpus(sys.argv[1:])]], CharEncoder(), learning="fit"):
    pass
"""


def test_two_runs_at_once_keep_one(tmp_path: Path, cache: Path) -> None:
    book = write(tmp_path / "book.txt", TEXT * 100)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(read([book])[0][0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(tokens, found[0]) for tokens in found)
    assert not list(cache.glob("*.partial"))
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


def test_a_cache_that_cant_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "file"))
    (tokens,), *_, notes = read([write(tmp_path / "book.txt", TEXT)])
    assert (len(tokens), notes) == (len(TEXT), [()])


@pytest.mark.parametrize("target", ["", "..", "precious", "../../precious", "/{}"])
def test_a_link_leads_nowhere_but_to_an_entry(tmp_path: Path, cache: Path, encoded: list[str], target: str) -> None:
    (tmp_path / "precious").mkdir()
    thesis = write(tmp_path / "precious" / "thesis.txt", TEXT)
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    [link] = cache.glob("*.json")
    link.write_text(json.dumps(target.format(tmp_path / "precious")), encoding="utf-8")
    encoded.clear()
    read([book])
    assert encoded
    assert Path(thesis.paths[0]).exists()
    assert cache.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_cache_that_may_not_be_read_is_passed_over(tmp_path: Path, cache: Path) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    cache.chmod(0)
    try:
        assert len(read([book])[0][0]) == len(TEXT)
    finally:
        cache.chmod(0o700)


def test_where_there_is_no_place_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(token_cache, "cache_folder", homeless)
    assert len(read([write(tmp_path / "book.txt", TEXT)])[0][0]) == len(TEXT)


def test_nothing_is_kept_where_that_is_asked_for(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTFORGE_KEEP_TOKENS", "0")
    read([write(tmp_path / "book.txt", TEXT)])
    assert not cache.exists()


def test_what_is_larger_than_all_that_may_be_kept_is_not(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    monkeypatch.setattr(token_cache, "MOST_BYTES", len(TEXT))
    read([write(tmp_path / "longer.txt", TEXT + "more")])
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1, "nothing was removed for it"


def test_links_to_what_was_removed_go_too(tmp_path: Path, cache: Path) -> None:
    read([write(tmp_path / "book.txt", TEXT)])
    shutil.rmtree(next(path for path in cache.iterdir() if path.is_dir()))
    read([write(tmp_path / "other.txt", TEXT)])
    assert len(list(cache.glob("*.json"))) == 1


def test_the_cache_tells_which_text_an_entry_is_of(tmp_path: Path, cache: Path) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    read([book])
    shown = CliRunner().invoke(main, ["cache"], catch_exceptions=False).output
    assert f"/entry.json  {book.spec}\n" in shown


class Replacing(FilesCorpus):
    """Files with what a table puts in the place of letters; another's fingerprint would not know the table."""

    name = "replacing"
    table: str = textforge.option(default="", help="Two letters.")

    def read(self) -> Iterator[str]:
        table = Path(self.table).read_text(encoding="utf-8")
        yield from (text.replace(*table) for text in super().read())


def test_what_a_strangers_corpus_inherits_is_no_fingerprint(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "table.txt").write_text("bp", encoding="utf-8")
    write(tmp_path / "book.txt", TEXT)
    read([Replacing([str(tmp_path / "book.txt")], table=str(tmp_path / "table.txt"))])
    assert not cache.exists()


def test_a_missing_file_is_told_by_reading(tmp_path: Path) -> None:
    class Fragile(Replacing):
        def fingerprint(self) -> str:
            return str(os.stat(self.paths[0]))  # noqa: PTH116 -- as a stranger may

    with pytest.raises(textforge.CorpusError, match="there is no file or folder"):
        read([Fragile([str(tmp_path / "none.txt")], table=write(tmp_path / "table.txt", "bp").paths[0])])


def test_a_file_whose_time_was_put_back_is_read_again(tmp_path: Path) -> None:
    book = write(tmp_path / "book.txt", TEXT)
    time_before = Path(book.paths[0]).stat().st_mtime_ns
    before = book.fingerprint()
    (tmp_path / "book.txt").write_text(TEXT.upper(), encoding="utf-8")
    os.utime(book.paths[0], ns=(time_before, time_before))
    assert book.fingerprint() != before


def test_what_was_used_longest_ago_makes_room(
    tmp_path: Path, cache: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    books = [write(tmp_path / f"{name}.txt", TEXT + name) for name in "abc"]
    read([books[0]])
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    monkeypatch.setattr(token_cache, "MOST_BYTES", int(size * 2.2))
    read([books[1]])
    for number, path in enumerate(sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime)):
        os.utime(path, (time.time() - 100 + number,) * 2)
    read([books[0]])  # used again
    read([books[2]])
    encoded.clear()
    read([books[0]])
    assert not encoded
    read([books[1]])
    assert encoded


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "fake_encoder.py"
    path.write_text(
        "from textforge.encoders.char import CharEncoder\nclass Own(CharEncoder):\n    name = 'own'\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop("fake_encoder", None)


def test_changed_code_encodes_anew(tmp_path: Path, code: Path, encoded: list[str]) -> None:
    import fake_encoder  # type: ignore[import-not-found]

    book = write(tmp_path / "book.txt", TEXT)
    read([book], encoder=fake_encoder.Own())
    encoded.clear()
    read([book], encoder=fake_encoder.Own())
    assert not encoded
    os.utime(code, (1, 1))
    read([book], encoder=fake_encoder.Own())
    assert encoded


def test_code_that_changed_since_it_was_loaded_keeps_nothing(tmp_path: Path, code: Path, cache: Path) -> None:
    import fake_encoder

    os.utime(code, (time.time() + 100,) * 2)
    read([write(tmp_path / "book.txt", TEXT)], encoder=fake_encoder.Own())
    assert not cache.exists()


def test_a_module_beside_is_code_too(tmp_path: Path, code: Path, encoded: list[str]) -> None:
    import fake_encoder

    helper = code.with_name("helper.py")
    helper.write_text("", encoding="utf-8")
    for path in (code, helper):
        os.utime(path, (time.time() - 60,) * 2)
    book = write(tmp_path / "book.txt", TEXT)
    read([book], encoder=fake_encoder.Own())
    encoded.clear()
    os.utime(helper, (1, 1))
    read([book], encoder=fake_encoder.Own())
    assert encoded


def test_a_run_begins_with_what_is_kept(tmp_path: Path, encoded: list[str]) -> None:
    book = tmp_path / "book.txt"
    write(book, TEXT)
    arguments: dict[str, Any] = {"architecture": "ngram", "backend": "numpy", "seed": 1, "epochs": 1}
    first = textforge.train(str(book), output=tmp_path / "one", **arguments)
    encoded.clear()
    second = textforge.train(str(book), output=tmp_path / "two", **arguments)
    assert not encoded
    assert first.generate("to", seed=1) == second.generate("to", seed=1)
