"""Corpora: files in all their shapes, Python's own documentation, and how arguments are read."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import builtin_plugins

from textforge.components.spec import parse_spec
from textforge.corpora import lowercasing, paths, sources
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.csv_corpus import CsvCorpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.jsonl import JsonlCorpus
from textforge.corpora.lowercasing import Lowercaser
from textforge.corpora.python_docs import PythonDocsCorpus
from textforge.corpora.resolve import resolve_corpora
from textforge.corpora.url import UrlCorpus
from textforge.errors import CorpusError, OptionError, SpecError, TextforgeError
from textforge.plugins.registry import Plugins, Source

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
TRICKY = st.text(st.sampled_from("ΣΣσςAaİßé'.:\u0301\u00ad \r\n\r\n😀\ufeff漢"))
CORPORA = "csv, files, jsonl, lines, nietzsche, paragraphs, python-docs, sqlite, text, url"
needs_fifos = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def text_of(*names, **options):
    return "".join(FilesCorpus([str(name) for name in names], **options).read())


def error_of(action, kind=CorpusError):
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tree(folder):
    for name in ("b.txt", "a/two.txt", "a/one.md", "a-b/x.txt", ".hidden", ".git/config", "a/.secret/x.txt"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(name)
    return folder


class TestFiles:
    def test_one_file_is_one_document(self, folder):
        (folder / "book.txt").write_text("It is.\n")
        assert text_of("book.txt") == "It is.\n"

    def test_several_files_end_with_a_mark_each(self, tree):
        assert text_of("b.txt", "a/two.txt") == f"b.txt{END_OF_TEXT}a/two.txt{END_OF_TEXT}"

    def test_a_folder_gives_its_visible_files_in_order(self, tree):
        assert text_of(".").split(END_OF_TEXT) == ["a/one.md", "a/two.txt", "a-b/x.txt", "b.txt", ""]

    def test_a_folder_of_one_file_is_one_document(self, tree):
        assert text_of("a-b") == "a-b/x.txt"

    def test_a_hidden_folder_may_be_named(self, tree):
        assert text_of(".git") == ".git/config"

    def test_patterns(self, tree):
        assert text_of("*.txt") == "b.txt"
        assert text_of("**/*.txt").split(END_OF_TEXT) == ["a/two.txt", "a-b/x.txt", "b.txt", ""]
        assert text_of("a/*.md", "?.txt").split(END_OF_TEXT) == ["a/one.md", "b.txt", ""]

    def test_a_pattern_passes_over_folders(self, tree):
        assert text_of("*") == "b.txt"

    def test_a_file_that_looks_like_a_pattern(self, folder):
        (folder / "book[1].txt").write_text("first")
        (folder / "book1.txt").write_text("other")
        assert text_of("book[1].txt") == "first"

    def test_an_empty_file_is_no_document(self, folder):
        (folder / "a.txt").write_text("")
        (folder / "b.txt").write_text("b")
        assert text_of(".") == f"b{END_OF_TEXT}"

    def test_links_to_files_are_followed_but_a_loop_is_none(self, tree):
        (tree / "a" / "loop").symlink_to(tree)
        (tree / "a" / "link.txt").symlink_to(tree / "b.txt")
        (tree / "a" / "broken.txt").symlink_to(tree / "nowhere")
        assert text_of("a").split(END_OF_TEXT) == ["b.txt", "a/one.md", "a/two.txt", ""]

    @pytest.mark.parametrize("target", ["odd", "nowhere"], ids=["to itself", "to nothing"])
    def test_a_link_that_leads_nowhere(self, folder, target):
        (folder / "odd").symlink_to(target)
        assert error_of(lambda: text_of("odd")) == "the link 'odd' leads to no file or folder; mend it, or leave it out"

    def test_the_spec_reads_back(self):
        corpus = FilesCorpus(("a,b.txt", "C:\\x"), encoding="latin-1", lowercase=True)
        assert parse_spec(corpus.spec).build(FilesCorpus) == corpus
        assert parse_spec("files:book.txt,encoding=latin-1").build(FilesCorpus).paths == ("book.txt",)

    def test_a_big_file_is_read_in_chunks(self, folder):
        (folder / "big.txt").write_text("a" * 3 * sources.CHUNK_BYTES)
        assert [len(chunk) for chunk in FilesCorpus(["big.txt"]).read()] == [sources.CHUNK_BYTES] * 3

    def test_a_text_stops_being_read_when_nobody_wants_more(self, folder):
        (folder / "big.txt").write_text("a" * 3 * sources.CHUNK_BYTES)
        reading = FilesCorpus(["big.txt"]).read()
        next(reading)
        reading.close()  # an open file would be a ResourceWarning, which is an error here


class TestDecoding:
    @given(text=TRICKY, size=st.integers(1, 7), encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be", "gb18030"]))
    @pytest.mark.parametrize("lowercase", [False, True])
    @pytest.mark.parametrize("newlines", ["universal", "keep"])
    def test_chunks_change_nothing(self, tmp_path_factory, text, size, encoding, lowercase, newlines):
        file = tmp_path_factory.getbasetemp() / "chunks.txt"
        file.write_bytes(text.encode(encoding))
        expected = text.removeprefix("\ufeff")
        if newlines == "universal":
            expected = expected.replace("\r\n", "\n").replace("\r", "\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sources, "CHUNK_BYTES", size)
            found = text_of(file, encoding=encoding, lowercase=lowercase, newlines=newlines)
        assert found == (expected.lower() if lowercase else expected)

    @given(chunks=st.lists(TRICKY), tail=st.integers(1, 3))
    def test_lower_case_does_not_depend_on_chunks(self, chunks, tail):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lowercasing, "_TAIL", tail)
            lowercaser = Lowercaser()
            lowered = [lowercaser.push(chunk) for chunk in chunks]
        assert "".join([*lowered, lowercaser.push("", final=True)]) == "".join(chunks).lower()

    @given(text=st.text())
    def test_lower_case_letter_by_letter(self, text):
        lowercaser = Lowercaser()
        lowered = [lowercaser.push(letter) for letter in text]
        assert "".join([*lowered, lowercaser.push("", final=True)]) == text.lower()

    def test_lower_case_is_of_each_file_by_itself(self, folder):
        (folder / "a.txt").write_text("ΟΔΟΣ", encoding="utf-8")
        (folder / "b.txt").write_text("ΣΑ", encoding="utf-8")
        assert text_of("a.txt", "b.txt", lowercase=True) == f"οδος{END_OF_TEXT}σα{END_OF_TEXT}"

    def test_only_the_first_byte_order_mark_is_left_out(self, folder):
        (folder / "a.txt").write_bytes("\ufeffa\ufeffb".encode())
        assert text_of("a.txt") == "a\ufeffb"
        assert text_of("a.txt", encoding="utf-8-sig") == "a\ufeffb"

    def test_bad_bytes_may_be_replaced_or_left_out(self, folder):
        (folder / "a.txt").write_bytes(b"a\xffb\0")
        assert text_of("a.txt", errors="replace") == "a\ufffdb\0"
        assert text_of("a.txt", errors="ignore") == "ab\0"

    @pytest.mark.skipif(not DATA.is_dir(), reason="the corpora to test on are not there")
    @pytest.mark.parametrize(("encoding", "length", "different"), [("utf-8", 600_893, 57), ("latin-1", 600_901, 59)])
    def test_the_nietzsche_corpus(self, encoding, length, different):
        text = text_of(DATA / "nietzsche.txt", encoding=encoding, lowercase=True)
        assert (len(text), len(set(text))) == (length, different)


class TestStreams:
    @pytest.fixture
    def stdin(self, monkeypatch):
        stream = SimpleNamespace(buffer=io.BytesIO(b"one\r\ntwo"))
        monkeypatch.setattr(sys, "stdin", stream)
        return stream

    def test_standard_input(self, stdin, folder):
        (folder / "a.txt").write_text("a")
        corpus = FilesCorpus(["-"])
        assert not corpus.rereadable
        assert "".join(corpus.read()) == "one\ntwo"
        assert not stdin.buffer.closed

    def test_standard_input_among_files(self, stdin, folder):
        (folder / "a.txt").write_text("a")
        assert text_of("-", "a.txt") == f"one\ntwo{END_OF_TEXT}a{END_OF_TEXT}"

    def test_errors_call_it_by_its_name(self, stdin):
        stdin.buffer = io.BytesIO(b"caf\xe9")
        assert error_of(lambda: text_of("-", encoding="utf-8")).startswith(
            "standard input is not in utf-8: byte 3 is 0xe9"
        )
        stdin.buffer = io.BytesIO("これは日本語です".encode("shift_jis"))
        assert error_of(lambda: text_of("-")).startswith("standard input is not in utf-8, nor in another encoding")

    def test_twice(self):
        assert "only once" in error_of(lambda: FilesCorpus(["-", "-"]), OptionError)

    @pytest.mark.parametrize("closed", [None, SimpleNamespace(), io.StringIO()])
    def test_closed(self, monkeypatch, closed):
        monkeypatch.setattr(sys, "stdin", closed)
        assert error_of(lambda: text_of("-")) == "standard input is closed; give a file instead of -"

    @needs_fifos
    def test_a_pipe(self, folder):
        os.mkfifo(folder / "pipe")
        corpus = FilesCorpus(["pipe"])
        assert not corpus.rereadable
        writer = threading.Thread(target=(folder / "pipe").write_text, args=("by pipe",))
        writer.start()
        assert "".join(corpus.read()) == "by pipe"
        writer.join()

    @pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no /dev/null")
    def test_a_device(self):
        assert text_of("/dev/null") == ""
        assert not FilesCorpus(["/dev/null"]).rereadable

    def test_what_lies_on_a_disk_can_be_read_again(self, tree):
        assert FilesCorpus(["b.txt", "a", "*.md", "missing"]).rereadable


class TestFileErrors:
    def test_missing(self, tree):
        assert error_of(lambda: text_of("c.txt")) == "there is no file or folder 'c.txt'; did you mean 'b.txt'?"
        assert error_of(lambda: text_of("a/zwei.pdf")) == "there is no file or folder 'a/zwei.pdf'; check the path"
        assert error_of(lambda: text_of("b/a/x")).startswith(
            "there is no file or folder 'b/a/x': there is no folder 'b'"
        )
        assert "there is no file" in error_of(lambda: text_of("b.txt/x"))

    @pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "line\nbreak", "/nowhere/at/all", "~nobody"])
    def test_paths_that_can_not_be(self, folder, path):
        assert error_of(lambda: text_of(path)).startswith("there is no file or folder ")

    def test_a_missing_name_in_a_folder_that_can_not_be_listed(self, folder, monkeypatch):
        def refuse(self):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", refuse)
        assert error_of(lambda: text_of("a.txt")) == "there is no file or folder 'a.txt'; check the path"

    def test_a_pattern_without_a_match(self, tree):
        assert error_of(lambda: text_of("*.pdf")).startswith("no file matches '*.pdf'; check the pattern")
        assert error_of(lambda: text_of("a*")).startswith("no file matches 'a*'")

    def test_an_empty_folder(self, folder):
        (folder / "empty").mkdir()
        (folder / "empty" / ".hidden").write_text("x")
        assert error_of(lambda: text_of("empty")).startswith("the folder 'empty' has no files, hidden ones aside")

    @pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
    def test_no_permission(self, tree):
        (tree / "b.txt").chmod(0)
        (tree / "a").chmod(0)
        try:
            for path in ("b.txt", "a/one.md"):
                assert error_of(lambda path=path: text_of(path)) == (
                    f"can't read {path!r}: permission denied; allow it, or leave it out"
                )
            assert error_of(lambda: text_of("a")).startswith("can't read the folder 'a': ")
        finally:
            (tree / "a").chmod(0o700)

    def test_no_permission_said_by_the_system(self, tree, monkeypatch):
        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied", "b.txt")

        monkeypatch.setattr(Path, "open", refuse)
        expected = "can't read 'b.txt': permission denied; allow it, or leave it out"
        assert error_of(lambda: text_of("b.txt")) == expected
        monkeypatch.setattr(Path, "stat", refuse)
        assert error_of(lambda: text_of("b.txt")) == expected

    def test_a_folder_that_can_not_be_listed(self, tree, monkeypatch):
        real = os.scandir

        def refuse(path):
            if str(path).endswith("a-b"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", refuse)
        assert error_of(lambda: text_of(".")).startswith("can't read the folder './a-b': Permission denied; ")

    def test_any_other_trouble(self, tree, monkeypatch):
        def fail(*_, **__):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "open", fail)
        assert error_of(lambda: text_of("b.txt")) == "can't read 'b.txt': Input/output error; check the path"

    def test_binary(self, folder):
        (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        assert error_of(lambda: text_of("a.png")) == "'a.png' is a PNG picture, not text; give text files only"
        assert error_of(lambda: text_of("*.png")).endswith("name the text files by a pattern, such as books/**/*.txt")
        assert error_of(lambda: text_of(".")) == (
            "the folder '.' has no text: it has 'a.png' (a PNG picture); name another folder"
        )

    @pytest.mark.parametrize(
        ("written", "hint"),
        [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32")],
    )
    def test_utf_16_is_recognised(self, folder, written, hint):
        (folder / "a.txt").write_bytes("It is café.\n".encode(written))
        assert text_of("a.txt") == text_of("a.txt", encoding=hint) == "It is café.\n"
        message = error_of(lambda: text_of("a.txt", encoding="utf-8"))
        assert message.startswith("'a.txt' is not in utf-8: ")
        assert message.endswith(f"; try files:paths=a.txt,encoding={hint}")

    def test_chinese_utf_16_is_recognised_too(self, folder):
        (folder / "a.txt").write_bytes("\ufeff漢字".encode("utf-16-le"))
        assert text_of("a.txt") == "漢字"
        assert error_of(lambda: text_of("a.txt", encoding="utf-8")).endswith("try files:paths=a.txt,encoding=utf-16")

    def test_utf_16_without_a_mark(self, folder):
        (folder / "a.txt").write_bytes(b"a\0b\0")
        assert error_of(lambda: text_of("a.txt", encoding="utf-16")).endswith(
            "try files:paths=a.txt,encoding=utf-16-le"
        )

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
    def test_wrong_encoding(self, folder, monkeypatch, size):
        monkeypatch.setattr(sources, "CHUNK_BYTES", size)
        (folder / "a.txt").write_bytes("漢 caf".encode() + b"\xe9 noir")
        assert error_of(lambda: text_of("a.txt", encoding="utf-8")) == (
            "'a.txt' is not in utf-8: byte 7 is 0xe9, invalid continuation byte; try files:paths=a.txt"
        )
        assert error_of(lambda: text_of("a.txt")) == (
            "'a.txt' is in utf-8, but byte 7 is 0xe9, invalid continuation byte; "
            "mend it, or have such bytes replaced: files:paths=a.txt,errors=replace"
        )
        (folder / "a.txt").write_bytes(b"\xef\xbb\xbfabc\xe9")
        assert "byte 6 is 0xe9" in error_of(lambda: text_of("a.txt", encoding="utf-8-sig"))

    def test_the_spec_to_write_keeps_the_other_options(self, folder):
        (folder / "a b").mkdir()
        (folder / "a b" / "x,y.txt").write_bytes(b"\xc9")
        message = error_of(lambda: text_of("a b", lowercase=True))
        assert message.endswith(",encoding=cp1252,lowercase=true")
        spec = message.split(", perhaps as ")[1]
        assert "".join(parse_spec(spec).build(FilesCorpus).read()) == "é"
        spec = error_of(lambda: text_of("a b", encoding="utf-16", lowercase=True)).split("; try ")[1]
        assert spec == 'files:paths=["a b/x,y.txt"],lowercase=true'

    def test_other_encodings_than_the_usual_one(self, folder):
        (folder / "a.txt").write_bytes("é".encode())
        assert error_of(lambda: text_of("a.txt", encoding="ascii")).endswith("try files:paths=a.txt")
        (folder / "a.txt").write_bytes("\ufeffa".encode("utf-16-le") + b"\n")
        assert error_of(lambda: text_of("a.txt", encoding="utf-16")).endswith("name the encoding it is in")

    @pytest.mark.parametrize("encoding", ["hex", "rot13", "nonsense", "", "a\0b", "é", "undefined", "zip"])
    def test_no_encoding(self, encoding):
        message = error_of(lambda: FilesCorpus(["a.txt"], encoding=encoding), OptionError)
        assert message.startswith("files: encoding must be an encoding that Python knows, got ")

    def test_an_encoding_misspelt(self):
        assert error_of(lambda: FilesCorpus(["a"], encoding="utf88"), OptionError).endswith("did you mean 'utf8'?")

    @pytest.mark.parametrize("given", [[], [""], ["a", ""]])
    def test_no_paths(self, given):
        assert error_of(lambda: FilesCorpus(given), OptionError).startswith("files: paths must name files or folders")

    def test_a_choice_misspelt(self):
        assert "must be one of" in error_of(lambda: FilesCorpus(["a"], errors="strickt"), OptionError)


class TestPythonDocs:
    def test_topics_are_documents(self):
        text = "".join(PythonDocsCorpus().read())
        documents = text.split(END_OF_TEXT)
        assert documents.pop() == ""
        assert len(documents) > 50
        assert all(documents)
        assert 400_000 < len(text) < 1_000_000

    def test_every_reading_is_the_same(self):
        assert list(PythonDocsCorpus().read()) == list(PythonDocsCorpus().read())

    def test_a_python_without(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
        assert error_of(lambda: list(PythonDocsCorpus().read())).startswith("this Python lacks pydoc_data.topics; ")


class Rhyme(Corpus):
    name = "rhyme"

    def read(self):
        yield "one two\nbuckle my shoe\n"


class TestResolve:
    @pytest.fixture
    def plugins(self):
        return builtin_plugins()

    @pytest.fixture
    def resolve(self, plugins):
        return lambda *arguments: resolve_corpora(arguments, plugins)

    def test_paths_that_follow_one_another_are_one_corpus(self, tree, resolve):
        assert resolve("b.txt", "a", "*.txt", "-", "python-docs", Path("b.txt")) == [
            FilesCorpus(("b.txt", "a", "*.txt", "-")),
            PythonDocsCorpus(),
            FilesCorpus(("b.txt",)),
        ]

    def test_specs_and_objects(self, tree, resolve):
        rhyme = Rhyme()
        assert resolve("python-docs:", rhyme, "files:paths=b.txt,lowercase=true", "b.txt") == [
            PythonDocsCorpus(),
            rhyme,
            FilesCorpus(("b.txt",), lowercase=True),
            FilesCorpus(("b.txt",)),
        ]

    def test_records_are_known_by_their_suffix(self, folder, resolve):
        for name in ("a.jsonl", "b.NDJSON", "c.csv.gz", "d.tsv", "e.json", "f.jsonl.txt", "csv"):
            (folder / name).touch()
        (folder / "g.csv").mkdir()
        (folder / "g.csv" / "a.txt").touch()
        assert resolve("a.jsonl", Path("b.NDJSON"), "c.csv.gz", "d.tsv", "e.json", "f.jsonl.txt", "./csv", "g.csv") == [
            JsonlCorpus(("a.jsonl", "b.NDJSON")),
            CsvCorpus(("c.csv.gz", "d.tsv")),
            FilesCorpus(("e.json", "f.jsonl.txt", "./csv", "g.csv")),
        ]
        assert resolve("*.jsonl", "files:a.jsonl") == [JsonlCorpus(("*.jsonl",)), FilesCorpus(("a.jsonl",))]

    def test_a_pattern_in_a_spec(self, tree, resolve):
        assert resolve("files:a/*.md") == [FilesCorpus(("a/*.md",))]

    def test_one_argument_by_itself(self, tree, plugins):
        for argument in ("b.txt", Path("b.txt"), FilesCorpus(("b.txt",))):
            assert resolve_corpora(argument, plugins) == [FilesCorpus(("b.txt",))]

    def test_both_a_path_and_a_name(self, folder, resolve):
        (folder / "python-docs").write_text("mine")
        assert error_of(lambda: resolve("python-docs")) == (
            "'python-docs' is both a path here and a corpus's name; write ./python-docs or python-docs:"
        )
        assert resolve("./python-docs") == [FilesCorpus(("./python-docs",))]
        assert resolve(Path("python-docs")) == [FilesCorpus(("python-docs",))]
        assert resolve("python-docs:") == [PythonDocsCorpus()]

    def test_a_path_that_could_be_the_name_of_a_corpus_not_installed(self, folder, resolve):
        (folder / "library").write_text("mine")
        assert resolve("library") == [FilesCorpus(("library",))]

    def test_neither(self, tree, resolve):
        message = error_of(lambda: resolve("python-doc"))
        assert message.startswith("there is no file or folder 'python-doc'")
        assert message.endswith(
            f"as a corpus: there is no corpus 'python-doc'; installed: {CORPORA}; did you mean 'python-docs'?"
        )
        assert "there is no corpus 'library'" in error_of(lambda: resolve("library:url=x"))

    def test_what_can_only_be_a_path(self, tree, resolve):
        assert error_of(lambda: resolve("c.txt")) == (
            f"there is no file or folder 'c.txt'; did you mean 'b.txt'? (read as a path; corpora: {CORPORA})"
        )
        assert error_of(lambda: resolve(Path("c.txt"))).endswith("'b.txt'?")

    def test_a_broken_plugin_is_named_where_its_corpus_is_missed(self, folder):
        def fail():
            raise ImportError("no module named shelf")

        plugins = Plugins(sources=[Source("library", "textforge-library", "1", fail)])
        assert "textforge-library (library) failed to load: ImportError: no module named shelf" in error_of(
            lambda: resolve_corpora(["library"], plugins)
        )

    @pytest.mark.parametrize("argument", ["C:\\books\\x.txt", "c:x.txt", "C:/x", "x:"])
    def test_a_drive_is_never_a_spec(self, folder, resolve, argument):
        message = error_of(lambda: resolve(argument))
        assert message.startswith(f"there is no file or folder {argument!r}")
        assert "(read as a path;" in message

    def test_a_path_of_a_drive(self, folder, resolve):
        (folder / "c:x.txt").write_text("x")
        assert resolve("c:x.txt") == [FilesCorpus(("c:x.txt",))]

    def test_a_pattern_without_a_match(self, tree, resolve):
        assert error_of(lambda: resolve("*.pdf")).startswith("no file matches '*.pdf'")
        assert error_of(lambda: resolve(Path("*.pdf"))).startswith("no file matches '*.pdf'")

    @pytest.mark.parametrize("text", ["It is a truth.\n" * 500, "It is a truth. " * 500, "a: b? " * 1250, "é" * 7500])
    def test_a_text_given_for_a_path_is_told_in_short(self, folder, resolve, text):
        with pytest.raises(CorpusError) as caught:
            resolve(text)
        for message in (str(caught.value), caught.value.command_line):
            assert message.startswith(f"a corpus is a path or a spec, and '{text[:5]}")
            assert len(message) < 250
        assert "characters, is a text; give it as text=… to train" in str(caught.value)
        assert caught.value.command_line.endswith(" is a text; give it as standard input, with - in its place")

    @pytest.mark.parametrize("path", ["deep/" * 300 + "x.txt", Path("y" * 300), "*" * 300 + "/" + "z/" * 300])
    def test_a_long_path_is_told_in_short(self, folder, resolve, path):
        assert len(error_of(lambda: resolve(path))) < 400

    def test_a_path_is_never_standard_input(self, folder, resolve):
        (folder / "-").write_text("a file")
        assert text_of(*resolve(Path("-"))[0].paths) == "a file"

    @pytest.mark.parametrize(
        ("argument", "kind", "message"),
        [
            ("", OptionError, "files: paths must name files"),
            (5, CorpusError, "a corpus is expected, as a path, a spec or an object, got 5"),
            ("files:", OptionError, "files: paths is needed"),
            ("files:a,encodig=x", OptionError, "did you mean 'encoding'?"),
            ("files:a,", SpecError, "can't read 'files:a,'"),
            ("python-docs:x", OptionError, "it has no options"),
        ],
    )
    def test_nonsense(self, folder, resolve, argument, kind, message):
        assert message in error_of(lambda: resolve(argument), kind)

    def test_an_address_is_answered_with_its_corpus(self, folder, resolve):
        assert error_of(lambda: resolve("https://example.com/a.txt")) == (
            "'https://example.com/a.txt' is an address, not a path; have it downloaded by url:https://example.com/a.txt"
        )
        for address in ("http://example.com/a?b=c", "https://example.com/a,b|c", "HTTPS://example.com/*.txt"):
            spec = error_of(lambda address=address: resolve(address)).partition(" downloaded by ")[2]
            assert resolve(spec) == [UrlCorpus(address)]

    def test_nothing(self, resolve):
        assert resolve() == []


@given(argument=st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_argument_is_a_corpus_or_a_message(tmp_path_factory, argument):
    plugins = Plugins(sources=[])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.getbasetemp())
        try:
            corpora = resolve_corpora([argument], plugins)
        except TextforgeError as error:
            message = str(error)
        else:
            message = corpora[0].name
    assert len(message.splitlines()) == 1


def test_the_title_of_standard_input():
    assert paths.title("-") == "standard input"
