"""What ML.ENERGY published before the data that is imported: recognised, and refused with the reason.

v1 (2023)  <GPU>_<task>_benchmark.csv: model, throughput, response_length, latency, energy
v2 (2024)  <kind>/<task>/<GPU>/<organisation>/<model>/bs8+tp1+pp1.json: 6 to 10 figures of one configuration
v3         as now; states before `CORRECTED` hold rows that ML.ENERGY corrected later

Rows of v1 and v2 do not say the precision of the weights, which is part of what a row is one row of, nor the
power and the percentiles of latency that every row of v3 has. Their tasks have other requests. So none of
them can be a row here without a value that nobody published.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

from benchmark_tasks.errors import ImportRefused

CORRECTED = date(2026, 2, 16)
"""`last_updated` of the state of v3 in which ML.ENERGY had corrected parallelism and throughput of rows."""

_V1_FILES, _V1_HEADER = "*_benchmark.csv", ["model", "throughput", "response_length", "latency", "energy"]
_V2_FILES = "bs*+*.json"
_DEEPEST = 6
_MOST_FOLDERS = 3000
"""Folders that are looked at; v2 has 300."""
_UNSAID = "the precision of weights, power, percentiles of latency and the release of the runtime"
_NEWER = "`jouleboard import mlenergy` reads v3"


def refuse_earlier(root: Path) -> None:
    """Raise ImportRefused for a folder with results of v1 or v2."""
    of_v1: Path | None = None
    for folder in _folders(root):
        if (of_v2 := next((each for each in folder.glob(_V2_FILES) if _is_v2(each)), None)) is not None:
            raise ImportRefused(
                f"{of_v2}: a result of ML.ENERGY's leaderboard v2 (2024); nothing was imported: v2 does not"
                f" say {_UNSAID}, and its tasks have other requests; {_NEWER}"
            )
        if of_v1 is None:
            of_v1 = next((each for each in folder.glob(_V1_FILES) if _header(each) == _V1_HEADER), None)
    if of_v1 is not None:
        raise ImportRefused(
            f"{of_v1}: results of ML.ENERGY's leaderboard v1 (2023); nothing was imported: v1 does not say"
            f" batch size, number of GPUs, {_UNSAID}, and its tasks have other requests; {_NEWER}"
        )


def corrected_since(last_updated: date) -> str:
    """What to add to the refusal of a state of v3; empty for one that ML.ENERGY has not corrected."""
    if last_updated >= CORRECTED:
        return ""
    return f" (v3 as of {last_updated}; ML.ENERGY corrected its rows until {CORRECTED}: give a newer state)"


def _folders(root: Path) -> Iterator[Path]:
    """The folder and those in it, nearest first; hidden ones and what cannot be read are left out."""
    waiting = deque([(root, 0)])
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        folder, depth = waiting.popleft()
        yield folder
        if depth < _DEEPEST:
            with suppress(OSError):
                below = sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
                waiting += [(each, depth + 1) for each in below if not each.name.startswith(".")]


def _header(file: Path) -> list[str]:
    try:
        with file.open(newline="") as lines:
            return next(csv.reader(itertools.islice(lines, 1)), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _is_v2(file: Path) -> bool:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return (
        isinstance(content, dict)
        and {"Model", "GPU"} <= content.keys()
        and any(name.startswith("Energy/") for name in content)
    )
