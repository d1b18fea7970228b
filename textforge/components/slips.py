"""Chains as other tools write them, or as a hand slips, rewritten as ours are, for an error to propose."""

from __future__ import annotations

import re

from textforge.names import OUR_NAMES, plain_name

_NUMBER = re.compile(r"\d*\.?\d+")
_PART = re.compile(r"-{0,2}([A-Za-z][A-Za-z0-9_-]*)(?:\s*([:= ])\s*(\S.*))?", re.S)
_BETWEEN = re.compile(r"\s*[,;+]\s*|\s+(?=-{0,2}[A-Za-z][A-Za-z0-9_-]*\s*[:=])")
_OPENS_JSON = ('"', "[", "{")


def rewrite_chain(text: str) -> str | None:
    """Return a chain as we write it, or None where nothing like one is seen.

    >>> rewrite_chain("temperature:0.5, top_k:40"), rewrite_chain("temperature=0.5"), rewrite_chain("0.5")
    ('temperature:0.5 | top-k:40', 'temperature:0.5', 'temperature:0.5')
    """
    if _NUMBER.fullmatch(text.strip()):
        return f"temperature:{text.strip()}"
    chains = [_join_parts(_BETWEEN.split(piece.strip())) for piece in text.split("|")]
    return None if None in chains else " | ".join(chain or "" for chain in chains)


def rewrite_spec(text: str) -> str | None:
    """Return one component's spec as we write it, or None where nothing like one is seen.

    >>> rewrite_spec("Word:max_vocabulary=500"), rewrite_spec("a,b")
    ('word:max_vocabulary=500', None)
    """
    written = _join_parts(text.strip().split(","))
    return None if written is None or "|" in written else written


def _join_parts(parts: list[str]) -> str | None:
    found = [_PART.fullmatch(part.strip()) for part in parts]
    written = ""
    equals_names = found[0] is not None and found[0][2] == "="  # "temperature=0.5": then each "=" is a ":"
    for part in found:
        if part is None or (part[3] or "").startswith(_OPENS_JSON):
            return None
        if written and part[2] == "=" and not equals_names:
            written += f",{part[1]}={part[3]}" if ":" in written.split("|")[-1] else f":{part[1]}={part[3]}"
        else:
            written += f"{' | ' if written else ''}{_name(part[1])}{f':{part[3]}' if part[3] else ''}"
    return written


def _name(name: str) -> str:
    plain = plain_name(re.sub("(?<=[a-z])(?=[A-Z])", "-", name))  # topK
    return OUR_NAMES.get(plain, plain)
