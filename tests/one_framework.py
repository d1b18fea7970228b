"""For the tests of the core and of every plugin alike: one framework in a process."""

from __future__ import annotations

import sys

import pytest

FRAMEWORKS = {"torch", "tensorflow"}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where both were imported: by the order of their imports they may crash."""
    if sys.modules.keys() >= FRAMEWORKS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why."""
    if sys.modules.keys() >= FRAMEWORKS:
        terminalreporter.section("two frameworks", red=True)
        terminalreporter.line(
            "torch and tensorflow were imported into one process: test them apart, as `make test` does"
        )
