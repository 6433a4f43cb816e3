"""The marts that the pages' queries need: each query is a file beside the page that it fills."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


@cache
def needed_marts(paths: tuple[Path, ...]) -> frozenset[str]:
    """Every mart that these queries read."""
    return frozenset(name for path in paths for name in re.findall(r"marts\.(\w+)", path.read_text()))
