"""The suffixes by which a corpus claims files, ours and a plugin's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from textforge.cli import main
from textforge.corpora.csv_corpus import CsvCorpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.resolve import resolve_corpora
from textforge.errors import CorpusError
from textforge.plugins.registry import Plugins

PLUGIN = '''
import pathlib

import textforge

class {cls}(textforge.Corpus):
    """The verses of files."""

    name = "{name}"
    suffixes = {suffixes}
    {option}: tuple[str, ...] = textforge.option(help="Files.")

    def read(self):
        for path in self.{option}:
            yield pathlib.Path(path).read_text(encoding="utf-8").replace("/", "\\n")
            yield textforge.END_OF_TEXT

    def notes(self):
        return ["read as verses: " + ", ".join(self.{option})]

@textforge.hookimpl
def register_corpora(register):
    register({cls})
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_corpus(folder: Path, name: str = "verses", suffixes: str = '(".verse", ".vs")', option: str = "paths") -> str:
    path = folder / f"{name}_plugin.py"
    path.write_text(PLUGIN.format(cls=name.title(), name=name, suffixes=suffixes, option=option), encoding="utf-8")
    return str(path)


def error_of(action: Callable[[], object]) -> str:
    with pytest.raises(CorpusError) as caught:
        action()
    return str(caught.value)


def touch(*names: str) -> None:
    for name in names:
        Path(name).write_text("a/b", encoding="utf-8")


def test_a_plugins_corpus_reads_the_files_that_it_claims(folder):
    touch("a.verse", "b.VS", "c.verse.gz", "d.txt", "e.verses", "verse")
    Path("f.verse").mkdir()
    touch("f.verse/g.txt")
    plugins = Plugins(write_corpus(folder))
    verses = plugins.find("corpus", "verses")
    given = [
        "a.verse",
        "b.VS",
        Path("c.verse.gz"),
        "d.txt",
        "e.verses",
        "./verse",
        "f.verse",
        "*.verse",
    ]
    assert resolve_corpora(given, plugins) == [
        verses(("a.verse", "b.VS", "c.verse.gz")),
        FilesCorpus(("d.txt", "e.verses", "./verse", "f.verse")),
        verses(("*.verse",)),
    ]
    assert (
        resolve_corpora("files:a.verse", plugins)
        == resolve_corpora("a.verse", Plugins())
        == [FilesCorpus(("a.verse",))]
    )


def test_train_says_how_the_file_was_read(folder):
    Path("a.verse").write_text("It is so/and that is that. " * 30, encoding="utf-8")
    arguments = ["train", "a.verse", "--plugin", write_corpus(folder), "--architecture", "ngram", "-o", "model"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "read as verses: a.verse" in result.output


def test_textforges_own_corpus_goes_before_a_plugins(folder):
    touch("a.csv", "b.txt")
    plugins = Plugins(write_corpus(folder, suffixes='(".csv", ".txt")'))
    assert resolve_corpora(["a.csv", "b.txt"], plugins) == [CsvCorpus(("a.csv",)), FilesCorpus(("b.txt",))]


def test_two_plugins_that_claim_a_suffix_are_both_named(folder):
    touch("a.verse")
    plugins = Plugins([write_corpus(folder), write_corpus(folder, "poems")])
    message = error_of(lambda: resolve_corpora("a.verse", plugins))
    assert message.startswith(
        "'a.verse' can be read by several corpora, poems, verses, and .verse says no more; write "
    )
    assert "verses@" in message
    assert "poems@" in message


def test_a_corpus_without_paths_claims_nothing(folder):
    touch("a.verse")
    plugins = Plugins(write_corpus(folder, option="files"))
    assert resolve_corpora("a.verse", plugins) == [FilesCorpus(("a.verse",))]


def test_a_broken_plugin_hides_no_other(folder, monkeypatch):
    touch("a.verse")
    site = folder / "site"
    info = site / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[textforge.corpora]\nbroken = absent_module:Corpus\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    plugins = Plugins(write_corpus(folder))
    assert "broken" in plugins.names("corpus")
    (corpus,) = resolve_corpora("a.verse", plugins)
    assert corpus.name == "verses"


@pytest.mark.parametrize(("name", "corpus"), [("novel.docx", "docx"), ("novel.EPUB", "epub")])
def test_a_document_that_was_read_as_it_stands_is_refused_with_the_plugin_that_reads_it(folder, name, corpus):
    Path(name).write_bytes(b"PK\x03\x04\x14\0\x06\0\x08\0" + bytes(100))
    message = error_of(lambda: list(FilesCorpus((name,)).read()))
    assert message == (
        f"{name!r} is a ZIP archive, an office document or an e-book, not text; read it by {corpus}:…, which the "
        "plugin textforge-documents brings"
    )


def test_a_page_that_was_read_as_it_stands_is_named_with_the_plugin_that_reads_its_text(folder):
    Path("a.html").write_text("<p>It is.", encoding="utf-8")
    corpus = FilesCorpus(("a.html",))
    assert list(corpus.read()) == ["<p>It is."]
    assert corpus.notes() == (
        "read as it stands, with its markup (html:… of the plugin textforge-documents reads its text alone): 'a.html'",
    )
