"""The learning of byte-pair encoding from a text, and the reading of a tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textforge.encoders.base import END_OF_TEXT
from textforge.errors import EncodingError, advise
from textforge_tokenizers._content import Content
from textforge_tokenizers._cutting import read_pieces
from textforge_tokenizers._library import is_library_error, open_tokenizer, require_tokenizers

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SAMPLE = 1 << 18
"""Characters from the beginning of a corpus in which the commonest token is looked for."""
_MOST_BYTES = 1 << 28


class Reading:
    """Chunks of a text as they go by, and what is remembered of them."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = chunks
        self.documents = False
        """True once the end of a document has come."""
        self.sample = ""
        """The beginning of the text."""
        self.error: BaseException | None = None
        """The error that ended it."""

    def __iter__(self) -> Iterator[str]:
        try:
            for chunk in self._chunks:
                refuse_surrogates(chunk)
                self.documents = self.documents or END_OF_TEXT in chunk
                self.sample += chunk[: SAMPLE - len(self.sample)]
                yield chunk
        except BaseException as error:
            self.error = error
            raise


def learn_tokenizer(reading: Reading, size: int) -> str:
    """Return the JSON of a tokenizer of at most so many tokens, learnt from a text: pairs of bytes, as GPT-2's."""
    tokenizers = require_tokenizers()
    level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = level(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False, initial_alphabet=sorted(level.alphabet())
    )
    try:
        tokenizer.train_from_iterator(read_pieces(reading), trainer)
    except BaseException:
        if reading.error:  # the corpus's own, whatever the library has made of it
            raise reading.error from None
        raise
    text = tokenizer.to_str()
    return add_end(_leave_room(text, size)) if reading.documents else text


def _leave_room(text: str, size: int) -> str:
    """Return the JSON of a tokenizer without its last merge, where it has all the tokens it may have."""
    data = json.loads(text)
    model = data["model"]
    if len(model["vocab"]) == size:
        last = max(model["vocab"], key=model["vocab"].__getitem__)
        del model["vocab"][last]
        model["merges"] = [merge for merge in model["merges"] if "".join(merge) != last]
    return json.dumps(data, ensure_ascii=False)


def add_end(text: str) -> str:
    """Return the JSON of a tokenizer with `END_OF_TEXT` as its last token, unless it has it."""
    content = Content(json.loads(text))
    if content.end_of_text is not None:
        return text
    if content.unused:
        raise EncodingError(
            f"bpe: the tokenizer has no token {content.unused[0]}, but one of {content.size - 1}, so that none can be "
            "added for the end of a document; join the documents to one, or take another tokenizer.json"
        )
    tokenizer = open_tokenizer(text, "what was learnt")
    end = require_tokenizers().AddedToken(END_OF_TEXT, normalized=False, special=True)
    tokenizer.add_special_tokens([end])
    return str(tokenizer.to_str())


def read_tokenizer(path: str) -> str:
    """Return the JSON of the tokenizer in a file, without what would cut, pad or change texts by chance."""
    tokenizer = open_tokenizer(_read_text(path), f"the file {path!r}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    data: dict[str, Any] = json.loads(tokenizer.to_str())
    if data["model"].get("dropout"):
        data["model"]["dropout"] = None
    return json.dumps(data, ensure_ascii=False)


def _read_text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES)
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise EncodingError(f"bpe: the file {path!r} is no UTF-8; give a tokenizer.json") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EncodingError(
            f"bpe: the file {path!r} can't be read ({reason}); give the path of a tokenizer.json"
        ) from None


def encode_pieces(tokenizer: Tokenizer, pieces: list[str]) -> list[list[int]]:
    """Return the ids of each piece of a text."""
    try:
        return [found.ids for found in tokenizer.encode_batch_fast(pieces, add_special_tokens=False)]
    except BaseException as error:
        if not is_library_error(error):
            raise
        for piece in pieces:
            refuse_surrogates(piece)
        raise EncodingError(
            f"bpe: the tokenizer can't encode the text ({' '.join(str(error).split())}); take another tokenizer.json"
        ) from None


def refuse_surrogates(text: str) -> None:
    """Raise `EncodingError` for a text with a lone surrogate, which no UTF-8 has."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EncodingError(
            f"a lone surrogate, U+{ord(text[error.start]):04X} at character {error.start}, is no text: write the "
            "text without, or leave it out (",
            advise("unknown", "skip"),
            ")",
        ) from None
