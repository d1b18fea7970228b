"""The sampler `novel`: what it bans is what brute force finds in the corpus, and nothing is copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import PieceEncoder

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.index.making import make_index
from textforge.encoders.base import Encoder, IncrementalDecoder
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.errors import CorpusError, GenerationError, OptionError
from textforge.generation.context import RowContext
from textforge.generation.history import History
from textforge.samplers._copies import CopyGuard, find_alone
from textforge.samplers.novel import Novel

PIECES = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)
ENCODERS = st.one_of(
    PIECES.map(lambda pieces: PieceEncoder.of(*pieces)),
    PIECES.map(lambda pieces: PieceEncoder.of(*pieces, END_OF_TEXT)),
    st.just(PieceEncoder.of("", "a", "bab", "b" + END_OF_TEXT + "aab")),
    st.just(CharEncoder(vocabulary="ab" + END_OF_TEXT)),
)


def completes_a_run(before: str, after: str, corpus: str, n: int) -> bool:
    """Tell by brute force whether a run of the corpus ends in what `after` has and `before` has not."""
    common = next((at for at, pair in enumerate(zip(before, after, strict=False)) if len(set(pair)) > 1), None)
    common = min(len(before), len(after)) if common is None else common
    runs = [after[end - n : end] for end in range(max(n, common + 1), len(after) + 1)]
    return any(run in corpus and END_OF_TEXT not in run for run in runs)


def follow(encoder: Encoder, corpus: str, n: int, steps: np.ndarray, prompt: int) -> None:
    """Follow texts, (B, t), from a prompt's end on, and compare each step's ban with brute force."""
    history = History.of(steps[:, :prompt], prompt)
    context = RowContext(history, seed=1, texts=range(len(steps)), position=0, encoder=encoder)
    context.shared["guard"] = CopyGuard(make_index(corpus), encoder, n)
    sampler = Novel(n, ["a file that is never read"])
    for step in range(prompt, steps.shape[1] + 1):
        texts = [encoder.decode(row[:step]) for row in steps]
        expected = [
            [
                completes_a_run(text, encoder.decode([*row[:step], id]), corpus, n)
                for id in range(encoder.vocabulary_size)
            ]
            for text, row in zip(texts, steps, strict=True)
        ]
        logits = np.zeros((len(steps), encoder.vocabulary_size))
        if any(all(row) for row in expected):
            with pytest.raises(GenerationError, match="every token that is left would complete a run"):
                sampler(logits, context)
        else:
            assert np.isneginf(sampler(logits, context)).tolist() == expected
        if step < steps.shape[1]:
            history.append(steps[:, step])


@given(
    encoder=ENCODERS,
    corpus=st.text("ab", min_size=1, max_size=40) | st.just(f"aab{END_OF_TEXT}abba{END_OF_TEXT}"),
    n=st.integers(1, 7),
    data=st.data(),
)
def test_bans_what_brute_force_finds(encoder: Encoder, corpus: str, n: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 12))
    ids = st.lists(st.integers(0, encoder.vocabulary_size - 1), min_size=length, max_size=length)
    rows = data.draw(st.lists(ids, min_size=1, max_size=3))
    follow(encoder, corpus, n, np.array(rows, dtype=np.int64), data.draw(st.integers(1, length)))


def test_the_end_of_a_document_ends_runs() -> None:
    encoder = PieceEncoder.of("a", "b", f"b{END_OF_TEXT}a", END_OF_TEXT)
    corpus = f"aab{END_OF_TEXT}abb{END_OF_TEXT}"
    for n in range(1, 6):
        follow(encoder, corpus, n, np.array([[0, 0, 1, 3, 0, 1], [0, 0, 2, 1, 1, 3]]), 1)


@settings(max_examples=40)
@given(
    corpus=st.sampled_from(["ééaéa日é", "a日日a", "\ufffdaé", "a\ufffda\ufffd\ufffda", f"éa{END_OF_TEXT}a日"]),
    n=st.integers(1, 4),
    pieces=st.lists(st.sampled_from([*map(str.encode, "éa日"), b"\xe6", b"\x97", b"\xf0\x9f"]), min_size=1, max_size=5),
    cut=st.integers(1, 6),
)
@example(corpus="a\ufffda\ufffd\ufffda", n=3, pieces=[b"a", b"\xe6"], cut=1)
def test_bans_bytes_by_the_characters_they_complete(corpus: str, n: int, pieces: list[bytes], cut: int) -> None:
    encoder = ByteEncoder().fit([END_OF_TEXT])
    ids = np.frombuffer(b"".join(pieces), dtype=np.uint8).astype(np.int64)
    follow(encoder, corpus, n, ids[np.newaxis], min(cut, len(ids)))


@pytest.mark.parametrize("n", range(1, 17))
def test_follows_copies_to_the_last_byte_and_word(n: int) -> None:
    """Check texts that are copies, with runs so long that it isn't looked at each token."""
    text = "日本語の文章 with bytes é."
    encoder = ByteEncoder().fit([text])
    follow(encoder, text + "日本", n, encoder.encode(text)[np.newaxis], 1)
    spaced = SpacedEncoder.of("a", "b", "bab")
    ids = np.array([[0, 1, 2, 1, 0, 0, 2, 1, 2, 2], [1, 2, 1, 0, 0, 2, 1, 2, 2, 0]])
    follow(spaced, spaced.decode(ids[0]), n, ids, 1)
    pieces = PieceEncoder.of("a", "b", "bab")
    follow(pieces, pieces.decode(ids[0]), n, ids, 1)


class SpacedEncoder(PieceEncoder):
    """Words with a space between each two, as tokens of other programs have it: none has its text to itself."""

    name = "spaced"

    def decode(self, ids):
        return " ".join(self.pieces[id] for id in ids)

    def decoder(self):
        return WholeDecoder(self)


class MixedEncoder(PieceEncoder):
    """Pieces that are bytes or words, written as UTF-8 together."""

    name = "mixed"

    def decode(self, ids):
        return b"".join(PARTS[id] for id in ids).decode("utf-8", "replace")

    def token_text(self, id):
        return PARTS[id].decode("utf-8", "replace")

    def decoder(self):
        return WholeDecoder(self)


PARTS = (b"a", b"ab", "éa".encode(), b"b", b"\xc3", b"\xa9", b"aab", b"\xe6\x97", b"\xa5b")


class WholeDecoder(IncrementalDecoder):
    """A decoder that is certain of what no further token changes: all but a mark at the end."""

    def __init__(self, encoder):
        self._encoder, self._ids, self._shown = encoder, [], 0

    def push(self, ids):
        self._ids += ids
        text = self._encoder.decode(self._ids)
        text = text[self._shown : len(text.rstrip("\ufffd"))]
        self._shown += len(text)
        return text


@given(st.text("ab ", min_size=1, max_size=30), st.integers(1, 7), st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_bans_words_that_come_with_a_space(corpus: str, n: int, ids: list[int]) -> None:
    encoder = SpacedEncoder.of("a", "b", "ba")
    assert find_alone(encoder, encoder.pieces) == []
    follow(encoder, corpus, n, np.array([ids]), 1)


@given(
    corpus=st.text("aabbé\ufffd日", min_size=1, max_size=40),
    n=st.integers(1, 7),
    rows=st.lists(st.lists(st.integers(0, len(PARTS) - 1), min_size=6, max_size=6), min_size=1, max_size=2),
    prompt=st.integers(1, 6),
)
def test_bans_bytes_beside_words(corpus: str, n: int, rows: list[list[int]], prompt: int) -> None:
    encoder = MixedEncoder.of(*"123456789")
    assert find_alone(encoder, [encoder.token_text(id) for id in range(9)]) == [0, 1, 2, 3, 6]
    follow(encoder, corpus, n, np.array(rows), prompt)


BOOK = "To be, or not to be, that is the question: whether it is nobler in the mind to suffer so. " * 3


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8")
    return path


@pytest.mark.parametrize("encoder", ["char", "byte"])
def test_a_model_that_copies_does_not_with_it(book: Path, encoder: str) -> None:
    generator = textforge.train(book, architecture="ngram:order=6", encoder=encoder)
    samplers = ["temperature:0.5"]
    copied = generator.generate("whether it is", samplers=samplers, max_tokens=150, seed=1)
    assert any(copied[at : at + 12] in BOOK for at in range(len(copied)))
    texts = generator.generate(
        "whether it is", samplers=[Novel(12, [str(book)]), *samplers], max_tokens=150, seed=1, count=3
    )
    for text in texts:
        whole = "whether it is" + text
        assert not [whole[at : at + 12] for at in range(2, len(whole) - 11) if whole[at : at + 12] in BOOK]


def test_the_prompt_counts_as_text_before(book: Path) -> None:
    generator = textforge.train(book, architecture="ngram:order=6")
    novel = Novel(12, [str(book)])
    written = generator.generate("not to be, ", samplers=[novel, "greedy"], max_tokens=1)
    assert not written.startswith("t")
    assert generator.generate("not to be, ", samplers="greedy", max_tokens=1) == "t"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Novel(), OptionError, "novel: corpus is needed, the text not to copy from: write novel:40,corpus="),
        (lambda: Novel(0, ["book.txt"]), OptionError, "novel: n must be >= 1, got 0; to let all be, leave novel out"),
        (lambda: Novel(corpus=["-"]).check(PieceEncoder.of("a")), CorpusError, "can't be read a second time"),
        (
            lambda: Novel(corpus=["no.txt"]).check(PieceEncoder.of("a")),
            CorpusError,
            "there is no file or folder 'no.txt'",
        ),
        (lambda: Novel(corpus=["no.txt"]).check(None), GenerationError, "novel: it needs an encoder"),
    ],
)
def test_what_cannot_work_is_refused(make, error, message) -> None:
    with pytest.raises(error) as refused:
        make()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_where_only_copies_are_left_it_says_so(book: Path) -> None:
    generator = textforge.train(book, architecture="ngram:order=6")
    with pytest.raises(GenerationError, match="put novel first in the chain, or give it a larger n"):
        generator.generate("To be", samplers=["greedy", Novel(12, [str(book)])], max_tokens=100)


def test_its_spec_reads_back_with_several_corpora() -> None:
    plugins = textforge.Plugins(disabled="all")
    made = plugins.sampler('novel:12,corpus=["one.txt", "poems/*.txt"]')
    assert made == Novel(12, ("one.txt", "poems/*.txt"))
    assert plugins.sampler(made.spec) == made
    assert plugins.sampler("novel:corpus=one.txt") == Novel(40, ("one.txt",))
