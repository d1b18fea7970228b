"""``textforge options``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.output import show

if TYPE_CHECKING:
    from textforge.components.component import Component, Option


KINDS = ("corpus", "encoder", "architecture", "backend", "sampler", "format", "report", "metric")


@click.command("options")
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(KINDS))
@click.argument("name", required=False)
@click.pass_obj
def command(session: Session, kind: str | None, name: str | None) -> None:
    """Show the options of every component.

    KIND and NAME narrow it down: textforge options sampler top-k. The kinds are corpus, encoder, architecture, backend,
    sampler, format, report and metric.
    """
    plugins = session.plugins()
    if kind and name:
        _show(kind, plugins.find(kind, name))
        return
    for one in [kind] if kind else KINDS:
        for component in plugins.components(one):
            _show(one, component.cls)


def _show(kind: str, cls: type[Component]) -> None:
    summary = (cls.__doc__ or "").strip().splitlines()
    show(f"{kind} {cls.name}: {summary[0] if summary else 'no description'}")
    for declared in cls.options().values():
        show(f"    {declared.name:<16} {declared.help}  [{_facts(declared)}]")


def _facts(declared: Option) -> str:
    from textforge.components import values

    choices = ", ".join(declared.choice_texts)
    kind = f"one of {choices}" if choices else values.describe(declared.kind)
    facts = [f"{kind} {declared.bounds}".strip()]
    facts.append("required" if declared.required else f"default: {declared.write(declared.default)}")
    return "; ".join(facts)
