"""The plot of loss against time: ``python -m tests.benchmarks.plot nietzsche.txt -o loss.svg``; see ``make plot``.

On a text in lower case, its last tenth held out: the notebook's training by Keras, epoch by epoch; the LSTM of
textforge 0.1 by its defaults, epoch by epoch; and the recipe, each point a run of its own with so many minutes, since a
recipe fits the network and the schedule to them. Seconds are those of training and validation, not of the start.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

import textforge
from tests.benchmarks.measure import ROOT, in_process, machine

MINUTES = (0.08, 0.15, 0.3, 0.6, 1.2, 2.4)
"""The budgets of the recipe's runs."""
TICKS = (5, 10, 20, 50, 100, 200, 300)
"""Seconds that the axis names."""
OLD = {
    "architecture": "lstm:hidden_size=128,num_layers=1,embedding_size=64,dropout=0.1",
    "backend": "torch:precision=float32",
    "batch_size": 16,
    "sequence_length": 64,
    "learning_rate": 0.01,
    "schedule": "cosine",
    "warm_up": 0.02,
    "weight_decay": 0.0,
    "patience": None,
}
"""The defaults of textforge 0.1."""


class Losses(textforge.Report):
    """The validation loss at each second that there was one."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def epoch(self, result: Any, model: Any) -> None:
        self.points.append((result.seconds, result.validation_loss))


def train(path: str, settings: dict[str, Any]) -> list[tuple[float, float]]:
    """Return the seconds and losses of a run."""
    report = Losses()
    textforge.train(path, seed=1, report=report, **settings)
    return report.points


def train_notebook(path: str, epochs: int) -> list[tuple[float, float]]:
    """Return the seconds and losses of the notebook's epochs."""
    from tests.benchmarks.notebook import Notebook

    found = Notebook(Path(path)).seconds_to(0.0, most_epochs=epochs)
    each = found["seconds"] / len(found["losses"])
    return [(each * number, loss) for number, loss in enumerate(found["losses"], start=1)]


def measure(path: str, epochs: int) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each curve, each run in a process of its own."""
    runs = [in_process("plot", "train", path, {"minutes": minutes}) for minutes in MINUTES]
    return {
        f"the notebook, Keras, {epochs} epochs": in_process("plot", "train_notebook", path, epochs),
        "textforge 0.1, 1 x 128": in_process("plot", "train", path, {**OLD, "minutes": max(MINUTES)}),
        "the recipe, a run for each point": [(60 * each, run[-1][1]) for each, run in zip(MINUTES, runs, strict=True)],
    }


def draw(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw the curves, time on a logarithmic scale."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "textforge"  # the same picture from the same points
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.2))
    for (label, points), style in zip(curves.items(), ("s-", "-", "o-"), strict=True):
        seconds, losses = zip(*points, strict=True)
        axes.plot(seconds, losses, style, label=label, markersize=4)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, map(str, TICKS))
    axes.minorticks_off()
    axes.set_xlabel("seconds of training on two cores")
    axes.set_ylabel("validation loss, nats a character")
    axes.grid(which="both", alpha=0.25)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


@click.command()
@click.argument(
    "corpus",
    type=click.Path(exists=True, path_type=Path),
    default=ROOT.parent / "shared" / "data" / "nietzsche.txt",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=ROOT / "tests" / "benchmarks" / "loss.svg")
@click.option("--epochs", default=4, show_default=True, help="The notebook's epochs.")
@click.option("--points", type=click.Path(path_type=Path), help="A JSON file of the points: drawn where it is there.")
def main(corpus: Path, output: Path, epochs: int, points: Path | None) -> None:
    """Measure the three and draw them."""
    if points is not None and points.exists():
        curves = json.loads(points.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            lower = Path(folder) / "lower.txt"
            lower.write_text(corpus.read_text(encoding="utf-8").lower(), encoding="utf-8")
            curves = measure(str(lower), epochs)
        if points is not None:
            points.write_text(json.dumps(curves), encoding="utf-8")
    draw(curves, output)
    print(machine())
    for label, found in curves.items():
        print(f"{label}: {', '.join(f'{seconds:.0f} s {loss:.3f}' for seconds, loss in found)}")


if __name__ == "__main__":
    main()
