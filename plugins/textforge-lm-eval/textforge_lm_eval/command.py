"""``textforge lm-eval``."""

from __future__ import annotations

import json

import click

from textforge.cli.parameters import backend_option, unknown_option

_OURS = ("--model", "-M", "--model_args", "-a")


@click.command("lm-eval", context_settings={"ignore_unknown_options": True})
@click.argument("model")
@click.argument("words", metavar="--tasks TASK... [HARNESS OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@backend_option
@unknown_option
def command(model: str, words: tuple[str, ...], backend: str | None, unknown: str) -> None:
    """Measure a model with the lm-evaluation-harness.

    What is not listed below is the harness's, as `lm_eval run --help` has it: --tasks names what to run, --include_path
    a folder with tasks of your own, --num_fewshot examples in each prompt, --limit documents of each task,
    --output_path a place for results, with --log_samples for every answer too, --gen_kwargs options of generating.
    """
    from textforge.errors import OptionError, TextforgeError
    from textforge_lm_eval._library import run_harness

    _check_words(model, words)
    given = {"model": model, "backend": backend, "unknown": unknown}
    arguments = json.dumps({name: value for name, value in given.items() if value is not None})
    try:
        run_harness(["run", *words, "--model", "textforge", "--model_args", arguments], quiet=True)
    except ValueError as error:  # what the harness raises for a task that it doesn't know, or options at odds
        if isinstance(error, TextforgeError):
            raise
        raise OptionError(f"the harness refused what was asked: {' '.join(str(error).split())}") from error


def _check_words(model: str, words: tuple[str, ...]) -> None:
    """Raise `click.UsageError` where no model comes first, no option follows, or one says again what the model is."""
    if model.startswith("-"):
        raise click.UsageError("The model comes first: textforge lm-eval MODEL --tasks …")
    if not words:
        raise click.UsageError("Name tasks, as in --tasks lambada_openai; `lm_eval ls tasks` lists them.")
    for word in words:
        if word.partition("=")[0] in _OURS:
            raise click.UsageError(f"{word.partition('=')[0]} is told by MODEL, --backend and --unknown: leave it out.")
