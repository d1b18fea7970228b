"""The import of a framework when a model is made, and one line that names the command which mends what is wrong."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import attrs

from textforge.components.component import Component
from textforge.errors import BackendError


def _read_version(value: str | tuple[int, int] | None) -> tuple[int, int] | None:
    if value is None or isinstance(value, tuple):
        return value
    found = re.fullmatch(r"(\d+)\.(\d+)", value)
    if found is None:
        raise ValueError(f"oldest must be a version such as '2.4', got {value!r}")
    return int(found[1]), int(found[2])


@attrs.frozen
class Framework:
    """A module that a plugin computes with, and the versions that will do.

    A plugin declares it once, at the top of a module that doesn't import the framework, and requires it when a model is
    made. Whatever is wrong is then one line that names the command which mends it, for strangers' plugins as for ours.

    >>> NUMPY = Framework("numpy", title="NumPy", oldest="1.26")
    >>> NUMPY.require("my-backend").__name__
    'numpy'
    >>> Framework("fakeflow", title="Fakeflow", oldest="2.4").require("fake")
    Traceback (most recent call last):
    textforge.errors.BackendError: the backend fake needs Fakeflow, which is not installed: run
    `pip install 'fakeflow>=2.4'`
    """

    module: str
    """The name it is imported by."""
    title: str = attrs.field()
    """Its name in messages; the module's unless given."""
    oldest: tuple[int, int] | None = attrs.field(default=None, converter=_read_version, kw_only=True)
    """The oldest version that will do, ``"2.4"`` or ``(2, 4)``; any will, unless given."""
    distribution: str = attrs.field(kw_only=True)
    """The name it is installed by; the module's unless given."""
    brought_by: str | None = attrs.field(default=None, kw_only=True)
    """What to install instead where it is missing or too old, such as an extra of the plugin's distribution. Name only
    what an installer can find: on a package index, any name may be a stranger's."""
    needed_by: str = attrs.field(default="backend", kw_only=True)
    """The kind of component that needs the framework, as messages name it."""

    @title.default
    def _module_as_title(self) -> str:
        return self.module

    @distribution.default
    def _module_as_distribution(self) -> str:
        return self.module

    def require(self, needed_by: str | Component) -> ModuleType:
        """Import the module and return it; `needed_by` is the component that needs it, or its name.

        Raises `textforge.errors.BackendError` where the module is missing, broken or too old.
        """
        name = needed_by if isinstance(needed_by, str) else needed_by.name
        try:
            module = importlib.import_module(self.module)
            version = None if self.oldest is None else str(module.__version__)
        except ModuleNotFoundError as error:
            if error.name != self.module:
                raise self._import_error(error) from error
            raise BackendError(
                f"the {self.needed_by} {name} needs {self.title}, which is not installed: run `{self._install}`"
            ) from error
        except Exception as error:  # a mismatch of versions shows in any way
            raise self._import_error(error) from error
        if version is not None:
            self._check(name, version)
        return module

    @property
    def _install(self) -> str:
        return f"pip install {self.brought_by or self._requirement}"

    @property
    def _requirement(self) -> str:
        return f"'{self.distribution}>={self._oldest}'" if self.oldest else self.distribution

    @property
    def _oldest(self) -> str:
        return ".".join(map(str, self.oldest or ()))

    def _check(self, name: str, version: str) -> None:
        found = re.match(r"(\d+)\.(\d+)", version)
        if self.oldest and (found is None or tuple(map(int, found.groups())) < self.oldest):
            install = f"{self._install} {self._requirement}" if self.brought_by else self._install
            raise BackendError(
                f"the {self.needed_by} {name} needs {self.title} {self._oldest} or newer, but {version} is installed: "
                f"run `{install}`"
            )

    def _import_error(self, error: Exception) -> BackendError:
        reason = " ".join(str(error).split())
        return BackendError(
            f"{self.title} is installed but can't be imported ({type(error).__name__}: {reason}): "
            f"run `pip install --force-reinstall {self.distribution}`"
        )
