"""Texts that the checks are made with."""

from __future__ import annotations

PLAIN_TEXT = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs, and then 1 more!\n"

HARD_TEXTS = (
    PLAIN_TEXT,
    "  leading, trailing  \n\n\n  and\tall kinds of \u00a0\u2003\u3000spaces \t\n",
    "line ends: \n \r\n \r \x0b \x0c \x85 \u2028 \u2029 end",
    "na\u00efve and nai\u0308ve, \u00c5 and \u212b and A\u030a, \ufb01 and fi, Stra\u00dfe, \u0130stanbul",
    "\u03a3\u03c3\u03c2 \u65e5\u672c\u8a9e\u306e\u6587 \ud55c\uad6d\uc5b4",
    "\U0001f469\u200d\U0001f4bb \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \U0001d54f \U0002070e",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "\x00\x01\x1b[31m \x7f \ufeff \ufffd \ufffe <unk> <s> </s> <|endoftext|> [PAD] \\n \\u0041 %s {} $x",
    "don't can't O'Neill's e-mail 3.14 1,000,000 http://example.org/?a=b&c=d#e",
    "a",
    "a\u0301",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)
"""Texts that encoders stumble over: spaces, line ends, combining characters, emoji, other scripts, control characters,
what looks like a special token, and tokens that are prefixes of each other. No lone surrogates: no file has them."""

UNKNOWN = "\u16a0\u2603\U0001f9ca"
"""A text of characters that the hard texts lack."""
