"""``textforge score``: what is printed, shaded and written for each text."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, Page
from rich.text import Text
from support import PieceEncoder, ScriptedModel, constant_logits, hashed_logits
from terminals import needs_terminal, read_all, start_in_terminal

import textforge
from textforge.cli import main
from textforge.cli.score import split_texts
from textforge.cli.score_page import FOOT, make_article, make_top
from textforge.cli.score_pieces import split_pieces
from textforge.cli.score_terminal import HEAD, LONGEST, shade, write_row
from textforge.cli.visible import make_visible
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.byte import ByteEncoder
from textforge.evaluation.score import Score, TokenScore
from textforge.library.generator import TextGenerator

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12


def run(*arguments: Any, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one text, which knows no end of it."""
    folder = tmp_path_factory.mktemp("score")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    textforge.train(folder / "book.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder / "model"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of several documents."""
    folder = tmp_path_factory.mktemp("documents")
    for number in range(5):
        (folder / f"{number}.txt").write_text(TEXT[: 100 + number], encoding="utf-8")
    textforge.train(folder, architecture="ngram:order=4", output=folder.parent / "of-documents", seed=1)
    return folder.parent / "of-documents"


def error_of(result: Result, status: int = 1) -> str:
    assert result.exit_code == status, result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line


def entries(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- which texts ---


def test_all_of_a_file_or_of_standard_input_is_one_text(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"It is so.\r\nIs it?\r\n")
    expected = textforge.load(model).score("It is so.\nIs it?\n")
    (entry,) = entries(run("score", model, tmp_path / "text", "--json"))
    assert entry == {"number": 0, **expected.to_json()}
    for arguments in (["-"], []):
        assert entries(run("score", model, *arguments, "--json", stdin=expected.text)) == [entry]


def test_each_line_is_a_text_of_its_own_and_an_empty_one_too(model: Path) -> None:
    lines = ["It is so.", "", "Is it?"]
    for text in ("It is so.\n\nIs it?\n", "It is so.\n\nIs it?"):
        found = entries(run("score", model, "--lines", "--json", stdin=text))
        scores = textforge.load(model).score(lines)
        assert found == [{"number": number, **score.to_json()} for number, score in enumerate(scores)]
    assert found[1]["perplexity"] is None


def test_each_file_of_a_folder_is_a_text(model: Path, tmp_path: Path) -> None:
    for name, text in (("a", "It is"), ("b", "so\nit is\n")):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert [entry["text"] for entry in entries(run("score", model, tmp_path, "--json"))] == ["It is", "so\nit is\n"]
    lines = entries(run("score", model, tmp_path, "--json", "--lines"))
    assert [entry["text"] for entry in lines] == ["It is", "so", "it is"]


@given(st.lists(st.text("ab\n", max_size=9), max_size=4), st.lists(st.integers(0, 30), max_size=5))
def test_where_a_text_is_cut_into_chunks_means_nothing(documents: list[str], cuts: list[int]) -> None:
    text = "".join(document + END_OF_TEXT for document in documents)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[begin:end] for begin, end in itertools.pairwise(places)]
    assert list(split_texts(chunks, lines=False)) == [document for document in documents if document]
    lines = [line for document in documents for line in document.removesuffix("\n").split("\n") if document]
    assert list(split_texts(chunks, lines=True)) == lines


def test_the_end_is_the_token_or_the_newline(model: Path, documents: Path) -> None:
    (ended,) = entries(run("score", documents, "--end", "--json", stdin="It is"))
    assert [token["text"] for token in ended["tokens"]] == [*"It is", END_OF_TEXT]
    (ended,) = entries(run("score", documents, "--end", "--lines", "--json", stdin="It is\n"))
    assert ended["tokens"][-1]["text"] == END_OF_TEXT
    (line,) = entries(run("score", model, "--end", "--lines", "--json", stdin="It is\n"))
    assert line["text"] == "It is\n"
    assert line["tokens"][-1]["text"] == "\n"
    error = error_of(run("score", model, "--end", stdin="It is"))
    assert error.endswith("leave out --end, or give --lines, so that a newline is the end")


# --- what is printed ---


def test_a_line_a_text_goes_into_a_pipe(model: Path) -> None:
    result = run("score", model, "--lines", stdin="It is so.\nthat\tis\n\n".replace("\t", " ") + "It is " * 30)
    assert not result.stderr
    head, *rows = result.stdout.splitlines(keepends=True)
    assert head == HEAD
    scores = textforge.load(model).score(["It is so.", "that is", "", "It is " * 30])
    assert rows == [write_row(score) for score in scores]
    assert float(rows[0].split()[0]) == pytest.approx(scores[0].log_likelihood, abs=1e-4)
    assert rows[2] == f"{0:>14.4f}  {'–':>10}  {'–':>14}  \n"
    assert rows[3].endswith("  " + "It is " * 9 + "It is…\n")


def test_a_row_is_one_line_whatever_the_text() -> None:
    row = write_row(Score("a\nb\tc\x1b[2J\r\u2028", -1.0, (), 4))
    assert row.endswith("  a↵b⇥c⟨U+001B⟩[2J⟨U+000D⟩⟨U+2028⟩\n")
    assert len(row.splitlines()) == 1


def test_whole_texts_are_shown_to_the_letter_in_a_pipe(model: Path) -> None:
    result = run("score", model, "--show", stdin="It is so.\nIs it")
    assert result.stdout == HEAD + write_row(textforge.load(model).score("It is so.\nIs it")) + "It is so.\nIs it\n\n"


def test_what_is_left_out_is_said_after_all(model: Path) -> None:
    result = run("score", model, "--lines", "--unknown", "skip", stdin="Itß is\nßß")
    assert result.stderr == "skipped 3 characters that the vocabulary lacks\n"
    assert run("score", model, "--unknown", "skip", stdin="Itß").stderr.startswith("skipped 1 character that")


BAD: list[tuple[Sequence[str], str, int, str]] = [
    (["--lines"], "It is\nßa", 1, "Error: line 2: the vocabulary of 18 characters lacks 'ß' (U+00DF"),
    ([], "ßa", 1, "Error: text 1: the vocabulary of 18 characters lacks 'ß' (U+00DF"),
    ([], "", 1, "Error: there is nothing to score, for '-' is empty: give a text"),
    (["--lines"], "", 1, "Error: there is nothing to score"),
    (["missing.txt"], "", 1, "Error: there is no file or folder 'missing.txt'"),
    (["--show", "--json"], "", 2, "Error: --json has the texts already: leave out --show."),
    (["--html", "-"], "", 2, "Error: Invalid value for '--html': name a file: standard output has the text."),
    (["--html", "missing/page"], "It", 1, "Error: --html missing/page can't be written: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "stdin", "status", "message"), BAD, ids=str)
def test_what_can_t_be_done_is_one_line(
    arguments: Sequence[str], stdin: str, status: int, message: str, model: Path
) -> None:
    assert error_of(run("score", model, *arguments, stdin=stdin), status).startswith(message)


def test_a_text_that_is_refused_leaves_an_older_page_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("older", encoding="utf-8")
    assert "lacks" in error_of(run("score", model, "--html", tmp_path / "page", stdin="ß"))
    assert (tmp_path / "page").read_text(encoding="utf-8") == "older"


# --- on a terminal ---


def watch(model: Path, text: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "textforge", "score", str(model), *arguments]
    streams: Any = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    terminal, process = start_in_terminal(command, 100, environment, **streams)
    with process:
        assert process.stdin
        process.stdin.write(text.encode())
        process.stdin.close()
        written = read_all(terminal)
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 0
    return written.replace("\r\n", "\n")


@needs_terminal
def test_surprising_places_are_shaded_where_a_person_watches(model: Path) -> None:
    written = watch(model, "It ts?")
    assert "\x1b[37;41mt\x1b[0m" in written
    assert "below 1%" in written
    assert "\x1b" not in watch(model, "It ts?", NO_COLOR="1")
    many = watch(model, "It ts?\nthat\n", "--lines")
    assert "\x1b" not in many
    shown = Text.from_ansi(watch(model, "It ts?\nthat\n", "--lines", "--show")).plain
    assert re.search(r"  It ts\?\n\nIt ts\?\n.*  that\n\nthat\n", shown)


@needs_terminal
def test_of_a_long_text_the_beginning_is_shown(model: Path) -> None:
    text = TEXT * 3
    assert len(text) > LONGEST
    written = Text.from_ansi(watch(model, text)).plain
    assert text[:LONGEST] in written
    assert text[: LONGEST + 1] not in written
    assert "all of it with --show" in written
    assert text in Text.from_ansi(watch(model, text, "--show")).plain


def make_score(probabilities: Sequence[float | None], text: str = "") -> Score:
    tokens = tuple(
        TokenScore(place, chr(97 + place), None if value is None else math.log(value))
        for place, value in enumerate(probabilities)
    )
    return Score(text, 0.0, tokens, len(tokens))


def test_the_less_likely_the_darker() -> None:
    encoder = PieceEncoder.of(*"abcdef")
    pieces = list(split_pieces(make_score([0.5, 0.09, 0.029, 0.0099, None]), encoder))
    shown = Text.from_ansi(shade(pieces, legend=False))
    assert shown.plain.rstrip() == "abcde"
    styles = {shown.plain[span.start : span.end]: str(span.style) for span in shown.spans}
    assert styles.keys() == {"b", "c", "d", "e"}
    assert "underline" in styles["b"]
    assert "on color(3)" in styles["c"]
    assert "on color(1)" in styles["d"]
    assert "dim" in styles["e"]


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True), st.integers(0, 99))
def test_a_terminal_gets_nothing_that_would_act(own: list[str], seed: int) -> None:
    pieces = (*HOSTILE, *own)
    encoder = PieceEncoder.of(*dict.fromkeys(pieces))
    score = write(encoder).score("".join(pieces))
    written = shade(split_pieces(score, encoder), legend=True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\ud800-\udfff]", shown)
    assert shown.startswith("".join(make_visible(piece.text.expandtabs(4)) for piece in split_pieces(score, encoder)))


# --- pieces ---


def write(encoder: Any, logits: Any = None) -> TextGenerator:
    size = encoder.vocabulary_size
    return TextGenerator(ScriptedModel(size, logits or hashed_logits(size)), encoder)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_pieces_are_the_text_and_have_all_its_tokens(text: str) -> None:
    encoder = ByteEncoder().fit(["a", END_OF_TEXT])
    score = write(encoder, lambda tokens: [0.0] * 257).score(text, end=True)
    pieces = list(split_pieces(score, encoder))
    assert "".join(piece.text for piece in pieces) == text.replace(END_OF_TEXT, "∎") + "∎"
    assert tuple(token for piece in pieces for token in piece.tokens) == score.tokens
    for piece in pieces:
        assert piece.log_probability == pytest.approx(-len(piece.tokens) * 5.549076, abs=1e-5)


# --- the page ---


def make_page(scores: Sequence[Score], encoder: Any, **facts: object) -> str:
    articles = "".join(make_article(number, score, encoder) for number, score in enumerate(scores, 1))
    return make_top(facts) + articles + FOOT


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True))
def test_any_text_is_on_the_page_and_nothing_else(own: list[str]) -> None:
    pieces = tuple(dict.fromkeys((*HOSTILE, *own)))
    encoder = PieceEncoder.of(*pieces)
    scores = write(encoder).score(["".join(pieces), "".join(own), ""])
    source = make_page(scores, encoder, model="<m>", text="".join(HOSTILE))
    source.encode("utf-8")
    page = Page(source)
    assert page.texts == [make_visible(score.text) for score in scores]
    assert len(page.tips) == sum(len(score.tokens) for score in scores)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", source)
    assert not re.search(r"https?://|url\(|@import|<script|javascript:", source)


def test_tips_and_shades_say_the_probabilities() -> None:
    encoder = PieceEncoder.of("a", "b", "c", END_OF_TEXT)
    score = write(encoder, constant_logits([0.9, 0.08, 0.005, 0.015])).score("abc", end=True)
    page = Page(make_page([score], encoder))
    assert page.classes == [["t", "m0"], ["t", "m3"], ["t", "m5"], ["t", "m4"]]
    assert [re.split(r"  +", tip)[:3] for tip in page.tips[:2]] == [
        ["a", "90.00%", "-0.1054 nats"],
        ["b", "8.00%", "-2.5257 nats"],
    ]
    assert page.texts == ["abc∎"]
    words = "".join(page.words)
    for expected in ("4 tokens", f"{score.perplexity:.3f}", f"{score.log_likelihood:.4f}", "text 1"):
        assert expected in words


def test_a_page_is_written_beside_the_text(model: Path, tmp_path: Path) -> None:
    arguments = ["score", model, "--lines"]
    result = run(*arguments, "--html", tmp_path / "page.html", stdin="It is\n\nso")
    assert result.stdout == run(*arguments, stdin="It is\n\nso").stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert Page(page).texts == ["It is", "", "so"]
    assert str(model) in page
    assert page.endswith("</html>\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_costs_nothing_of_the_figures(model: Path) -> None:
    result = run("score", model, "--lines", "--html", "/dev/full", stdin=TEXT)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 13
    assert "Error: --html /dev/full is incomplete: No space left on device" in result.stderr


def test_a_reader_that_goes_away_ends_it_quietly(model: Path) -> None:
    command = [sys.executable, "-m", "textforge", "score", str(model), "--lines", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"It is so.\n" * 30_000)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        assert json.loads(process.stdout.readline())["number"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
