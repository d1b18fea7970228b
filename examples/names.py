"""New names from a list of names, with the core alone: python examples/names.py names.txt"""

import sys

import textforge

generator = textforge.train(sys.argv[1], backend="ngram:order=4", seed=1)
known = set(open(sys.argv[1], encoding="utf-8").read().split())
text = generator.generate("\n", samplers="temperature:0.9", max_tokens=400, seed=2)
for name in text.split("\n")[:-1]:
    print(name, "" if name not in known else "(known)")
