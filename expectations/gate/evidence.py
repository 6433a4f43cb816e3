"""What a bundle's own files say, beside what its record claims.

Reading every landed bundle's Parquet at every refresh would grow with all that was ever measured,
so evidence is kept in `evidence.jsonl` under a signature of the files (name, size, modification
time); a file that is touched later is read again. A problem is never kept: its cause may pass without a
trace in the signature (permissions, a network share), and few bundles have one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks import disk, statistics
from benchmark_tasks.errors import BundleError
from benchmark_tasks.measuring import steadiness
from benchmark_tasks.meters import energy, server_use
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.meters.vendors import VENDORS
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.tables import REQUESTS, Series
from benchmark_tasks.vocabulary import EnergySource, RunStatus
from expectations.gate import copies, recomputed

if TYPE_CHECKING:
    import pandas as pd

CACHE_FILE = "evidence.jsonl"
BUCKET_SECONDS = 5.0
"""Coverage of a timeline is the share of the window's 5-second slices with at least one sample."""

_CRASHES = re.compile(
    r"CUDA error|illegal memory access|OutOfMemoryError|Segmentation fault|Fatal Python error|NCCL error"
)

_STARTED = re.compile(
    r"(?:building the pipeline|starting the server) for .*?\| \d+x [^|(]*(?:\((?P<degrees>[^)]*)\) )?\|"
    r"(?: (?P<steps>\d+) steps (?P<width>\d+)x(?P<height>\d+)(?: (?P<frames>\d+) frames)?)?"
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
    window_tokens, mlenergy_window_tokens: output tokens of both windows, by the requests.
    answers_at_cap: completed answers that are as long as they may be.
    cut_off_tokens: how many tokens requests that did not complete still had to get.
    median_e2e_ms, mean_itl_ms: of the completed requests that were served from beginning to end.
    histogram_itl_ms: mean inter-token latency by the record's histogram.
    pieces_itl_ms: median inter-token latency of the answers whose pieces were kept.
    load_watts: mean power of all GPUs over the whole load, by their counters.
    odd_parts, odd_parts_shift: parts of the steady window that differ from its others, and what they do to
        its mean (0.0: there are none).
    timeline_joules: trapezoid integral of the power timeline over the ranking window.
    bad_samples: samples that are NaN, infinite or negative.
    crash: the first line of the server's log that reports a crash.
    content_digest: of everything in the record that was measured.
    request_marks, power_marks: by which a copy is known, whatever its record says (`copies.py`).
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
    mlenergy_window_tokens: float | None = None
    answers_at_cap: int | None = None
    cut_off_tokens: int | None = None
    median_e2e_ms: float | None = None
    mean_itl_ms: float | None = None
    histogram_itl_ms: float | None = None
    pieces_itl_ms: float | None = None
    load_watts: float | None = None
    odd_parts: str | None = None
    odd_parts_shift: float | None = None
    timeline_joules: float | None = None
    bad_samples: int | None = None
    crash: str | None = None
    content_digest: str | None = None
    request_marks: tuple[int, ...] = ()
    power_marks: tuple[int, ...] = ()


def gather(runs: Iterable[tuple[Run, Path]], cache_directory: Path) -> dict[str, Evidence]:
    """Evidence of every run by run id; whole bundles unchanged since the last call are not read again."""
    path = cache_directory / CACHE_FILE
    known = _read_cache(path)
    whole, others = {}, {}
    for run, directory in runs:
        key = _signature(directory)
        evidence = known.get(key) or examine(run, directory)
        if key is None or evidence.problem is not None:
            others[run.run_id] = evidence
        else:
            whole[key] = evidence
    if whole.keys() != known.keys():
        lines = [json.dumps({"key": key, **asdict(evidence)}) for key, evidence in whole.items()]
        disk.replace(path, "".join(line + "\n" for line in lines))
    return {evidence.run_id: evidence for evidence in whole.values()} | others


def examine(run: Run, directory: Path) -> Evidence:
    """Verify one bundle and read its files."""
    try:
        bundle.verify(directory)
        files = read_files(run, directory)
    except (BundleError, OSError) as error:
        return Evidence(run.run_id, problem=str(error))
    return replace(compare(run, files), **_marks(run, files))


@dataclass(frozen=True)
class Files:
    """What the files of a bundle hold, beside its record.

    requests, timelines: of a completed run; another may lack them.
    crash: the first line of the server's log that reports a crash.
    started: what driver.log says was started: parallel degrees, steps, width, height, frames; empty where it
        says nothing.
    """

    requests: pa.Table | None
    timelines: pa.Table | None
    crash: str | None = None
    started: Mapping[str, int] = field(default_factory=dict)


def read_files(run: Run, directory: Path) -> Files:
    """Read them.

    Raises:
        BundleError: one that a completed run must have is missing, or not readable.
    """
    requests, timelines = _tables(run, directory)
    started = _started(directory / bundle.DRIVER_LOG)
    return Files(requests, timelines, _crash(directory / bundle.SERVER_LOG), started)


def compare(run: Run, files: Files) -> Evidence:
    """What files say beside a record; a copy is not looked for."""
    return Evidence(
        run_id=run.run_id,
        **_requests_facts(run, files.requests),
        **_timeline_facts(run, files.timelines),
        **_second_witness(run, files),
        crash=files.crash,
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


def _second_witness(run: Run, files: Files) -> dict[str, Any]:
    """Figures of a completed run against its files."""
    if run.status is not RunStatus.COMPLETED or files.requests is None or files.timelines is None:
        return {}
    rows = files.requests.to_pandas().reindex(columns=REQUESTS.names)
    timeline = Timeline.from_table(files.timelines)
    pairs = [*recomputed.contradictions(run, rows, timeline), *_as_started(run, files.started)]
    largest, odd = recomputed.largest_contradiction(pairs), recomputed.odd_parts(run, rows)
    cut_off = rows[rows["error"].notna()]
    return {
        "contradiction": None if largest is None else str(largest),
        "contradiction_share": None if largest is None else largest.share,
        "window_tokens": recomputed.tokens_in_window(run.window_steady, rows),
        "mlenergy_window_tokens": recomputed.tokens_in_window(run.window_mlenergy, rows),
        "answers_at_cap": int((rows["error"].isna() & (rows["output_tokens"] >= rows["max_tokens"])).sum()),
        "cut_off_tokens": int((cut_off["max_tokens"] - cut_off["output_tokens"]).clip(lower=0).sum()),
        "load_watts": recomputed.mean_watts_of_load(run, timeline),
        "odd_parts": None if odd is None else odd[1],
        "odd_parts_shift": None if odd is None else odd[0],
        **(_latencies(run, rows) if run.requests and run.requests.output_tokens is not None else {}),
    }


def _latencies(run: Run, requests: pd.DataFrame) -> dict[str, float | None]:
    return {
        "median_e2e_ms": recomputed.median_e2e_ms(requests),
        "mean_itl_ms": recomputed.mean_itl_ms(requests),
        "histogram_itl_ms": recomputed.histogram_mean_ms(run.latency),
        "pieces_itl_ms": recomputed.median_itl_of_pieces_ms(requests),
    }


def _marks(run: Run, files: Files) -> dict[str, Any]:
    """By which a copy is known; power that was replayed is the same each time, and known as replayed."""
    if run.status is not RunStatus.COMPLETED or files.requests is None or files.timelines is None:
        return {}
    marks = {"request_marks": copies.marks_of_requests(files.requests["finished_seconds"].to_numpy())}
    if run.requests is None or not run.energy_source.is_counter:
        return marks
    timeline = Timeline.from_table(files.timelines)
    return {**marks, "power_marks": copies.marks_of_power(timeline, run.requests.duration_seconds)}


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


def _as_started(run: Run, noted: Mapping[str, int]) -> list[recomputed.Contradiction]:
    keys = run.configuration
    recorded = {
        "TP": keys.tensor_parallel,
        "EP": keys.expert_parallel,
        "DP": keys.data_parallel,
        "Ulysses": keys.ulysses_degree,
        "ring": keys.ring_degree,
        "steps": keys.inference_steps,
        "width": keys.width,
        "height": keys.height,
        "frames": keys.num_frames,
    }
    return recomputed.compared((f"{name} as started", recorded[name], noted[name]) for name in noted)


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


def _signature(directory: Path) -> str | None:
    """Changes when a file, or the code that reads it, does; `None` if the folder cannot be read now."""
    try:
        stats = [(path.name, path.stat()) for path in sorted(directory.iterdir())]
    except OSError:
        return None
    text = ";".join(f"{name},{stat.st_size},{stat.st_mtime_ns}" for name, stat in stats)
    modules = [Path(str(module.__file__)) for module in (copies, steadiness, statistics, server_use, energy)]
    sources = [*modules, *sorted(Path(str(recomputed.__file__)).parent.glob("*.py"))]
    code = b"".join(source.read_bytes() for source in (Path(__file__), *sources))
    version = hashlib.sha256(code).hexdigest()
    return hashlib.sha256(f"{version};{directory};{text}".encode()).hexdigest()[:32]


def _read_cache(path: Path) -> dict[str | None, Evidence]:
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return {row.pop("key"): Evidence(**row) for row in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return {}  # absent, or of another version: everything is read again
