"""Tokenizers of other kinds, small, as a tokenizer.json has them."""

from __future__ import annotations

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from textforge.testing.texts import HARD_TEXTS

GPT_4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train(tokenizer, trainer, texts=HARD_TEXTS):
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make_bpe_trainer(**options):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=alphabet, **options)


def make_gpt_2():
    """Bytes, with a special token, and a post-processor that would add it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, make_bpe_trainer(special_tokens=["<|endoftext|>"]))
    tokenizer.post_processor = processors.TemplateProcessing("<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding()
    return tokenizer


def make_llama_3():
    """Bytes, parted by another pattern."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT_4), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return train(tokenizer, make_bpe_trainer())


def make_qwen():
    """Bytes of composed characters."""
    tokenizer = make_llama_3()
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def make_gaps():
    """Bytes, of which many are no token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return train(tokenizer, trainers.BpeTrainer(vocab_size=400, show_progress=False))


def make_bert():
    """Parts of words, in small letters."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=special))
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def make_words():
    """Whole words."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return train(tokenizer, trainers.WordLevelTrainer(show_progress=False, special_tokens=["<unk>"]))


def make_xlnet():
    """Parts of words by their probability, with a mark for spaces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, show_progress=False, special_tokens=special, unk_token="<unk>")
    return train(tokenizer, trainer)


def make_llama_2():
    """Pairs of characters, with bytes for those that are no token, and a mark for spaces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, special_tokens=special, limit_alphabet=60)
    return train(tokenizer, trainer)


def make_roman():
    """Pairs of characters, with a mark at the end of words, and a decoder by a pattern."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, special_tokens=["<unk>"], end_of_word_suffix="</w>"
    )
    return train(tokenizer, trainer)


KINDS = {
    "gpt-2": make_gpt_2,
    "llama-3": make_llama_3,
    "qwen": make_qwen,
    "gaps": make_gaps,
    "bert": make_bert,
    "words": make_words,
    "xlnet": make_xlnet,
    "llama-2": make_llama_2,
    "roman": make_roman,
}
