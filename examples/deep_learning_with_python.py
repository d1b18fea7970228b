"""The experiment of *Deep Learning with Python*, section 8.1 (Chollet, 2017), on textforge:

python examples/deep_learning_with_python.py --encoding latin-1

A layer of 128 LSTM units reads 60 one-hot characters of Nietzsche and learns the next one, with RMSprop at 0.01. After
every epoch it goes on from a random snippet, from the same one at each of four temperatures.
"""

import sys

import click

import textforge
from textforge.corpora.files import FilesCorpus
from textforge.terminal import is_plain

LSTM = "lstm:hidden_size=128,num_layers=1,embedding_size=none,dropout=0"
SETTINGS = {
    "sequences": "windows",
    "window": 60,
    "stride": 3,
    "batch_size": 128,
    "optimizer": "rmsprop",
    "learning_rate": 0.01,
    "schedule": "constant",
    "clip_norm": None,
    "validation": 0,
    "sample": [f"temperature:{temperature}" for temperature in (0.2, 0.5, 1.0, 1.2)],
}


class Notebook(textforge.Report):
    """Says what the book's notebook says: the text's figures, then the loss and four texts an epoch."""

    def message(self, text):
        click.echo(text, err=True)

    def start(self, run):
        click.echo(f"Corpus length: {run.train_tokens}")
        click.echo(f"Number of sequences: {run.sequences}")
        click.echo(f"Unique characters: {run.vocabulary_size}")

    def step(self, progress):
        if sys.stderr.isatty() and not is_plain():
            click.echo(f"\repoch {progress.epoch:.2f}, loss {progress.loss:.3f} ", nl=False, err=True)

    def samples(self, samples):
        click.echo(f'\n--- After epoch {samples[0].epoch:.0f}, from "{samples[0].prompt}"')
        for sample in samples:
            click.echo(f"------ {sample.chain}\n{sample.text}")

    def epoch(self, result, model):
        click.echo(
            f"epoch {result.epoch:.0f}: loss {result.train_loss:.4f}, {result.seconds:.0f} s since the beginning"
        )


def installed_backend():
    """PyTorch's, or Keras's where there is no other."""
    names = textforge.Plugins().names("backend")
    return "keras" if "keras" in names and "torch" not in names else "torch"


@click.command(help=__doc__)
@click.option(
    "--backend", type=click.Choice(["torch", "keras"]), help="Unless given: torch where it is installed, else keras."
)
@click.option("--epochs", default=60, show_default=True, help="Passes over the text; the book has 60.")
@click.option("--encoding", default="utf-8", show_default=True, help="latin-1 gives the book's own figures.")
@click.option("--output", type=click.Path(), help="Folder to keep the model in.")
@click.option("--text", type=click.Path(exists=True, dir_okay=False), help="Another text instead of the download.")
@click.option("--seed", type=int, help="Drawn and said unless given.")
def main(backend, epochs, encoding, output, text, seed):
    try:
        textforge.train(
            FilesCorpus([text], encoding=encoding, lowercase=True) if text else f"nietzsche:encoding={encoding}",
            architecture=LSTM,
            backend=backend or installed_backend(),
            epochs=epochs,
            output=output,
            seed=seed,
            report=Notebook(),
            **SETTINGS,
        )
    except textforge.TextforgeError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
