"""A sweep, step by step: hold the device, start the runtime, measure every point, land every run.

    name the weights -> lock GPUs -> ask the instruments -> install the runtime -> idle power -> start it ->
    ready ->
    for each repeat, each load: warm up, offer it, find the window, read the energy, write, land ->
    stop the runtime

The runtime of a language model is a server under requests (`language/`); that of an image or video
model is a process that generates batches (`diffusion/`). A run that fails is landed as failed, with its
log's last lines; a configuration that does not fit is landed as infeasible. The first failure is raised
after everything else was tried: an error for people, or whatever a defect raised.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import assert_never

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog, Model
from benchmark_tasks.diffusion.session import DiffusionSessions
from benchmark_tasks.errors import CatalogError, JouleboardError, OutOfMemory
from benchmark_tasks.host.device_lock import Held, hold_free_devices
from benchmark_tasks.language.session import LanguageSessions
from benchmark_tasks.measuring.devices import gpus_for, idle_watts, meter_of, require_gpus
from benchmark_tasks.measuring.instruments import phase
from benchmark_tasks.measuring.landing import land_failure, land_result, scratch_folder
from benchmark_tasks.measuring.session import NOT_INSTALLED, RunningSweep
from benchmark_tasks.measuring.surroundings import prepare_surroundings
from benchmark_tasks.meters.meter import Meter, NoMeter, Recorder
from benchmark_tasks.plan.deployment import require_weights
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.plan.real_weights import with_identity
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes import container
from benchmark_tasks.runtimes.kinds import ProcessContract, ServerContract, kind_of
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import require_signer


@dataclass(frozen=True)
class MeasureResult:
    """Folders of the landed runs. No run of it failed."""

    landed: tuple[Path, ...]


def measure(
    sweep: Sweep,
    settings: Settings,
    *,
    procedure: Procedure | None = None,
    catalog: Catalog | None = None,
    meter: Meter | None = None,
    port: int | None = None,
    held: Held | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> MeasureResult:
    """Measure every point of a sweep and land every run.

    Args:
        procedure: how to measure; by default the sweep's own, or what suits the task on a machine with
            or without a GPU.
        meter: the instrument; by default the best one this machine has.
        port: where a server listens; by default any free port.
        held: devices that the caller has locked for several sweeps; by default the first that are free.

    Raises:
        JouleboardError: the first failure, after all other points were tried. Failed runs are
            landed as failed before that.
        Exception: likewise, what a defect of this program raised.
    """
    catalog = catalog or catalogs.load()
    sweep, weights = with_identity(sweep, catalog, settings, say)
    catalog = catalog.with_models([sweep.model] if sweep.model else [])
    model = catalog.model(sweep.model_id)
    runtime = _sessions_of(sweep, model, catalog, settings, port, say)
    candidates = gpus_for(sweep)
    signer = require_signer(settings, say)
    store = Store.of(settings)
    store.sweep_up()
    store.send()
    with ExitStack() as stack:
        free = hold_free_devices(settings.home, candidates, sweep.num_gpus, sweep.label())
        gpu_indices, mark = stack.enter_context(nullcontext(held) if held else free)
        container.end_leftovers(mark)
        procedure = procedure or sweep.procedure or runtime.procedure
        running = RunningSweep(
            sweep=sweep,
            procedure=procedure,
            catalog=catalog,
            model=model,
            weights=weights,
            request_set_id=partial(runtime.request_set_id, procedure),
            installed=NOT_INSTALLED,
            meter=meter or NoMeter("the meter was not opened"),
            gpu_indices=gpu_indices,
            lock_mark=mark,
            scratch=stack.enter_context(scratch_folder(settings, mark)),
            store=store,
            say=say,
            signer=signer,
        )
        _open_meter(running, meter)
        for line in prepare_surroundings(sweep):
            running.tell(line)
        running.installed = runtime.install(say)
        result = _measure_all(running, runtime)
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


def _sessions_of(
    sweep: Sweep,
    model: Model,
    catalog: Catalog,
    settings: Settings,
    port: int | None,
    say: Callable[[str], None],
) -> LanguageSessions | DiffusionSessions:
    kind = kind_of(sweep.runtime)
    if not kind.serves(sweep.task):
        raise CatalogError(f"runtime {sweep.runtime} cannot be measured on {sweep.task}")
    require_weights(model, sweep.weights, sweep.runtime)
    match kind.contract:
        case ServerContract():
            return LanguageSessions(sweep, model, catalog.tasks[sweep.task], settings, port, say)
        case ProcessContract():
            return DiffusionSessions(sweep, model, settings)
        case _:
            assert_never(kind.contract)


def _open_meter(running: RunningSweep, meter: Meter | None) -> None:
    """Ask the instruments before anything is installed or started.

    Raises:
        CatalogError: the GPUs are not the sweep's.
        MeterError: what is indispensable cannot be read.
        Exception: what a defect raised; every point is landed as failed before that.
    """
    sweep = running.sweep
    try:
        running.meter = meter or meter_of(sweep, running.gpu_indices)
        require_gpus(sweep, running.gpu_indices, running.catalog, running.meter)
    except JouleboardError:
        raise  # refused: nothing was tried
    except Exception as error:
        for point in sweep.points:
            land_failure(running, point, error)
        running.store.send()
        raise


def _measure_all(running: RunningSweep, runtime: LanguageSessions | DiffusionSessions) -> MeasureResult:
    landed: list[Path] = []
    first_error: Exception | None = None
    waiting = sessions(running.sweep)
    while waiting:
        todo = waiting.pop(0)
        try:
            landed += _session(running, runtime, todo)
        except Exception as error:  # noqa: BLE001  a defect costs its point, not those behind it
            first_error = first_error or error
            lost, kept = _split(todo, error, running.during, runtime.sized_by_batch)
            for point in lost:
                land_failure(running, point, error)
            if kept:
                waiting.insert(0, kept)
    if first_error is not None:
        raise first_error
    return MeasureResult(tuple(landed))


def _session(
    running: RunningSweep, runtime: LanguageSessions | DiffusionSessions, todo: list[SweepPoint]
) -> list[Path]:
    """Measure points on one server or pipeline; takes each off `todo` when it has been landed."""
    landed = []
    idle_seconds = running.procedure.idle_seconds
    running.begin("server-start")
    with Recorder(running.meter) as devices:
        begun_ns, mark = time.perf_counter_ns(), devices.mark()
        before = idle_watts(devices, idle_seconds)
        idle = {
            "idle_watts_before_server": before and sum(before),
            "idle_watts_before_server_max_per_gpu": before and max(before),
        }
        largest = max(point.batch_size for point in todo)
        with runtime.start(running, devices, largest) as measure_point:
            loaded = idle_watts(devices, idle_seconds)
            idle["idle_watts_loaded"] = loaded and sum(loaded)
            # The ledger counts a start once, with the run that needed it.
            starts = [phase("server-start", begun_ns, time.perf_counter_ns(), devices, mark)]
            while todo:
                running.begin("load")
                result = measure_point(todo[0])
                device = result.device.model_copy(update=idle)
                result = replace(result, device=device, phases=(*starts, *result.phases))
                landed.append(land_result(running, todo[0], result))
                todo.pop(0)
                starts.clear()
    return landed


def _split(
    todo: list[SweepPoint], error: Exception, during: str, sized_by_batch: bool
) -> tuple[list[SweepPoint], list[SweepPoint]]:
    """(points that an error costs, points that get another server).

    Under load it costs the point being measured, with its repeats if it does not fit. A server that
    runs out of memory while starting was sized for the largest batch (`sized_by_batch`); one that does
    not start for another reason will serve none.
    """
    if during == "load":
        infeasible = todo[0].batch_size if isinstance(error, OutOfMemory) else None
        return todo[:1], [point for point in todo[1:] if point.batch_size != infeasible]
    if isinstance(error, OutOfMemory) and sized_by_batch:
        largest = max(point.batch_size for point in todo)
        kept = [point for point in todo if point.batch_size < largest]
        return [next(point for point in todo if point.batch_size == largest)], kept
    return todo, []
