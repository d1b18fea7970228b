"""The checks of the kit, on the corpora of documents, and what the plugin imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from document_samples import CHAPTER, make_book, make_docx, write_zip

from textforge.cli import main
from textforge.corpora.files import FilesCorpus
from textforge.corpora.resolve import resolve_corpora
from textforge.plugins.registry import Plugins
from textforge.testing import CorpusTests
from textforge_documents import DocxCorpus, EpubCorpus, HtmlCorpus


class TestDocx(CorpusTests):
    @pytest.fixture(params=[1, 2])
    def component(self, tmp_path, request):
        for number in range(request.param):
            (tmp_path / f"{number}.docx").write_bytes(make_docx("One.", "Two 日本語."))
        return DocxCorpus((str(tmp_path),))


class TestEpub(CorpusTests):
    @pytest.fixture(params=[1, 2])
    def component(self, tmp_path, request):
        for number in range(request.param):
            pages = {f"{n}.xhtml": CHAPTER.format(f"<p>Chapter {n}: 日本語.</p>") for n in range(9)}
            write_zip(tmp_path / f"{number}.epub", make_book(pages))
        return EpubCorpus((str(tmp_path),), lowercase=True)


class TestHtml(CorpusTests):
    @pytest.fixture(params=[1, 2])
    def component(self, tmp_path, request):
        for number in range(request.param):
            (tmp_path / f"{number}.html").write_text("<h1>One</h1>" + "<p>日本語." * 99_999, encoding="utf-8")
        return HtmlCorpus((str(tmp_path),))


def test_suffixes_lead_to_the_corpora(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.docx", "b.DOCM", "c.epub", "d.html", "e.htm", "f.xhtml.gz", "g.doc"):
        Path(name).touch()
    given = ["a.docx", "b.DOCM", "c.epub", "d.html", "e.htm", "f.xhtml.gz", "g.doc", "*.epub"]
    assert resolve_corpora(given, Plugins()) == [
        DocxCorpus(("a.docx", "b.DOCM")),
        EpubCorpus(("c.epub",)),
        HtmlCorpus(("d.html", "e.htm", "f.xhtml.gz")),
        FilesCorpus(("g.doc",)),
        EpubCorpus(("*.epub",)),
    ]


def test_train_says_how_a_document_was_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("novel.docx").write_bytes(make_docx(*["It is so, and that is that."] * 40))
    result = CliRunner().invoke(main, ["train", "novel.docx", "--architecture", "ngram", "-o", "model"])
    assert result.exit_code == 0, result.output
    assert "read as a Word document, by the corpus docx: 'novel.docx'" in result.output


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_neither_the_plugin_nor_its_corpora_import_the_libraries():
    code = """
import sys
import textforge_documents as documents
for cls in (documents.DocxCorpus, documents.EpubCorpus, documents.HtmlCorpus):
    cls(("a",)).spec
print([name for name in ("lxml", "docx") if name in sys.modules])
"""
    assert run(code) == "[]\n"


@pytest.mark.parametrize(
    ("corpus", "before", "message"),
    [
        pytest.param(
            "html",
            "sys.modules['lxml'] = None",
            "the corpus html needs lxml, which is not installed: run `pip install 'lxml>=5.2'`\n",
            id="missing",
        ),
        pytest.param(
            "docx",
            "sys.modules['docx'] = types.SimpleNamespace(__version__='0.8.11')",
            "the corpus docx needs python-docx 1.1 or newer, but 0.8.11 is installed: "
            "run `pip install 'python-docx>=1.1'`\n",
            id="old",
        ),
    ],
)
def test_one_line_says_which_library_is_missing(tmp_path, corpus, before, message):
    path = tmp_path / "a"
    path.write_bytes(make_docx("a"))
    code = f"""
import sys, types
{before}
import textforge
from textforge.errors import BackendError
try:
    list(textforge.Plugins().corpus("{corpus}:{path}").read())
except BackendError as error:
    print(error)
"""
    assert run(code) == message


def test_a_name_that_the_plugin_lacks():
    import textforge_documents

    with pytest.raises(AttributeError, match="has no attribute 'PdfCorpus'"):
        textforge_documents.PdfCorpus  # noqa: B018
