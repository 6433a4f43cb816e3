"""The files of a bundle, read for the gate: requests, timelines, and what the logs say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmark_tasks.errors import BundleError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import RunStatus
from expectations.gate.bundle_tables import read_table

_CRASHES = re.compile(
    r"CUDA error|illegal memory access|OutOfMemoryError|Segmentation fault|Fatal Python error|NCCL error"
)
_STARTED = re.compile(
    r"(?:building the pipeline|starting the server) for .*?\| \d+x [^|(]*(?:\((?P<degrees>[^)]*)\) )?\|"
    r"(?: (?P<steps>\d+) steps (?P<width>\d+)x(?P<height>\d+)(?: (?P<frames>\d+) frames)?)?"
)


@dataclass(frozen=True)
class Files:
    """What the files of a bundle hold, beside its record.

    requests, timelines: of a completed run; another may lack them. answers: where some were kept or graded.
    not_numbers: how many samples are left out of the timelines because they are NaN or infinite.
    crash: the first line of the server's log that reports a crash.
    started: what driver.log says was started: parallel degrees, steps, width, height, frames; empty where it
        says nothing.
    """

    requests: pa.Table | None
    timelines: pa.Table | None
    crash: str | None = None
    started: Mapping[str, int] = field(default_factory=dict)
    answers: pa.Table | None = None
    not_numbers: int = 0


def read_files(run: Run, directory: Path) -> Files:
    """Read the files of a bundle.

    Raises:
        BundleError: a file that a completed run must have is missing, or a table is not as it should be.
    """
    requests, timelines = _tables(run, directory)
    started = _started(directory / bundle.DRIVER_LOG)
    answers = _answers(directory / bundle.ANSWERS_FILE)
    left_out = 0
    if timelines is not None:
        numbers = timelines.filter(pc.is_finite(timelines["value"]))
        left_out, timelines = timelines.num_rows - numbers.num_rows, numbers
    return Files(requests, timelines, _crash(directory / bundle.SERVER_LOG), started, answers, left_out)


def _tables(run: Run, directory: Path) -> tuple[pa.Table | None, pa.Table | None]:
    """Requests and timelines; a completed run must have both."""
    tables: list[pa.Table | None] = []
    for name in (bundle.REQUESTS_FILE, bundle.TIMELINES_FILE):
        path = directory / name
        if not path.exists():
            if run.status is RunStatus.COMPLETED:
                raise BundleError(f"{path}: missing; a completed run has it; land the bundle again")
            tables.append(None)
            continue
        tables.append(read_table(path))
    return tables[0], tables[1]


def _answers(path: Path) -> pa.Table | None:
    try:
        return read_table(path)
    except FileNotFoundError:
        return None


def _started(log: Path) -> dict[str, int]:
    """What the driver noted when it started the runtime; a degree that is not noted is 1."""
    try:
        noted = list(_STARTED.finditer(log.read_text(errors="replace")))
    except FileNotFoundError:
        return {}
    if not noted:
        return {}
    found = noted[-1].groupdict()
    degrees = dict(part.split() for part in (found.pop("degrees") or "").split(", ") if part)
    found |= {name: degrees.get(name, "1") for name in ("TP", "EP", "DP", "Ulysses", "ring")}
    return {name: int(value) for name, value in found.items() if value is not None}


def _crash(log: Path) -> str | None:
    if not log.exists():
        return None
    with log.open(errors="replace") as lines:
        return next((line.strip()[:300] for line in lines if _CRASHES.search(line)), None)
