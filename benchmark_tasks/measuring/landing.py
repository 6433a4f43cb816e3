"""From what a run saw to a whole bundle in the landing zone: the record, its files, its one-line summary."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.errors import JouleboardError, OutOfMemory, one_line
from benchmark_tasks.host import provenance
from benchmark_tasks.measuring.session import PointResult, RunningSweep
from benchmark_tasks.plan.sweep import SweepPoint
from benchmark_tasks.processes import log_tail
from benchmark_tasks.results import bundle
from benchmark_tasks.results.identity import Comparability
from benchmark_tasks.results.schema import (
    Failure,
    Phase,
    Run,
    new_run_id,
)
from benchmark_tasks.results.tables import ANSWERS, REQUESTS, TIMELINES, write_table
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, EnergySource, RunStatus

KEPT_LOG_BYTES = 2_000_000


def land_result(running: RunningSweep, point: SweepPoint, result: PointResult) -> Path:
    """Land a completed run, then say its headline: whoever reads it has the run."""
    windows = (result.window_steady, result.window_mlenergy)
    any_energy = any(window is not None and window.energy is not None for window in windows)
    run = Run(
        **_common(running, point),
        status=RunStatus.COMPLETED,
        energy_source=running.meter.source if any_energy else EnergySource.NONE,
        energy_absent_reason=result.energy_absent_reason,
        requests=result.requests,
        window_mlenergy=result.window_mlenergy,
        window_steady=result.window_steady,
        latency=result.latency,
        device=result.device,
        server=result.server,
        sample=result.sample,
        client=result.client,
        arrivals=result.arrivals,
        grades=result.grades,
        sleeps=result.sleeps,
        phases=result.phases,
    )
    headline = _headline(run)
    running.note(headline)
    path = _land(running, run, result)
    running.say(headline)
    return path


def land_failure(running: RunningSweep, point: SweepPoint, error: Exception) -> Path:
    """Land a run that failed or does not fit, with its log's last lines, and say so even if it cannot be.

    What is no error for people is a defect of this program: driver.log has where it was raised.
    """
    infeasible = isinstance(error, OutOfMemory)
    message = one_line(error) or "no message"
    tail = getattr(error, "log_tail", ()) or log_tail(running.log)
    lasted = Phase(
        name="measure" if running.during == "load" else "server-start",
        seconds=(datetime.now(UTC) - running.begun).total_seconds(),
        joules=None,
    )
    run = Run(
        **_common(running, point),
        status=RunStatus.INFEASIBLE if infeasible else RunStatus.FAILED,
        phases=(lasted,),
        energy_source=EnergySource.NONE,
        energy_absent_reason="the run failed",
        failure=Failure(
            phase=running.during, error=type(error).__name__, message=message, log_tail=tail[-20:]
        ),
    )
    what = message
    if not isinstance(error, JouleboardError):
        what = f"{type(error).__name__}: {what}"
        running.note("".join(traceback.format_exception(error)).rstrip())
    line = f"{point.load_label}: {run.status}: {what}"
    running.note(line)
    try:
        return _land(running, run, None)
    finally:
        running.say(line)


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


def _common(running: RunningSweep, point: SweepPoint) -> dict[str, object]:
    """The fields that a failed run has, too."""
    sweep = running.sweep
    gpus = running.meter.gpus
    limits = [gpu.power_limit_watts for gpu in gpus if gpu.power_limit_watts is not None]
    all_say = len(limits) == len(gpus) > 0
    return {
        "run_id": new_run_id(),
        "started_at": running.begun,
        "finished_at": datetime.now(UTC),
        "campaign_id": sweep.campaign_id,
        "note": sweep.note,
        "configuration": sweep.configuration(point),
        "comparability": Comparability(
            runtime=sweep.runtime,
            runtime_version=sweep.measured_version,
            request_set_id=running.request_set_id(point),
            length_control=sweep.length_control,
            power_limit_watts=sum(limits) / len(limits) if all_say else None,
            weights=sweep.weights,
            model_revision=sweep.revision_of(running.model),
        ),
        "provenance": provenance.collect(
            catalog_hash=running.catalog.content_hash,
            model_revision=sweep.revision_of(running.model),
            distribution=sweep.distribution,
            packages=running.installed.packages,
            server_arguments=running.command,
            server_kind=sweep.server.kind,
            server_image=running.installed.image,
            server_options=sweep.server_options,
            stand_in=running.stand_in,
            server_environment=running.environment,
            gpus=gpus,
            seed=running.procedure.seed,
        ),
    }


def _land(running: RunningSweep, run: Run, result: PointResult | None) -> Path:
    store = running.store
    with store.staging(run.run_id) as folder, disk_full_is_an_error(store.root):
        write_table(folder / bundle.REQUESTS_FILE, result.request_rows if result else [], REQUESTS)
        write_table(folder / bundle.TIMELINES_FILE, result.timeline.rows() if result else [], TIMELINES)
        if result is not None and result.answer_rows is not None:
            write_table(folder / bundle.ANSWERS_FILE, result.answer_rows, ANSWERS)
        for name, path in result.files.items() if result else ():
            shutil.copyfile(path, folder / name)
        _copy_tail(running.log, folder / bundle.SERVER_LOG)
        (folder / bundle.DRIVER_LOG).write_text("\n".join(running.lines) + "\n")
        bundle.write_record(folder, run, running.signer)
        return store.land(folder)


def _copy_tail(source: Path, target: Path) -> None:
    data = source.read_bytes() if source.exists() else b""
    target.write_bytes(data[-KEPT_LOG_BYTES:])


def _headline(run: Run) -> str:
    """What a person wants to see at once; ratios for display only, the warehouse derives its own."""
    window = run.window_steady
    parts = [f"{run.configuration.load_label}: {run.status}"]
    if window is None or not window.settled or window.start_seconds is None or window.end_seconds is None:
        return ", ".join([parts[0], (window and window.reason) or "no window", *_doubts(run)])
    seconds = window.end_seconds - window.start_seconds
    diffusion = run.configuration.architecture is Architecture.DIFFUSION
    unit = run.configuration.task.output_unit
    if window.outputs is not None:
        parts.append(f"{window.outputs / seconds:,.{3 if diffusion else 0}f} {unit}s/s over {seconds:.0f} s")
    if window.energy is not None and window.joules_per_output is not None:
        parts.append(f"{window.joules_per_output:.{1 if diffusion else 4}f} J/{unit}")
    if window.energy is not None:
        parts.append(f"{window.energy.counter_joules / seconds:.0f} W")
    else:
        parts.append(f"no energy: {run.energy_absent_reason}")
    return ", ".join([*parts, *_latency_part(run), *_doubts(run)])


def _latency_part(run: Run) -> list[str]:
    parts, latency = [], run.latency
    if latency is not None and latency.itl_ms is not None:
        parts.append(f"median ITL {latency.itl_ms.p50:.2f} ms")
    elif latency is not None and latency.e2e_ms is not None:
        parts.append(f"{latency.e2e_ms.p50 / 1000:.2f} s per batch")
    return parts


def _doubts(run: Run) -> list[str]:
    doubts = []
    if run.arrivals is not None and not run.arrivals.sustained:
        doubts.append(f"the load cannot be sustained: {run.arrivals.reason}")
    if run.client is not None and run.client.lagged:
        doubts.append("but the load generator lagged: latencies are not reliable")
    if run.sample is not None and run.sample.blank:
        doubts.append("but the sample has a single colour or contains NaN, which takes less energy")
    return doubts
