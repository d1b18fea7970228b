"""Checks of an encoder. Each is given an `EncoderCase`, and raises `CheckFailure`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from textforge.bundle.parts import read_encoder, write_encoder
from textforge.components.values import quote
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.base import Encoder
from textforge.errors import EncodingError
from textforge.testing import component_checks, fresh
from textforge.testing.cases import EncoderCase
from textforge.testing.failures import describe_error, fail


def check_ids(case: EncoderCase) -> None:
    """Check that token ids come as (T,) int64, from 0 to the vocabulary's size."""
    for text in ("", *case.texts):
        ids = case.fitted.encode(text)
        if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype != np.int64:
            got = f"{ids.dtype} of shape {ids.shape}" if isinstance(ids, np.ndarray) else type(ids).__name__
            fail("ids as an array (T,) of int64", f"{got} for {quote(text)}", "return np.array(ids, dtype=np.int64)")
    size = case.fitted.vocabulary_size
    ids = np.concatenate([case.fitted.encode(text) for text in case.texts])
    if ids.min() < 0 or ids.max() >= size:
        fail(f"ids from 0 to {size - 1}", f"{ids.min()} to {ids.max()}", "let vocabulary_size count every token")


def check_round_trip(case: EncoderCase) -> None:
    """Check that encoding and decoding gives the text again; of an encoder that is declared lossy, the same ids."""
    encoder = case.fitted
    for text in case.texts:
        ids = encoder.encode(text)
        decoded = encoder.decode(ids)
        if encoder.lossy:
            again = encoder.encode(decoded)
            if not np.array_equal(again, ids):
                fail(
                    f"what {quote(text)} decodes to to encode as before",
                    f"{quote(decoded)}, of {len(again)} tokens instead of {len(ids)}",
                    "lose what is to be lost once, in encode: decoding gives a text of that form",
                )
        elif decoded != text:
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(text, decoded, strict=False))
            place = len(list(same))
            fail(
                f"the text again, {quote(text[place : place + 20])} at character {place}",
                quote(decoded[place : place + 20]),
                "keep spaces, case and accents as tokens, or declare `lossy = True`",
            )


def check_ids_untouched(case: EncoderCase) -> None:
    """Check that decoding leaves the ids that it is given as they are."""
    encoder = case.fitted
    for text in case.texts:
        ids = np.array(encoder.encode(text))
        ids.flags.writeable = False
        try:
            encoder.decode(ids)
            encoder.decoder().push(tuple(ids.tolist()))
        except Exception as error:
            fail("read-only ids to be decoded", describe_error(error), "work on a copy: np.array(ids), or list(ids)")


def check_incremental_decoding(case: EncoderCase) -> None:
    """Check that decoding token by token, or in pieces, gives what decoding all at once gives."""
    encoder = case.fitted
    random = np.random.Generator(np.random.PCG64(3))
    texts = [encoder.encode(text) for text in case.texts]
    texts += [random.integers(0, encoder.vocabulary_size, 40) for _ in range(20)]
    for ids in texts:
        expected = encoder.decode(ids)
        for size in (1, 3):
            decoder = encoder.decoder()
            pieces = [decoder.push(ids[at : at + size].tolist()) for at in range(0, len(ids), size)]
            found = "".join(pieces) + decoder.finish()
            if found != expected:
                fail(
                    f"{size} token(s) at a time to decode as all at once, to {quote(expected)}",
                    quote(found),
                    "write decoder(): push holds back what a later token may change, and finish gives the rest",
                )


def check_cut(case: EncoderCase) -> None:
    """Check that a text cut where `cut` says encodes as the whole does, however it goes on."""
    encoder = case.fitted
    for text, more in _cut_texts(case):
        place = encoder.cut(text)
        if not 0 <= place <= len(text):
            fail(f"a place from 0 to {len(text)}", str(place), "let cut return a place in the text it is given")
        whole = encoder.encode(text + more)
        try:
            parts = np.concatenate([encoder.encode(text[:place]), encoder.encode(text[place:] + more)])
        except EncodingError:  # part of a token is unknown
            parts = whole[:0]
        if not np.array_equal(whole, parts):
            fail(
                f"{quote(text[-10:])} with {quote(more[:10])} behind it to encode alike in parts, cut at {place}",
                "other ids",
                "let cut give the last place that no token can reach across, however the text goes on",
            )
    if not encoder.cut(case.texts[0] * 100):
        fail("a place to cut in a long text", "0", "let cut give the last place between two tokens")


def check_chunks(case: EncoderCase) -> None:
    """Check that where the corpus's chunks are cut changes nothing of what is learnt."""
    text = "".join(case.texts)
    learnt = [_learnt(case.component.fit(chunks)) for chunks in ([text], list(text), _pieces(text, 7))]
    if learnt[0] != learnt[1] or learnt[0] != learnt[2]:
        fail(
            "the same vocabulary from one chunk as from many",
            "another",
            "let nothing depend on where chunks end: join what goes on in the next one",
        )


def check_unknown_text(case: EncoderCase) -> None:
    """Check that text that the vocabulary lacks is an `EncodingError`, unless it can be spelt."""
    encoder = case.fitted
    text = case.texts[0] + case.unknown
    try:
        ids = encoder.encode(text)
    except EncodingError:
        return
    except Exception as error:
        fail(
            "an EncodingError that names what is unknown", describe_error(error), "raise textforge.errors.EncodingError"
        )
    if not encoder.lossy and encoder.decode(ids) != text:
        fail(
            f"{quote(case.unknown)} to be spelt, or refused with an EncodingError",
            f"a text that decodes to {quote(encoder.decode(ids)[-20:])}",
            "raise EncodingError where unknown is 'error': nothing may stand for another text in silence",
        )


def check_unknown_skipped(case: EncoderCase) -> None:
    """Check that, with ``unknown="skip"``, what the vocabulary lacks is left out, and nothing else is lost."""
    encoder = case.fitted
    known = case.texts[0]
    try:
        ids = encoder.encode(known + case.unknown + known, unknown="skip")
        alone = encoder.encode(case.unknown, unknown="skip")
        plain = encoder.encode(known, unknown="skip")
    except Exception as error:
        fail('no error with unknown="skip"', describe_error(error), "leave out what the vocabulary lacks")
    for found in (ids, alone, plain):
        if len(found) and not 0 <= found.min() <= found.max() < encoder.vocabulary_size:
            fail("ids of the vocabulary", f"{found.min()} to {found.max()}", "leave out what the vocabulary lacks")
    if not np.array_equal(plain, encoder.encode(known)):
        fail("known text to encode as ever", "other ids", 'let unknown="skip" change nothing for known text')
    kept = encoder.decode(ids)
    if not encoder.lossy and (kept.count(known) != 2 or not _is_part(kept, known + case.unknown + known)):
        fail(
            "what is known on either side of unknown text to be kept, and nothing added",
            quote(kept),
            "leave out what the vocabulary lacks, and that alone",
        )


def check_special_tokens(case: EncoderCase) -> None:
    """Check that the end of a document has a token, every token can be shown, and the commonest is one of them."""
    encoder = case.fitted
    size, end = encoder.vocabulary_size, encoder.end_of_text
    found = encoder.encode(END_OF_TEXT).tolist()
    if end is None or found != [end]:
        fail(
            "END_OF_TEXT in the corpus to be the token `end_of_text`",
            f"end_of_text {end}, and {found} for it",
            "keep a token for textforge.END_OF_TEXT, and give its id by the property end_of_text",
        )
    if not 0 <= encoder.most_frequent < size:
        fail(f"most_frequent from 0 to {size - 1}", str(encoder.most_frequent), "give the id of the commonest token")
    for id in range(size):
        if not isinstance(encoder.token_text(id), str):
            fail(f"token {id} to have a text", repr(encoder.token_text(id)), "let token_text return a str")


def check_growth(case: EncoderCase) -> None:
    """Check that an encoder that learns more keeps its ids; one that can't has to say so."""
    encoder = case.fitted
    new = [case.unknown, END_OF_TEXT, case.texts[0]]
    try:
        grown, alike = (encoder.grow(chunks) for chunks in (new, list("".join(new))))
    except EncodingError:
        return
    mend = "let grow keep every token where it is, and add what is new behind them"
    size = encoder.vocabulary_size
    if grown.vocabulary_size < size or grown.end_of_text != encoder.end_of_text:
        got = f"{grown.vocabulary_size} tokens, the end of a document {grown.end_of_text}"
        fail(f"at least {size} tokens, the end of a document {encoder.end_of_text}", got, mend)
    for id in range(size):
        if grown.token_text(id) != encoder.token_text(id):
            fail(f"token {id} to stay {quote(encoder.token_text(id))}", quote(grown.token_text(id)), mend)
    decoded = [grown.decode(encoder.encode(text)) for text in case.texts]
    if decoded != [encoder.decode(encoder.encode(text)) for text in case.texts]:
        fail("ids from before to decode as before", "another text", mend)
    try:
        again = grown.decode(grown.encode(case.unknown))
    except EncodingError as error:
        fail(f"{quote(case.unknown)} to be known once it was learnt", describe_error(error), "let grow learn the text")
    if not encoder.lossy and again != case.unknown:
        fail(f"{quote(case.unknown)} to be known once it was learnt", quote(again), "let grow learn the text")
    if _learnt(grown) != _learnt(alike):
        fail("the same vocabulary from few chunks as from many", "another", "let nothing depend on where chunks end")
    if grown.grow([case.unknown, END_OF_TEXT]) != grown:
        fail("nothing to be learnt from a text that is known", "another encoder", "add only what is new")


def check_hash_seed(case: EncoderCase) -> None:
    """Check that the same text gives the same vocabulary in every process, whatever its hash seed is."""
    texts = list(case.texts)
    first, second = (fresh.ask("vocabulary", case.component, hash_seed=seed, texts=texts) for seed in ("1", "2"))
    if first != second:
        fail(
            "the same vocabulary under every PYTHONHASHSEED",
            "another",
            "put what comes out of a set in order, by sorted(…), before ids are given",
        )


def check_saving(case: EncoderCase) -> None:
    """Check that a fitted encoder is saved as JSON and read back as its equal."""
    encoder = case.fitted
    try:
        again = read_encoder(type(encoder), write_encoder(encoder))
    except ValueError as error:
        fail(
            "the encoder to be saved as JSON and read back equal",
            describe_error(error),
            "keep all that is learnt in fields declared with textforge.learned(), as text, numbers, tuples and dicts",
        )
    mend = "declare all that is learnt with textforge.learned(): what isn't declared isn't saved"
    try:
        same = all(np.array_equal(again.encode(text), encoder.encode(text)) for text in case.texts)
    except Exception as error:
        fail("the encoder that was read back to encode", describe_error(error), mend)
    if again != encoder or not same:
        fail("the encoder that was read back to encode as before", "other ids", mend)


def _learnt(encoder: Encoder) -> bytes | dict[str, object]:
    """Return what was learnt, whether or not it can be saved."""
    try:
        return write_encoder(encoder)
    except ValueError:
        return encoder.learned_values()


def _cut_texts(case: EncoderCase) -> Iterator[tuple[str, str]]:
    """Yield texts and how they go on: each text, and the end of its document, in two parts, wherever it may be cut."""
    for text in case.texts:
        yield from ((text[:place], text[place:] + END_OF_TEXT) for place in range(1, len(text) + 1))


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _is_part(part: str, whole: str) -> bool:
    """Return whether a text is what is left of another when some of it is left out."""
    rest = iter(whole)
    return all(character in rest for character in part)


CHECKS = (
    component_checks.check_use,
    check_ids,
    check_round_trip,
    check_ids_untouched,
    check_incremental_decoding,
    check_cut,
    check_chunks,
    check_unknown_text,
    check_unknown_skipped,
    check_special_tokens,
    check_growth,
    check_hash_seed,
    check_saving,
    *component_checks.CHECKS,
)
