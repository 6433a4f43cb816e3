"""The main job on real parts, end to end, on a machine without a GPU: `make demo`.

Release on the package index -> `watch_releases` -> `benchmark_release` (a real vLLM server) ->
`refresh_leaderboard` -> publication. Airflow's scheduler runs it all, and the UI shows the runs afterwards.
The demo uses the platform if it is up. Otherwise it starts the platform, and stops it at the end in any case.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from benchmark_tasks import disk
from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import JouleboardError, SettingsError
from benchmark_tasks.plan import newest_version, plan_release
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.store import Listing
from benchmark_tasks.settings import Settings, environment_path
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, Weights
from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.demo.following import Clock, follow, wait_for_runs, wait_until_known
from jouleboard_airflow.demo.leaderboard import print_leaderboard, print_where_to_look
from jouleboard_airflow.demo.real_weights import offer_real_weights
from jouleboard_airflow.platform import commands
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.installation import REPOSITORY, Installation
from jouleboard_airflow.tasks import releases
from jouleboard_airflow.tasks.models import HUB

DAGS = ("watch_releases", "benchmark_release", "refresh_leaderboard")
KNOWN_SECONDS = 120.0
WATCH_SECONDS = 300.0
BENCHMARK_SECONDS = 3600.0
REFRESH_SECONDS = 900.0


def main() -> int:
    """Run the demo. Returns the exit code; an error is one line on stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    clock = Clock()
    disk.keep_others_from_writing()
    try:
        demo(Installation.from_environment(), clock)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; everything that the demo started has been stopped", file=sys.stderr)
        return 130
    return 0


def demo(installation: Installation, clock: Clock) -> None:
    """The whole demo, step by step.

    Raises:
        JouleboardError: a step failed.
    """
    settings = installation.settings
    clock.say(f"all results are kept in {settings.home}")
    land_recorded_runs(settings, clock)
    project = load().project_of(DEFAULT_RUNTIME)
    clock.say(f"asking the package index for {project.project} releases that run without a GPU")
    version = newest_version(project, settings, has_gpu=False)
    clock.say(f"the newest is {version}")
    offer_real_weights(load(overlay=settings.catalog), settings, clock.say)
    for line in weights_measured(load(overlay=settings.catalog), version):
        clock.say(line)
    with running_platform(installation, clock):
        airflow = Airflow(installation)
        with unpaused(airflow):
            began = datetime.now(UTC)
            measured = measure_release(airflow, project.project, version, clock)
            refreshed = refresh(airflow, measured, began, clock)
        clock.say(airflow.result(refreshed, "refresh")["summary"])
    print_leaderboard(settings)
    print_where_to_look(installation)


def weights_measured(catalog: Catalog, version: str) -> list[str]:
    """One line per model that is measured without a GPU, with its weights; and how to have real ones."""
    plan = plan_release(
        catalog,
        Listing((), ()),
        runtime=DEFAULT_RUNTIME,
        runtime_version=version,
        gpu_model=NO_GPU,
        gpus=0,
    )
    sweeps = {sweep.model_id: sweep for sweep in plan.sweeps}
    lines = [
        f"measures {model_id}: {sweep.weights} weights"
        + (f" of {sweep.weights_folder}" if sweep.weights_folder else "")
        for model_id, sweep in sweeps.items()
    ]
    if not any(sweep.weights is Weights.REAL for sweep in sweeps.values()):
        lines.append("no real weights: docs/how-to/real-model-without-a-hub.md says how the demo gets some")
    return lines


def land_recorded_runs(settings: Settings, clock: Clock) -> None:
    """Land the runs that this project measured on real GPUs and ships; runs that are landed already stay.

    `JOULEBOARD_RECORDED_RUNS` names another folder of bundles.

    Raises:
        SettingsError: there is no such folder.
    """
    from benchmark_tasks.results.store import Store

    store = Store.of(settings)
    folder = environment_path(os.environ, "JOULEBOARD_RECORDED_RUNS") or REPOSITORY / "recorded_runs"
    if not folder.is_dir():
        raise SettingsError(f"{folder}: no such folder; correct JOULEBOARD_RECORDED_RUNS")
    bundles = sorted(path.parent for path in folder.rglob("run.json"))
    for bundle in bundles:
        store.land_copy(bundle)
    if bundles:
        clock.say(f"{len(bundles)} recorded runs are in the landing zone")


@contextmanager
def running_platform(installation: Installation, clock: Clock) -> Iterator[None]:
    """Start the platform unless it is up, and stop at the end what was started.

    A platform that the demo starts runs no DAG by the clock (`dag_parts/schedules.py`).
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
    """Unpause the DAGs, and pause at the end those that were paused."""
    paused = [dag_id for dag_id in DAGS if wait_until_known(airflow, dag_id, KNOWN_SECONDS)]
    for dag_id in paused:
        airflow.set_paused(dag_id, False)
    try:
        yield
    finally:
        for dag_id in paused:
            airflow.set_paused(dag_id, True)


def measure_release(airflow: Airflow, project: str, version: str, clock: Clock) -> DagRun | None:
    """Let `watch_releases` find the release, and wait until its benchmark has ended.

    Returns the benchmark's run; None when the release was measured before.

    Raises:
        JouleboardError: a run failed; the message has its tasks' error lines.
    """
    run_id = releases.release_run_id(project, version)
    before = airflow.run("benchmark_release", run_id)
    conf = {releases.floor_param(project): version, "gpu_model": NO_GPU, HUB: False}
    follow(airflow, airflow.trigger("watch_releases", conf), WATCH_SECONDS, clock)
    benchmark = airflow.run("benchmark_release", run_id)
    if benchmark is None:
        raise JouleboardError(f"watch_releases did not start {run_id}: see its log in the UI (`make up`)")
    if before and before.state == "success":
        clock.say(f"nothing new to measure: {project} {version} was measured by run {run_id}")
        return None
    if before and before.state == "failed":
        clock.say(f"{run_id} failed last time: measuring what is missing")
        airflow.clear(before)
    follow(airflow, benchmark, BENCHMARK_SECONDS, clock)
    return benchmark


def refresh(airflow: Airflow, measured: DagRun | None, began: datetime, clock: Clock) -> DagRun:
    """Wait until the refresh that the benchmark started has ended; without a benchmark, start a refresh.

    Raises:
        JouleboardError: it failed; the message has the gate's refusal.
    """
    if measured is None:
        run = airflow.trigger("refresh_leaderboard", {})
    else:
        run = wait_for_runs(
            lambda: airflow.runs_started_by(measured, began), KNOWN_SECONDS, "refresh_leaderboard"
        )[0]
    follow(airflow, run, REFRESH_SECONDS, clock)
    return run


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
