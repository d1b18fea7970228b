"""Many texts and long ones: prompts and scores in batches, evaluation beside training, and a corpus of a gigabyte."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from tests.benchmarks.measure import ROOT, in_turn, script
from tests.benchmarks.sides import Stopwatch, write_text

PROMPTS = 512
GIGABYTE = 1_000_000_000


def make_generator(path: str, trainer: str, architecture: str, backend: str) -> textforge.TextGenerator:
    """A model of a text's first characters, barely trained: for speed, what it has learnt doesn't matter."""
    text = Path(path).read_text(encoding="utf-8").lower()[:40_000]
    with tempfile.TemporaryDirectory() as folder:
        textforge.train(
            text=text, architecture=architecture, backend=trainer, seed=1, epochs=1, output=f"{folder}/model"
        )
        return textforge.load(f"{folder}/model", backend=backend)


def prompts_of(path: str) -> list[str]:
    """Beginnings of sentences, 10 to 60 characters long."""
    text = Path(path).read_text(encoding="utf-8").lower()[:40_000]
    random = np.random.default_rng(1)
    starts, lengths = random.integers(0, len(text) - 60, PROMPTS), random.integers(10, 61, PROMPTS)
    return [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def prompt_rates(path: str, trainer: str, architecture: str, backend: str) -> dict[str, float]:
    """Prompts a second, of 40 characters each, in batches and one by one."""
    generator, prompts = make_generator(path, trainer, architecture, backend), prompts_of(path)

    def batched() -> float:
        began = time.perf_counter()
        for _ in generator.complete_each(prompts, seed=1, max_tokens=40):
            pass
        return PROMPTS / (time.perf_counter() - began)

    def alone() -> float:
        few = prompts[: PROMPTS // 8]
        began = time.perf_counter()
        for prompt in few:
            generator.generate(prompt, seed=1, max_tokens=40)
        return len(few) / (time.perf_counter() - began)

    return in_turn({"batched": batched, "alone": alone}, rounds=3)


def score_rates(path: str, trainer: str, architecture: str, backend: str) -> dict[str, float]:
    """Texts scored a second, in batches and one by one."""
    generator, texts = make_generator(path, trainer, architecture, backend), prompts_of(path)

    def rate(score: Callable[[], object]) -> float:
        began = time.perf_counter()
        score()
        return PROMPTS / (time.perf_counter() - began)

    return in_turn(
        {
            "batched": lambda: rate(lambda: list(generator.score(texts))),
            "alone": lambda: rate(lambda: [generator.score([text]) for text in texts]),
        },
        rounds=3,
    )


def evaluation_rates(path: str) -> dict[str, float]:
    """Tokens a second of evaluation and of training, by torch and the default settings."""
    text = Path(path).read_text(encoding="utf-8").lower()
    generator = textforge.train(text=text[:100_000], backend="torch", seed=1, epochs=1)

    def evaluate() -> float:
        began = time.perf_counter()
        found = generator.evaluate(f"files:{path},lowercase=true", unknown="skip")
        return found.tokens / (time.perf_counter() - began)

    def train() -> float:
        watch = Stopwatch()
        textforge.train(text=text[:200_000], backend="torch", seed=1, epochs=1, validation=0.0, report=watch)
        return watch.rates[-1]

    return in_turn({"evaluating": evaluate, "training": train}, rounds=5)


def gigabyte(characters: int = GIGABYTE) -> dict[str, float]:
    """Seconds until training on a gigabyte begins, first and again, and its peak memory over that on a megabyte."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Path(folder)
        long, short = place / "long.txt", place / "short.txt"
        write_text(long, characters)
        write_text(short, 1_000_000)
        time.sleep(2.5)  # what was changed just now is not kept
        first, again, small = (_begin(path, place) for path in (long, long, short))
    return {
        "first": first["seconds"],
        "again": again["seconds"],
        "memory": max(first["bytes"], again["bytes"]) - small["bytes"],
    }


def _begin(path: Path, folder: Path) -> dict[str, float]:
    """Begin to train on a file in a process of its own, and stop after the first step or so."""
    code = "from tests.benchmarks.many import begin; import sys; begin(*sys.argv[1:])"
    done = subprocess.run(
        [script("python"), "-c", code, str(path), str(folder / "cache")],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    seconds, size = re.findall(r"\d+\.?\d*", done.stdout)
    return {"seconds": float(seconds), "bytes": float(size)}


def begin(path: str, cache: str) -> None:
    """Train by torch for a step; print the seconds until the run began, and the peak memory in bytes."""
    os.environ["TEXTFORGE_CACHE"] = cache
    textforge.Plugins().backend("torch").require()  # its import is not reading
    began = time.perf_counter()

    class Stop(textforge.Report):
        """The end of the process after the first step, when all is in memory that a run needs."""

        def start(self, run: Any) -> None:
            self.seconds = time.perf_counter() - began

        def step(self, progress: Any) -> None:
            scale = 1 if sys.platform == "darwin" else 1024
            print(self.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale, flush=True)
            os._exit(0)

    textforge.train(path, backend="torch", architecture="lstm:hidden_size=16", seed=1, epochs=1, report=Stop())


def bpe_rates(path: str) -> dict[str, float]:
    """Megabytes a second that `bpe` encodes, and the library by itself, in batches as large."""
    from tokenizers import Tokenizer

    text = Path(path).read_text(encoding="utf-8")
    encoder = textforge.Plugins().encoder("bpe:2000").fit([text])
    pieces = [text[start : start + (1 << 16)] for start in range(0, len(text), 1 << 16)]
    library = Tokenizer.from_str(encoder.tokenizer)
    size = len(text.encode()) / 1e6

    def rate(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return size / (time.perf_counter() - began)

    return in_turn(
        {
            "ours": lambda: rate(lambda: [encoder.encode(piece) for piece in pieces]),
            "library": lambda: rate(lambda: [library.encode_batch_fast([piece]) for piece in pieces]),
        },
        rounds=5,
    )
