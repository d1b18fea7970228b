"""An encoder as a plugin: capitals as on a typewriter, so that a model learns "The" and "the" as one word.

textforge train book.txt --plugin examples/textforge_shift.py --encoder shift -o model/
"""

import re

import textforge
from textforge.encoders.char import CharEncoder

SHIFT = "\ufdd1"  # a noncharacter: no text has it


class ShiftEncoder(CharEncoder):
    """Each character is a token; a capital is a shift and the small letter."""

    name = "shift"

    def fit(self, chunks):
        return super().fit(press(chunk) for chunk in chunks)

    def encode(self, text, *, unknown="error"):
        return super().encode(press(text), unknown=unknown)

    def decode(self, ids):
        return self.decoder().push(list(ids))

    def token_text(self, id):
        return self.decode([id])

    def decoder(self):
        return ShiftDecoder(self.vocabulary)


class ShiftDecoder(textforge.IncrementalDecoder):
    def __init__(self, vocabulary):
        self.vocabulary, self.shifted = vocabulary, False

    def push(self, ids):
        typed = SHIFT * self.shifted + "".join([self.vocabulary[id] for id in ids])
        self.shifted = typed.endswith(SHIFT)  # what it lifts is still to come
        return re.sub(f"{SHIFT}+(.?)", lambda key: key.group(1).upper(), typed, flags=re.DOTALL)


def press(text):
    return re.sub("[A-Z]", lambda capital: SHIFT + capital.group().lower(), text)


@textforge.hookimpl
def register_encoders(register):
    register(ShiftEncoder)
