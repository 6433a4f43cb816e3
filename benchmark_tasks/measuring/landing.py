"""From what a run saw to a whole bundle in the landing zone: the record, its files, its one-line summary."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmark_tasks.catalog import Catalog, Model
from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.errors import JouleboardError, OutOfMemory, one_line
from benchmark_tasks.host import provenance
from benchmark_tasks.meters.meter import Meter, Timeline
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results import bundle
from benchmark_tasks.results.identity import Comparability
from benchmark_tasks.results.schema import (
    Client,
    Device,
    Failure,
    Latency,
    Phase,
    Requests,
    Run,
    Sample,
    Server,
    Window,
    new_run_id,
)
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.tables import REQUESTS, TIMELINES, write_table
from benchmark_tasks.runtimes.process import log_tail
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, EnergySource, RunStatus

KEPT_LOG_BYTES = 2_000_000


@dataclass(frozen=True)
class Installed:
    """What the runtime consists of: packages with versions, and the container's image if it runs in one."""

    packages: Mapping[str, str]
    image: str | None


@dataclass
class Sweeping:
    """What stays the same while a sweep is measured. `command`: what was started last."""

    sweep: Sweep
    procedure: Procedure
    catalog: Catalog
    model: Model
    request_set_id: str
    installed: Installed
    meter: Meter
    gpu_indices: tuple[int, ...]
    lock_mark: str
    scratch: Path
    store: Store
    say: Callable[[str], None]
    lines: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    during: Literal["server-start", "load"] = "server-start"
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def log(self) -> Path:
        """What the runtime's process wrote."""
        return self.scratch / bundle.SERVER_LOG

    def begin(self, during: Literal["server-start", "load"]) -> None:
        """Enter a phase: a failure from now on belongs to it and lasted since now."""
        self.during, self.begun = during, datetime.now(UTC)

    def note(self, line: str) -> None:
        """One line of driver.log."""
        self.lines.append(f"{datetime.now(UTC):%H:%M:%S} {line}")

    def tell(self, line: str) -> None:
        """One line of progress, to the person and to driver.log."""
        self.note(line)
        self.say(line)


@dataclass(frozen=True)
class Result:
    """What a completed run adds to what every run has. `files` are copied into the bundle by name."""

    requests: Requests
    window_steady: Window
    energy_absent_reason: str | None
    latency: Latency | None
    device: Device
    server: Server
    phases: tuple[Phase, ...]
    request_rows: list[dict[str, object]]
    timeline: Timeline
    window_mlenergy: Window | None = None
    sample: Sample | None = None
    client: Client | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


def land_result(sweeping: Sweeping, point: SweepPoint, result: Result) -> Path:
    """Land a completed run, then say its headline: whoever reads it has the run."""
    windows = (result.window_steady, result.window_mlenergy)
    any_energy = any(window is not None and window.energy is not None for window in windows)
    run = Run(
        **_common(sweeping, point),
        status=RunStatus.COMPLETED,
        energy_source=sweeping.meter.source if any_energy else EnergySource.NONE,
        energy_absent_reason=result.energy_absent_reason,
        requests=result.requests,
        window_mlenergy=result.window_mlenergy,
        window_steady=result.window_steady,
        latency=result.latency,
        device=result.device,
        server=result.server,
        sample=result.sample,
        client=result.client,
        phases=result.phases,
    )
    headline = _headline(run)
    sweeping.note(headline)
    path = _land(sweeping, run, result)
    sweeping.say(headline)
    return path


def land_failure(sweeping: Sweeping, point: SweepPoint, error: Exception) -> Path:
    """Land a run that failed or does not fit, with its log's last lines, and say so even if it cannot be.

    What is no error for people is a defect of this program: driver.log has where it was raised.
    """
    infeasible = isinstance(error, OutOfMemory)
    message = one_line(error) or "no message"
    tail = getattr(error, "log_tail", ()) or log_tail(sweeping.log)
    lasted = Phase(
        name="measure" if sweeping.during == "load" else "server-start",
        seconds=(datetime.now(UTC) - sweeping.begun).total_seconds(),
        joules=None,
    )
    run = Run(
        **_common(sweeping, point),
        status=RunStatus.INFEASIBLE if infeasible else RunStatus.FAILED,
        phases=(lasted,),
        energy_source=EnergySource.NONE,
        energy_absent_reason="the run failed",
        failure=Failure(
            phase=sweeping.during, error=type(error).__name__, message=message, log_tail=tail[-20:]
        ),
    )
    what = message
    if not isinstance(error, JouleboardError):
        what = f"{type(error).__name__}: {what}"
        sweeping.note("".join(traceback.format_exception(error)).rstrip())
    line = f"batch {point.batch_size}: {run.status}: {what}"
    sweeping.note(line)
    try:
        return _land(sweeping, run, None)
    finally:
        sweeping.say(line)


@contextmanager
def scratch_folder(settings: Settings, lock_mark: str) -> Iterator[Path]:
    """A folder for the model's files and the runtime's log, named after the device it belongs to."""
    path = settings.home / "scratch" / "+".join(Path(lock).stem for lock in lock_mark.split(":"))
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _common(sweeping: Sweeping, point: SweepPoint) -> dict[str, object]:
    """The fields that a failed run has, too."""
    sweep = sweeping.sweep
    gpus = sweeping.meter.gpus
    limits = [gpu.power_limit_watts for gpu in gpus if gpu.power_limit_watts is not None]
    return {
        "run_id": new_run_id(),
        "started_at": sweeping.begun,
        "finished_at": datetime.now(UTC),
        "campaign_id": sweep.campaign_id,
        "note": sweep.note,
        "configuration": sweep.configuration(point),
        "comparability": Comparability(
            runtime=sweep.runtime,
            runtime_version=sweep.measured_version,
            request_set_id=sweeping.request_set_id,
            length_control=sweep.length_control,
            power_limit_watts=sum(limits) / len(limits) if limits else None,
            weights=sweep.weights,
            model_revision=sweep.revision_of(sweeping.model),
        ),
        "provenance": provenance.collect(
            catalog_hash=sweeping.catalog.content_hash,
            model_revision=sweep.revision_of(sweeping.model),
            distribution=sweep.distribution,
            packages=sweeping.installed.packages,
            server_arguments=sweeping.command,
            server_kind=sweep.server.kind,
            server_image=sweeping.installed.image,
            server_options=sweep.server_options,
            gpus=gpus,
            seed=sweeping.procedure.seed,
        ),
    }


def _land(sweeping: Sweeping, run: Run, result: Result | None) -> Path:
    store = sweeping.store
    with store.staging(run.run_id) as folder, disk_full_is_an_error(store.root):
        write_table(folder / bundle.REQUESTS_FILE, result.request_rows if result else [], REQUESTS)
        write_table(folder / bundle.TIMELINES_FILE, result.timeline.rows() if result else [], TIMELINES)
        for name, path in result.files.items() if result else ():
            shutil.copyfile(path, folder / name)
        _copy_tail(sweeping.log, folder / bundle.SERVER_LOG)
        (folder / bundle.DRIVER_LOG).write_text("\n".join(sweeping.lines) + "\n")
        bundle.write_record(folder, run)
        return store.land(folder)


def _copy_tail(source: Path, target: Path) -> None:
    data = source.read_bytes() if source.exists() else b""
    target.write_bytes(data[-KEPT_LOG_BYTES:])


def _headline(run: Run) -> str:
    """What a person wants to see at once; ratios for display only, the warehouse derives its own."""
    window = run.window_steady
    parts = [f"batch {run.configuration.batch_size}: {run.status}"]
    if window is None or not window.settled or window.start_seconds is None or window.end_seconds is None:
        return f"{parts[0]}, {window.reason if window else 'no window'}"
    seconds = window.end_seconds - window.start_seconds
    diffusion = run.configuration.architecture is Architecture.DIFFUSION
    unit = run.configuration.task.output_unit
    made = window.outputs or 0
    parts.append(f"{made / seconds:,.{3 if diffusion else 0}f} {unit}s/s over {seconds:.0f} s")
    if window.energy is not None and made:
        joules = window.energy.counter_joules
        parts.append(f"{joules / made:.{1 if diffusion else 4}f} J/{unit}")
        parts.append(f"{joules / seconds:.0f} W")
    else:
        parts.append(f"no energy: {run.energy_absent_reason}")
    return ", ".join([*parts, *_latency_part(run), *_doubts(run)])


def _latency_part(run: Run) -> list[str]:
    parts, latency = [], run.latency
    if latency is not None and latency.itl_ms is not None:
        parts.append(f"median ITL {latency.itl_ms.p50:.2f} ms")
    elif latency is not None and latency.e2e_ms is not None:
        parts.append(f"{latency.e2e_ms.p50 / 1000:.2f} s a batch")
    return parts


def _doubts(run: Run) -> list[str]:
    doubts = []
    if run.client is not None and run.client.lagged:
        doubts.append("but the load generator lagged: latencies are not to be trusted")
    if run.sample is not None and run.sample.blank:
        doubts.append("but the sample is of one colour or holds NaN, which costs less energy")
    return doubts
