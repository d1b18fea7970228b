"""A small generator embedded in a program, without torch: python examples/many_threads.py model/

One model serves any number of threads: every text has a state of its own, and the same seed gives the same text.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

import textforge

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model", help="Folder of a model that was trained before.")
generator = textforge.load(parser.parse_args().model)


def reply(seed: int) -> str:
    return generator.generate("\n", samplers="top-k:20 | temperature:0.8", stop="\n", max_tokens=80, seed=seed)


with ThreadPoolExecutor(4) as pool:
    for text in pool.map(reply, range(8)):
        print("-", text)
