"""From a row of the leaderboard to its evidence: runs, hosts, GPUs, windows, and where the bundles lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.identity import COMPARABILITY_KEYS
from benchmark_tasks.results.schema import Run
from benchmark_tasks.settings import Settings
from expectations.rows.recompute import Bundles
from expectations.rows.row import Row


@dataclass(frozen=True)
class RunEvidence:
    """One run behind a row.

    host, gpu_uuids, start_seconds, end_seconds: as its bundle says; `None` if that cannot be read. The window
        that ranks is in seconds since the first request. Figures are those of `run_log`.
    bundle: where the bundle lies, or why it cannot be read.
    """

    run_id: str
    started_at: datetime
    host: str | None
    gpu_uuids: tuple[str, ...]
    start_seconds: float | None
    end_seconds: float | None
    energy_per_output_joules: float | None
    throughput_per_second: float | None
    counts_for_energy: bool
    bundle: str


@dataclass(frozen=True)
class LeftOut:
    """A run of the same configuration that is no part of the row, and why."""

    run_id: str
    why: str


@dataclass(frozen=True)
class Explained:
    """A row with the runs that it rests on, and those of its configuration that it does not rest on."""

    row: Row
    runs: tuple[RunEvidence, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def head(self) -> tuple[str, ...]:
        """Lines above the table of runs."""
        columns, evidence = self.row.columns, self.row.evidence
        unit = f"J per {columns['output_unit']}"
        energy, low, high = (columns[f"energy_per_output_{name}joules"] for name in ("", "low_", "high_"))
        interval = "no interval" if low is None else f"95 % interval {low:.6g} to {high:.6g}"
        figure = "no energy was measured" if energy is None else f"{energy:.6g} {unit}, {interval}"
        lines = (f"row {self.row.id}: {self.row.name}", figure)
        if not self.row.is_measured:
            return (*lines, f"others measured it and published it on {evidence['published_on']}: no bundles")
        return (*lines, f"runs: {evidence['runs']}, of which {evidence['energy_runs']} count for energy")

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Header and one line per run."""
        unit = self.row.columns["output_unit"]
        header = ("run", "started at, UTC", "host", "GPUs", "window, s", f"J per {unit}", f"{unit}s per s")
        return header, [
            (
                run.run_id,
                f"{run.started_at.astimezone(UTC):%F %T}",
                run.host,
                ", ".join(run.gpu_uuids),
                "" if run.start_seconds is None else f"{run.start_seconds:.3f} to {run.end_seconds:.3f}",
                run.energy_per_output_joules,
                run.throughput_per_second,
            )
            for run in self.runs
        ]

    @property
    def foot(self) -> tuple[str, ...]:
        """Lines below it: the bundles, what is no part of the row, and the next command."""
        bundles = [f"bundle of {run.run_id}: {run.bundle}" for run in self.runs]
        others = [f"no part of it: {run.run_id}: {run.why}" for run in self.left_out]
        return (*bundles, *others, f"to work it out again: jouleboard recompute {self.row.id}")

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "row": dict(self.row.columns),
            "evidence": dict(self.row.evidence),
            "runs": [asdict(run) for run in self.runs],
            "left_out": [asdict(run) for run in self.left_out],
        }


def explain(row: Row, settings: Settings) -> Explained:
    """What a row rests on. Rows that others published have no bundles, so no runs."""
    if not row.is_measured:
        return Explained(row, (), ())
    bundles = Bundles(settings)
    logged = {str(run["run_id"]): run for run in row.runs}
    return Explained(
        row,
        tuple(_evidence(logged[run_id], bundles) for run_id in row.run_ids),
        tuple(LeftOut(name, _why(run, row)) for name, run in logged.items() if name not in row.run_ids),
    )


def _evidence(logged: Mapping[str, Any], bundles: Bundles) -> RunEvidence:
    run, where = _record(str(logged["run_id"]), bundles)
    window = run.window_steady if run else None
    return RunEvidence(
        run_id=str(logged["run_id"]),
        started_at=logged["started_at"],
        host=run.provenance.host if run else None,
        gpu_uuids=tuple(sorted(gpu.uuid for gpu in run.provenance.gpus)) if run else (),
        start_seconds=window.start_seconds if window else None,
        end_seconds=window.end_seconds if window else None,
        energy_per_output_joules=logged["energy_per_output_joules"],
        throughput_per_second=logged["throughput_per_second"],
        counts_for_energy=bool(logged["counts_for_energy"]),
        bundle=where,
    )


def _record(run_id: str, bundles: Bundles) -> tuple[Run | None, str]:
    try:
        folder = bundles.folder(run_id)
        run = bundle.read_record(folder)
    except JouleboardError as error:
        return None, str(error)
    if cold.is_cold(folder):
        return run, f"{cold.address(folder.parents[3])}/{'/'.join(folder.parts[-3:])} (cold storage)"
    return run, str(folder)


def _why(run: Mapping[str, Any], row: Row) -> str:
    if run["status"] != "completed":
        return f"it did not complete: {run['failure_message'] or run['status']}"
    if not run["is_accepted"]:
        return f"in quarantine: {run['refusal_reasons']}"
    if not run["is_settled"]:
        return str(run["unsettled_reason"] or "its window never settled")
    differing = [
        f"{key} is {run[key]}"
        for key in COMPARABILITY_KEYS
        if key in run and key in row.columns and run[key] != row.columns[key]
    ]
    return f"part of another row: {', '.join(differing)}"
