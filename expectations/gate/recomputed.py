"""What a record says, worked out again from the bundle's own files: a second witness for its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.diffusion.windows import FINEST_PARTS
from benchmark_tasks.measuring.steadiness import in_words, odd_part
from benchmark_tasks.plan.procedure import CPU_PROCEDURE, GPU_PROCEDURE
from benchmark_tasks.results.schema import Device, Run, Window
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import LengthControl

if TYPE_CHECKING:
    import pandas as pd

Statistic = Callable[[np.ndarray], float]

FEWEST_SUB_WINDOWS = 5
ROUNDING = 1e-6
"""Seconds."""


@dataclass(frozen=True)
class Contradiction:
    """A figure of the record, and what the files give for it. `share`: how far apart, of the larger one."""

    name: str
    recorded: float
    recomputed: float

    @property
    def share(self) -> float:
        """The difference, as a share of the larger of both."""
        largest = max(abs(self.recorded), abs(self.recomputed))
        return abs(self.recorded - self.recomputed) / largest if largest else 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.recorded:.5g} in run.json, {self.recomputed:.5g} in the files"


def largest_contradiction(pairs: Iterable[Contradiction]) -> Contradiction | None:
    """The one whose two values are farthest apart; `None` where there is nothing to compare."""
    return max(pairs, key=lambda pair: pair.share, default=None)


def of_timelines(run: Run, timelines: pd.DataFrame) -> list[Contradiction]:
    """Energy of every GPU and window, and what the GPUs did, by the samples of the meters."""
    series = dict(iter(timelines.groupby(timelines["series"].astype(str))))
    pairs = []
    for title, window in (("steady", run.window_steady), ("ML.ENERGY's", run.window_mlenergy)):
        if window is not None and Series.ENERGY_COUNTER_JOULES in series:
            pairs += _energy_pairs(title, window, series[Series.ENERGY_COUNTER_JOULES])
    return pairs + _device_pairs(run.device, run.window_steady, series)


def of_requests(run: Run, requests: pd.DataFrame) -> list[Contradiction]:
    """Totals of the whole load, by its requests."""
    if run.requests is None:
        return []
    completed = requests[requests["error"].isna()]
    pairs: list[tuple[str, float | None, float]] = [
        ("duration in seconds", run.requests.duration_seconds, requests["finished_seconds"].max())
    ]
    if run.requests.prompt_tokens is not None:
        pairs.append(("prompt tokens", run.requests.prompt_tokens, completed["prompt_tokens"].sum()))
    settled = run.window_steady is not None and run.window_steady.settled
    if run.comparability.length_control is LengthControl.FIXED and settled:
        # A run that never settled has no energy per answer. The first such records took the mean of all
        # lengths that were drawn, sent or not, which the files do not have.
        prescribed = _from_beginning(requests)["max_tokens"].mean()
        pairs.append(("mean answer length", run.requests.mean_output_tokens, prescribed))
    return _known(pairs)


def latencies(run: Run, requests: pd.DataFrame) -> dict[str, float | None]:
    """Median time of a request and mean time per token, of requests served from beginning to end."""
    whole = _from_beginning(requests[requests["error"].isna()])
    if run.requests is None or run.requests.output_tokens is None or whole.empty:
        return {}
    seconds = whole["finished_seconds"] - whole["sent_seconds"]
    gaps = (whole["output_tokens"] - 1).sum()
    writing = (whole["finished_seconds"] - whole["first_token_seconds"]).sum()
    return {
        "median_e2e_ms": float(seconds.median() * 1000),
        "mean_itl_ms": float(writing / gaps * 1000) if gaps else None,
    }


def _from_beginning(requests: pd.DataFrame) -> pd.DataFrame:
    """Without those that stand for the rest of an answer."""
    return requests[~requests["under_way"].eq(True)]


def of_parts(window: Window | None) -> list[Contradiction]:
    """Totals of a window, by its parts."""
    if window is None or not window.sub_windows or window.energy is None:
        return []
    joules = sum(part.counter_joules for part in window.sub_windows)
    outputs = sum(part.outputs for part in window.sub_windows)
    return _known([("energy", window.energy.counter_joules, joules), ("outputs", window.outputs, outputs)])


def tokens_in_window(run: Run, requests: pd.DataFrame) -> float | None:
    """Output tokens of the steady window, as if each answer had been written evenly."""
    window = run.window_steady
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return None
    begun = requests[requests["first_token_seconds"].notna()]
    first, last = begun["first_token_seconds"].to_numpy(), begun["finished_seconds"].to_numpy()
    inside = np.minimum(last, window.end_seconds) - np.maximum(first, window.start_seconds)
    share = np.clip(inside, 0, None) / np.maximum(last - first, 1e-9)
    return float((share * begun["output_tokens"].to_numpy()).sum())


def odd_parts(run: Run, requests: pd.DataFrame) -> tuple[float, str] | None:
    """Parts of the steady window that differ from the others: what they do to its mean, and in words."""
    window = run.window_steady
    if window is None or not window.settled:
        return None
    series = _sub_windows(window) if window.output_items is None else _batches(window, requests)
    procedure = GPU_PROCEDURE if run.energy_source.is_counter else CPU_PROCEDURE
    odd = {name: odd_part(values, procedure.drift_limit) for name, values in series.items()}
    known = [(name, parts) for name, parts in odd.items() if parts is not None]
    if not known:
        return 0.0, ""
    words = "; ".join(in_words(name, parts, len(series[name])) for name, parts in known)
    return max(abs(parts.shift) for _, parts in known), words


def _sub_windows(window: Window) -> dict[str, np.ndarray]:
    """They are equally long, so outputs and joules tell throughput and power."""
    if len(window.sub_windows) < FEWEST_SUB_WINDOWS:
        return {}
    return {
        "throughput": np.array([part.outputs for part in window.sub_windows], dtype=float),
        "power": np.array([part.counter_joules for part in window.sub_windows]),
    }


def _batches(window: Window, requests: pd.DataFrame) -> dict[str, np.ndarray]:
    """Seconds per item of every batch, with the gap before it; many batches in `FINEST_PARTS` even runs."""
    assert window.start_seconds is not None and window.end_seconds is not None
    batches = requests.groupby(["sent_seconds", "finished_seconds"]).size().reset_index(name="items")
    begins, ends = batches["sent_seconds"].to_numpy(), batches["finished_seconds"].to_numpy()
    inside = np.flatnonzero(
        (begins >= window.start_seconds - ROUNDING) & (ends <= window.end_seconds + ROUNDING)
    )
    if len(inside) == 0:
        return {}
    runs = np.array_split(inside, min(len(inside), FINEST_PARTS))
    begin = ends[inside[0] - 1] if inside[0] else begins[inside[0]]
    edges = np.array([begin, *(ends[run[-1]] for run in runs)])
    return {"time per item": np.diff(edges) / [batches["items"].to_numpy()[run].sum() for run in runs]}


def _energy_pairs(title: str, window: Window, counter: pd.DataFrame) -> list[Contradiction]:
    if window.energy is None or window.start_seconds is None or window.end_seconds is None:
        return []
    edges = [window.start_seconds, window.end_seconds]
    readings = [part for _, part in counter.groupby("gpu_index")]
    joules = [np.diff(np.interp(edges, part["seconds"], part["value"]))[0] for part in readings]
    pairs = zip(window.energy.counter_joules_per_gpu, joules, strict=False)
    return [Contradiction(f"joules of GPU {gpu}, {title} window", *pair) for gpu, pair in enumerate(pairs)]


def _device_pairs(
    device: Device, window: Window | None, series: dict[str, pd.DataFrame]
) -> list[Contradiction]:
    """The span is that of the window that ranks; without one the record has no such figures."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    facts: list[tuple[str, float | None, Series, Statistic]] = [
        ("highest power in W", device.power_max_watts_per_gpu, Series.POWER_WATTS, np.max),
        ("lowest temperature", device.temperature_min_celsius, Series.TEMPERATURE_CELSIUS, np.min),
        ("highest temperature", device.temperature_max_celsius, Series.TEMPERATURE_CELSIUS, np.max),
        ("SM clock in MHz", device.sm_clock_median_mhz, Series.SM_CLOCK_MHZ, np.median),
        ("memory clock in MHz", device.memory_clock_median_mhz, Series.MEMORY_CLOCK_MHZ, np.median),
    ]
    pairs = []
    for name, recorded, read, statistic in facts:
        values = _between(series.get(read), window.start_seconds, window.end_seconds)
        if len(values):
            pairs.append((name, recorded, float(statistic(values))))
    return _known(pairs)


def _between(samples: pd.DataFrame | None, start: float, end: float) -> np.ndarray:
    """Values of the samples of a span; none without samples."""
    if samples is None:
        return np.array([])
    at, values = samples["seconds"].to_numpy(), samples["value"].to_numpy()
    inside: np.ndarray = values[(at >= start) & (at <= end)]
    return inside


def _known(pairs: Iterable[tuple[str, float | None, float]]) -> list[Contradiction]:
    return [
        Contradiction(name, float(recorded), float(recomputed))
        for name, recorded, recomputed in pairs
        if recorded is not None and not np.isnan(recomputed)
    ]
