"""A model that goes on learning from the text it reads."""

from __future__ import annotations

from gradient_backends.adapting import AdaptingSuite


class TestAdapting(AdaptingSuite):
    """The suite that every framework is held to."""
