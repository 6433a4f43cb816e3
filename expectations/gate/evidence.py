"""What a bundle's own files say, beside what its record claims.

Reading every landed bundle's Parquet at every refresh would grow with all that was ever measured,
so evidence is kept in `evidence.jsonl` under a signature of the files (name, size, modification
time); a file that is touched later is read again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks import disk, statistics
from benchmark_tasks.errors import BundleError
from benchmark_tasks.measuring import steadiness
from benchmark_tasks.meters.vendors import VENDORS
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.tables import REQUESTS, Series
from benchmark_tasks.vocabulary import EnergySource, RunStatus
from expectations.gate import recomputed

if TYPE_CHECKING:
    import pandas as pd

CACHE_FILE = "evidence.jsonl"
BUCKET_SECONDS = 5.0
"""Coverage of a timeline is the share of the window's 5-second slices with at least one sample."""

_CRASHES = re.compile(
    r"CUDA error|illegal memory access|OutOfMemoryError|Segmentation fault|Fatal Python error|NCCL error"
)


@dataclass(frozen=True)
class Evidence:
    """Facts of one bundle. `None`: the bundle does not say.

    problem: why the bundle is not whole, or `None`; the rest is then unknown.
    request_count_difference, request_token_difference: requests.parquet against the record.
    request_disorders: requests whose times are out of order.
    request_tokens: output tokens of all requests, cancelled ones too.
    power_coverage, metrics_coverage: share of the ranking window with samples.
    power_frozen_seconds: longest stretch of one and the same power reading on any GPU.
    power_gpus: GPUs in the power timeline.
    power_cap_share: share of the readings of the ranking window in which the power cap slowed a GPU down, of
        the GPU that was slowed down least.
    contradiction, contradiction_share: the figure of the record that is farthest from what the files give for
        it, and how far (`recomputed.py`).
    window_tokens: output tokens of the steady window, by the requests.
    median_e2e_ms, mean_itl_ms: of the completed requests that were served from beginning to end.
    odd_parts, odd_parts_shift: parts of the steady window that differ from its others, and what they do to
        its mean (0.0: there are none).
    timeline_joules: trapezoid integral of the power timeline over the ranking window.
    bad_samples: samples that are NaN, infinite or negative.
    crash: the first line of the server's log that reports a crash.
    content_digest: of everything measured, so that a replay under another id is found.
    """

    run_id: str
    problem: str | None = None
    request_count_difference: int | None = None
    request_token_difference: int | None = None
    request_disorders: int | None = None
    request_tokens: int | None = None
    power_coverage: float | None = None
    metrics_coverage: float | None = None
    power_frozen_seconds: float | None = None
    power_gpus: int | None = None
    power_cap_share: float | None = None
    contradiction: str | None = None
    contradiction_share: float | None = None
    window_tokens: float | None = None
    median_e2e_ms: float | None = None
    mean_itl_ms: float | None = None
    odd_parts: str | None = None
    odd_parts_shift: float | None = None
    timeline_joules: float | None = None
    bad_samples: int | None = None
    crash: str | None = None
    content_digest: str | None = None


def gather(runs: Iterable[tuple[Run, Path]], cache_directory: Path) -> dict[str, Evidence]:
    """Evidence of every run by run id; files unchanged since the last call are not read again."""
    path = cache_directory / CACHE_FILE
    known = _read_cache(path)
    fresh = {}
    for run, directory in runs:
        key = _signature(directory)
        fresh[key] = known.get(key) or examine(run, directory)
    if fresh.keys() != known.keys():
        lines = [json.dumps({"key": key, **asdict(evidence)}) for key, evidence in fresh.items()]
        disk.replace(path, "".join(line + "\n" for line in lines))
    return {evidence.run_id: evidence for evidence in fresh.values()}


def examine(run: Run, directory: Path) -> Evidence:
    """Verify one bundle and read its Parquet files."""
    try:
        bundle.verify(directory)
        requests, timelines = _tables(run, directory)
    except (BundleError, OSError) as error:
        return Evidence(run.run_id, problem=str(error))
    return Evidence(
        run_id=run.run_id,
        **_requests_facts(run, requests),
        **_timeline_facts(run, timelines),
        **_second_witness(run, requests, timelines),
        crash=_crash(directory / bundle.SERVER_LOG),
        content_digest=content_digest(run),
    )


def content_digest(run: Run) -> str | None:
    """SHA-256 of all that was measured; `None` for a run without a result."""
    if run.status is not RunStatus.COMPLETED:
        return None
    names = {"run_id", "started_at", "finished_at", "campaign_id", "note"}
    return hashlib.sha256(run.model_dump_json(exclude=names).encode()).hexdigest()


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
        try:
            tables.append(pq.read_table(path))
        except (pa.ArrowException, OSError) as error:
            first = str(error).splitlines()[0]
            raise BundleError(f"{path}: not readable as Parquet: {first}; measure again") from error
    return tables[0], tables[1]


def _requests_facts(run: Run, table: pa.Table | None) -> dict[str, Any]:
    wanted = {"sent_seconds", "first_token_seconds", "finished_seconds", "output_tokens", "error"}
    if table is None or run.requests is None or not wanted <= set(table.column_names):
        return {}
    completed = table.filter(pc.is_null(table["error"]))
    sent, first, finished = (
        completed[name].to_numpy() for name in ("sent_seconds", "first_token_seconds", "finished_seconds")
    )
    if run.requests.output_tokens is None:  # images and videos: no tokens, and no first one
        return {
            "request_count_difference": completed.num_rows - run.requests.completed,
            "request_disorders": int((~(sent <= finished)).sum()),
        }
    tokens = pc.sum(completed["output_tokens"]).as_py() or 0
    return {
        "request_count_difference": completed.num_rows - run.requests.completed,
        "request_token_difference": tokens - run.requests.output_tokens,
        "request_tokens": pc.sum(table["output_tokens"]).as_py() or 0,
        "request_disorders": int((~((sent <= first) & (first <= finished))).sum()),
    }


def _timeline_facts(run: Run, table: pa.Table | None) -> dict[str, Any]:
    if table is None:
        return {}
    series = table["series"].cast(pa.string())
    seconds, values = table["seconds"].to_numpy(), table["value"].to_numpy().astype(float)
    names = series.to_numpy(zero_copy_only=False)
    facts: dict[str, Any] = {
        "bad_samples": int((~np.isfinite(values) | ~np.isfinite(seconds) | (values < 0)).sum())
    }
    window = ranking_span(run)
    if window is None:
        return facts
    power, running = names == Series.POWER_WATTS, names == Series.RUNNING_REQUESTS
    if running.any():
        facts["metrics_coverage"] = _coverage(seconds[running], window)
    if power.any():
        gpu = table["gpu_index"].to_numpy(zero_copy_only=False)
        per_gpu = [
            (seconds[power & (gpu == index)], values[power & (gpu == index)])
            for index in np.unique(gpu[power])
        ]
        facts |= {
            "power_gpus": len(per_gpu),
            "power_coverage": min(_coverage(at, window) for at, _ in per_gpu),
            "power_frozen_seconds": max(_longest_frozen(at, watts, window) for at, watts in per_gpu),
            "timeline_joules": float(sum(_integral(at, watts, window) for at, watts in per_gpu)),
        }
    throttled = names == Series.THROTTLE_REASON_BITS
    if throttled.any():
        readings = table.filter(pa.array(throttled)).to_pandas()
        facts["power_cap_share"] = _power_cap_share(readings, window, run.energy_source)
    return facts


def _power_cap_share(readings: pd.DataFrame, window: Span, source: EnergySource) -> float | None:
    inside = readings[readings["seconds"].between(window.start, window.end)]
    vendor = next((vendor for vendor in VENDORS if vendor.energy_source is source), None)
    if vendor is None or inside.empty:
        return None
    names = {bits: vendor.throttle_names(int(bits)) for bits in inside["value"].unique()}
    capped = inside["value"].map(lambda bits: any("power_cap" in name for name in names[bits]))
    return float(capped.groupby(inside["gpu_index"]).mean().min())


def _second_witness(run: Run, requests: pa.Table | None, timelines: pa.Table | None) -> dict[str, Any]:
    """Figures of a completed run against its files."""
    if run.status is not RunStatus.COMPLETED or requests is None or timelines is None:
        return {}
    rows = requests.to_pandas().reindex(columns=REQUESTS.names)
    pairs = [
        *recomputed.of_timelines(run, timelines.to_pandas()),
        *recomputed.of_requests(run, rows),
        *recomputed.of_parts(run.window_steady),
        *recomputed.of_parts(run.window_mlenergy),
    ]
    largest, odd = recomputed.largest_contradiction(pairs), recomputed.odd_parts(run, rows)
    return {
        "contradiction": None if largest is None else str(largest),
        "contradiction_share": None if largest is None else largest.share,
        **recomputed.latencies(run, rows),
        "window_tokens": recomputed.tokens_in_window(run, rows),
        "odd_parts": None if odd is None else odd[1],
        "odd_parts_shift": None if odd is None else odd[0],
    }


@dataclass(frozen=True)
class Span:
    """From when to when, seconds after the start of the load."""

    start: float
    end: float


def ranking_span(run: Run) -> Span | None:
    """The span of the window that ranks: ours, else ML.ENERGY's; `None` when neither has one."""
    for window in (run.window_steady, run.window_mlenergy):
        if window is not None and window.start_seconds is not None and window.end_seconds is not None:
            return Span(window.start_seconds, window.end_seconds)
    return None


def _coverage(at: np.ndarray, window: Span) -> float:
    span = window.end - window.start
    slices = max(int(span // BUCKET_SECONDS), 1)
    inside = at[(at >= window.start) & (at < window.end)]
    width = span / slices if span > 0 else 1.0
    return len(np.unique(((inside - window.start) // width).astype(int))) / slices


def _longest_frozen(at: np.ndarray, values: np.ndarray, window: Span) -> float:
    """Seconds of the longest run of equal consecutive values inside the window."""
    inside = (at >= window.start) & (at <= window.end)
    order = np.argsort(at[inside])
    at, values = at[inside][order], values[inside][order]
    if at.size <= 1:
        return 0.0
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:] - 1, len(values) - 1]
    return float((at[ends] - at[starts]).max())


def _integral(at: np.ndarray, watts: np.ndarray, window: Span) -> float:
    """Trapezoid integral over the window, its ends interpolated, joules."""
    order = np.argsort(at)
    at, watts = at[order], watts[order]
    start, end = window.start, window.end
    inside = (at > start) & (at < end)
    grid = np.r_[start, at[inside], end]
    return float(np.trapezoid(np.interp(grid, at, watts), grid))


def _crash(log: Path) -> str | None:
    if not log.exists():
        return None
    with log.open(errors="replace") as lines:
        return next((line.strip()[:300] for line in lines if _CRASHES.search(line)), None)


def _signature(directory: Path) -> str:
    stats = [(path.name, path.stat()) for path in sorted(directory.iterdir())]
    text = ";".join(f"{name},{stat.st_size},{stat.st_mtime_ns}" for name, stat in stats)
    sources = [Path(str(module.__file__)) for module in (recomputed, steadiness, statistics)]
    code = b"".join(source.read_bytes() for source in (Path(__file__), *sources))
    version = hashlib.sha256(code).hexdigest()
    return hashlib.sha256(f"{version};{directory};{text}".encode()).hexdigest()[:32]


def _read_cache(path: Path) -> dict[str, Evidence]:
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return {row.pop("key"): Evidence(**row) for row in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return {}  # absent, or of another version: everything is read again
