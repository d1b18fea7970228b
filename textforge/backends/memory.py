"""The memory of this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""The files in which Linux writes the limit of a container."""


def find_machine_memory() -> int | None:
    """Return the bytes of memory that this machine, or the container, has; None where the system doesn't tell."""
    known = [_read_limit(path) for path in _LIMITS]
    with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((size for size in known if size is not None and size > 0), default=None)


def _read_limit(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # there is none, or it says max
        return None
