"""One framework in a process, as in every suite."""

from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401
