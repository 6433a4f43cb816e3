"""The model server of a language model: where it comes from, its start, what measures on it, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark_tasks.catalog import Model, TaskEntry
from benchmark_tasks.errors import OutOfMemory
from benchmark_tasks.language.measurement import Bench, measure_point
from benchmark_tasks.language.open_loop import measure_load
from benchmark_tasks.measuring.session import Installed, PointResult, RunningSweep
from benchmark_tasks.meters.meter import Reading, Recorder
from benchmark_tasks.plan.procedure import (
    CPU_PROCEDURE,
    GPU_PROCEDURE,
    OPEN_CPU_PROCEDURE,
    OPEN_GPU_PROCEDURE,
    Procedure,
)
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import Load
from benchmark_tasks.runtimes.drawn import weights_drawn
from benchmark_tasks.runtimes.hub_weights import fetch_model
from benchmark_tasks.runtimes.kinds import MOCK, kind_of, loads_from_hub
from benchmark_tasks.runtimes.launch import AtEndpoint, Launch, Origin
from benchmark_tasks.runtimes.model_files import model_source
from benchmark_tasks.runtimes.origins import origin_of
from benchmark_tasks.runtimes.server import RunningServer
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import LengthControl, Weights
from benchmark_tasks.workloads.catalog_sets import request_set_for, with_fixed_lengths
from benchmark_tasks.workloads.chat import DataSetChat
from benchmark_tasks.workloads.context import require_fit
from benchmark_tasks.workloads.requests import DataSetText, NamedRequestSet
from benchmark_tasks.workloads.set_names import SYNTHETIC

METRICS_PERIOD_SECONDS = 1.0
KEPT_ANSWERS = 32
"""Of how many requests a bundle keeps the answers, where prompts are those of a data set on the hub."""


class LanguageSessions:
    """Measures points of language models on a server; one session is one server's life."""

    sized_by_batch = True
    """A server is sized for its largest batch when it starts."""

    def __init__(
        self,
        sweep: Sweep,
        model: Model,
        task: TaskEntry,
        settings: Settings,
        port: int | None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Choose requests and procedure; nothing is started.

        Raises:
            CatalogError, RequestSetError, IndexUnreachable: the request set cannot be had, or prompts of a
                person's own do not fit the model.
        """
        self._sweep, self._model, self._settings, self._port = sweep, model, settings, port
        self._request_set = request_set_for(sweep, model, task, settings)
        _require_own_prompts_fit(sweep, model, self._request_set, settings, say)
        self._designed = {
            (point.fixed_prompt_tokens, point.fixed_answer_tokens): with_fixed_lengths(
                self._request_set, point, model
            )
            for point in sweep.points
            if point.is_designed
        }
        procedures = (
            (OPEN_CPU_PROCEDURE, OPEN_GPU_PROCEDURE) if sweep.is_open else (CPU_PROCEDURE, GPU_PROCEDURE)
        )
        self.procedure: Procedure = procedures[bool(sweep.num_gpus)]
        self._origin: Origin | None = None
        # In an open loop the server's size decides how many requests wait: it is what the configuration says.
        roomy = sweep.num_gpus and not sweep.is_open
        self._smallest_server = kind_of(sweep.runtime).server.smallest_gpu_server if roomy else 1

    def request_set_id(self, procedure: Procedure, load: Load) -> str:
        """What is asked, in which order and lengths, and how the load is unusual, if it is."""
        marks = self._sweep.sampling.mark + procedure.load_mark(self._sweep.length_control)
        return self._requests_of(load).request_set_id + marks

    def _requests_of(self, load: Load) -> NamedRequestSet:
        if not load.is_designed:
            return self._request_set
        return self._designed[load.fixed_prompt_tokens, load.fixed_answer_tokens]

    def install(self, say: Callable[[str], None]) -> Installed:
        """Make the model's files and the runtime available: minutes the first time."""
        if _is_from_hub(self._sweep):
            fetch_model(self._model, self._settings, say)
        self._origin = origin_of(self._sweep.server, self._sweep, self._settings, say)
        name = self._origin.served_model_name
        self._request_set = self._request_set.served_as(name)
        self._designed = {lengths: made.served_as(name) for lengths, made in self._designed.items()}
        return Installed(self._origin.packages, self._origin.image)

    @contextmanager
    def start(
        self, running: RunningSweep, devices: Recorder, largest_batch: int
    ) -> Iterator[Callable[[Load], PointResult]]:
        """A server for batches up to `largest_batch`; gives what measures one load on it.

        Raises:
            ServerDied, ServerNeverHealthy, OutOfMemory, WeightsNotAsAsked
        """
        running.tell(f"starting the server for {running.sweep.label()}")
        with self._server(running, largest_batch) as server:
            running.tell(f"healthy after {server.start_seconds:.0f} s")
            with metrics_of(server) as metrics:

                def measure(load: Load) -> PointResult:
                    requests = self._requests_of(load)
                    bench = Bench(
                        server=server,
                        devices=devices,
                        metrics=metrics,
                        request_set=requests,
                        length_control=self._sweep.length_control,
                        procedure=running.procedure,
                        say=running.tell,
                        kept_answers=kept_answers_of(self._sweep, requests.first_round),
                        graded_answers=graded_answers_of(self._sweep, requests),
                        sleep_levels=self._sweep.sleep_levels,
                    )
                    return _measure(bench, load)

                yield measure

    @contextmanager
    def _server(self, running: RunningSweep, largest_batch: int) -> Iterator[RunningServer]:
        """A server of at least the runtime's smallest size; if that does not fit, of the largest batch's."""
        with ExitStack() as stack:
            roomy = max(largest_batch, self._smallest_server)
            try:
                server = stack.enter_context(self._serve(running, roomy))
            except OutOfMemory:
                if roomy == largest_batch:
                    raise
                running.tell(
                    f"a server for {roomy} answers at once needs too much memory: trying {largest_batch}"
                )
                self._smallest_server = 1
                server = stack.enter_context(self._serve(running, largest_batch))
            yield server

    @contextmanager
    def _serve(self, running: RunningSweep, max_num_seqs: int) -> Iterator[RunningServer]:
        assert self._origin is not None
        spec = self._origin.spec(
            Launch(
                setup=running.sweep,
                model=running.model,
                scratch=running.scratch,
                gpu_indices=running.gpu_indices,
                lock_mark=running.lock_mark,
                max_num_seqs=max_num_seqs,
                seed=running.procedure.seed,
                start_seconds=running.procedure.server_start_seconds,
                port=self._port,
            )
        )
        running.command, running.environment = spec.command, spec.recorded
        spec.log.write_bytes(b"")
        with self._origin.serve(spec) as server:
            if running.sweep.weights is Weights.STAND_IN:
                running.stand_in = weights_drawn(spec.log)
                running.tell(f"weights: {running.stand_in.recipe}, digest {running.stand_in.digest[:12]}")
            running.require_weights_as_read()
            yield server


def _require_own_prompts_fit(
    sweep: Sweep, model: Model, requests: NamedRequestSet, settings: Settings, say: Callable[[str], None]
) -> None:
    """Whether they fit, by the tokenizer of the model that will be served, wherever its files are here."""
    entry = sweep.data_set
    if entry is None or entry.file is None or not isinstance(requests, DataSetText | DataSetChat):
        return
    file, options = Path(entry.file), {**model.server, **sweep.server_options}
    with TemporaryDirectory(prefix="jouleboard-tokenizer-") as scratch:
        folder = _files_of(sweep, model, Path(scratch), settings, say)
        if folder is None:
            say(
                f"{file.name}: tokens are not counted: the model's files are not here; "
                "the server says which prompts do not fit"
            )
        else:
            require_fit(requests, file, folder, options, say)


def _files_of(
    sweep: Sweep, model: Model, scratch: Path, settings: Settings, say: Callable[[str], None]
) -> Path | None:
    """A folder with the tokenizer that a server here would load; `None` for an endpoint."""
    if isinstance(sweep.server, AtEndpoint):
        return None
    if loads_from_hub(sweep):
        return None if sweep.distribution == MOCK else fetch_model(model, settings, say, small=True)
    return Path(model_source(model, sweep.weights, scratch, sweep.weights_folder))


def _is_from_hub(sweep: Sweep) -> bool:
    """Whether a server here loads the hub's files; the mock loads none."""
    served_here = not isinstance(sweep.server, AtEndpoint) and sweep.distribution != MOCK
    return served_here and loads_from_hub(sweep)


def _measure(bench: Bench, load: Load) -> PointResult:
    return measure_load(bench, load) if load.is_open else measure_point(bench, load.batch_size)


def kept_answers_of(sweep: Sweep, first_round: int | None) -> int:
    """Of how many requests the answers are kept: by choice or the usual number, of the first round only.

    Later rounds put a line before each prompt, which may change its answer. Unless a person chose: none of
    made-up prompts, whose answers say nothing, and none of prompts from a person's file, which may be
    private.
    """
    from_file = sweep.data_set is not None and sweep.data_set.file is not None
    usual = 0 if from_file or sweep.request_set == SYNTHETIC else KEPT_ANSWERS
    wanted = usual if sweep.kept_answers is None else sweep.kept_answers
    return wanted if first_round is None else min(wanted, first_round)


def graded_answers_of(sweep: Sweep, requests: NamedRequestSet) -> int:
    """Of how many requests the answers are graded: all of the first round, where right answers are known.

    Answers of prescribed lengths go on after their end, or end before it: they are not graded.
    """
    natural = sweep.length_control is LengthControl.NATURAL
    return requests.first_round or 0 if natural and requests.answer_key is not None else 0


def metrics_of(server: RunningServer) -> Recorder:
    """Samples the server's `/metrics`. What could not be read is a gap, and a line in `failures`."""
    reader = _MetricsReader(server)
    return Recorder(reader, METRICS_PERIOD_SECONDS, failures=reader.failures)  # type: ignore[arg-type]


class _MetricsReader:
    """Lets a `Recorder` sample `/metrics`, and go on where a server did not answer once."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self.failures: list[str] = []

    def read(self) -> list[Reading] | None:
        """All its readings now; `None` if they cannot be read."""
        try:
            return self._server.read_metrics()
        except OSError as error:
            self.failures.append(str(error))
            return None
