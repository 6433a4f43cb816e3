"""A pipeline's life while a sweep is measured: idle power, start, every point, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmark_tasks.catalog import Model
from benchmark_tasks.devices import idle_watts
from benchmark_tasks.diffusion.measurement import Bench, measure_point
from benchmark_tasks.diffusion.prompts import prompt_set_for
from benchmark_tasks.landing import Installed, Result, Sweeping
from benchmark_tasks.measurement import phase
from benchmark_tasks.meters.meter import Recorder
from benchmark_tasks.procedure import DIFFUSION_CPU_PROCEDURE, DIFFUSION_GPU_PROCEDURE, Procedure
from benchmark_tasks.runtimes.diffusion import GeneratorSpec, generator_spec, job_of, start
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.settings import Settings
from benchmark_tasks.sweep import Sweep, SweepPoint


class DiffusionSessions:
    """Measures points of image and video models; one session is one pipeline's life."""

    sized_by_batch = False

    def __init__(self, sweep: Sweep, model: Model, settings: Settings) -> None:
        """
        Raises:
            CatalogError: no such prompts, or the catalog does not say how to build the model.
        """
        self._sweep, self._model, self._settings = sweep, model, settings
        self._prompts = prompt_set_for(sweep)
        job_of(sweep, model, self._prompts.prompts, 0)
        self.procedure: Procedure = DIFFUSION_GPU_PROCEDURE if sweep.num_gpus else DIFFUSION_CPU_PROCEDURE
        self.request_set_id = self._prompts.request_set_id
        self._environment: Environment | None = None

    def install(self, say: Callable[[str], None]) -> Installed:
        """Make the runtime available: minutes the first time."""
        say(f"preparing {self._sweep.distribution} {self._sweep.runtime_version}")
        self._environment = ensure(
            self._sweep.distribution, self._sweep.runtime_version, self._settings, progress=say
        )
        return Installed(self._environment.packages, None)

    def run(self, sweeping: Sweeping, todo: list[SweepPoint]) -> Iterator[Result]:
        """Build a pipeline and measure the first of `todo` each time the next result is asked for."""
        procedure = sweeping.procedure
        with Recorder(sweeping.meter) as devices:
            begun, mark = time.perf_counter_ns(), devices.mark()
            idle_before = idle_watts(devices, procedure.idle_seconds)
            sweeping.tell(f"building the pipeline for {sweeping.sweep.label()}")
            spec = self._spec(sweeping)
            with start(spec) as generator:
                sweeping.tell(f"ready after {generator.start_seconds:.0f} s")
                bench = Bench(
                    generator=generator,
                    devices=devices,
                    procedure=procedure,
                    idle_watts_before=idle_before,
                    idle_watts_loaded=idle_watts(devices, procedure.idle_seconds),
                    say=sweeping.tell,
                )
                bench.start_phase = phase("server-start", begun, time.perf_counter_ns(), devices, mark)
                while todo:
                    sweeping.begin("load")
                    sweeping.tell(f"batch {todo[0].batch_size}: generating")
                    yield measure_point(bench, todo[0].batch_size)
                    bench.start_phase = None  # the ledger counts a start once, with the run that needed it

    def _spec(self, sweeping: Sweeping) -> GeneratorSpec:
        assert self._environment is not None
        spec = generator_spec(
            sweeping.sweep,
            sweeping.model,
            self._environment,
            sweeping.scratch,
            prompts=self._prompts.prompts,
            gpu_indices=sweeping.gpu_indices,
            lock_mark=sweeping.lock_mark,
            seed=sweeping.procedure.seed,
            start_seconds=sweeping.procedure.server_start_seconds,
            log=sweeping.log,
        )
        sweeping.command = spec.command
        spec.log.write_bytes(b"")
        return spec
