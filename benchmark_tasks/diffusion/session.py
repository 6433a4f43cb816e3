"""The pipeline of an image or video model: its environment, start, measuring and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmark_tasks.catalog import Model
from benchmark_tasks.diffusion.generator import GeneratorSpec, generator_spec, job_of, start
from benchmark_tasks.diffusion.measurement import Bench, measure_point
from benchmark_tasks.diffusion.prompts import prompt_set_for
from benchmark_tasks.measuring.session import Installed, PointResult, RunningSweep
from benchmark_tasks.meters.meter import Recorder
from benchmark_tasks.plan.procedure import DIFFUSION_CPU_PROCEDURE, DIFFUSION_GPU_PROCEDURE, Procedure
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import Load
from benchmark_tasks.runtimes.drawn import agreed
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.runtimes.variables import recorded
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Weights


class DiffusionSessions:
    """Measures points of image and video models; a session lasts from the start of a pipeline to its end."""

    sized_by_batch = False

    def __init__(self, sweep: Sweep, model: Model, settings: Settings) -> None:
        """Choose prompts and procedure; nothing is started.

        Raises:
            CatalogError: no such prompts, or the catalog does not say how to build the model.
        """
        self._sweep, self._model, self._settings = sweep, model, settings
        self._prompts = prompt_set_for(sweep)
        job_of(sweep, model, self._prompts.prompts, 0)
        self.procedure: Procedure = DIFFUSION_GPU_PROCEDURE if sweep.num_gpus else DIFFUSION_CPU_PROCEDURE
        self._environment: Environment | None = None

    def request_set_id(self, procedure: Procedure, load: Load) -> str:  # noqa: ARG002  the contract of sessions
        """The id of the prompts; neither procedure nor load changes it."""
        return self._prompts.request_set_id

    def install(self, say: Callable[[str], None]) -> Installed:
        """Install the runtime if necessary; this takes minutes."""
        say(f"preparing {self._sweep.distribution} {self._sweep.runtime_version}")
        self._environment = ensure(
            self._sweep.distribution, self._sweep.runtime_version, self._settings, progress=say
        )
        return Installed(self._environment.packages, None)

    @contextmanager
    def start(
        self,
        running: RunningSweep,
        devices: Recorder,
        largest_batch: int,  # noqa: ARG002  the contract of sessions
    ) -> Iterator[Callable[[Load], PointResult]]:
        """Start a pipeline; yields the function that measures one batch size on it.

        Raises:
            ServerDied, ServerNeverHealthy, OutOfMemory, WeightsNotAsAsked
        """
        running.tell(f"building the pipeline for {running.sweep.label()}")
        with start(self._spec(running)) as generator:
            running.tell(f"ready after {generator.start_seconds:.0f} s")
            if running.sweep.weights is Weights.STAND_IN:
                running.stand_in = agreed(generator.stand_in)
            running.require_weights_as_read()
            bench = Bench(generator, devices, running.procedure, running.tell)
            yield lambda load: measure_point(bench, load.batch_size)

    def _spec(self, running: RunningSweep) -> GeneratorSpec:
        assert self._environment is not None
        spec = generator_spec(
            running.sweep,
            running.model,
            self._environment,
            running.scratch,
            prompts=self._prompts.prompts,
            gpu_indices=running.gpu_indices,
            lock_mark=running.lock_mark,
            seed=running.procedure.seed,
            start_seconds=running.procedure.server_start_seconds,
            log=running.log,
        )
        running.command, running.environment = spec.command, recorded(spec.environment)
        spec.log.write_bytes(b"")
        return spec
