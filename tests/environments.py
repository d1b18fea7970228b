"""An environment of its own, in which plugins are installed as a stranger's are, offline."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

PIP_OPTIONS = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # of pip's options that begin with "no", this one is read backwards
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
COMMANDS = ("textforge", "pip", "pytest")


class Environment:
    """A virtual environment that has all of this one, and nothing installed in it yet."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / "python"
        shared = sysconfig.get_path("purelib")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (site / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n", encoding="utf-8")
        for command in COMMANDS:
            script = self.bin / command
            script.write_text(f'#!/bin/sh\nexec "{self.python}" -m {command} "$@"\n', encoding="utf-8")
            script.chmod(0o755)

    def run(self, command: str | list[str], folder: Path, *, status: int = 0, **variables: str) -> str:
        """The output of a command, which must end with that status."""
        done = subprocess.run(
            command,
            cwd=folder,
            shell=isinstance(command, str),
            env=self._variables(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=600,
        )
        assert done.returncode == status, f"{command}\n{done.stdout}"
        return done.stdout

    def _variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), os.environ["PATH"]])
        hidden = {"PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "TEXTFORGE_DISABLE_PLUGINS"}
        plain = {name: value for name, value in os.environ.items() if name not in hidden}
        return {**plain, **PIP_OPTIONS, "PATH": path, **variables}
