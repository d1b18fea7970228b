"""Importing a framework only when a model is made, and saying in one line which command mends what is wrong with it."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import attrs

from textforge.errors import BackendError


@attrs.frozen
class Framework:
    """A module that a backend computes with, and what must be true of it."""

    module: str
    title: str
    oldest: tuple[int, int]
    """The oldest version that will do: major and minor."""
    brought_by: str
    """The distribution to install where it is missing or too old."""
    needed_by: str = "backend"
    """What `require` is given the name of."""

    def require(self, name: str) -> ModuleType:
        """The module; raises `BackendError` where it is missing, broken or too old."""
        try:
            module = importlib.import_module(self.module)
            version = str(module.__version__)
        except ModuleNotFoundError as error:
            if error.name != self.module:
                raise self._broken(error) from error
            raise BackendError(
                f"the {self.needed_by} {name} needs {self.title}, which is not installed: run `{self._install}`"
            ) from error
        except Exception as error:  # a mismatch of versions shows in any way
            raise self._broken(error) from error
        self._check(name, version)
        return module

    @property
    def _install(self) -> str:
        return f"pip install {self.brought_by}"

    def _check(self, name: str, version: str) -> None:
        found = re.match(r"(\d+)\.(\d+)", version)
        if found is None or tuple(map(int, found.groups())) < self.oldest:
            oldest = ".".join(map(str, self.oldest))
            raise BackendError(
                f"the {self.needed_by} {name} needs {self.title} {oldest} or newer, but {version} is installed: "
                f"run `{self._install} '{self.module}>={oldest}'`"
            )

    def _broken(self, error: Exception) -> BackendError:
        reason = " ".join(str(error).split())
        return BackendError(
            f"{self.title} is installed but can't be imported ({type(error).__name__}: {reason}): "
            f"run `pip install --force-reinstall {self.module}`"
        )
