"""New names from a list of names, with the core alone: python examples/names.py names.txt"""

import sys
from pathlib import Path

import textforge

generator = textforge.train(sys.argv[1], architecture="ngram:order=4", seed=1)
known = set(Path(sys.argv[1]).read_text(encoding="utf-8").split())
text = generator.generate("\n", samplers="temperature:0.9", max_tokens=400, seed=2)
for name in text.split("\n")[:-1]:
    print(name, "" if name not in known else "(known)")
