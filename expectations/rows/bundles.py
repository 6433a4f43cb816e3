"""The figures of one run, from the files of its bundle: a second, short path beside dbt's.

The samples in `timelines.parquet` and `requests.parquet` give energy, counts and latencies. `run.json` has
them as they were measured, with the edges of the windows. Where both agree as well as the gate asks of them,
what was measured stands; where not, what the samples give is the figure, and no published figure equals it.

Times between pieces are whole microseconds, so what follows from them has bounds (`rows.pieces`). Of the
pieces of answers often only a few were kept. Then the tokens of a window are confirmed by when answers began
and ended, at the pace of the server's own count, and the inter-token latencies are those of `run.json`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Quantiles, Run, Window
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource, LengthControl, RunStatus
from expectations.rows.pieces import Pieces

Figures = dict[str, float | None]
"""Figures of a run by their column in `leaderboard`; units are in the names."""

_AGREE = 0.001
"""Relative: as in the gate's check `record_follows_from_files`. Recorded runs agree to the last digit."""
_WRITTEN = 0.131
"""Relative: how far the tokens of a window may be from those of its requests, as in the gate (-10 to +15 % of
them); 6 % in recorded runs."""
_LEVELS = {"median": ("p50", 0.5), "p90": ("p90", 0.9), "p95": ("p95", 0.95), "p99": ("p99", 0.99)}
_ROUNDING_SECONDS = 1e-6
"""Batches of images and videos have the times of their window, which were rounded once."""


def counts(run: Run) -> bool:
    """Whether an accepted run is part of a row: it completed, and its ranking window settled."""
    return run.status is RunStatus.COMPLETED and run.window_steady is not None and run.window_steady.settled


def figures_of(run: Run, folder: Path) -> Figures:
    """Figures of a run that `counts`, from its bundle in `folder`; `None` where it has none.

    Raises:
        BundleError: a file is missing, or is not what it was when the run was measured.
    """
    bundle.verify(folder)
    requests = pd.read_parquet(folder / bundle.REQUESTS_FILE)
    timeline = pd.read_parquet(folder / bundle.TIMELINES_FILE)
    return {**_rates(run, requests, timeline), **_latencies(run, requests)}


def _confirmed(recorded: float | None, sampled: float | None, agree: float = _AGREE) -> float | None:
    """What was measured, if the samples confirm it; else what they give."""
    return None if sampled is None else _within(recorded, sampled, sampled, agree)


def _within(recorded: float | None, low: float, high: float, agree: float = _AGREE) -> float | None:
    """What was measured, if it lies between what the samples allow; else the nearer of these bounds."""
    if recorded is None:
        return None
    nearest = float(np.clip(recorded, low, high))
    return recorded if abs(recorded - nearest) <= agree * abs(recorded) else nearest


def _rates(run: Run, requests: pd.DataFrame, timeline: pd.DataFrame) -> Figures:
    """Energy, power and throughput."""
    window, whole = run.window_steady, run.requests
    assert window is not None and window.start_seconds is not None and window.end_seconds is not None
    assert whole is not None
    seconds = window.end_seconds - window.start_seconds
    outputs, joules = _outputs(window, requests, timeline), _joules(run, window, timeline)
    other = None if joules is None else _joules(run, run.window_mlenergy, timeline)
    length = _response_tokens(run, requests)
    per_output, watts, throughput = _ratio(joules, outputs), _ratio(joules, seconds), _ratio(outputs, seconds)
    is_text = window.output_items is None
    generated = _confirmed(whole.output_tokens, requests[requests["error"].isna()]["output_tokens"].sum())
    lasted = _confirmed(whole.duration_seconds, requests["finished_seconds"].max())
    in_a_row = _ratio(outputs, run.configuration.batch_size)
    return {
        "energy_per_output_joules": per_output,
        "energy_per_response_joules": _product(per_output, length) if is_text else per_output,
        "mlenergy_window_energy_per_output_joules": _ratio(
            other, _outputs(run.window_mlenergy, requests, timeline)
        ),
        "output_tokens_per_response": length,
        "throughput_per_second": throughput,
        "whole_run_throughput_per_second": _ratio(generated, lasted),
        "mean_power_watts": watts,
        "throughput_per_watt": _ratio(throughput, watts),
        "batch_latency_seconds": None if is_text else _ratio(seconds, in_a_row),
    }


def _joules(run: Run, window: Window | None, timeline: pd.DataFrame) -> float | None:
    """The difference of every GPU's energy counter between the ends of a window, summed."""
    if window is None or window.energy is None or run.energy_source is not EnergySource.NVML_COUNTER:
        return None
    assert window.start_seconds is not None and window.end_seconds is not None
    counters = timeline[timeline["series"] == "energy_counter_joules"]
    edges = window.start_seconds, window.end_seconds
    spent = [_gained(counter, *edges) for _, counter in counters.groupby("gpu_index")]
    return _confirmed(window.energy.counter_joules, sum(spent))


def _gained(counter: pd.DataFrame, start: float, end: float) -> float:
    return float(np.diff(np.interp([start, end], counter["seconds"], counter["value"])).item())


def _outputs(window: Window | None, requests: pd.DataFrame, timeline: pd.DataFrame) -> float | None:
    """The tokens of a window, or its images or videos: those of the whole batches in it."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return None
    if window.output_tokens is None:
        return _confirmed(window.output_items, len(_items(window, requests)))
    begun = requests[requests["first_token_seconds"].notna() & requests["finished_seconds"].notna()]
    edges = window.start_seconds, window.end_seconds
    if _pieces_are_kept(begun):
        return _within(window.output_tokens, *Pieces.of(begun).tokens_between(*edges))
    ways = (_tokens_if_even(begun, *edges), _tokens_at_pace(begun, timeline, *edges))
    recorded = window.output_tokens
    nearest = min((told for told in ways if told is not None), key=lambda told: abs(told - recorded))
    return _confirmed(recorded, nearest, _WRITTEN)


def _items(window: Window, requests: pd.DataFrame) -> pd.DataFrame:
    assert window.start_seconds is not None and window.end_seconds is not None
    begun = requests["sent_seconds"] >= window.start_seconds - _ROUNDING_SECONDS
    ended = requests["finished_seconds"] <= window.end_seconds + _ROUNDING_SECONDS
    items: pd.DataFrame = requests[begun & ended]
    return items


def _pieces_are_kept(requests: pd.DataFrame) -> bool:
    return len(requests) > 0 and bool(requests["chunk_gap_us"].notna().all())


def _tokens_at_pace(begun: pd.DataFrame, timeline: pd.DataFrame, start: float, end: float) -> float | None:
    """The tokens of a window, if what the server counted between two readings went to all answers alike.

    Each answer keeps its number of tokens: only how they lie between its ends comes from the server. `None`
    if its readings do not span the answers.
    """
    counter = timeline[timeline["series"] == Series.GENERATED_TOKENS]
    at, counted = counter["seconds"].to_numpy(), counter["value"].to_numpy()
    touched = begun[(begun["finished_seconds"] > start) & (begun["first_token_seconds"] < end)]
    if touched.empty or not len(at) or np.any(np.diff(counted) < 0):
        return None
    first, last = touched["first_token_seconds"].to_numpy(), touched["finished_seconds"].to_numpy()
    if at[0] > min(first.min(), start) or at[-1] < max(last.max(), end):
        return None
    answer_seconds = np.diff(_seconds_written(begun, at))
    pace = np.concatenate(
        [[0.0], np.cumsum(np.diff(counted) / np.maximum(answer_seconds, 1e-9) * np.diff(at))]
    )
    ends = (first, last, np.maximum(first, start), np.minimum(last, end))
    begins, finishes, low, high = (np.interp(seconds, at, pace) for seconds in ends)
    whole = finishes - begins
    of_pace = np.maximum(high - low, 0) / np.where(whole > 0, whole, 1)
    return _first_and_others(
        touched, np.where(whole > 0, of_pace, _time_share(touched, start, end)), start, end
    )


def _seconds_written(answers: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """For how many seconds answers were written until each moment, all together."""

    def since(moments: pd.Series) -> np.ndarray:
        ordered = np.sort(moments.to_numpy())
        sums, past = np.concatenate([[0.0], np.cumsum(ordered)]), np.searchsorted(ordered, at)
        gone: np.ndarray = past * at - sums[past]
        return gone

    written: np.ndarray = since(answers["first_token_seconds"]) - since(answers["finished_seconds"])
    return written


def _first_and_others(
    answers: pd.DataFrame, share: np.ndarray | pd.Series, start: float, end: float
) -> float:
    """The first token of an answer comes when it begins; of the others a share is in the window."""
    came = (answers["first_token_seconds"] > start) & (answers["first_token_seconds"] <= end)
    return float((came + share * (answers["output_tokens"] - 1).clip(lower=0)).sum())


def _tokens_if_even(begun: pd.DataFrame, start: float, end: float) -> float:
    """The same, as if each answer had been written evenly."""
    return _first_and_others(begun, _time_share(begun, start, end), start, end)


def _time_share(answers: pd.DataFrame, start: float, end: float) -> pd.Series:
    first, last = answers["first_token_seconds"], answers["finished_seconds"]
    inside = np.maximum(np.minimum(last, end) - np.maximum(first, start), 0)
    share: pd.Series = inside / np.maximum(last - first, 1e-9)
    return share


def _response_tokens(run: Run, requests: pd.DataFrame) -> float | None:
    """Mean length of an answer: as prescribed where lengths are fixed, else as completed."""
    assert run.requests is not None
    completed = requests[requests["error"].isna()]["output_tokens"]
    if run.requests.mean_output_tokens is None:
        return _ratio(_confirmed(run.requests.output_tokens, completed.sum()), run.requests.completed)
    if run.comparability.length_control is LengthControl.NATURAL:
        return _confirmed(run.requests.mean_output_tokens, completed.mean())
    whole = requests[~requests["under_way"].eq(True)]
    return _confirmed(run.requests.mean_output_tokens, whole["max_tokens"].mean())


def _latencies(run: Run, requests: pd.DataFrame) -> Figures:
    """Of text over all completed requests; of images and videos over the items of the window."""
    recorded = run.latency
    assert run.requests is not None and run.window_steady is not None
    if recorded is None:
        return {}
    if run.requests.output_tokens is None:
        items = _items(run.window_steady, requests)
        seconds = items["finished_seconds"] - items["sent_seconds"]
        return _quantiles("e2e", recorded.e2e_ms, (seconds, seconds), ("median", "p99"))
    done = requests[requests["error"].isna() & ~requests["under_way"].eq(True)]
    done = done[done["first_token_seconds"].notna()]
    first, whole = (
        done["first_token_seconds"] - done["sent_seconds"],
        done["finished_seconds"] - done["sent_seconds"],
    )
    between = Pieces.of(done).inter_token_seconds() if _pieces_are_kept(done) else None
    return {
        **_quantiles("ttft", recorded.ttft_ms, (first, first)),
        **_quantiles("itl", recorded.itl_ms, between),
        **_quantiles("e2e", recorded.e2e_ms, (whole, whole), ("median", "p99")),
    }


def _quantiles(
    name: str,
    recorded: Quantiles | None,
    bounds: tuple[pd.Series | np.ndarray, pd.Series | np.ndarray] | None,
    levels: Iterable[str] = tuple(_LEVELS),
) -> Figures:
    """Quantiles in milliseconds; without samples those of the record.

    bounds: the lowest and the highest that each sample may be, in seconds; `None` without samples.
    """
    figures: Figures = {}
    for level in levels:
        field, share = _LEVELS[level]
        known = None if recorded is None else getattr(recorded, field)
        if known is not None and bounds is not None:
            low, high = (float(np.quantile(each, share) * 1e3) if len(each) else np.inf for each in bounds)
            known = _within(known, low, high)
        figures[f"{level}_{name}_ms"] = known
    return figures


def _ratio(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else float(value / by)


def _product(value: float | None, by: float | None) -> float | None:
    return None if value is None or by is None else value * by
