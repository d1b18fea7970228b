"""Checks of a backend. Each is given a `BackendCase`, and raises `CheckFailure`.

Its models are checked by architecture, with `textforge.testing.implementation_checks`.
"""

from __future__ import annotations

from textforge.testing import component_checks
from textforge.testing.failures import NotApplicable, described, fail
from textforge.testing.model_cases import BackendCase


def check_implementations(case: BackendCase) -> None:
    """Each of its implementations is found by its import path, and is of an architecture that is installed."""
    name = case.component.name
    found = [each for each in case.plugins.implementations() if each.backend == name]
    if not found:
        raise NotApplicable(f"no plugin registers an implementation for the backend {name}")
    architectures = case.plugins.names("architecture")
    for each in found:
        try:
            each.load()
        except Exception as error:
            fail(
                f"{each.by} to be imported, which computes {each.architecture}",
                described(error),
                "correct the path in register_implementations: by='package.module:Name'",
            )
        if each.architecture not in architectures and each.source.distribution == _distribution(case):
            fail(
                f"an architecture {each.architecture!r} for {each.by}",
                f"only {', '.join(architectures)}",
                "register it by register_architectures, or depend on the distribution that brings it",
            )


def _distribution(case: BackendCase) -> str | None:
    """Return the distribution that brings the backend."""
    found = [each.source for each in case.plugins.components("backend") if each.name == case.component.name]
    return found[0].distribution if found else None


CHECKS = (component_checks.check_use, check_implementations, *component_checks.CHECKS)
