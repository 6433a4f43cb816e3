"""The main job on real parts, end to end, on a machine without a GPU: `make demo`.

Release on the package index -> `watch_releases` -> `benchmark_release` (a real vLLM server) ->
`refresh_leaderboard` -> publication. Through Airflow's scheduler: the runs are in the UI afterwards.
Uses the platform if it is up; otherwise starts it, and stops it at the end whatever happens.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmark_tasks.errors import JouleboardError, UnknownVersion
from benchmark_tasks.results.schema import NO_GPU
from benchmark_tasks.settings import Settings
from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.platform import commands
from jouleboard_airflow.platform.api import Airflow, DagRun, TaskInstance
from jouleboard_airflow.platform.installation import REPOSITORY, Installation
from jouleboard_airflow.tasks import releases
from jouleboard_airflow.tasks.models import HUB

PROJECT = "vllm"
DAGS = ("watch_releases", "benchmark_release", "refresh_leaderboard")
KNOWN_SECONDS = 120.0
WATCH_SECONDS = 300.0
BENCHMARK_SECONDS = 3600.0
REFRESH_SECONDS = 900.0
HEARTBEAT_SECONDS = 15.0
LEADERBOARD_QUERY = """
    with measured as (
        select
            *,
            case when num_gpus = 0 then 'CPU' else num_gpus || 'x ' || gpu_model end as gpus,
            count(distinct batch_size) over of_a_set as sizes,
            max(last_measured_at) over of_a_set as set_measured_at
        from leaderboard
        where data_source = 'jouleboard' and is_current_revision and not contains(request_set_id, '+')
        window of_a_set as (
            partition by
                nickname, task, num_gpus, gpu_model, runtime, runtime_version, weights, request_set_id
        )
    )
    select
        nickname as model,
        task,
        gpus as "on",
        runtime || ' ' || runtime_version as runtime,
        sizes,
        batch_size as best,
        round(throughput_per_second, 1) as "outputs/s",
        round(median_itl_ms, 2) as "ITL ms",
        round(energy_per_output_joules, 4) as "J/output",
        printf('%.1f %%', 100 * (energy_per_output_high_joules / energy_per_output_joules - 1)) as "+-",
        nullif(energy_repeats, 0) as runs
    from measured
    qualify row_number() over (
        partition by nickname, task, gpus, runtime, runtime_version, weights
        order by set_measured_at desc, energy_per_output_joules nulls last, throughput_per_second desc
    ) = 1
    order by task, model, "on", runtime
"""
"""Of each model, task, GPUs and runtime the batch size that costs least of those that settled, or is fastest
where energy is unknown: of the request set that was measured last, as sets are not compared.

Without loads that began or ended in an unusual way: their request sets end in `+afresh` and the like.
"""

_POLL_SECONDS = 1.0


def main() -> int:
    """Run the demo; an error is one line on stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    clock = Clock()
    try:
        demo(Installation.from_environment(), clock)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; everything the demo started has been stopped", file=sys.stderr)
        return 130
    return 0


def demo(installation: Installation, clock: Clock) -> None:
    """The story, top to bottom."""
    settings = installation.settings
    clock.say(f"everything is kept in {settings.home}")
    land_recorded_runs(settings, clock)
    clock.say(f"asking the package index for {PROJECT} releases that run without a GPU")
    version = newest_release(settings)
    clock.say(f"the newest is {version}")
    with running_platform(installation, clock):
        airflow = Airflow(installation)
        with unpaused(airflow):
            began = datetime.now(UTC)
            measured = measure_release(airflow, version, clock)
            refreshed = refresh(airflow, measured, began, clock)
        clock.say(airflow.result(refreshed, "refresh")["summary"])
    print_leaderboard(settings)
    print_where_to_look(installation)


@dataclass
class Clock:
    """Prints lines with the time since the demo began."""

    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print one line, at once."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)


def land_recorded_runs(settings: Settings, clock: Clock) -> None:
    """Land the runs that this project measured on real GPUs and ships; those landed already are kept."""
    from benchmark_tasks.results.store import Store

    store = Store.of(settings)
    bundles = sorted(path.parent for path in (REPOSITORY / "recorded_runs").rglob("run.json"))
    for bundle in bundles:
        store.land_copy(bundle)
    if bundles:
        clock.say(f"{len(bundles)} recorded runs are in the landing zone")


def newest_release(settings: Settings) -> str:
    """The newest release that has a build for a machine without a GPU.

    Raises:
        IndexUnreachable, UnknownVersion
    """
    from benchmark_tasks.catalog import load
    from benchmark_tasks.releases.index import watched_releases

    releases = watched_releases(load().watched(PROJECT), settings, has_gpu=False)
    if not releases:
        raise UnknownVersion(f"the package index has no {PROJECT} release that runs without a GPU")
    return releases[-1].version


@contextmanager
def running_platform(installation: Installation, clock: Clock) -> Iterator[None]:
    """The platform, started unless it is up, and then stopped again.

    A platform of the demo's own does what the demo asks for, whatever the clock says.
    """
    os.environ[schedules.VARIABLE] = schedules.OFF
    started = commands.up(installation, say=clock.say, die_with_me=True)
    try:
        yield
    finally:
        if started:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            clock.say("stopping the platform")
            commands.down(installation, say=clock.say)


@contextmanager
def unpaused(airflow: Airflow) -> Iterator[None]:
    """Unpause the DAGs, and leave the schedule as it was found."""
    paused = [dag_id for dag_id in DAGS if _wait_known(airflow, dag_id)]
    for dag_id in paused:
        airflow.set_paused(dag_id, False)
    try:
        yield
    finally:
        for dag_id in paused:
            airflow.set_paused(dag_id, True)


def measure_release(airflow: Airflow, version: str, clock: Clock) -> DagRun | None:
    """Let the watcher find the release; wait for its benchmark. None when it was measured before.

    Raises:
        JouleboardError: a run failed; carries its tasks' error lines.
    """
    run_id = releases.release_run_id(PROJECT, version)
    before = airflow.run("benchmark_release", run_id)
    conf = {releases.floor_param(PROJECT): version, "gpu_model": NO_GPU, HUB: False}
    follow(airflow, airflow.trigger("watch_releases", conf), WATCH_SECONDS, clock)
    benchmark = airflow.run("benchmark_release", run_id)
    if benchmark is None:
        raise JouleboardError(f"watch_releases did not start {run_id}: see its log in the UI (`make up`)")
    if before and before.state == "success":
        clock.say(f"nothing new to measure: {PROJECT} {version} was measured by run {run_id}")
        return None
    if before and before.state == "failed":
        clock.say(f"{run_id} failed last time: trying again what is missing")
        airflow.clear(before)
    follow(airflow, benchmark, BENCHMARK_SECONDS, clock)
    return benchmark


def refresh(airflow: Airflow, measured: DagRun | None, began: datetime, clock: Clock) -> DagRun:
    """Wait for the refresh that the benchmark set off; without one, start it.

    Raises:
        JouleboardError: it failed; carries the refusal.
    """
    if measured is None:
        run = airflow.trigger("refresh_leaderboard", {})
    else:
        run = wait_for(
            lambda: airflow.runs_started_by(measured, began), KNOWN_SECONDS, "refresh_leaderboard"
        )[0]
    follow(airflow, run, REFRESH_SECONDS, clock)
    return run


def follow(airflow: Airflow, run: DagRun, seconds: float, clock: Clock) -> None:
    """Print what a run does until it has ended.

    Raises:
        JouleboardError: it failed, waits for a person or had not ended after `seconds`, or the platform died.
    """
    clock.say(f"{run.dag_id}: run {run.run_id}")
    watch = _Progress(airflow, run, clock)
    deadline = time.monotonic() + seconds
    while True:
        current = airflow.run(run.dag_id, run.run_id) or run
        asks = watch.update()
        if current.finished:
            break
        commands.require_up(airflow.installation)
        for question in airflow.questions(run) if asks else ():
            raise JouleboardError(_waits_for_a_person(airflow.installation, run, question["subject"]))
        if time.monotonic() > deadline:
            raise JouleboardError(f"{run.dag_id} run {run.run_id} had not ended after {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    if current.state == "failed":
        raise JouleboardError("; ".join([f"{run.dag_id} failed", *airflow.errors(run)]))


class _Progress:
    """Prints each task that starts or ends, the measuring command's own lines, and a sign of life."""

    def __init__(self, airflow: Airflow, run: DagRun, clock: Clock) -> None:
        self._airflow, self._run, self._clock = airflow, run, clock
        self._states: dict[tuple[str, int], str | None] = {}
        self._lines: dict[tuple[str, int], int] = {}
        self._said_at = time.monotonic()

    def update(self) -> bool:
        """Print what is new since the last call; whether a task waits for a person."""
        running, tasks = [], self._airflow.tasks(self._run)
        for task in tasks:
            key = (task.task_id, task.map_index)
            if self._states.get(key) in ("running", None) and task.task_id.startswith("measure_"):
                self._say_lines(task)
            before = self._states.get(key)
            told = ("running", "success", "failed") + (("skipped",) if before == "running" else ())
            if task.state != before and task.state in told:
                self._say(f"  {task.name}: {task.state}")
            self._states[key] = task.state
            running += [task.name] if task.state == "running" else []
        if running and time.monotonic() - self._said_at > HEARTBEAT_SECONDS:
            self._say(f"  still running: {', '.join(running)}")
        return any(task.state == "awaiting_input" for task in tasks)

    def _say_lines(self, task: TaskInstance) -> None:
        if task.map_index < 0 or task.state not in ("running", "success", "failed"):
            return
        key = (task.task_id, task.map_index)
        lines = [line["event"] for line in self._airflow.log(self._run, task) if _is_progress(line)]
        for line in lines[self._lines.get(key, 0) :]:
            self._say(f"    {line}")
        self._lines[key] = len(lines)

    def _say(self, text: str) -> None:
        self._clock.say(text)
        self._said_at = time.monotonic()


def _is_progress(line: dict) -> bool:
    return "MeasureSweepOperator" in str(line.get("logger")) and line.get("level") != "debug"


def print_leaderboard(settings: Settings) -> None:
    """What was published: of everything the batch size that costs least, with its interval."""
    from rich.console import Console
    from rich.table import Table

    from expectations.publications import query

    answer = query(settings, LEADERBOARD_QUERY)
    caption = "-: no energy counter there, or a single run, which has no interval; never an estimate"
    table = Table(title="The current publication: the best of the batch sizes that settled", caption=caption)
    for column in answer.columns:
        table.add_column(column, justify="left" if column in ("model", "task", "on", "runtime") else "right")
    for row in answer.rows:
        table.add_row(*("-" if value is None else str(value) for value in row))
    Console(width=max(120, Console().width)).print(table)


def print_where_to_look(installation: Installation) -> None:
    """Where a person goes from here."""
    published = installation.settings.published / "current"
    print(f'database  {published / "leaderboard.duckdb"}   (`.venv/bin/jouleboard query "select ..."`)')
    print(f"page      {published / 'site' / 'index.html'}")
    print(f"gate      {published / 'site' / 'gate_report.html'}   (what it warned about)")
    print(f"UI        `make up`, then {installation.url}; {commands.login(installation)}")


def wait_for(found: Callable[[], list[DagRun]], seconds: float, what: str) -> list[DagRun]:
    """Ask until there is something.

    Raises:
        JouleboardError: there was nothing after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise JouleboardError(f"{what} was not started within {seconds:.0f} s; see the scheduler's log")
        time.sleep(_POLL_SECONDS)
    return answer


def _wait_known(airflow: Airflow, dag_id: str) -> bool:
    """Whether a DAG is paused, once Airflow has read its file."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while (paused := airflow.is_paused(dag_id)) is None:
        if errors := airflow.import_errors():
            raise JouleboardError(f"a DAG file cannot be read: {errors[0]}")
        if time.monotonic() > deadline:
            raise JouleboardError(f"Airflow did not read the DAG {dag_id} within {KNOWN_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return paused


def _waits_for_a_person(installation: Installation, run: DagRun, question: str) -> str:
    return (
        f"{run.dag_id} run {run.run_id} waits for a person: {question}; "
        f"`make up`, answer under Required Actions at {installation.url}, then run the demo again"
    )


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
