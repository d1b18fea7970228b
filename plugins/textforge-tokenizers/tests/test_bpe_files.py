"""A tokenizer.json as it is."""

from __future__ import annotations

import json

import pytest
from tokenizer_samples import KINDS, make_gpt_2

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.errors import EncodingError
from textforge_tokenizers import BPEEncoder

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 40


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tokenizer.json"
    make_gpt_2().save(str(path))
    return path


def test_neither_special_tokens_are_added_nor_is_anything_cut(path):
    encoder = BPEEncoder(file=str(path)).fit([TEXT])
    assert encoder.decode(encoder.encode(TEXT)) == TEXT
    assert encoder.vocabulary_size == make_gpt_2().get_vocab_size()
    assert encoder.end_of_text is None


def test_special_tokens_that_stand_in_the_text_are_read(path):
    encoder = BPEEncoder(file=str(path)).fit([TEXT])
    assert encoder.encode("a<|endoftext|>b").tolist()[1] == 0
    assert encoder.decode([0]) == "<|endoftext|>"


def test_the_end_of_a_document_is_added_where_there_are_several(path):
    plain = BPEEncoder(file=str(path)).fit([TEXT])
    encoder = BPEEncoder(file=str(path)).fit([TEXT, END_OF_TEXT])
    assert encoder.end_of_text == plain.vocabulary_size == encoder.vocabulary_size - 1
    assert plain.grow([END_OF_TEXT]).tokenizer == encoder.tokenizer


def test_a_tokenizer_of_ours_read_as_a_file_is_the_same(tmp_path):
    ours = BPEEncoder(300).fit([TEXT, END_OF_TEXT])
    (tmp_path / "ours.json").write_text(ours.tokenizer, encoding="utf-8")
    theirs = BPEEncoder(file=str(tmp_path / "ours.json")).fit([TEXT, END_OF_TEXT])
    assert theirs.token_texts == ours.token_texts
    assert (theirs.end_of_text, theirs.common, theirs.lossy) == (ours.end_of_text, ours.common, False)
    assert theirs._cutter == ours._cutter


def test_chance_is_left_out(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    data["model"]["dropout"] = 0.5
    path.write_text(json.dumps(data), encoding="utf-8")
    encoder = BPEEncoder(file=str(path)).fit([TEXT])
    assert len({tuple(encoder.encode(TEXT).tolist()) for _ in range(5)}) == 1


def test_ids_that_no_token_has(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = data["model"]["vocab"]
    vocabulary[max(vocabulary, key=vocabulary.__getitem__)] = 500
    path.write_text(json.dumps(data), encoding="utf-8")
    encoder = BPEEncoder(file=str(path)).fit([TEXT])
    assert encoder.vocabulary_size == 501
    assert encoder.never_generated == tuple(range(399, 500))
    assert {encoder.token_text(id) for id in encoder.never_generated} == {""}
    with pytest.raises(EncodingError, match=r"^bpe: the tokenizer has no token 399, but one of 500, so that"):
        BPEEncoder(file=str(path)).fit([TEXT, END_OF_TEXT])


def test_a_model_needs_the_file_no_more(path, tmp_path):
    spec = f"bpe:file={path}"
    textforge.train(text=TEXT, encoder=spec, architecture="ngram", seed=1, output=tmp_path / "model")
    path.unlink()
    generator = textforge.load(tmp_path / "model")
    assert generator.generate("The quick", samplers="greedy", max_tokens=9).startswith(" brown")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"^bpe: the file '.*' can't be read \(No such file or directory\); give the path of a tokenizer.json$"),
        (b"\xff", r"^bpe: the file '.*' is no UTF-8; give a tokenizer.json$"),
        (b"{}", r"^bpe: the file '.*' is no tokenizer.json that tokenizers .* reads \(.*\); give one that "),
        (b"[1", r"^bpe: the file '.*' is no tokenizer.json that tokenizers .* reads \(.*\); give one that "),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EncodingError, match=message):
        BPEEncoder(file=str(path)).fit([TEXT])
    with pytest.raises(EncodingError, match=r"can't be read \(.*\); give the path of a tokenizer.json$"):
        BPEEncoder(file=str(tmp_path)).fit([TEXT])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_if_it_loses_something(kind, tmp_path):
    path = tmp_path / "tokenizer.json"
    KINDS[kind]().save(str(path))
    assert BPEEncoder(file=str(path)).fit([TEXT]).lossy == (kind not in ("gpt-2", "llama-3", "gaps"))
