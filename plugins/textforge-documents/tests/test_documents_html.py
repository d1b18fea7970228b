"""Pages of HTML as text."""

from __future__ import annotations

import gzip
import html
import itertools
import re

import pytest
from document_samples import error_of, text_of, write_zip
from hypothesis import given
from hypothesis import strategies as st

from textforge.corpora.findings import Findings
from textforge.corpora.resolve import resolve_corpora
from textforge.encoders.base import END_OF_TEXT
from textforge.errors import OptionError
from textforge.plugins.registry import Plugins
from textforge_documents import HtmlCorpus
from textforge_documents._markup import read_page


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(page: str | bytes, **options) -> str:
    findings = Findings()
    data = page if isinstance(page, bytes) else page.encode("utf-8")
    return "".join(read_page(data, "a.html", findings, **options))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One<p>two", "One\n\ntwo"),
        ("plain text", "plain text"),
        ("<h1>A</h1><div>b</div><div>c</div>d", "A\n\nb\nc\nd"),
        ("<section>One</section><section>Two</section>", "One\n\nTwo"),
        ("<dl><dt>term<dd>what it is</dl>", "term\nwhat it is"),
        ("<ul><li>a<li>b<ol><li>c</ol></ul><p>d", "a\nb\nc\n\nd"),
        ("<table><tr><th>x<th>y<tr><td>1<td><b>2</b></table>", "x\ty\n1\t2"),
        ("<table><tr><td><p>one</p><p>two</p><td>three</table>", "one\n\ntwo\n\nthree"),
        ("one<br>two<br/><br>three", "one\ntwo\n\nthree"),
        ("<p>a  b\n\tc</p>", "a b c"),
        ("<p>a <b> b </b> c</p>", "a b c"),
        ("a<b>b</b>c", "abc"),
        ("<pre>  one\n   two\n</pre>three", "  one\n   two\n\nthree"),
        ("<p>&amp;amp; &amp;lt; &lt;b&gt; &rsquo;&#233;&#x65e5;", "&amp; &lt; <b> ’é日"),
        ("<p>a&nbsp;&nbsp;b<p>&nbsp;<p>　吾輩は", "a\xa0\xa0b\n\n　吾輩は"),
        ("<p>Za&shy;ra&shy;thustra", "Zarathustra"),
        ("<p>a<!-- b -->c<?d e?>f", "acf"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        ("<p>a<q>b <i>c</i></q>", "ab c"),
        ("<main><article><header><h2>T</h2></header><p>a</article></main><footer>f</footer>", "T\n\na\n\nf"),
        ("<svg><title>t</title><text>x</text></svg>a<math><mi>x</mi><annotation>\\x</annotation></math>", "ax"),
    ],
)
def test_the_text_is_laid_out_as_a_reader_sees_it(page, text):
    assert read(page) == text


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>x < 1</script>",
        "<style>p {}</style>",
        "<noscript>no</noscript>",
        "<template><p>no</template>",
        "<iframe>no</iframe>",
        "<div hidden>no</div>",
        '<p style="color: red; Display : none">no</p>',
        '<span aria-hidden="true">no</span>',
        "<nav><a>Home</a></nav>",
        '<div role="navigation">Home</div>',
        "<button>Buy</button>",
        "<select><option>no</select>",
        "<textarea>no</textarea>",
        '<img alt="no">',
        '<span role="doc-pagebreak">12</span>',
    ],
)
def test_what_is_no_text_is_left_out_with_all_that_is_in_it(hidden):
    page = f"<html><head><title>T</title><meta charset=utf-8></head><body>be{hidden}hind</body></html>"
    assert read(page).replace("\n", "") == "behind"


def test_a_style_that_shows_hides_nothing():
    assert read('<p style="x-display: nonesuch">a</p><p style="display:block">b') == "a\n\nb"


def test_navigation_is_told_and_scripts_are_not(folder):
    (folder / "a.html").write_text("<nav>Home</nav><p>a<script>x</script>", encoding="utf-8")
    (folder / "b.html").write_text("<p>b<script>x</script><nav></nav>", encoding="utf-8")
    corpus = HtmlCorpus(("a.html", "b.html"))
    assert text_of(corpus) == f"a{END_OF_TEXT}b{END_OF_TEXT}"
    assert corpus.notes() == (
        "left out navigation, page numbers or form fields: 'a.html'",
        "read as HTML, by the corpus html: 'a.html', 'b.html'",
    )


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\u00ad"), min_size=1)


@given(st.lists(WORDS.filter(lambda text: text.strip(" \t") == text and text.strip()), min_size=1))
def test_paragraphs_come_back(paragraphs):
    expected = "\n\n".join(re.sub(" +", " ", text) for text in paragraphs)
    page = "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    assert read(f"<!doctype html><body>{page}") == expected
    xhtml = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{page}</body></html>'
    assert read(xhtml) == expected


@given(st.text(st.sampled_from("<>/&;!-?[]pbrdiv=\"' \n#x1")))
def test_any_text_is_a_page(page):
    read(page)


class TestEncodings:
    @pytest.mark.parametrize(
        ("declaration", "encoding"),
        [
            ("<meta charset=utf-8>", "utf-8"),
            ("<meta charset='windows-1251'>", "cp1251"),
            ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
            ('<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
            ("<meta charset=utf-16>", "utf-8"),
            ("", "utf-16"),
            ("", "utf-8-sig"),
            ("", "utf-8"),
        ],
    )
    def test_a_page_is_in_the_encoding_that_it_says(self, declaration, encoding):
        assert read(f"{declaration}<p>Привет, мир".encode(encoding)) == "Привет, мир"

    def test_western_labels_stand_for_windows_1252(self):
        assert read("<meta charset=iso-8859-1><p>“é”".encode("cp1252")) == "“é”"

    def test_japanese_that_is_written_in_ascii(self):
        assert read("<meta charset=iso-2022-jp><p>日本".encode("iso-2022-jp")) == "日本"

    def test_what_is_utf_8_is_read_as_that_whatever_it_says(self, folder):
        (folder / "a.html").write_bytes("<meta charset=iso-8859-1><p>日本".encode())
        corpus = HtmlCorpus(("a.html",))
        assert text_of(corpus) == "日本"
        assert "in UTF-8, and read as that, though it says cp1252: 'a.html'" in corpus.notes()

    def test_what_says_nothing_is_guessed_as_texts_are_and_told(self, folder):
        (folder / "a.html").write_bytes("<p>It’s déjà vu".encode("cp1252"))
        corpus = HtmlCorpus(("a.html",))
        assert text_of(corpus) == "It’s déjà vu"
        assert "'a.html' is not in utf-8: it was read as cp1252" in corpus.notes()

    def test_what_cannot_be_guessed(self, folder):
        (folder / "a.html").write_bytes("<p>Łódź śpi".encode("cp1250"))
        message = error_of(HtmlCorpus(("a.html",)))
        assert message.startswith(
            "'a.html' is not in utf-8, nor in another encoding for certain, and names no encoding"
        )
        assert text_of(HtmlCorpus(("a.html",), encoding="cp1250")) == "Łódź śpi"

    def test_bytes_that_are_not_in_the_encoding(self, folder):
        (folder / "a.html").write_bytes(b"<meta charset=shift_jis><p>a\x81 b")
        assert error_of(HtmlCorpus(("a.html",))) == (
            "'a.html' is not in cp932, though it says so itself (cp932): byte 28 illegal multibyte sequence; name "
            "another encoding, or have such bytes replaced by errors=replace"
        )
        assert text_of(HtmlCorpus(("a.html",), errors="ignore")) == "a b"
        assert "not in utf-8: byte 28 " in error_of(HtmlCorpus(("a.html",), encoding="utf-8"))

    def test_an_encoding_that_does_not_exist(self):
        with pytest.raises(OptionError, match="html: encoding must be an encoding that Python knows, got 'utf-9'"):
            HtmlCorpus(("a.html",), encoding="utf-9")

    def test_one_that_a_page_invents_is_no_reason_to_give_up(self):
        assert read(b"<meta charset=klingon><p>a") == read(b"<meta charset=hex><p>a") == "a"


class TestEntities:
    XHTML = '<!DOCTYPE html [{}]><html xmlns="http://www.w3.org/1999/xhtml"><body><p>a {} b</p></body></html>'

    def test_nothing_is_read_from_elsewhere(self, folder):
        (folder / "secret.txt").write_text("SECRET", encoding="utf-8")
        declared = f'<!ENTITY x SYSTEM "{(folder / "secret.txt").as_uri()}">'
        (folder / "a.xhtml").write_text(self.XHTML.format(declared, "&x;"), encoding="utf-8")
        corpus = HtmlCorpus(("a.xhtml",))
        assert text_of(corpus) == "a b"
        assert "left out entities that it declares itself, which are not expanded: 'a.xhtml'" in corpus.notes()
        (folder / "a.html").write_text(f"<!DOCTYPE html [{declared}]><p>a &x; b", encoding="utf-8")
        assert "SECRET" not in text_of(HtmlCorpus(("a.html",)))

    @pytest.mark.parametrize("place", ["<p>&j;</p>", '<p title="&j;">a</p>'])
    def test_a_billion_laughs_are_not_expanded(self, place):
        names = "abcdefghij"
        declared = f'<!ENTITY a "{"ha" * 10}">' + "".join(
            f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise(names)
        )
        page = f'<!DOCTYPE html [{declared}]><html xmlns="http://www.w3.org/1999/xhtml"><body>{place}</body></html>'
        assert len(read(page)) < 1000

    def test_those_of_html_are_known_in_xhtml(self):
        page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>&eacute;&mdash;&lt;</body></html>'
        assert read(page) == "é—<"

    def test_an_empty_element_of_xhtml_swallows_nothing(self):
        page = (
            '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a"/></head><body><a id="x"/><p>a</p>'
        )
        assert read(f"{page}</body></html>") == read(page) == "a"


class TestFiles:
    def test_a_folder_an_archive_and_a_pattern(self, folder):
        (folder / "pages").mkdir()
        for name in ("b.htm", "a.HTML", "c.css", "d.js", "e.png", "f.txt"):
            (folder / "pages" / name).write_text(name[0], encoding="utf-8")
        corpus = HtmlCorpus(("pages",))
        assert text_of(corpus) == f"a{END_OF_TEXT}b{END_OF_TEXT}"
        assert corpus.notes()[-1] == (
            "left out 4 of the 6 files in 'pages', not called .html, .htm or .xhtml: 'pages/c.css', 'pages/d.js', "
            "'pages/e.png' and 1 more"
        )
        write_zip(folder / "pages.zip", {"a.html": "<p>a", "b.txt": "b"})
        assert text_of(HtmlCorpus(("pages.zip",))) == "a"
        assert text_of(HtmlCorpus(("pages/*.htm", "pages.zip/b.txt"))) == f"b{END_OF_TEXT}" * 2

    def test_a_folder_without_pages(self, folder):
        (folder / "pages").mkdir()
        (folder / "pages" / "a.txt").touch()
        assert error_of(HtmlCorpus(("pages",))) == (
            "the folder 'pages' has no file called .html, .htm or .xhtml; name another, or files by a pattern"
        )

    def test_a_page_that_is_compressed(self, folder):
        (folder / "a.html.gz").write_bytes(gzip.compress(b"<p>a"))
        (corpus,) = resolve_corpora("a.html.gz", Plugins())
        assert corpus == HtmlCorpus(("a.html.gz",))
        assert text_of(corpus) == "a"

    def test_options_change_the_text_as_elsewhere(self, folder):
        (folder / "a.html").write_text("<p>E\u0301T&Eacute;&nbsp;!", encoding="utf-8")
        assert text_of(HtmlCorpus(("a.html",), normalize="NFKC", lowercase=True)) == "été !"

    def test_a_book_of_project_gutenberg(self, folder):
        page = (
            "<p>Licence<p>*** START OF THE PROJECT GUTENBERG EBOOK X ***<p>It was.<p>*** END OF THE PROJECT GUTENBERG"
        )
        (folder / "a.html").write_text(page, encoding="utf-8")
        (folder / "b.html").write_text("<p>It is.", encoding="utf-8")
        corpus = HtmlCorpus(("a.html", "b.html"), gutenberg=True)
        assert text_of(corpus).split() == ["It", "was.", f"{END_OF_TEXT}It", f"is.{END_OF_TEXT}"]
        assert "nothing was cut off before the book, as no mark of a licence was found: 'b.html'" in corpus.notes()

    def test_several_of_which_one_has_no_text(self, folder):
        (folder / "a.html").write_text("<p>a", encoding="utf-8")
        (folder / "b.html").write_text("<img src=a.png>", encoding="utf-8")
        (folder / "c.html").touch()
        corpus = HtmlCorpus(("a.html", "b.html", "c.html"))
        assert text_of(corpus) == f"a{END_OF_TEXT}"
        assert corpus.notes()[-1] == "left out 2 of the 3 documents, which have no text: 'b.html', 'c.html'"

    @pytest.mark.parametrize("page", ["", "  \n", "<!-- a -->", "<html><body></body></html>", "<p>&nbsp;"])
    def test_no_text_at_all(self, folder, page):
        (folder / "a.html").write_text(page, encoding="utf-8")
        assert error_of(HtmlCorpus(("a.html",))) == (
            "'a.html' has no text (pictures of text aren't read); give a document that has some"
        )

    def test_a_picture_that_is_called_so(self, folder):
        (folder / "a.html").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        assert error_of(HtmlCorpus(("a.html",))) == "'a.html' is a PNG picture, not HTML; leave it out"

    def test_a_page_that_is_nested_too_deeply_is_not_cut_off_in_silence(self, folder):
        assert read("<div>" * 2000 + "a" + "</div>" * 2000 + "<p>behind") == "a\n\nbehind"
        (folder / "a.html").write_text("<div>" * 5000 + "a", encoding="utf-8")
        assert error_of(HtmlCorpus(("a.html",))) == (
            "'a.html' can't be parsed as HTML: it is nested more than 2,000 deep; mend it, or leave it out"
        )

    def test_a_page_that_is_too_large(self, folder, monkeypatch):
        monkeypatch.setattr("textforge_documents.html_corpus.LARGEST_PAGE", 1 << 20)
        (folder / "a.html").write_text("a" * ((1 << 20) + 1), encoding="utf-8")
        assert error_of(HtmlCorpus(("a.html",))).startswith(
            "'a.html' is larger than 1 MiB, and a page is held in memory"
        )

    @pytest.mark.parametrize("page", [" " * 300_000, "<" * 300_000, "&" * 300_000, "<p " * 100_000, ";" * 300_000])
    def test_a_page_of_one_character_takes_no_time_that_grows_with_its_square(self, page):
        read(f"<p style='{page}'>a{page}<pre>{page}")

    def test_a_long_page_comes_in_chunks(self, folder):
        lines = [f"Line {number}." for number in range(20_000)]
        (folder / "a.html").write_text("".join(f"<p>{line}" for line in lines), encoding="utf-8")
        chunks = list(HtmlCorpus(("a.html",)).read())
        assert max(map(len, chunks)) < 100_000
        assert "".join(chunks).split("\n\n") == lines

    @pytest.mark.parametrize(
        ("paths", "message"),
        [
            ((), "paths must name files or folders"),
            (("a", ""), "paths must name"),
            (("-", "-"), "paths names standard input"),
        ],
    )
    def test_paths_that_cannot_be(self, paths, message):
        with pytest.raises(OptionError, match=f"html: {message}"):
            HtmlCorpus(paths)

    def test_a_path_that_is_not_there(self):
        assert "there is no file or folder 'a.html'" in error_of(HtmlCorpus(("a.html",)))
