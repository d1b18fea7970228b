"""Run the benchmarks and print their table: ``make bench``."""

from __future__ import annotations

import datetime
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import numpy as np

import textforge
from tests.benchmarks import architectures, bare_numpy, minutes, nanogpt, rounds, stepping
from tests.benchmarks import encoding as encoding_sides
from tests.benchmarks import samplers as sampler_sides
from tests.benchmarks.measure import ROOT, in_process, in_turn, machine, process_seconds, script
from tests.benchmarks.row import Row
from tests.benchmarks.sides import characters_per_second
from textforge.architectures.lstm import LSTM
from textforge.backends.choose import load_model
from textforge.encoders.char import CharEncoder

TARGET_LOSS = 1.60
FEW_MINUTES = 0.12
"""The minutes in which the target is reached."""
DATA = ROOT.parent / "shared" / "data"
GROUPS = (
    *("startup", "encoding", "generation", "stepping", "samplers", "many", "evaluation", "gigabyte"),
    *("training", "architectures", "nanogpt", "loss", "rounds", "minutes", "memory"),
)
OF_SHAKESPEARE = ("nanogpt", "rounds")
"""The groups that learn from Tiny Shakespeare; the others that need a text have the Nietzsche corpus."""


@click.command()
@click.option(
    "--corpus",
    type=click.Path(exists=True, path_type=Path),
    default=DATA / "nietzsche.txt",
    help="The Nietzsche corpus.",
)
@click.option(
    "--shakespeare",
    type=click.Path(path_type=Path),
    default=DATA / "tinyshakespeare.txt",
    help="Tiny Shakespeare; without it, what needs it is skipped.",
)
@click.option("--only", type=click.Choice(GROUPS), multiple=True)
def main(corpus: Path, shakespeare: Path, only: tuple[str, ...]) -> None:
    """Measure textforge beside the notebook's method and bare loops, each comparison in one run."""
    benchmarks: dict[str, Callable[[Path], Iterator[Row]]] = {
        "startup": startup,
        "encoding": encoding,
        "generation": generation,
        "stepping": stepping.rows,
        "samplers": samplers,
        "many": many,
        "evaluation": evaluation,
        "gigabyte": gigabyte,
        "training": training,
        "architectures": architectures.rows,
        "nanogpt": nanogpt.rows,
        "loss": loss,
        "rounds": rounds.rows,
        "minutes": minutes.rows,
        "memory": memory,
    }
    click.echo(f"{machine()}, {datetime.date.today().isoformat()}\n")
    click.echo("| what | textforge | beside it | aim |\n|---|---|---|---|")
    for name in only or GROUPS:
        text = shakespeare if name in OF_SHAKESPEARE else corpus
        if not text.exists():
            click.echo(f"{name} is skipped: {text} is not there; name Tiny Shakespeare by --shakespeare", err=True)
            continue
        for row in benchmarks[name](text.resolve()):
            click.echo(row)


def make_generator(corpus: Path) -> textforge.TextGenerator:
    """An LSTM of 128 units with fresh weights: for speed, what it has learnt doesn't matter."""
    encoder = CharEncoder().fit([corpus.read_text(encoding="utf-8").lower()])
    plugins = textforge.Plugins()
    fresh = LSTM(hidden_size=128).create(encoder.vocabulary_size, 0)
    return textforge.TextGenerator(load_model(plugins, plugins.backend("numpy"), fresh), encoder, plugins=plugins)


def startup(corpus: Path) -> Iterator[Row]:
    """Whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        make_generator(corpus).save(f"{folder}/model")
        generate = [script("textforge"), "generate", f"{folder}/model", "--max-tokens", "200", "--seed", "1"]
        figures = in_turn(
            {
                "click": lambda: process_seconds([script("python"), "-c", "import click"]),
                "help": lambda: process_seconds([script("textforge"), "--help"]),
                "generate": lambda: process_seconds(generate),
            },
            rounds=15,
        )
    bare = f"Python that imports click: {figures['click']:.3f} s"
    yield Row("`textforge --help`", f"{figures['help']:.3f} s", bare, "at most 0.15 s", figures["help"] <= 0.15)
    seconds = figures["generate"]
    what = "`textforge generate`, 200 characters, whole process"
    yield Row(what, f"{seconds:.3f} s", "", "at most 0.4 s", seconds <= 0.4)


def encoding(corpus: Path) -> Iterator[Row]:
    """Text to token ids, in pieces as the token file has them."""
    figures = in_process("many", "bpe_rates", str(corpus))
    share = figures["ours"] / figures["library"]
    beside = f"tokenizers by itself: {figures['library']:.2f}, so {share:.0%} of it"
    yield Row("`bpe`, MB a second", f"{figures['ours']:.2f}", beside, "at least 90%", share >= 0.9)
    for what, ours, bare, beside, aim in encoding_sides.sides(corpus):
        rate = in_turn({"textforge": ours, "bare": bare}, rounds=5)
        found = rate["textforge"]
        yield Row(
            f"{what}, MB a second on one core",
            f"{found:,.0f}",
            f"{beside}: {rate['bare']:,.0f}",
            f"at least {aim}",
            found >= aim,
        )


def generation(corpus: Path) -> Iterator[Row]:
    """One text and 64, beside the notebook's method and a bare loop."""
    generator = make_generator(corpus)
    saved = generator.model.save()
    notebook = in_turn(
        {
            "notebook": lambda: in_process("sides", "notebook_characters_per_second", str(corpus), 50),
            "one": lambda: characters_per_second(generator, 30_000),
        },
        rounds=5,
    )
    figures = in_turn(
        {
            "one": lambda: characters_per_second(generator, 10_000),
            "bare": lambda: bare_numpy.characters_per_second(saved, 10_000),
            "many": lambda: many_texts(generator, 500),
        },
        rounds=25,
    )
    times = notebook["one"] / notebook["notebook"]
    beside = f"the notebook's method: {notebook['notebook']:.1f}, so {times:,.0f} times"
    what = "one text, characters a second"
    yield Row(what, f"{notebook['one']:,.0f}", beside, "at least 4,000 times", times >= 4000)
    share = figures["one"] / figures["bare"]
    beside = f"a bare NumPy loop: {figures['bare']:,.0f}, so {share:.0%} of it"
    yield Row(what, f"{figures['one']:,.0f}", beside, "at least 75%", share >= 0.75)
    times = figures["many"] / figures["one"]
    what = "64 texts at once, characters a second"
    yield Row(what, f"{figures['many']:,.0f}", f"one text: {times:.1f} times", "at least 3 times", times >= 3)


def many_texts(generator: textforge.TextGenerator, count: int) -> float:
    """Characters a second of 64 texts."""
    began = time.perf_counter()
    texts = generator.generate("the ", max_tokens=count, count=64, seed=1)
    return sum(map(len, texts)) / (time.perf_counter() - began)


FIVE = "repetition-penalty:1.1 | top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8"


def samplers(corpus: Path) -> Iterator[Row]:
    """A chain of five on a small vocabulary, and cuts of a large one beside the best bare NumPy."""
    generator = make_generator(corpus)
    figures = in_turn(
        {
            "five": lambda: characters_per_second(generator, 3_000, FIVE),
            "one": lambda: characters_per_second(generator, 3_000),
        },
        rounds=9,
    )
    what = f"five samplers, {generator.model.vocabulary_size} characters, one text, characters a second"
    beside = f"temperature alone: {figures['one']:,.0f}"
    yield Row(what, f"{figures['five']:,.0f}", beside, "at least 10,000", figures["five"] >= 10_000)
    for name, ours, bare in sampler_sides.sides():
        measured = in_turn(
            {"ours": partial(sampler_sides.milliseconds, ours), "bare": partial(sampler_sides.milliseconds, bare)},
            rounds=sampler_sides.ROUNDS,
        )
        times = measured["ours"] / measured["bare"]
        what = f"{name} on {sampler_sides.SIZE:,} tokens, milliseconds"
        beside = f"bare NumPy: {measured['bare']:.2f}, so {times:.2f} times"
        yield Row(what, f"{measured['ours']:.2f}", beside, "at most 2 times", times <= 2)


def many(corpus: Path) -> Iterator[Row]:
    """Prompts and scores of many texts, in batches and one by one."""
    for backend, architecture in (("torch", "lstm"), ("numpy", "lstm"), ("numpy", "ngram")):
        trained = "torch" if architecture == "lstm" else "numpy"
        figures = in_process("many", "prompt_rates", str(corpus), trained, architecture, backend)
        times = figures["batched"] / figures["alone"]
        what = f"`generate --prompts`, {architecture} by {backend}, prompts a second, 40 characters each"
        beside = f"one by one: {figures['alone']:,.1f}, so {times:.1f} times"
        yield Row(what, f"{figures['batched']:,.1f}", beside, "at least 10 times", times >= 10)
    for backend in ("torch", "numpy"):
        figures = in_process("many", "score_rates", str(corpus), "torch", "lstm", backend)
        times = figures["batched"] / figures["alone"]
        what = f"`score`, lstm by {backend}, texts of 10 to 60 characters a second"
        beside = f"one by one: {figures['alone']:,.0f}, so {times:.1f} times"
        yield Row(what, f"{figures['batched']:,.0f}", beside, "more than one by one", times > 1)


def evaluation(corpus: Path) -> Iterator[Row]:
    """Reading beside training."""
    figures = in_process("many", "evaluation_rates", str(corpus))
    times = figures["evaluating"] / figures["training"]
    beside = f"training: {figures['training']:,.0f}, so {times:.1f} times"
    yield Row(
        "`evaluate` with torch, tokens a second",
        f"{figures['evaluating']:,.0f}",
        beside,
        "at least 2 times",
        times >= 2,
    )


def gigabyte(corpus: Path) -> Iterator[Row]:
    """A corpus of a gigabyte, until its first step."""
    figures = in_process("many", "gigabyte")
    first, again, memory = figures["first"], figures["again"], figures["memory"] / 1e6
    what = "1 GB of text, `char`, seconds until training begins"
    yield Row(f"{what}, the second time", f"{again:.2f}", f"the first time: {first:.1f}", "at most 2 s", again <= 2)
    yield Row("the same, peak memory over that for 1 MB", f"{memory:.0f} MB", "", "at most 400 MB", memory <= 400)


def training(corpus: Path) -> Iterator[Row]:
    """The rate of training the LSTM, beside each framework's bare loop."""
    for hidden_size, batch in ((128, 16), (128, 32), (256, 32)):
        spec, what = f"lstm:hidden_size={hidden_size}", f"1 x {hidden_size}, batches of {batch} x 64"
        figures = in_process("sides", "training_rates", "torch", str(corpus), spec, batch, 64, 60, 15)
        yield architectures.make_row("torch", what, figures, "a bare PyTorch loop", architectures.SHARE)
    for hidden_size, batch in ((64, 16), (128, 16), (256, 32)):
        spec, what = f"lstm:hidden_size={hidden_size}", f"1 x {hidden_size}, batches of {batch} x 64"
        figures = in_process("sides", "training_rates", "keras", str(corpus), spec, batch, 64, 40, 7)
        by_xla = figures["bare XLA"] > figures["bare"]
        loop = f"the faster bare tf.function loop, {'with' if by_xla else 'without'} XLA"
        figures["bare"] = max(figures["bare"], figures["bare XLA"])
        yield architectures.make_row("keras", what, figures, loop, 0.95)


def loss(corpus: Path) -> Iterator[Row]:
    """The time to a validation loss, by nothing but minutes, beside the notebook's method; and the default run."""
    given: list[float | None] = [FEW_MINUTES, None, FEW_MINUTES, FEW_MINUTES]
    run, whole, *more = [in_process("sides", "loss_in", str(corpus), minutes) for minutes in given]
    notebook = in_process("sides", "notebook_seconds_to", str(corpus), TARGET_LOSS)
    short = [run, *more]
    seconds, reached = (float(np.median([each[name] for each in short])) for name in ("seconds", "loss"))
    times = notebook["seconds"] / seconds
    yield Row(
        f"Nietzsche to a validation loss of {TARGET_LOSS:.2f}, `--minutes {FEW_MINUTES}`",
        f"{seconds:.1f} s, {reached:.3f}",
        f"the notebook's method: {notebook['seconds']:.0f} s, {len(notebook['losses'])} epochs, so 1/{times:.0f}",
        "at most 1/60",
        times >= 60 and reached <= TARGET_LOSS,
    )
    best, theirs = whole["loss"], min(notebook["losses"])
    what = "Nietzsche, the whole default run"
    beside = f"the notebook's method: {theirs:.3f}"
    yield Row(what, f"{whole['seconds']:.0f} s, {best:.3f}", beside, "lower", best < theirs)


def memory(corpus: Path) -> Iterator[Row]:
    """Peak memory, by the character."""
    small, large = 1_000_000, 51_000_000
    figures = [in_process("sides", "peak_memory", characters)["bytes"] for characters in (small, large)]
    each = (figures[1] - figures[0]) / (large - small)
    beside = f"{figures[0] / 2**20:,.0f} MiB for {small:,} characters, {figures[1] / 2**20:,.0f} for {large:,}"
    yield Row("memory while training, bytes a character", f"{each:.2f}", beside, "at most 3", each <= 3)


if __name__ == "__main__":
    main()
