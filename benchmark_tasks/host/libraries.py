"""What runtimes load or run on a host beside their own Python packages."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

NUMA_LIBRARY = "libnuma.so.1"
COMPILERS = ("cc", "gcc", "clang")


@dataclass(frozen=True)
class MissingLibrary:
    """What this host does not have. `fatal`: nothing can be measured without it."""

    line: str
    remedy: str
    fatal: bool


def missing_libraries(*, has_gpu: bool) -> list[MissingLibrary]:
    """What the runtimes of a host with or without a GPU need and this host does not have."""
    if sys.platform != "linux":
        return []
    missing: list[MissingLibrary] = []
    if not has_gpu and not _loads(NUMA_LIBRARY):
        line = f"no {NUMA_LIBRARY}: a model server for the CPU does not start"
        missing.append(MissingLibrary(line, "install libnuma1 (numactl-libs)", fatal=True))
    if has_gpu and not _compiler():
        line = "no C compiler: Triton cannot compile its kernels, so a model server does not start"
        missing.append(MissingLibrary(line, "install gcc and libc6-dev, or set CC", fatal=False))
    if has_gpu and not _python_header().is_file():
        line = f"no {_python_header()}: Triton cannot compile its kernels, so a model server does not start"
        missing.append(MissingLibrary(line, "install the header files of Python (python3-dev)", fatal=False))
    return missing


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _compiler() -> str | None:
    """As Triton looks for it: the one that CC names, else the first on the search path."""
    named = os.environ.get("CC")
    names = (named,) if named else COMPILERS
    return next((path for name in names if (path := shutil.which(name))), None)


def _python_header() -> Path:
    return Path(sysconfig.get_paths()["include"]) / "Python.h"
