"""Contexts and continuations as ids: where they are parted, and what is left out."""

from __future__ import annotations

import logging

import pytest
from lm_eval.api.model import TemplateLM
from support import PieceEncoder

import textforge
from textforge.errors import EncodingError
from textforge_lm_eval._requests import PairReader, group_pairs

TEXT = "The cat sat on the mat. The dog sat\ton the log.\nA bird sang to the cat.\n" * 9
PAIRS = [
    ("The cat", " sat"),
    ("The cat ", "sat"),
    ("The cat sat.\n\n", "A bird"),
    ("The", " cat sat on the mat."),
    ("The cat", "."),
    ("The dog sat \t ", " on"),
    ("A", "\n"),
]


class Theirs(TemplateLM):
    """The harness's own way with pairs, on an encoder of textforge's."""

    eot_token_id = 0
    loglikelihood_rolling = generate_until = _loglikelihood_tokens = None

    def __init__(self, encoder):
        super().__init__()
        self._encoder = encoder

    def tok_encode(self, string, add_special_tokens=None, **kwargs):
        return self._encoder.encode(string, unknown="skip").tolist()


Theirs.__abstractmethods__ = frozenset()


@pytest.fixture(scope="module", params=["char", "byte", "word", "bpe:300"])
def encoder(request):
    return textforge.Plugins().encoder(request.param).fit([TEXT])


@pytest.mark.parametrize(("context", "continuation"), PAIRS)
def test_pairs_are_parted_where_the_harness_parts_them(encoder, context, continuation):
    pair = PairReader(encoder, "skip").read(context, continuation, "it")
    expected = Theirs(encoder)._encode_pair(context, continuation)
    assert (pair.context.tolist(), pair.continuation.tolist()) == expected


@pytest.mark.parametrize(("context", "continuation"), [*PAIRS, ("The c", "at sat"), ("The cat sa", "t")])
def test_nothing_is_lost_or_read_twice(encoder, context, continuation):
    pair = PairReader(encoder, "error").read(context, continuation, "it")
    joined = [*pair.context.tolist(), *pair.continuation.tolist()]
    assert encoder.decode(joined) == context + continuation
    assert joined == encoder.encode(context + continuation).tolist()


@pytest.mark.parametrize(
    ("context", "continuation", "expected"),
    [
        ("ab", "ca", ([0], [3, 0])),
        ("b", "ca", ([4], [3, 0])),  # nothing is left of the context, which is what an empty prompt begins with
        ("ab", "a", ([0, 1], [0])),
    ],
)
def test_a_token_across_the_border_belongs_to_the_continuation(context, continuation, expected):
    encoder = PieceEncoder.of("a", "b", "c", "bc", "\n")
    pair = PairReader(encoder, "error").read(context, continuation, "it")
    assert (pair.context.tolist(), pair.continuation.tolist()) == expected


@pytest.mark.parametrize(
    ("encoder", "first"),
    [
        (textforge.Plugins().encoder("char").fit(["ab\n"]), "\n"),
        (textforge.Plugins().encoder("char").fit(["abb"]), "b"),
        (textforge.Plugins().encoder("char").fit([f"ab{textforge.END_OF_TEXT}"]), textforge.END_OF_TEXT),
    ],
)
@pytest.mark.parametrize("context", ["", " ", "\n \n"])
def test_an_empty_context_begins_as_an_empty_prompt_does(encoder, first, context):
    pair = PairReader(encoder, "skip").read(context, "ab", "it")
    assert encoder.decode(pair.context) == first
    assert encoder.decode(pair.continuation).endswith("ab")


def test_a_continuation_that_begins_as_an_empty_prompt_does_is_judged_whole():
    encoder = textforge.Plugins().encoder("char").fit(["ab\n"])
    assert len(PairReader(encoder, "error").read("", "\nab", "it").continuation) == 3


def test_what_the_vocabulary_lacks_is_named_with_its_document():
    encoder = textforge.Plugins().encoder("char").fit(["ab"])
    message = r"^document 3: the vocabulary of 2 characters lacks 'é' .*unknown='skip'"
    with pytest.raises(EncodingError, match=message):
        PairReader(encoder, "error").read("a", "é", "document 3")


@pytest.mark.parametrize(
    ("context", "continuation", "whole", "skipped"), [("aé", "b", True, 1), ("a", "ébé", False, 2), ("a", "b", True, 0)]
)
def test_what_is_skipped_is_counted_once(caplog, context, continuation, whole, skipped):
    reader = PairReader(textforge.Plugins().encoder("char").fit(["ab"]), "skip")
    pair = reader.read(context, continuation, "it")
    assert (pair.context.tolist(), pair.continuation.tolist(), pair.is_whole) == ([0], [1], whole)
    with caplog.at_level(logging.WARNING, "textforge.lm_eval"):
        reader.left_out.tell()
    words = {0: [], 1: ["1 character"], 2: ["2 characters"]}[skipped]
    assert caplog.messages == [f"skipped {word} that the vocabulary lacks" for word in words]


def test_what_only_a_mark_stands_for_is_counted(caplog):
    encoder = textforge.Plugins().encoder("char:min_count=2").fit(["aabbc"])
    reader = PairReader(encoder, "error")
    reader.read("ac", "bcc", "it")
    reader.left_out.tell()
    assert caplog.messages == ["left out 2 characters that the vocabulary has only a mark for, never written"]


def test_no_more_pairs_stand_together_than_memory_allows(monkeypatch):
    reader = PairReader(textforge.Plugins().encoder("char").fit(["ab"]), "error")
    pairs = [reader.read("a", "b" * length, "it") for length in (1, 2, 3, 9, 1, 1, 1)]
    monkeypatch.setattr("textforge_lm_eval._requests.TOKENS", 9)
    monkeypatch.setattr("textforge_lm_eval._requests.PAIRS", 2)
    groups = list(group_pairs(iter(pairs)))
    assert [len(group) for group in groups] == [2, 2, 2, 1]
    assert [pair for group in groups for pair in group] == pairs
