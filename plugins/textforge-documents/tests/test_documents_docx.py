"""Word documents as text."""

from __future__ import annotations

import contextlib
import re
import zipfile

import docx
import pytest
from document_samples import change_part, error_of, make_docx, save, text_of, write_zip
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from textforge.encoders.base import END_OF_TEXT
from textforge.errors import CorpusError
from textforge_documents import DocxCorpus

BODY = "word/document.xml"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(1024, b"\0")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, data: bytes, name: str = "a.docx", **options) -> DocxCorpus:
    (folder / name).write_bytes(data)
    return DocxCorpus((name,), **options)


def write_body(folder, *blocks: str, **options) -> DocxCorpus:
    """Write a document with these elements of a body, their namespaces left out."""
    document = docx.Document()
    spaces = nsdecls("w", "wp", "r") + (
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    )
    for block in blocks:
        root = parse_xml(f"<w:body {spaces}>{block}</w:body>")
        for element in list(root):
            document.element.body.insert(len(document.element.body) - 1, element)
    return write(folder, save(document), **options)


def p(*inner: str) -> str:
    return f"<w:p>{''.join(inner)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def test_headings_paragraphs_lists_and_tables_come_in_order(folder):
    document = docx.Document()
    document.add_heading("The title", 0)
    document.add_paragraph("First.\tTabbed\nand broken.")
    document.add_paragraph("")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Number")
    table = document.add_table(2, 3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = str(number)
    table.rows[1].cells[1].text = ""
    document.add_page_break()
    document.add_paragraph("Last.")
    document.sections[0].header.paragraphs[0].text = "a header"
    corpus = write(folder, save(document))
    assert text_of(corpus) == ("The title\n\nFirst.\tTabbed\nand broken.\n\none\ntwo\n0\t1\t2\n3\t5\n\nLast.")
    assert corpus.notes() == ("read as a Word document, by the corpus docx: 'a.docx'",)


def test_a_cell_of_several_paragraphs_and_a_table_within(folder):
    document = docx.Document()
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text = "one\n"
    cells[0].paragraphs[0].text = "one"
    cells[0].add_paragraph("two")
    cells[0].add_table(1, 1).rows[0].cells[0].text = "inner"
    cells[1].text = "three"
    assert text_of(write(folder, save(document))) == "one\n\ntwo\n\ninner\n\nthree"


def test_a_merged_cell_is_read_once(folder):
    document = docx.Document()
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(1, 0).text, table.cell(1, 1).text = "a", "b"
    assert text_of(write(folder, save(document))) == "wide\na\tb"


class TestChanges:
    MARK = "<w:pPr><w:rPr><w:del w:id='9'/></w:rPr></w:pPr>"

    def test_what_was_inserted_is_read_and_what_was_deleted_is_not(self, folder):
        corpus = write_body(
            folder,
            p(
                r("It "),
                f"<w:ins w:id='1'>{r('is ')}</w:ins>",
                "<w:del w:id='2'><w:r><w:delText>was </w:delText></w:r></w:del>",
                f"<w:moveTo w:id='3'>{r('so')}</w:moveTo>",
                f"<w:moveFrom w:id='4'>{r('not so')}</w:moveFrom>",
            ),
        )
        assert text_of(corpus) == "It is so"

    def test_a_deleted_end_joins_two_paragraphs(self, folder):
        assert text_of(write_body(folder, p(self.MARK, r("one ")), p(r("two")), p(self.MARK, r("three")))) == (
            "one two\n\nthree"
        )

    def test_a_deleted_row(self, folder):
        cell = f"<w:tc>{p(r('x'))}</w:tc>"
        row = f"<w:tr><w:trPr><w:del w:id='1'/></w:trPr>{cell}</w:tr><w:tr>{cell}{cell}</w:tr>"
        assert text_of(write_body(folder, f"<w:tbl>{row}</w:tbl>")) == "x\tx"


def test_links_fields_controls_and_formulas_are_text(folder):
    corpus = write_body(
        folder,
        p(
            f"<w:hyperlink r:id='rId1'>{r('link ')}</w:hyperlink>",
            f"<w:fldSimple w:instr='PAGE'>{r('field ')}</w:fldSimple>",
            "<w:r><w:instrText>DATE</w:instrText></w:r>",
            f"<w:sdt><w:sdtPr/><w:sdtContent>{r('control ')}</w:sdtContent></w:sdt>",
            "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>",
            "<w:r><w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r>",
        ),
        f"<w:sdt><w:sdtContent>{p(r('block'))}</w:sdtContent></w:sdt>",
        f"<w:ins w:id='1'>{p(r('inserted'))}</w:ins>",
    )
    assert text_of(corpus) == "link field control x=1漢\n\nblock\n\ninserted"


def test_a_text_box_is_read_once_behind_its_paragraph(folder):
    box = f"<w:txbxContent>{p(r('boxed'))}</w:txbxContent>"
    alternatives = (
        f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    )
    assert text_of(write_body(folder, p(r("one"), f"<w:r>{alternatives}</w:r>", r(" two")))) == "one two\n\nboxed"


def test_the_table_of_contents_and_hidden_text_are_left_out_and_told(folder):
    contents = "<w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
    corpus = write_body(
        folder,
        f"<w:sdt>{contents}<w:sdtContent>{p(r('Chapter 1'))}</w:sdtContent></w:sdt>",
        p(r("one"), r(" no", "<w:rPr><w:vanish/></w:rPr>"), r(" yes", "<w:rPr><w:vanish w:val='0'/></w:rPr>")),
    )
    assert text_of(corpus) == "one yes"
    assert corpus.notes()[:2] == ("left out its table of contents: 'a.docx'", "left out hidden text: 'a.docx'")


def add_footnotes(data: bytes) -> bytes:
    footnotes = (
        f"<w:footnotes {nsdecls('w')}><w:footnote w:type='separator' w:id='-1'>{p(r('---'))}</w:footnote>"
        f"<w:footnote w:id='1'>{p(r('first note'))}</w:footnote><w:footnote w:id='2'>{p(r('second'))}</w:footnote>"
        "</w:footnotes>"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    types = f'<Override PartName="/word/footnotes.xml" ContentType="{kind}"/></Types>'.encode()
    relation = f'<Relationship Id="rId99" Type="{RELATED}/footnotes" Target="footnotes.xml"/></Relationships>'.encode()
    data = change_part(data, "[Content_Types].xml", lambda part: part.replace(b"</Types>", types))
    data = change_part(
        data,
        "word/_rels/document.xml.rels",
        lambda part: part.replace(b"</Relationships>", relation),
    )
    return add_part(data, "word/footnotes.xml", footnotes.encode())


def add_part(data: bytes, name: str, content: bytes) -> bytes:
    import io

    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_footnotes_are_left_out_and_told_unless_asked_for(folder):
    data = add_footnotes(make_docx("Text."))
    corpus = write(folder, data)
    assert text_of(corpus) == "Text."
    assert corpus.notes()[-1] == (
        "left out 2 footnotes and endnotes of 'a.docx'; footnotes=true puts them behind the text"
    )
    asked = write(folder, data, footnotes=True)
    assert text_of(asked) == "Text.\n\nfirst note\n\nsecond"
    assert len(asked.notes()) == 1


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(TEXT, min_size=1))
@example(["a", "", "b"])
def test_paragraphs_come_back(folder, paragraphs):
    expected = "\n\n".join(text.rstrip() for text in paragraphs if text.strip())
    corpus = write(folder, make_docx(*paragraphs))
    assert expected == (text_of(corpus) if expected else "")


class TestFiles:
    def test_several_are_a_document_each_and_a_mark_of_word_is_left_out(self, folder):
        (folder / "letters").mkdir()
        for name in ("a.docx", "b.DOCX", "~$a.docx", "c.txt"):
            (folder / "letters" / name).write_bytes(make_docx(name[0]))
        corpus = DocxCorpus(("letters",))
        assert text_of(corpus) == f"a{END_OF_TEXT}b{END_OF_TEXT}"
        assert corpus.notes()[-1] == (
            "left out 2 of the 4 files in 'letters', not called .docx or .docm: 'letters/c.txt', 'letters/~$a.docx'"
        )

    def test_options_change_the_text_as_elsewhere(self, folder):
        assert text_of(write(folder, make_docx("E\u0301té"), normalize="NFC", lowercase=True)) == "été"

    def test_a_document_with_macros(self, folder):
        plain = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
        macros = "application/vnd.ms-word.document.macroEnabled.main+xml"
        data = change_part(
            make_docx("a"), "[Content_Types].xml", lambda part: part.replace(plain.encode(), macros.encode())
        )
        assert text_of(write(folder, data, "a.docm")) == "a"

    def test_a_picture_that_is_missing_is_none_of_our_business(self, folder):
        picture = f'<Relationship Id="rId98" Type="{RELATED}/image" Target="NULL"/></Relationships>'.encode()
        data = change_part(
            make_docx("a"), "word/_rels/document.xml.rels", lambda part: part.replace(b"</Relationships>", picture)
        )
        assert text_of(write(folder, data)) == "a"


class TestBadFiles:
    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"", "is empty, not a Word document (.docx); get it anew"),
            (
                b"Once upon a time",
                "is a text, not a Word document (.docx); give a file of that kind, or rename it to what it is",
            ),
            (
                OLE + "WordDocument".encode("utf-16-le"),
                "is an old Word document (.doc); open it in a word processor, and save it as .docx",
            ),
            (
                OLE + "EncryptedPackage".encode("utf-16-le"),
                "is protected by a password; open it in a word processor, and save it without one",
            ),
            (OLE, "is an old office document; open it in what wrote it, and save it as .docx"),
            (b"PK\3\4", "is cut short or damaged (File is not a zip file); get it anew"),
        ],
    )
    def test_what_is_no_document(self, folder, data, what):
        assert error_of(write(folder, data)) == f"'a.docx' {what}"

    def test_a_file_that_is_cut_short(self, folder):
        data = make_docx("a")
        assert error_of(write(folder, data[:-30])) == (
            "'a.docx' is cut short or damaged (File is not a zip file); get it anew"
        )

    def test_an_archive_of_something_else(self, folder):
        write_zip(folder / "a.docx", {"a.txt": "a"})
        assert error_of(DocxCorpus(("a.docx",))) == (
            "'a.docx' is a ZIP archive, but no Word document: it lacks [Content_Types].xml; give a .docx"
        )

    def test_another_office_document(self, folder):
        sheet = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        data = change_part(
            make_docx("a"),
            "[Content_Types].xml",
            lambda part: re.sub(rb"application/[\w.-]+wordprocessingml\.document\.main\+xml", sheet, part),
        )
        assert error_of(write(folder, data)) == (
            "'a.docx' is an office document, but no Word document; give one that a word processor saved as .docx"
        )

    def test_a_part_that_is_missing_is_named(self, folder):
        message = error_of(write(folder, change_part(make_docx("a"), BODY, lambda _: None)))
        assert message.startswith("'a.docx' lacks a part (")
        assert BODY in message

    def test_a_part_that_is_no_xml(self, folder):
        data = change_part(make_docx("a"), BODY, lambda part: part[:300])
        assert error_of(write(folder, data)).startswith("'a.docx' is damaged, and python-docx can't read it (")

    def test_the_strict_form(self, folder):
        data = change_part(
            make_docx("a"),
            "_rels/.rels",
            lambda part: part.replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"
            ),
        )
        assert error_of(write(folder, data)) == (
            "'a.docx' is in the strict form of Open XML; open it in a word processor, and save it as a plain .docx"
        )

    def test_no_text_at_all(self, folder):
        assert error_of(write(folder, make_docx("", " "))) == (
            "'a.docx' has no text (pictures of text aren't read); give a document that has some"
        )

    ENTITIES = (
        "'a.docx' has entities of its own, as no Word document has, and none is expanded; save it anew in a word "
        "processor"
    )

    def declare(self, declared: str, used: str) -> bytes:
        def change(part: bytes) -> bytes:
            head, body = part.decode().split("?>", 1)
            return f"{head}?><!DOCTYPE p [{declared}]>{body.replace('MARK', used)}".encode()

        return change_part(make_docx("a MARK b"), BODY, change)

    def test_an_entity_of_a_file_is_not_read(self, folder):
        (folder / "secret.txt").write_text("SECRET", encoding="utf-8")
        declared = f'<!ENTITY x SYSTEM "{(folder / "secret.txt").as_uri()}">'
        assert error_of(write(folder, self.declare(declared, "&x;"))) == self.ENTITIES

    def test_a_billion_laughs_are_not_expanded(self, folder):
        declared = '<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        assert error_of(write(folder, self.declare(declared, "&b;" * 99))) == self.ENTITIES


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_damage_of_any_kind_is_a_corpus_error_or_nothing(folder, data):
    body = (
        b"<w:document " + nsdecls("w").encode() + b"><w:body><w:p><w:r><w:t>a</w:t></w:r></w:p></w:body></w:document>"
    )
    changed = bytearray(body)
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        changed[at] = data.draw(st.sampled_from(b"<>/w:ptr &\0\xffa"))
    whole = change_part(make_docx("a"), BODY, lambda _: bytes(changed))
    whole = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CorpusError):  # any other is a bug
        text_of(write(folder, bytes(whole)))
