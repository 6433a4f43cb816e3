"""The parts of a window, and parts that differ from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.diffusion.windows import FINEST_PARTS
from benchmark_tasks.measuring.steadiness import in_words, odd_part, relative_drift
from benchmark_tasks.plan.procedure import CPU_PROCEDURE, GPU_PROCEDURE
from benchmark_tasks.results.schema import Run, Window
from expectations.gate.recomputed.contradiction import Contradiction, compared
from expectations.gate.recomputed.load import ROUNDING

if TYPE_CHECKING:
    import pandas as pd

FEWEST_SUB_WINDOWS = 5


def of_parts(window: Window | None) -> list[Contradiction]:
    """Totals of a window, by its parts."""
    if window is None or not window.sub_windows or window.energy is None:
        return []
    joules = sum(part.counter_joules for part in window.sub_windows)
    outputs = sum(part.outputs for part in window.sub_windows)
    return compared([("energy", window.energy.counter_joules, joules), ("outputs", window.outputs, outputs)])


def trend(recorded: float | None, values: np.ndarray) -> float | None:
    """The larger of a recorded trend and that of the window's parts; `None` where neither is known."""
    trends = [] if recorded is None else [recorded]
    if len(values) >= FEWEST_SUB_WINDOWS:
        trends.append(relative_drift(values))
    return max(trends, key=abs, default=None)


def of_sub_windows(window: Window | None) -> dict[str, np.ndarray]:
    """They are equally long, so outputs and joules tell throughput and power; empty with too few."""
    if window is None or len(window.sub_windows) < FEWEST_SUB_WINDOWS:
        return {}
    return {
        "throughput": np.array([part.outputs for part in window.sub_windows], dtype=float),
        "power": np.array([part.counter_joules for part in window.sub_windows]),
    }


def odd_parts(run: Run, requests: pd.DataFrame) -> tuple[float, str] | None:
    """Parts of the steady window that differ from the others: what they do to its mean, and in words."""
    window = run.window_steady
    if window is None or not window.settled:
        return None
    series = of_sub_windows(window) if window.output_items is None else _batches(window, requests)
    procedure = GPU_PROCEDURE if run.energy_source.is_counter else CPU_PROCEDURE
    odd = {name: odd_part(values, procedure.drift_limit) for name, values in series.items()}
    known = [(name, parts) for name, parts in odd.items() if parts is not None]
    if not known:
        return 0.0, ""
    words = "; ".join(in_words(name, parts, len(series[name])) for name, parts in known)
    return max(abs(parts.shift) for _, parts in known), words


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
