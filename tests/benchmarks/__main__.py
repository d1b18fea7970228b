"""Run the benchmarks and print their tables: ``make bench``."""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

import textforge
from tests.benchmarks import bare_numpy
from tests.benchmarks.measure import in_process, in_turn, machine, process_seconds
from textforge.encoders.char import CharEncoder

TARGET_LOSS = 1.60
Row = tuple[str, str, str]


@click.command()
@click.option(
    "--corpus",
    type=click.Path(exists=True, path_type=Path),
    default="../shared/data/nietzsche.txt",
    show_default=True,
    help="The Nietzsche corpus.",
)
@click.option("--only", type=click.Choice(["startup", "generation", "training", "loss", "memory"]), multiple=True)
def main(corpus: Path, only: tuple[str, ...]) -> None:
    """Measure textforge beside the notebook's method and bare loops, each comparison in one run."""
    benchmarks: dict[str, Callable[[Path], list[Row]]] = {
        "startup": startup,
        "generation": generation,
        "training": training,
        "loss": loss,
        "memory": memory,
    }
    click.echo(f"{machine()}, {datetime.date.today().isoformat()}\n")
    click.echo("| what | figure | beside |\n|---|---|---|")
    for name in only or benchmarks:
        for row in benchmarks[name](corpus.resolve()):
            click.echo(f"| {' | '.join(row)} |")


def make_generator(corpus: Path, hidden_size: int = 128) -> textforge.TextGenerator:
    """An LSTM with fresh weights: for speed, what it has learnt doesn't matter."""
    encoder = CharEncoder().fit([corpus.read_text(encoding="utf-8").lower()])
    plugins = textforge.Plugins()
    fresh = plugins.backend(f"torch:hidden_size={hidden_size}").initial(encoder.vocabulary_size, 0)  # type: ignore[attr-defined]
    return textforge.TextGenerator(plugins.backend("numpy").load(fresh), encoder, plugins=plugins)


def startup(corpus: Path) -> list[Row]:
    """Whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model"
        make_generator(corpus).save(model)
        command = str(Path(sys.executable).parent / "textforge")
        generate = [command, "generate", model, "--max-tokens", "200", "--seed", "1"]
        figures = in_turn(
            {
                "click": lambda: process_seconds([sys.executable, "-c", "import click"]),
                "help": lambda: process_seconds([command, "--help"]),
                "generate": lambda: process_seconds(generate),
            },
            rounds=15,
        )
    return [
        (
            "`textforge --help`, whole process",
            f"{figures['help']:.3f} s",
            f"bare Python importing click: {figures['click']:.3f} s",
        ),
        ("`textforge generate`, 200 characters, whole process", f"{figures['generate']:.3f} s", ""),
    ]


def generation(corpus: Path) -> list[Row]:
    """One text and 64, beside the notebook's method and a bare loop."""
    generator = make_generator(corpus)
    saved = generator.model.save()

    def speed(count: int, texts: int) -> float:
        import time

        began = time.perf_counter()
        if texts == 1:
            written = sum(len(piece) for piece in generator.stream("the ", max_tokens=count, seed=1))
        else:
            written = sum(len(text) for text in generator.generate("the ", max_tokens=count, count=texts, seed=1))
        return written / (time.perf_counter() - began)

    figures = in_turn(
        {
            "notebook": lambda: in_process("sides", "notebook_characters_per_second", str(corpus), 50),
            "bare": lambda: bare_numpy.characters_per_second(saved, 50_000),
            "one": lambda: speed(50_000, 1),
            "many": lambda: speed(2_000, 64),
        },
        rounds=5,
    )
    one = figures["one"]
    return [
        (
            "one text, characters a second",
            f"{one:,.0f}",
            f"notebook: {figures['notebook']:.1f}, so {one / figures['notebook']:,.0f} times",
        ),
        ("", "", f"bare NumPy loop: {figures['bare']:,.0f}, so {one / figures['bare']:.0%} of it"),
        (
            "64 texts at once, characters a second",
            f"{figures['many']:,.0f}",
            f"one text: {one:,.0f}, so {figures['many'] / one:.1f} times",
        ),
    ]


def training(corpus: Path) -> list[Row]:
    """The rate of training, beside a bare PyTorch loop."""
    rows = []
    for hidden_size, batch in ((128, 16), (128, 32), (256, 32)):
        figures = in_process("sides", "training_rates", str(corpus), hidden_size, batch, 64, 250, 7)
        rows.append(
            (
                f"training, torch, 1 x {hidden_size}, {batch} x 64, tokens a second",
                f"{figures['textforge']:,.0f}",
                f"bare PyTorch loop: {figures['bare']:,.0f}, so {figures['textforge'] / figures['bare']:.0%} of it",
            )
        )
    return rows


def loss(corpus: Path) -> list[Row]:
    """The time to a validation loss, by default settings, beside the notebook's method."""
    ours = [in_process("sides", "seconds_to", str(corpus), TARGET_LOSS)]
    notebook = in_process("sides", "notebook_seconds_to", str(corpus), TARGET_LOSS)
    ours += [in_process("sides", "seconds_to", str(corpus), TARGET_LOSS) for _ in range(2)]
    seconds = float(np.median([run["seconds"] for run in ours]))
    whole = float(np.median([run["all_seconds"] for run in ours]))
    return [
        (
            f"Nietzsche to a validation loss of {TARGET_LOSS:.2f}",
            f"{seconds:.1f} s",
            f"notebook: {notebook['seconds']:.0f} s, so 1/{notebook['seconds'] / seconds:.0f}",
        ),
        (
            "Nietzsche, the whole default run",
            f"{whole:.0f} s, {ours[0]['losses'][-1]:.3f}",
            f"notebook after {len(notebook['losses'])} epochs: {notebook['losses'][-1]:.3f}",
        ),
    ]


def memory(corpus: Path) -> list[Row]:
    """Peak memory, by the character."""
    small, large = 1_000_000, 51_000_000
    figures = [in_process("sides", "peak_memory", characters)["bytes"] for characters in (small, large)]
    each = (figures[1] - figures[0]) / (large - small)
    return [
        (
            "memory while training, bytes a character",
            f"{each:.2f}",
            f"{figures[1] / 2**20:,.0f} MiB for {large:,} characters",
        )
    ]


if __name__ == "__main__":
    main()
