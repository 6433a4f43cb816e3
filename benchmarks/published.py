"""Where ML.ENERGY's published files are on this machine, for the findings, benchmarks and tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from benchmark_tasks.errors import JouleboardError

VARIABLE = "JOULEBOARD_PUBLISHED_V3"
"""Names the folder with index.json, tasks/, models/ and findings.csv."""


def published_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder; `None` if the variable is not set or names no folder with published files."""
    value = environment.get(VARIABLE)
    folder = Path(value).absolute() if value else None
    return folder if folder and (folder / "index.json").is_file() else None


def require_published_folder() -> Path:
    """The folder.

    Raises:
        JouleboardError: it is not there.
    """
    folder = published_folder()
    if folder is None:
        raise JouleboardError(f"set {VARIABLE} to the folder with ML.ENERGY's published files (index.json)")
    return folder
