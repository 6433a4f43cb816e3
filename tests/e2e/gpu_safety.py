"""What may happen to a running measurement, and what must be true afterwards, under any executor."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform.api import Airflow, DagRun, TaskInstance
from tests.e2e.conftest import NEWEST

TASK = "measure_on_cpu"


@dataclass(frozen=True)
class Measurement:
    """A measurement that runs, from the executor's process down to the model server."""

    server: psutil.Process
    command: psutil.Process
    task: psutil.Process
    supervisor: psutil.Process

    @classmethod
    def of(cls, server: psutil.Process) -> Measurement:
        """Its processes, found from the server upwards."""
        command = next(parent for parent in server.parents() if _runs(parent, "benchmark_tasks.cli"))
        guardian = command.parent()
        task = guardian and guardian.parent()
        supervisor = task and task.parent()
        assert task is not None and supervisor is not None
        return cls(server, command, task, supervisor)

    def below_the_supervisor(self) -> list[psutil.Process]:
        return self.supervisor.children(recursive=True)


@dataclass
class Bench:
    """Where measurements are disturbed: an Airflow, and the machine that it measures on.

    servers: the model servers that run there. home: JOULEBOARD_HOME there.
    """

    airflow: Airflow
    home: Path
    servers: Callable[[], list[psutil.Process]]

    def start(self) -> tuple[DagRun, Measurement]:
        """Measure the release once more; returns when its model server runs."""
        run = self.airflow.trigger(
            "benchmark_release", {"version": NEWEST, "force": True, "gpu_model": "none"}
        )
        return run, self.next_measurement()

    def next_measurement(self) -> Measurement:
        """The measurement that starts now."""
        (server,) = until(self.servers, 300, "a model server")
        return Measurement.of(server)

    def task(self, run: DagRun) -> TaskInstance:
        (task,) = [task for task in self.airflow.tasks(run) if task.task_id == TASK]
        return task

    def try_again_at_once(self, run: DagRun) -> None:
        """What was killed is tried again, after two minutes at most; clearing it spares the wait."""
        waits = until(lambda: self.task(run).state == "up_for_retry" or self.servers(), 300, "another try")
        if waits is True:
            self.clear(run)

    def clear(self, run: DagRun) -> None:
        """Clear the measuring task and what follows, as a person does in the UI."""
        body = {"dry_run": False, "dag_run_id": run.run_id, "task_ids": [TASK], "only_failed": False}
        body |= {"include_downstream": True, "reset_dag_runs": True}
        self.airflow._call("POST", f"/api/v2/dags/{run.dag_id}/clearTaskInstances", json=body)

    def assert_nothing_left_of(self, processes: list[psutil.Process]) -> None:
        """All gone, the device free, and no bundle half-landed."""
        _, alive = psutil.wait_procs(processes, timeout=180)
        assert not alive
        assert _is_free(self.home / "locks" / "cpu.lock")
        assert not list((self.home / "raw" / ".incoming").glob("*/*/SHA256SUMS"))


def disturb(bench: Bench) -> DagRun:
    """Clear a measurement while it runs, kill its task, then its supervisor. Nothing stays behind.

    Returns the run, whose measuring task still counts as running: nobody has missed its heartbeats yet.
    """
    run, first = bench.start()
    bench.clear(run)
    bench.assert_nothing_left_of([first.server, first.command, first.task])
    bench.try_again_at_once(run)

    second = bench.next_measurement()
    second.task.kill()
    bench.assert_nothing_left_of([second.server, second.command])
    bench.try_again_at_once(run)

    third = bench.next_measurement()
    below = third.below_the_supervisor()
    assert {third.server, third.command, third.task} <= set(below)
    third.supervisor.kill()
    bench.assert_nothing_left_of(below)
    return run


def mark_failed(bench: Bench, run: DagRun, measurement: Measurement | None = None) -> None:
    """Mark the measuring task failed; the run ends, and nothing stays behind."""
    bench.airflow.mark_failed(run, bench.task(run))
    if measurement:
        bench.assert_nothing_left_of([measurement.server, measurement.command, measurement.task])
    ended = until(lambda: _ended(bench.airflow, run), 300, "the end of the run")
    assert ended.state == bench.task(run).state == "failed"


def _ended(airflow: Airflow, run: DagRun) -> DagRun | None:
    current = airflow.run(run.dag_id, run.run_id)
    return current if current and current.finished else None


def _runs(process: psutil.Process, module: str) -> bool:
    line = process.cmdline()
    return module in line and "benchmark_tasks.runtimes.guardian" not in line


def _is_free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
