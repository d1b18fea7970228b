"""Parameters that several commands share, and those made from declarations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from textforge.cli.messages import end_sentence
from textforge.components import values
from textforge.components.component import Declared, Option

F = TypeVar("F", bound=Callable[..., Any])
if TYPE_CHECKING:
    from textforge.library.arguments import SettingsArguments

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic for type checkers, but not at run time in every click

model_argument = click.argument("model", type=click.Path(path_type=Path))

backend_option = click.option(
    "--backend", metavar="SPEC", help="What runs the model, with run-time options; numpy unless given, where it can."
)
unknown_option = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What becomes of text that the model's vocabulary lacks.",
)


class DeclaredValue(_ParamType):
    """A value read and checked as an option's declaration says."""

    def __init__(self, declared: Option) -> None:
        self.declared = declared
        self.name = declared.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.declared.check(values.Bare(value))
        except ValueError as error:
            self.fail(end_sentence(str(error)), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        if self.declared.choices:
            return "|".join(self.declared.choice_texts)
        numbers = {int: "N", float: "X"}
        return next((numbers[kind] for kind in values.members(self.declared.kind) if kind in numbers), "TEXT")


def add_declared_options(cls: type[Declared], **metavars: str) -> Callable[[F], F]:
    """Add a click option for each option that a class declares; one that wasn't given is None."""

    def decorate(function: F) -> F:
        for declared in reversed(cls.options().values()):
            function = _click_option(declared, metavars.get(declared.name))(function)
        return function

    return decorate


def _click_option(declared: Option, metavar: str | None) -> Callable[[F], F]:
    many = declared.kind == tuple[str, ...]
    return click.option(
        "--" + declared.name.replace("_", "-"),
        type=str if many else DeclaredValue(declared),
        multiple=many,
        metavar=metavar,
        help=_help(declared),
    )


def _help(declared: Option) -> str:
    if declared.required or declared.default in (None, ()):
        return declared.help
    return f"{declared.help}  [default: {declared.write(declared.default)}]"


def select_given(settings: SettingsArguments) -> SettingsArguments:
    """Return the settings that were written on the command line, ``none`` among them."""
    context = click.get_current_context()
    written = click.core.ParameterSource.COMMANDLINE
    given = {name: value for name, value in settings.items() if context.get_parameter_source(name) is written}
    return cast("SettingsArguments", given)
