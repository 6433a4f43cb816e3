"""The story of a sweep: hold the device, start the server, measure every point, land every run.

    lock GPUs -> idle power -> start server -> healthy -> for each repeat, each batch size:
    warm up, offer load, find the window, read the energy, write, land -> stop server

A run that fails is landed as failed, with its log's last lines; a configuration that does not
fit is landed as infeasible. The first failure is raised after everything else was tried.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmark_tasks import catalog as catalogs
from benchmark_tasks import provenance
from benchmark_tasks.catalog import Catalog, Model
from benchmark_tasks.client.latency import latency_of
from benchmark_tasks.devices import gpus_of, meter_of, require_gpus
from benchmark_tasks.errors import CatalogError, JouleboardError, OutOfMemory
from benchmark_tasks.measurement import Bench, Measured, measure_point, phase
from benchmark_tasks.meters.meter import Meter, Recorder
from benchmark_tasks.procedure import CPU_PROCEDURE, GPU_PROCEDURE, Procedure
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Comparability, Failure, Phase, Run, new_run_id
from benchmark_tasks.results.store import Store, disk_full_is_an_error
from benchmark_tasks.results.tables import REQUESTS, TIMELINES, Series, write_table
from benchmark_tasks.runtimes import container
from benchmark_tasks.runtimes.device_lock import hold_devices
from benchmark_tasks.runtimes.origins import Launch, Origin, origin_of
from benchmark_tasks.runtimes.process import log_tail
from benchmark_tasks.runtimes.server import RunningServer
from benchmark_tasks.settings import Settings
from benchmark_tasks.sweep import Sweep, SweepPoint
from benchmark_tasks.vocabulary import EnergySource, RunStatus, Runtime
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.requests import RequestSet

METRICS_PERIOD_SECONDS = 1.0
KEPT_LOG_BYTES = 2_000_000


@dataclass(frozen=True)
class MeasureResult:
    """Folders of the landed runs. Whoever gets one knows that none failed."""

    landed: tuple[Path, ...]


@dataclass
class _Sweeping:
    """What stays the same while a sweep is measured."""

    sweep: Sweep
    settings: Settings
    procedure: Procedure
    catalog: Catalog
    model: Model
    request_set: RequestSet
    origin: Origin
    meter: Meter
    gpu_indices: tuple[int, ...]
    lock_mark: str
    scratch: Path
    port: int | None
    say: Callable[[str], None]
    lines: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    during: Literal["server-start", "load"] = "server-start"
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def begin(self, during: Literal["server-start", "load"]) -> None:
        """Enter a phase: a failure from now on belongs to it and lasted since now."""
        self.during, self.begun = during, datetime.now(UTC)

    def tell(self, line: str) -> None:
        """One line of progress, to the person and to driver.log."""
        self.lines.append(f"{datetime.now(UTC):%H:%M:%S} {line}")
        self.say(line)


def measure(
    sweep: Sweep,
    settings: Settings,
    *,
    procedure: Procedure | None = None,
    catalog: Catalog | None = None,
    meter: Meter | None = None,
    port: int | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> MeasureResult:
    """Measure every point of a sweep and land every run.

    Args:
        procedure: how to measure; by default the sweep's own, or what suits a machine with or without a GPU.
        meter: the instrument; by default the best one this machine has.
        port: where the server listens; by default any free port.

    Raises:
        JouleboardError: the first failure, after all other points were tried. Failed runs are
            landed as failed before that.
    """
    catalog = catalog or catalogs.load()
    if sweep.runtime is not Runtime.VLLM:
        raise CatalogError(f"runtime {sweep.runtime} cannot be measured yet; vllm can")
    model = catalog.model(sweep.model_id)
    request_set = request_set_for(sweep, model, catalog.tasks[sweep.task], settings)
    gpu_indices = gpus_of(sweep)
    store = Store.of(settings)
    store.sweep_up()
    store.send()
    with ExitStack() as stack:
        mark = stack.enter_context(hold_devices(settings.home, gpu_indices, sweep.label()))
        container.end_leftovers(mark)
        meter = meter or meter_of(sweep, gpu_indices)
        require_gpus(sweep, gpu_indices, catalog, meter)
        origin = origin_of(sweep, settings, say)
        scratch = stack.enter_context(_scratch(settings, mark))
        sweeping = _Sweeping(
            sweep=sweep,
            settings=settings,
            procedure=procedure or sweep.procedure or (GPU_PROCEDURE if sweep.num_gpus else CPU_PROCEDURE),
            catalog=catalog,
            model=model,
            request_set=request_set.served_as(origin.served_model_name),
            origin=origin,
            meter=meter,
            gpu_indices=gpu_indices,
            lock_mark=mark,
            scratch=scratch,
            port=port,
            say=say,
        )
        result = _measure_all(sweeping, store)
    store.send()
    return result


def sessions(sweep: Sweep) -> list[list[SweepPoint]]:
    """Which points share a server, in the order in which they are measured.

    Repeats go round the batch sizes, so that a slow drift of the machine spreads over all of them.
    """
    most = max(point.repeats for point in sweep.points)
    rounds = [[point for point in sweep.points if point.repeats > r] for r in range(most)]
    in_order = [point for points in rounds for point in points]
    return [[point] for point in in_order] if sweep.server_per_point else [in_order]


def _measure_all(sweeping: _Sweeping, store: Store) -> MeasureResult:
    landed: list[Path] = []
    first_error: JouleboardError | None = None
    waiting = sessions(sweeping.sweep)
    while waiting:
        points = waiting.pop(0)
        todo = list(points)
        try:
            for path in _session(sweeping, store, todo):
                landed.append(path)
        except JouleboardError as error:
            first_error = first_error or error
            lost, kept = _split(todo, error, sweeping.during)
            for point in lost:
                _land_failure(sweeping, store, point, error)
            if kept:
                waiting.insert(0, kept)
    if first_error is not None:
        raise first_error
    return MeasureResult(tuple(landed))


def _split(
    todo: list[SweepPoint], error: JouleboardError, during: str
) -> tuple[list[SweepPoint], list[SweepPoint]]:
    """(points that an error costs, points that get another server).

    Under load it costs the point being measured, with its repeats if it does not fit. A server that
    runs out of memory while starting was sized for the largest batch; one that does not start for
    another reason will serve none.
    """
    if during == "load":
        infeasible = todo[0].batch_size if isinstance(error, OutOfMemory) else None
        return todo[:1], [point for point in todo[1:] if point.batch_size != infeasible]
    if isinstance(error, OutOfMemory):
        largest = max(point.batch_size for point in todo)
        kept = [point for point in todo if point.batch_size < largest]
        return [next(point for point in todo if point.batch_size == largest)], kept
    return todo, []


def _session(sweeping: _Sweeping, store: Store, todo: list[SweepPoint]) -> Iterator[Path]:
    """Measure points on one server; takes each off `todo` when it has been landed."""
    sweep, procedure = sweeping.sweep, sweeping.procedure
    sweeping.begin("server-start")
    with Recorder(sweeping.meter) as devices:
        begun, mark = time.perf_counter_ns(), devices.mark()
        idle_before = _idle_watts(devices, procedure.idle_seconds)
        sweeping.tell(f"starting the server for {sweep.label()}")
        with _server(sweeping, max(point.batch_size for point in todo)) as server:
            sweeping.tell(f"healthy after {server.start_seconds:.0f} s")
            with Recorder(_MetricsReader(server), METRICS_PERIOD_SECONDS) as metrics:  # type: ignore[arg-type]
                bench = Bench(
                    server=server,
                    devices=devices,
                    metrics=metrics,
                    request_set=sweeping.request_set,
                    length_control=sweep.length_control,
                    procedure=procedure,
                    idle_watts_before_server=idle_before,
                    idle_watts_loaded=_idle_watts(devices, procedure.idle_seconds),
                    say=sweeping.tell,
                )
                bench.start_phase = phase("server-start", begun, time.perf_counter_ns(), devices, mark)
                while todo:
                    yield _measure_and_land(sweeping, store, bench, todo[0])
                    todo.pop(0)
                    bench.start_phase = None  # the ledger counts a start once, with the run that needed it


def _measure_and_land(sweeping: _Sweeping, store: Store, bench: Bench, point: SweepPoint) -> Path:
    sweeping.begin("load")
    sweeping.tell(f"batch {point.batch_size}: warming up")
    measured = measure_point(bench, point.batch_size)
    run = _completed_run(sweeping, bench, point, sweeping.begun, measured)
    sweeping.tell(_headline(run))
    return _land(sweeping, store, run, measured)


def _completed_run(
    sweeping: _Sweeping, bench: Bench, point: SweepPoint, started_at: datetime, measured: Measured
) -> Run:
    any_energy = measured.window_steady.energy or measured.window_mlenergy.energy
    return Run(
        **_common(sweeping, point, started_at),
        status=RunStatus.COMPLETED,
        energy_source=sweeping.meter.source if any_energy else EnergySource.NONE,
        energy_absent_reason=measured.energy_absent_reason,
        requests=measured.requests,
        window_mlenergy=measured.window_mlenergy,
        window_steady=measured.window_steady,
        latency=latency_of(measured.outcome.events),
        device=measured.device,
        server=measured.server,
        client=measured.outcome.client,
        phases=measured.phases,
    )


def _land_failure(sweeping: _Sweeping, store: Store, point: SweepPoint, error: JouleboardError) -> Path:
    infeasible = isinstance(error, OutOfMemory)
    tail = getattr(error, "log_tail", ()) or log_tail(sweeping.scratch / bundle.SERVER_LOG)
    lasted = Phase(
        name="measure" if sweeping.during == "load" else "server-start",
        seconds=(datetime.now(UTC) - sweeping.begun).total_seconds(),
        joules=None,
    )
    run = Run(
        **_common(sweeping, point, sweeping.begun),
        status=RunStatus.INFEASIBLE if infeasible else RunStatus.FAILED,
        phases=(lasted,),
        energy_source=EnergySource.NONE,
        energy_absent_reason="the run failed",
        failure=Failure(
            phase=sweeping.during, error=type(error).__name__, message=str(error), log_tail=tail[-20:]
        ),
    )
    sweeping.tell(f"batch {point.batch_size}: {run.status}: {error}")
    return _land(sweeping, store, run, None)


def _common(sweeping: _Sweeping, point: SweepPoint, started_at: datetime) -> dict[str, object]:
    """The fields that a failed run has, too."""
    sweep = sweeping.sweep
    gpus = sweeping.meter.gpus
    limits = [gpu.power_limit_watts for gpu in gpus if gpu.power_limit_watts is not None]
    return {
        "run_id": new_run_id(),
        "started_at": started_at,
        "finished_at": datetime.now(UTC),
        "sweep_id": sweep.campaign_id,
        "note": sweep.note,
        "configuration": sweep.configuration(point),
        "comparability": Comparability(
            runtime=sweep.runtime,
            runtime_version=sweep.measured_version,
            request_set_id=sweeping.request_set.request_set_id,
            length_control=sweep.length_control,
            power_limit_watts=sum(limits) / len(limits) if limits else None,
            weights=sweep.weights,
        ),
        "provenance": provenance.collect(
            catalog_hash=sweeping.catalog.content_hash,
            model_revision=sweeping.model.revision,
            distribution=sweep.distribution,
            packages=sweeping.origin.packages,
            server_arguments=sweeping.command,
            server_kind=sweep.server.kind,
            server_image=sweeping.origin.image,
            server_options=sweep.server_options,
            gpus=gpus,
            seed=sweeping.procedure.seed,
        ),
    }


def _land(sweeping: _Sweeping, store: Store, run: Run, measured: Measured | None) -> Path:
    kept = sweeping.procedure.kept_chunk_requests
    with store.staging(run.run_id) as folder, disk_full_is_an_error(store.root):
        rows = measured.outcome.events.rows(kept) if measured else []
        write_table(folder / bundle.REQUESTS_FILE, rows, REQUESTS)
        write_table(folder / bundle.TIMELINES_FILE, measured.timeline.rows() if measured else [], TIMELINES)
        _copy_tail(sweeping.scratch / bundle.SERVER_LOG, folder / bundle.SERVER_LOG)
        (folder / bundle.DRIVER_LOG).write_text("\n".join(sweeping.lines) + "\n")
        bundle.write_record(folder, run)
        return store.land(folder)


@contextmanager
def _server(sweeping: _Sweeping, max_num_seqs: int) -> Iterator[RunningServer]:
    spec = sweeping.origin.spec(
        Launch(
            sweep=sweeping.sweep,
            model=sweeping.model,
            scratch=sweeping.scratch,
            gpu_indices=sweeping.gpu_indices,
            lock_mark=sweeping.lock_mark,
            max_num_seqs=max_num_seqs,
            seed=sweeping.procedure.seed,
            start_seconds=sweeping.procedure.server_start_seconds,
            port=sweeping.port,
        )
    )
    sweeping.command = spec.command
    spec.log.write_bytes(b"")
    with sweeping.origin.serve(spec) as server:
        yield server


class _MetricsReader:
    """Lets a `Recorder` sample the server's `/metrics`."""

    def __init__(self, server: RunningServer) -> None:
        self.read = server.read_metrics


def _idle_watts(devices: Recorder, seconds: float) -> float | None:
    """Mean power while nothing runs, summed over the GPUs; `None` without a meter."""
    if not devices.meter.gpus or seconds <= 0:
        return None
    mark = devices.mark()
    time.sleep(seconds)
    per_gpu = devices.timeline(0, mark).mean(Series.POWER_WATTS)
    return None if per_gpu is None else per_gpu * len(devices.meter.gpus)


@contextmanager
def _scratch(settings: Settings, lock_mark: str) -> Iterator[Path]:
    """A folder for the model's files and the server's log, named after the device it belongs to."""
    path = settings.home / "scratch" / "+".join(Path(lock).stem for lock in lock_mark.split(":"))
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _copy_tail(source: Path, target: Path) -> None:
    data = source.read_bytes() if source.exists() else b""
    target.write_bytes(data[-KEPT_LOG_BYTES:])


def _headline(run: Run) -> str:
    """What a person wants to see at once; ratios for display only, the warehouse derives its own."""
    window, latency = run.window_steady, run.latency
    parts = [f"batch {run.configuration.batch_size}: {run.status}"]
    if window is None or not window.settled or window.start_seconds is None or window.end_seconds is None:
        return f"{parts[0]}, {window.reason if window else 'no window'}"
    seconds = window.end_seconds - window.start_seconds
    parts.append(f"{(window.output_tokens or 0) / seconds:,.0f} tokens/s over {seconds:.0f} s")
    if window.energy is not None and window.output_tokens:
        parts.append(f"{window.energy.counter_joules / window.output_tokens:.4f} J/token")
        parts.append(f"{window.energy.counter_joules / seconds:.0f} W")
    else:
        parts.append(f"no energy: {run.energy_absent_reason}")
    if latency is not None and latency.itl_ms is not None:
        parts.append(f"median ITL {latency.itl_ms.p50:.2f} ms")
    if run.client is not None and run.client.lagged:
        parts.append("but the load generator lagged: latencies are not to be trusted")
    return ", ".join(parts)
