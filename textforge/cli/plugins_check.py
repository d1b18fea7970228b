"""``textforge plugins check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.messages import one_line
from textforge.cli.output import show

if TYPE_CHECKING:
    from textforge.components.component import Component

KINDS = ("corpus", "encoder", "backend", "sampler")


@click.command("check")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="The kind, where components of several kinds have the name.")
@click.pass_context
def command(context: click.Context, name: str, kind: str | None) -> None:
    """Check that a component keeps its contract.

    NAME is a component's name or spec (top-k, min-p:0.1, csv:reviews.csv), or a distribution's name: then all that it
    brings is checked. Each check has a line: ok, FAILED with what to mend, or why it doesn't apply.
    """
    from textforge.errors import OptionError
    from textforge.testing.subjects import subjects

    failed = checked = 0
    for subject in subjects(context.ensure_object(Session).plugins(), name, kind):
        try:
            component = subject.make()
        except OptionError as error:
            show(f"{subject.kind} {subject.name}\n    not checked: {one_line(error)}")
            continue
        checked += 1
        failed += _check(subject.kind, component)
    if not checked:
        raise click.ClickException(f"nothing of {name} was checked: write a component with the options it needs")
    if failed:
        context.exit(1)


def _check(kind: str, component: Component) -> int:
    """Run a component's checks, a line each; gives how many failed."""
    from textforge.testing.checks import run_checks

    show(f"{kind} {component.spec}")
    results = []
    for result in run_checks(component):
        results.append(result)
        show(f"    {result.name:<22} {_outcome(result.failure, result.skipped)}")
    failed = sum(result.failure is not None for result in results)
    skipped = sum(result.skipped is not None for result in results)
    show(f"    {len(results) - failed - skipped} ok, {failed} failed, {skipped} not applicable")
    return failed


def _outcome(failure: str | None, skipped: str | None) -> str:
    if failure is not None:
        return f"FAILED: {' '.join(failure.split())}"
    return "ok" if skipped is None else f"not applicable: {' '.join(skipped.split())}"
