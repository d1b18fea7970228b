"""Errors that a plugin's code raises by accident, told as the plugin's."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from textforge.components.component import Component
from textforge.errors import PluginError, TextforgeError, is_memory_error, state_error
from textforge.plugins.kinds import KINDS

_KIND_OF_BASE = {kind.base: name for name, kind in KINDS.items()}
Culprit = object
"""A component, its class, an `Implementation`, a model, or anything else of a class that a plugin defines."""


class blame:  # noqa: N801 -- read as a verb: with blame(encoder)
    """A context in which an error that is none of textforge's becomes a `PluginError` that names who raised it.

    `action` says what was asked of it. Errors of the types in `passing` go on as they are, as do all of textforge's
    own, and those that say that memory ran out. In a loop that runs for each token, write ``try: … except Exception as
    error: raise blame_error(encoder, error) from error``, which costs nothing where nothing is raised.

    >>> from textforge.samplers.top_k import TopK
    >>> with blame(TopK(3), "in keep()"):
    ...     1 / 0
    Traceback (most recent call last):
    textforge.errors.PluginError: the sampler top-k (textforge.samplers.top_k:TopK) failed in keep():
    ZeroDivisionError: division by zero
    """

    def __init__(self, culprit: Culprit, action: str = "", passing: tuple[type[Exception], ...] = ()) -> None:
        self._culprit = culprit
        self._action = action
        self._passing = passing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, self._passing):
            blamed = blame_error(self._culprit, error, self._action)
            if blamed is not error:
                raise blamed from error


def blame_error(culprit: Culprit, error: Exception, action: str = "") -> Exception:
    """Return the error to raise in place of one that `culprit` raised: itself, where it is meant for the user."""
    if isinstance(error, TextforgeError) or _says_memory_ran_out(error):
        return error
    return PluginError(f"{describe(culprit)} failed{f' {action}' if action else ''}: {state_error(error)}")


def blame_model(model: Any, error: Exception, action: str) -> Exception:
    """Return the error to raise in place of one that a model raised, which is its network's where it has one."""
    return blame_error(getattr(model, "network", model), error, action)


def _says_memory_ran_out(error: Exception) -> bool:
    try:
        return is_memory_error(error)
    except Exception:  # a stranger's `__str__` may fail
        return False


def describe(culprit: Culprit) -> str:
    """Return how messages call a culprit: its kind, its name and its class's path."""
    from textforge.plugins.implementations import (
        Implementation,  # with all that finds plugins, which generating needn't
    )

    if isinstance(culprit, Implementation):
        return (
            f"the implementation of {culprit.architecture} on {culprit.backend} ({culprit.by}), of "
            f"{culprit.source.title},"
        )
    cls: Any = culprit if isinstance(culprit, type) else type(culprit)
    if not issubclass(cls, Component):
        return path_of(cls)
    name = getattr(cls, "name", None)
    return f"the {_kind_of(cls)} {f'{name} ' if name else ''}({path_of(cls)})"


def _kind_of(cls: type) -> str:
    kinds = (_KIND_OF_BASE.get(path_of(base)) for base in cls.__mro__)
    return next(filter(None, kinds), "component")


def path_of(cls: type) -> str:
    """Return a class's import path."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_culprit(error: BaseException, packages: Mapping[str, str]) -> str | None:
    """Return the title of the plugin whose code an error came out of; None where that isn't one.

    `packages` are titles by top-level package, as `Plugins.packages` has them. Of the frames that the error passed,
    the last one that is a plugin's or textforge's own decides: libraries that it called don't.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            return packages[package]
        if package == "textforge":
            return None
    return None
