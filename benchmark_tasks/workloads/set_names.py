"""The name of a request set, from the id that runs record."""

from __future__ import annotations

import re
from pathlib import Path

SYNTHETIC = "synthetic"
OWN_PROMPTS = "prompts."
"""How the names of request sets begin that come from a file (`--prompts`)."""


def name_of_file(file: Path) -> str:
    """The name of the request set of a file: `prompts.` and the file's name without its ending."""
    return OWN_PROMPTS + (re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)[:60].strip("-") or "file")


def name_of(request_set_id: str) -> str:
    """The request set's name in a sweep, with the suffix of an unusual load (`Procedure.load_mark`)."""
    requests, plus, load = request_set_id.partition("+")
    name = SYNTHETIC if requests.startswith(SYNTHETIC) else requests.rsplit("-", 2)[0]
    return name + plus + load
