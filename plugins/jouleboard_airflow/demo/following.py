"""Follows a run of a DAG until it ends, and prints what happens in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmark_tasks.errors import JouleboardError
from jouleboard_airflow.platform.api import Airflow, DagRun, TaskInstance
from jouleboard_airflow.platform.health import require_up
from jouleboard_airflow.platform.installation import Installation

HEARTBEAT_SECONDS = 15.0
_POLL_SECONDS = 1.0


@dataclass
class Clock:
    """Prints lines with the time since the demo began."""

    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print one line at once."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)


def follow(airflow: Airflow, run: DagRun, seconds: float, clock: Clock) -> None:
    """Print what happens in a run until it has ended.

    Raises:
        JouleboardError: it failed, waits for a person, had not ended after `seconds`, or the platform died.
    """
    clock.say(f"{run.dag_id}: run {run.run_id}")
    progress = _Progress(airflow, run, clock)
    deadline = time.monotonic() + seconds
    while True:
        current = airflow.run(run.dag_id, run.run_id) or run
        waits_for_a_person = progress.update()
        if current.finished:
            break
        require_up(airflow.installation)
        for question in airflow.questions(run) if waits_for_a_person else ():
            raise JouleboardError(_waits_for_a_person(airflow.installation, run, question["subject"]))
        if time.monotonic() > deadline:
            raise JouleboardError(f"{run.dag_id} run {run.run_id} had not ended after {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    if current.state == "failed":
        raise JouleboardError("; ".join([f"{run.dag_id} failed", *airflow.errors(run)]))


def wait_for_runs(started: Callable[[], list[DagRun]], seconds: float, dag_id: str) -> list[DagRun]:
    """Ask until a run of the DAG was started.

    Raises:
        JouleboardError: there was none after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (runs := started()):
        if time.monotonic() > deadline:
            raise JouleboardError(f"{dag_id} was not started within {seconds:.0f} s; see the scheduler's log")
        time.sleep(_POLL_SECONDS)
    return runs


def wait_until_known(airflow: Airflow, dag_id: str, seconds: float) -> bool:
    """Wait until Airflow has read a DAG's file; returns whether the DAG is paused.

    Raises:
        JouleboardError: a DAG file cannot be read, or Airflow did not read this one in time.
    """
    deadline = time.monotonic() + seconds
    while (paused := airflow.is_paused(dag_id)) is None:
        if errors := airflow.import_errors():
            raise JouleboardError(f"a DAG file cannot be read: {errors[0]}")
        if time.monotonic() > deadline:
            raise JouleboardError(f"Airflow did not read the DAG {dag_id} within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return paused


class _Progress:
    """Prints which tasks start, end or still run, and the lines of the measuring command."""

    def __init__(self, airflow: Airflow, run: DagRun, clock: Clock) -> None:
        self._airflow, self._run, self._clock = airflow, run, clock
        self._states: dict[tuple[str, int], str | None] = {}
        self._lines: dict[tuple[str, int], int] = {}
        self._printed_at = time.monotonic()

    def update(self) -> bool:
        """Print what is new since the last call. Returns whether a task waits for a person."""
        tasks = self._airflow.tasks(self._run)
        for task in tasks:
            self._print_changes(task)
        running = [task.name for task in tasks if task.state == "running"]
        if running and time.monotonic() - self._printed_at > HEARTBEAT_SECONDS:
            self._print(f"  still running: {', '.join(running)}")
        return any(task.state == "awaiting_input" for task in tasks)

    def _print_changes(self, task: TaskInstance) -> None:
        before = self._states.get(_key(task))
        if before in ("running", None) and task.task_id.startswith("measure_"):
            self._print_command_lines(task)
        printed = ("running", "success", "failed") + (("skipped",) if before == "running" else ())
        if task.state != before and task.state in printed:
            self._print(f"  {task.name}: {task.state}")
        self._states[_key(task)] = task.state

    def _print_command_lines(self, task: TaskInstance) -> None:
        if task.map_index < 0 or task.state not in ("running", "success", "failed"):
            return
        lines = [line["event"] for line in self._airflow.log(self._run, task) if _is_of_command(line)]
        for line in lines[self._lines.get(_key(task), 0) :]:
            self._print(f"    {line}")
        self._lines[_key(task)] = len(lines)

    def _print(self, text: str) -> None:
        self._clock.say(text)
        self._printed_at = time.monotonic()


def _key(task: TaskInstance) -> tuple[str, int]:
    return task.task_id, task.map_index


def _is_of_command(line: dict[str, Any]) -> bool:
    return "MeasureSweepOperator" in str(line.get("logger")) and line.get("level") != "debug"


def _waits_for_a_person(installation: Installation, run: DagRun, question: str) -> str:
    return (
        f"{run.dag_id} run {run.run_id} waits for a person: {question}; "
        f"`make up`, answer under Required Actions at {installation.url}, then run the demo again"
    )
