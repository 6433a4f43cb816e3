"""The table of runs: one row per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark_tasks.results.schema import Run, SubWindow, Window
from benchmark_tasks.results.summary import within_run_interval
from benchmarks.campaign.runs import by_server, gpus_of, group_of, workload_of


@dataclass(frozen=True)
class Row:
    """One completed run. `window` says whose window the figures are of; shares are of 1.

    gpus: the GPUs it ran on, by the beginnings of their UUIDs.
    host: what is known of it, and the day.
    mlenergy_joules_per_output: over ML.ENERGY's window of the same load.
    first_half: by how much the first half of the window's sub-windows differs from all of it, energy per
        output: what a window half as long would have said.
    first_half_interval: what it would have claimed.
    """

    what: str
    group: str
    runtime_version: str
    client_processes: int
    batch_size: int
    gpus: str
    host: str
    window: str
    joules_per_output: float | None
    mlenergy_joules_per_output: float | None
    interval: float | None
    first_half: float | None
    first_half_interval: float | None
    outputs_per_second: float | None
    watts: float | None
    certificate: float | None
    median_itl_ms: float | None
    gpu_seconds: float
    client_cpu_share: float | None
    reason: str | None


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """A row for every run."""
    return sorted((_row(run, len(siblings)) for run, siblings in by_server(runs)), key=_order)


def _order(row: Row) -> tuple[str, int, str, str]:
    return row.what, row.batch_size, row.group, row.gpus


def _row(run: Run, served: int) -> Row:
    settled = run.window_steady is not None and run.window_steady.energy is not None
    window = run.window_steady if settled else run.window_mlenergy or run.window_steady
    assert window is not None
    seconds = (window.end_seconds or 0.0) - (window.start_seconds or 0.0)
    energy, latency, c = window.energy, run.latency, run.configuration
    half = _first_half(window)
    all_parts, half_parts = _per_output(window.sub_windows), _per_output(half.sub_windows)
    integral = energy.integral_joules if energy else None
    return Row(
        what=workload_of(run),
        group=group_of(run, served),
        runtime_version=run.comparability.runtime_version,
        client_processes=run.client.processes if run.client else 1,
        batch_size=c.batch_size,
        gpus=gpus_of(run),
        host=f"{run.provenance.cpu_count} processors, {run.started_at:%Y-%m-%d}",
        window="ours" if settled or run.window_mlenergy is None else "ML.ENERGY's",
        joules_per_output=window.joules_per_output,
        mlenergy_joules_per_output=run.window_mlenergy.joules_per_output if run.window_mlenergy else None,
        interval=within_run_interval(window, is_open=c.is_open),
        first_half=half_parts / all_parts - 1 if half_parts and all_parts else None,
        first_half_interval=within_run_interval(half, is_open=c.is_open),
        outputs_per_second=window.outputs / seconds if window.outputs and seconds else None,
        watts=energy.counter_joules / energy.counter_seconds if energy else None,
        certificate=abs(integral / energy.counter_joules - 1) if energy and integral else None,
        median_itl_ms=latency.itl_ms.p50 if latency and latency.itl_ms else None,
        gpu_seconds=c.num_gpus * sum(phase.seconds for phase in run.phases),
        client_cpu_share=run.client.cpu_share if run.client else None,
        reason=run.window_steady.reason if run.window_steady and not settled else None,
    )


def _first_half(window: Window) -> Window:
    parts = window.sub_windows
    return window.model_copy(update={"sub_windows": parts[: len(parts) // 2]})


def _per_output(parts: Sequence[SubWindow]) -> float | None:
    outputs = sum(part.outputs for part in parts)
    return sum(part.counter_joules for part in parts) / outputs if outputs else None
