"""``textforge plugins check``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.messages import one_line
from textforge.cli.output import show

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins
    from textforge.testing.cases import Case
    from textforge.testing.checks import CheckResult

KINDS = ("corpus", "encoder", "architecture", "implementation", "backend", "sampler", "format")
UNREASONED = "known to fail"


@click.command("check")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="The kind, where components of several kinds have the name.")
@click.option("--backend", metavar="SPEC", help="Check NAME, an architecture, as this backend computes it.")
@click.option("--encoder", metavar="SPEC", help="Encoder that samplers work with, fitted to the kit's texts.")
@click.option(
    "--model",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Trained model: samplers work with its encoder, and implementations run it.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="X",
    help="How far logits may lie apart that should agree: more where a sampler has a model inside.",
)
@click.option(
    "--expect-failure",
    "expected",
    multiple=True,
    metavar="CHECK[=REASON]",
    help="A check that is known to fail, such as rows-dropped; repeatable. One that passes is then a failure.",
)
@click.pass_context
def command(
    context: click.Context,
    name: str,
    kind: str | None,
    backend: str | None,
    encoder: str | None,
    model: Path | None,
    tolerance: float | None,
    expected: tuple[str, ...],
) -> None:
    """Check that a component keeps its contract.

    NAME is a component's name or spec (top-k, min-p:0.1, csv:reviews.csv), or a distribution's name: then all that it
    brings is checked, each architecture on its backends too. Each check has a line: ok, FAILED with what to mend, or
    why it doesn't apply. A component that doesn't do its work at all fails the first, and the others aren't run.

    Exit status 1: a check failed, or most of them didn't apply, so that little is known of the component.
    """
    from textforge.testing.checks import reasons_by_kind
    from textforge.testing.subjects import OBSTACLES, Fittings, Unloaded, refuse_idle, subjects

    plugins = context.ensure_object(Session).plugins()
    found = subjects(plugins, name, kind, backend)
    refuse_idle([subject.kind for subject in found], encoder=encoder, model=model)
    fittings = Fittings.of(plugins, encoder=encoder, model=model, tolerance=tolerance)
    given = {check: reason or UNREASONED for check, _, reason in (text.partition("=") for text in expected)}
    reasons = reasons_by_kind(given, [subject.kind for subject in found])
    passed = checked = 0
    for subject in found:
        try:
            case = subject.make(**fittings.details(subject.kind))
        except (*OBSTACLES, Unloaded) as error:
            if len(found) == 1:
                raise
            checked += isinstance(error, Unloaded)  # and hasn't passed
            show(f"{subject.kind} {subject.name}\n    not checked: {one_line(error)}")
            continue
        checked += 1
        passed += _tell(_check(case, reasons[case.kind]))
    if not checked:
        raise click.ClickException(f"nothing of {name} was checked: see why above")
    if [subject.kind for subject in found] == ["architecture"]:
        _point_to_backends(plugins, found[0].name)
    if passed < checked:
        context.exit(1)


def _point_to_backends(plugins: Plugins, architecture: str) -> None:
    """Show what checks what computes an architecture."""
    found = plugins.implementations(of=plugins.find("architecture", architecture))
    if able := dict.fromkeys(one.backend for one in found):
        show("    to check what computes it: " + ", ".join(f"--backend {backend}" for backend in able))
    else:
        show("    no installed plugin computes it on any backend")


def _check(case: Case, reasons: Mapping[str, str]) -> list[CheckResult]:
    """Run the checks of a case, showing a line each."""
    from textforge.testing.checks import run_case

    show(f"{case.kind} {case.title}")
    results = []
    for result in run_case(case, reasons):
        results.append(result)
        show(f"    {result.name:<22} {_outcome(result)}")
    return results


def _outcome(result: CheckResult) -> str:
    if result.failure is not None:
        return f"FAILED: {' '.join(result.failure.split())}"
    if result.expected is not None:
        return f"failed as expected: {' '.join(result.expected.split())}"
    return "ok" if result.skipped is None else f"not applicable: {' '.join(result.skipped.split())}"


def _tell(results: list[CheckResult]) -> bool:
    """Show how many checks ended in which way; return whether the component has passed."""
    failed = sum(result.failure is not None for result in results)
    skipped = sum(result.skipped is not None for result in results)
    expected = sum(result.expected is not None for result in results)
    ok = len(results) - failed - skipped - expected
    as_expected = f", {expected} failed as expected" if expected else ""
    show(f"    {ok} ok, {failed} failed, {skipped} not applicable{as_expected}")
    if results[-1].fatal:
        show("    the other checks were not run: each would fail for the same reason")
    elif skipped > len(results) - skipped:
        show("    most checks didn't apply, so this is no success: see why, and give --encoder, --model or options")
        return False
    return not failed
