"""Options of other tools, typed by a hand that knows those: answered with ours, or taken as meant."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from textforge.cli.messages import end_sentence
from textforge.cli.output import say

SHORT = ("temperature", "top-k", "top-p", "min-p")
"""Samplers that may be given as options of their own names."""
CHAIN_OPTIONS = ("--sampler", "--chain", "--sample")
"""The options that take a chain; a command has one of them."""
_ESCAPE = r"\\(n|t|u[0-9A-Fa-f]{4})"


class SamplingCommand(click.Command):
    """A command that writes text: samplers may be options by themselves, and an escape that isn't read is noticed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--sampler" in option_names(self):
            args = list(spell_out_samplers(args, value_options(self)))
        rest = super().parse_args(ctx, args)
        if not (ctx.resilient_parsing or ctx.params.get("escapes")):
            _notice_escape(ctx.params.get("prompt"))
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if "--sampler" in option_names(self):
            short = ", ".join(f"--{name}" for name in SHORT)
            formatter.write_paragraph()
            formatter.write_text(f"{short}: short for --sampler {SHORT[0]}:… and so on, in the order typed.")


def _notice_escape(prompt: Any) -> None:
    found = re.search(_ESCAPE, prompt) if isinstance(prompt, str) else None
    if found:
        say(f"{found[0]} in --prompt is read as {len(found[0])} characters: with --escapes, it is read as one")


def option_names(command: click.Command) -> list[str]:
    """Return the long options that a command has."""
    return [name for parameter in _options(command) for name in parameter.opts if name.startswith("--")]


def value_options(command: click.Command) -> set[str]:
    """Return the options, short ones too, that take the word behind them, whatever it is."""
    return {name for option in _options(command) if not option.is_flag and not option.count for name in option.opts}


def _options(command: click.Command) -> Iterator[click.Option]:
    return (parameter for parameter in command.params if isinstance(parameter, click.Option))


def spell_out_samplers(words: Sequence[str], take_values: set[str]) -> Iterator[str]:
    """Yield a command's words with ``--temperature 0.5`` as ``--sampler temperature:0.5``, and `SHORT` likewise.

    Words that are values of other options, and those after ``--``, stay as they are.

    >>> list(spell_out_samplers(["--top-k", "3", "--prompt", "--top-p", "--min-p=0.1"], {"--prompt"}))
    ['--sampler=top-k:3', '--prompt', '--top-p', '--sampler=min-p:0.1']
    """
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            yield word
            yield from rest
        elif name in {f"--{short}" for short in SHORT}:
            value = value if equals else next(rest, "")
            if not value or value.startswith("--"):
                raise click.BadOptionUsage(name, f"{name} needs a value, as in {name} 0.5.")
            yield f"--sampler={name[2:]}:{value}"
        else:
            yield word
            if word in take_values:
                yield from (value for value in [next(rest, None)] if value is not None)


def explain(error: click.NoSuchOption, words: Sequence[str], plugins: Callable[[], Any]) -> click.UsageError:
    """Return the error that an option which isn't there deserves: with ours, if there is one for the same thing.

    `words` are those of the command line, and `plugins` makes the plugins of this run.
    """
    name, command = error.option_name, error.ctx.command if error.ctx else None
    if command is None or not name.startswith("--"):
        return error
    remedy = _remedy(command, name, words, plugins)
    return click.UsageError(end_sentence(f"There is no option {name}{remedy}"), error.ctx)


def _remedy(command: click.Command, name: str, words: Sequence[str], plugins: Callable[[], Any]) -> str:
    from textforge.errors import nearest
    from textforge.names import plain_name, same_name

    value = next(iter(find_values(name, words)), "")
    bare = {option[2:]: option for option in option_names(command)}
    if ours := same_name(name, bare):
        return f"; did you mean {bare[ours]!r}?"
    with contextlib.suppress(Exception):  # a plugin that fails is no answer to a slip
        for owner in (_find_component, _find_sampler):
            if found := owner(command, name, value, words, plugins()):
                return found
    if plain_name(name) in _ARGUMENTS and (argument := _argument(command)):
        return f"; {argument} stands without one: textforge {command.name} {value or argument}"
    if "sampler" in bare:
        bare |= {short: f"--{short}" for short in SHORT}
    return nearest(name, bare.values()) if nearest(plain_name(name), bare) else ""


_ARGUMENTS = {
    "model",
    "corpus",
    "data",
    "text",
    "input",
    "input-file",
    "train-file",
    "data-dir",
    "dataset",
    "model-path",
}
"""Options by which other tools take what is an argument here."""


def _argument(command: click.Command) -> str | None:
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    return (arguments[0].metavar or str(arguments[0].name).upper()).rstrip(".") if arguments else None


def _find_component(command: click.Command, name: str, value: str, words: Sequence[str], plugins: Any) -> str | None:
    """Return the remedy where the option is that of a component which the command has an option for."""
    from textforge.names import same_name
    from textforge.plugins.registry import KINDS

    for kind in ("architecture", "backend", "encoder"):
        option = f"--{kind}"
        if kind not in KINDS or option not in option_names(command):
            continue
        chosen = next(iter(find_values(option, words)), "").partition(":")[0]
        classes = [component.cls for component in plugins.components(kind)]
        for cls in sorted(classes, key=lambda cls: cls.name != chosen):
            ours = same_name(name, cls.options())
            if ours:
                return f"; {ours} belongs to the {kind}: {option} {cls.name}:{ours}={value or '…'}"
    return None


def _find_sampler(command: click.Command, name: str, value: str, words: Sequence[str], plugins: Any) -> str | None:
    """Return the remedy where a sampler has the name: the option by which it is given."""
    from textforge.names import same_name

    option = next((each for each in CHAIN_OPTIONS if each in option_names(command)), None)
    sampler = same_name(name, plugins.names("sampler"))
    if option is None or sampler is None:
        return None
    return f"; {sampler} is a sampler: {option} {sampler}{f':{value}' if value else ''}"


def find_values(name: str, words: Sequence[str]) -> list[str]:
    """Return the words written behind an option, each time that it was.

    >>> find_values("--k", ["--k", "3", "--k=4", "--k", "--j"])
    ['3', '4']
    """
    found = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word == name and not following.startswith("--"):
            found.append(following)
        elif word.startswith(f"{name}="):
            found.append(word.partition("=")[2])
    return found
