"""New names from a list of names, with the core alone: python examples/names.py names.txt"""

import argparse
from pathlib import Path

import textforge

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", type=Path, help="File with a name a line.")
path = parser.parse_args().names

generator = textforge.train(path, architecture="ngram:order=4", seed=1)
known = set(path.read_text(encoding="utf-8").split())
text = generator.generate("\n", samplers="temperature:0.9", max_tokens=400, seed=2)
for name in text.split("\n")[:-1]:
    print(name, "" if name not in known else "(known)")
