"""Steady-state windows as pure functions over recorded events. No clock, no I/O.

Two definitions are kept side by side: ML.ENERGY's, for comparability, and ours, which ranks.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmark_tasks.client.events import Events
from benchmark_tasks.measuring.steadiness import (
    candidate_starts,
    mean_watts,
    relative_drift,
    unsettled_because,
)
from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Window

PLENTY = 10
"""Parts hold plenty of tokens if the limit of drift is this many of them: 200 at 5 %."""


def mlenergy_window(events: Events, batch_size: int) -> Window:
    """ML.ENERGY's window.

    From the moment `batch_size` requests have produced their first token to the moment `N - batch_size - 1`
    requests have ended, N being all that were sent.

    Source: ML.ENERGY Benchmark, `RequestTracker`. Tokens are those that arrived in (start, end].
    """
    requests = len(events.request_index)
    last = requests - batch_size - 1
    firsts = np.sort(events.first_token_seconds[~np.isnan(events.first_token_seconds)])
    if last < 1 or len(firsts) < batch_size:
        return Window(
            settled=False, reason=f"{requests} requests are too few for a window at batch size {batch_size}"
        )
    start, end = float(firsts[batch_size - 1]), float(np.sort(events.finished_seconds)[last - 1])
    if end <= start:
        return Window(settled=False, reason="the load ended before every slot was busy")
    return _describe(events, start, end)


def steady_window(
    events: Events, stopped_seconds: float, energy: EnergyCurve | None, procedure: Procedure
) -> Window:
    """Our window: starts when the load is past its beginning, ends when load stopped being offered.

    A load with a stationary start is past it once every slot has its first token; another one once as
    many answers have ended as there are slots (one turnover on average).

    It is long enough when every slot has answered `full_turnovers` times inside it or it lasts
    `long_window_seconds`, and at least `minimum_window_seconds`; and it is steady when neither
    throughput nor mean power trends by more than `drift_limit` across it. If the earliest start is not
    steady, later ones are tried as long as what remains is long enough. Otherwise: never settled.
    """
    earliest = _warm_from(events)
    if earliest is None or earliest >= stopped_seconds:
        return Window(settled=False, reason=_never_warm(events))
    reasons = []
    for start in candidate_starts(earliest, stopped_seconds):
        parts = _parts(events, start, stopped_seconds, energy, procedure)
        window = _describe(events, start, stopped_seconds)
        window = window.model_copy(update=_trends(parts))
        reason = unsettled_because(window, window.turnovers or 0, "turnovers", procedure, parts)
        if reason is None:
            return window
        reasons.append(reason)
    return Window(settled=False, reason=f"never settled: {reasons[0]}")


def sub_window_edges(start: float, end: float, parts: int) -> np.ndarray:
    """Edges of `parts` equal sub-windows, seconds."""
    return np.linspace(start, end, parts + 1)


def tokens_in(events: Events, edges: np.ndarray) -> np.ndarray:
    """Tokens that arrived in each sub-window (start, end], as in the window itself."""
    part = np.searchsorted(edges, events.chunk_seconds, side="left")  # 0: before; len(edges): after
    counts = np.bincount(part, weights=events.chunk_tokens, minlength=len(edges) + 1)
    return counts[1 : len(edges)]


def pace_in(events: Events, edges: np.ndarray) -> np.ndarray:
    """Tokens per second of each sub-window, between the last arrivals before its edges.

    A part that holds nine answers of one token is not slower than one that holds ten because the tenth came
    a moment after its edge: what counts is how long nine took. 0 where nothing arrived.
    """
    order = np.argsort(events.chunk_seconds, kind="stable")
    arrived, total = events.chunk_seconds[order], np.cumsum(events.chunk_tokens[order])
    last = np.searchsorted(arrived, edges, side="right") - 1
    if last[0] < 0 or (np.diff(last) == 0).any():
        return tokens_in(events, edges) / np.diff(edges)
    return np.asarray(np.diff(total[last]) / np.diff(arrived[last]))


def _warm_from(events: Events) -> float | None:
    """When the load was past its beginning, seconds; `None` if it never was."""
    slots = len(np.unique(events.slot))
    if events.under_way.any():
        began = events.first_token_seconds[events.under_way]
        return None if np.isnan(began).any() else float(began.max())
    finished = np.sort(events.finished_seconds[events.completed])
    return float(finished[slots - 1]) if 0 < slots <= len(finished) else None


def _never_warm(events: Events) -> str:
    """Why a load was never past its beginning."""
    said = "the load ended before every slot was busy"
    if events.under_way.any():
        return said
    slots = len(np.unique(events.slot))
    return f"{said}: fewer than {slots} answers ended in it; on a slow machine, use --length fixed"


def _describe(events: Events, start: float, end: float) -> Window:
    ended = (events.finished_seconds > start) & (events.finished_seconds <= end) & events.completed
    _, position = np.unique(events.slot, return_inverse=True)
    per_slot = np.bincount(position, weights=ended)
    return Window(
        settled=True,
        start_seconds=start,
        end_seconds=end,
        output_tokens=events.tokens_between(start, end),
        completed_requests=int(ended.sum()),
        turnovers=float(per_slot.min(initial=np.inf)) if len(per_slot) else 0.0,
        mean_running_requests=_mean_running(events, start, end),
    )


def _mean_running(events: Events, start: float, end: float) -> float:
    """Time average of the requests in flight as the client saw them."""
    overlap = np.minimum(events.finished_seconds, end) - np.maximum(events.sent_seconds, start)
    return float(np.clip(overlap, 0, None).sum() / (end - start))


def _parts(
    events: Events, start: float, end: float, energy: EnergyCurve | None, procedure: Procedure
) -> dict[str, np.ndarray | None]:
    """Throughput and mean power of the sub-windows.

    They are equally long, so tokens tell throughput, unless one arrival more or less would matter.
    """
    edges = sub_window_edges(start, end, procedure.sub_windows)
    tokens = tokens_in(events, edges)
    enough = tokens.min(initial=np.inf) * procedure.drift_limit >= PLENTY
    return {
        "throughput": tokens if enough else pace_in(events, edges),
        "power": mean_watts(list(pairwise(edges)), energy),
    }


def _trends(parts: dict[str, np.ndarray | None]) -> dict[str, float | None]:
    return {
        f"{what}_trend": None if values is None else relative_drift(values) for what, values in parts.items()
    }
