"""Measure parity and print its table: ``make parity``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from parity.measure import ARCHITECTURES, BOUNDARY, TAME, Parity


@click.command()
@click.option("--only", type=click.Choice(list(ARCHITECTURES)), multiple=True)
def main(only: tuple[str, ...]) -> None:
    """Measure, for each architecture, what is the same in PyTorch, Keras and NumPy."""
    names = only or tuple(ARCHITECTURES)
    columns = []
    for architecture in names:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(dict(rows(Parity(architecture, Path(folder)).measure())))
    click.echo(f"| the largest distance of any two of torch, keras and numpy | {' | '.join(names)} | promised |")
    click.echo(f"|---|{'---|' * len(names)}---|")
    for what, promised in PROMISED.items():
        click.echo(f"| {what} | {' | '.join(column[what] for column in columns)} | {promised} |")


PROMISED = {
    "logits, fresh weights": "1e-5",
    "logits, trained weights": "1e-4",
    "logits in float64": "1e-12",
    "first weights of a seed": "equal",
    "losses of the first 5 steps, default rates": "1e-4",
    "losses of 50 steps, tame rates": "1e-3",
    "texts of 2,000 characters that part, of 50, float32": f"only where a draw is within {BOUNDARY:g} of a boundary",
    "the same, float64": "none",
    "last validation loss, backend changed after two of four epochs": "1e-2 of it",
}
"""A measurement, and what must come of it."""


def rows(parity: Parity) -> Iterator[tuple[str, str]]:
    """The figures of one architecture."""

    def logits(kind: str, precision: str) -> float:
        return max(parity.logit_distance(kind, precision).values())

    def losses(kind: str) -> float:
        return max(parity.loss_distance(f"{kind} {optimizer}") for optimizer in TAME)

    figures = (
        f"{logits('fresh', 'float32'):.1e}",
        f"{logits('trained', 'float32'):.1e}",
        f"{max(logits(kind, 'float64') for kind in ('fresh', 'trained')):.1e}",
        "equal" if parity.first_weights_are_equal() else "**not equal**",
        f"{losses('first'):.1e}",
        f"{losses('tame'):.1e}",
        _parted(parity, "float32"),
        _parted(parity, "float64"),
        f"{max(parity.swapped().values()):.1e}",
    )
    yield from zip(PROMISED, figures, strict=True)


def _parted(parity: Parity, precision: str) -> str:
    """Return the number of texts that part, of each pair of backends."""
    return ", ".join(f"{pair}: {len(found)}" for pair, found in parity.parted(precision).items())


if __name__ == "__main__":
    main()
